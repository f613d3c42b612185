"""Gates out of gates: one of several credentials, or all of them.

Whatever lets a request in, the credentials of all gates are kept from the origin: one that was not checked must not look
there as if it had been.
"""

cimport cython

from types import MappingProxyType

from fastedge._core.gate cimport Admission, Gate, Refusal, make_admission
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport Wait


cdef class CombinedGate(Gate):
    def __init__(self, str stage not None, gates):
        self.stage = stage
        self.gates = list(gates)
        self.missing = _missing(stage, self.gates)
        self.reserved_fields = tuple([name for gate in self.gates for name in (<Gate> gate).reserved_fields])
        self.hidden_parameters = tuple([name for gate in self.gates for name in (<Gate> gate).hidden_parameters])
        self.hidden_fields = tuple([name for gate in self.gates for name in (<Gate> gate).hidden_fields])

    cdef bint decides(self, Request request) except -1:
        for gate in self.gates:
            if (<Gate> gate).decides(request):
                return True
        return False

    def trace(self, Request request not None, Context ctx not None):
        return [
            (f"{gate.stage}: {check}", outcome) for gate in self.gates for check, outcome in gate.trace(request, ctx)
        ]


@cython.final
cdef class AnyGate(CombinedGate):
    """The first gate, in order, whose credential the request shows decides; the others are not asked."""

    cdef object examine(self, Request request, Context ctx):
        for gate in self.gates:
            found = (<Gate> gate).examine(request, ctx)
            if found is not None:
                return found
        return None

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        for gate in self.gates:
            (<Gate> gate).conceal(request, ctx, checked)
            checked = checked and not (<Gate> gate).decides(request)
        return 0


@cython.final
cdef class AllGate(CombinedGate):
    """Each gate has to let the request in; who shows no credential at all has shown none."""

    cdef object examine(self, Request request, Context ctx):
        """Who lacks one credential is told so before any is looked at: the answer must not say that another one is right."""
        cdef Gate gate, lacking = None
        cdef bint is_shown = False
        for gate in self.gates:
            if gate.decides(request):
                is_shown = True
            elif lacking is None:
                lacking = gate
        if not is_shown:
            return None
        if lacking is not None:
            return lacking.missing
        gate = self.gates[0]
        return self.go_on(0, gate.examine(request, ctx), [], request, ctx)

    cdef int conceal(self, Request request, Context ctx, bint checked) except -1:
        for gate in self.gates:
            (<Gate> gate).conceal(request, ctx, checked)
        return 0

    cdef object go_on(self, Py_ssize_t at, object found, list admissions, Request request, Context ctx):
        """`found` is what the gate at this place has found; those before it have let the request in."""
        while type(found) is Admission:
            admissions.append(found)
            at += 1
            if at == len(self.gates):
                return _together(admissions)
            found = (<Gate> self.gates[at]).examine(request, ctx)
        if type(found) is Wait:
            return Wait((<Wait> found).step, _Further(self, found, at, admissions, request, ctx))
        return (<Gate> self.gates[at]).missing if found is None else found


@cython.final
cdef class _Further:
    """What follows when one gate of several has to wait."""
    cdef AllGate gate
    cdef Wait wait
    cdef Py_ssize_t at
    cdef list admissions
    cdef Request request
    cdef Context ctx

    def __init__(self, AllGate gate, Wait wait, Py_ssize_t at, list admissions, Request request, Context ctx):
        self.gate, self.wait, self.at, self.admissions = gate, wait, at, admissions
        self.request, self.ctx = request, ctx

    def __call__(self, answer):
        return self.gate.go_on(self.at, self.wait.then(answer), self.admissions, self.request, self.ctx)


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


cdef Refusal _missing(str stage, list gates):
    """Every scheme that would do (RFC 9110 §11.6.1); where none has a challenge, it is forbidden."""
    challenges = list(dict.fromkeys([text for gate in gates for text in (<Gate> gate).missing.challenges]))
    return Refusal(stage, "missing", 401 if challenges else 403, challenges)
