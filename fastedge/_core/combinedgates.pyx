"""Gates out of gates: one of several credentials, or all of them.

Whatever lets a request in, the credentials of all gates are kept from the origin: one that was not checked must not look
there as if it had been.
"""

cimport cython

from types import MappingProxyType

from fastedge._core.gate cimport Admission, Gate, Refusal, make_admission
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport Wait


@cython.final
cdef class AnyGate(Gate):
    """The first gate, in order, whose credential the request shows decides; the others are not asked."""

    def __init__(self, str stage not None, gates):
        self.stage = stage
        self.gates = list(gates)
        self.missing = _missing(stage, self.gates)
        _take_reserved(self, self.gates)

    cdef object examine(self, Request request, Context ctx):
        for gate in self.gates:
            found = (<Gate> gate).examine(request, ctx)
            if found is not None:
                return found
        return None

    cdef bint decides(self, Request request) except -1:
        return _decides(self.gates, request)

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        for gate in self.gates:
            (<Gate> gate).conceal(request, ctx, checked)
            checked = checked and not (<Gate> gate).decides(request)
        return 0

    def trace(self, Request request not None, Context ctx not None):
        return _trace(self.gates, request, ctx)


@cython.final
cdef class AllGate(Gate):
    """Each gate has to let the request in; who shows no credential at all has shown none."""

    def __init__(self, str stage not None, gates):
        self.stage = stage
        self.gates = list(gates)
        self.missing = _missing(stage, self.gates)
        _take_reserved(self, self.gates)

    cdef object examine(self, Request request, Context ctx):
        return self.examine_from(0, [], None, request, ctx)

    cdef bint decides(self, Request request) except -1:
        return _decides(self.gates, request)

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        for gate in self.gates:
            (<Gate> gate).conceal(request, ctx, checked)
        return 0

    def trace(self, Request request not None, Context ctx not None):
        return _trace(self.gates, request, ctx)

    cdef object examine_from(self, Py_ssize_t first, list admissions, Gate lacking, Request request, Context ctx):
        """`lacking` is a gate before `first` whose credential is not there."""
        cdef Py_ssize_t i
        for i in range(first, len(self.gates)):
            found = (<Gate> self.gates[i]).examine(request, ctx)
            if type(found) is Wait:
                return Wait((<Wait> found).step, _Further(self, found, i, admissions, lacking, request, ctx))
            if type(found) is Refusal:
                return found
            if found is None:
                lacking = self.gates[i] if lacking is None else lacking
            else:
                admissions.append(found)
        if not admissions:
            return None
        return _together(admissions) if lacking is None else lacking.missing


@cython.final
cdef class _Further:
    """What follows when one gate of several has to wait."""
    cdef AllGate gate
    cdef Wait wait
    cdef Py_ssize_t at
    cdef list admissions
    cdef Gate lacking
    cdef Request request
    cdef Context ctx

    def __init__(self, AllGate gate, Wait wait, Py_ssize_t at, list admissions, Gate lacking, Request request, Context ctx):
        self.gate, self.wait, self.at, self.admissions = gate, wait, at, admissions
        self.lacking, self.request, self.ctx = lacking, request, ctx

    def __call__(self, answer):
        found = self.wait.then(answer)
        if type(found) is Wait:
            return Wait((<Wait> found).step, _Further(self.gate, found, self.at, self.admissions, self.lacking, self.request, self.ctx))
        if type(found) is not Admission:
            return (<Gate> self.gate.gates[self.at]).missing if found is None else found
        self.admissions.append(found)
        return self.gate.examine_from(self.at + 1, self.admissions, self.lacking, self.request, self.ctx)


cdef Admission _together(list admissions):
    """Of two claims of one name, the first is the one."""
    cdef Admission one, all_ = make_admission(None, [], [], [], False, None)
    claims = {}
    for one in admissions:
        if one.claims is not None:
            claims = {**one.claims, **claims}
        all_.names += one.names
        all_.values += one.values
        all_.keyed += one.keyed
        all_.told += one.told
        all_.private = all_.private or one.private
    all_.claims = MappingProxyType(claims)
    return all_


cdef bint _decides(list gates, Request request) except -1:
    for gate in gates:
        if (<Gate> gate).decides(request):
            return True
    return False


def _trace(list gates, Request request, Context ctx):
    return [(f"{gate.stage}: {check}", outcome) for gate in gates for check, outcome in gate.trace(request, ctx)]


cdef int _take_reserved(Gate gate, list gates) except -1:
    gate.reserved_fields = tuple([name for one in gates for name in (<Gate> one).reserved_fields])
    gate.hidden_parameters = tuple([name for one in gates for name in (<Gate> one).hidden_parameters])
    gate.hidden_fields = tuple([name for one in gates for name in (<Gate> one).hidden_fields])
    return 0


cdef Refusal _missing(str stage, list gates):
    """Every scheme that would do (RFC 9110 §11.6.1); where none has a challenge, it is forbidden."""
    challenges = list(dict.fromkeys([text for gate in gates for text in (<Gate> gate).missing.challenges]))
    return Refusal(stage, "missing", 401 if challenges else 403, challenges)
