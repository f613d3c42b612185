"""`Personalize`, bound: says whose page the answer is to be, and asks the origin for one that can be taken apart.

Its edits of the plan are outside the key: what an origin's page varies by is in its Vary.
"""

cimport cython

from fastedge._core.codings cimport accepts_gzip
from fastedge._core.fields cimport (
    ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, FieldName, Fields, intern_text, known,
)
from fastedge._core.message cimport OriginField
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST

cdef OriginField made(FieldName name, bytes value):
    cdef OriginField edit = OriginField.__new__(OriginField)
    edit.name, edit.value, edit.replaces = name, value, True
    return edit


cdef OriginField _GZIP = made(known(ACCEPT_ENCODING), b"gzip")
cdef OriginField _NO_CODING = made(known(ACCEPT_ENCODING), None)
# https://www.w3.org/TR/edge-arch §3.1
cdef OriginField _CAPABILITY = made(intern_text("surrogate-capability"), b'fastedge="ESI/1.0"')
# What asks for less than the whole page, or for none: it speaks of pages that were another visitor's.
cdef tuple _PARTIAL = tuple([made(known(name), None) for name in (RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE)])
cdef unsigned long long _PARTIAL_SEEN = 1ULL << RANGE | 1ULL << IF_RANGE | 1ULL << IF_NONE_MATCH | 1ULL << IF_MODIFIED_SINCE


@cython.final
cdef class PersonalStage(NativeStage):
    """`vary`: what a policy's functions read, as it is written; what the sources say that they differ by is added."""

    def __init__(
        self, rules, dict sources not None, *, dict fallbacks not None, esi_source, bytes cache_control not None, bytes vary,
        bint gzip, int wait_ms, Py_ssize_t fragment_bytes_max,
    ):
        self.hooks = ON_REQUEST
        self.rules, self.rules_text = rules, repr(rules).encode()
        self.sources = sources
        self.fallbacks = fallbacks
        self.esi_source = esi_source
        self.cache_control = cache_control
        self.vary = listed(vary, sources.values())
        self.gzip = gzip
        self.wait_ms = wait_ms
        self.fragment_bytes_max = fragment_bytes_max
        self.joined = {}

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        for source in self.sources.values():
            (<ValueSource> source).bound_in(pipeline, serial)
        return 0

    cdef object request_hook(self, Request request, Context ctx):
        cdef PersonalStage before = <PersonalStage> ctx.personal
        if before is None:
            ctx.personal = self
            self.ask(request, ctx)
        else:
            ctx.personal = before.beside(self)
        if self.has_esi() and (before is None or not before.has_esi()):
            ctx.plan.add(_CAPABILITY)
        return CONTINUE_

    cdef int ask(self, Request request, Context ctx) except -1:
        """Conditions of other methods are the origin's to judge: what is asked there is no page."""
        cdef Fields fields = request.fields
        cdef OriginField edit
        ctx.plan.add(_GZIP if accepts_gzip(fields) else _NO_CODING)
        if fields.seen & _PARTIAL_SEEN and (request.method_wire == b"GET" or request.method_wire == b"HEAD"):
            for edit in _PARTIAL:
                if fields.may_have(edit.name.id):
                    ctx.plan.add(edit)
        return 0

    cdef bint has_esi(self) noexcept:
        return self.esi_source is not None

    cdef PersonalStage beside(self, PersonalStage other):
        """Both on one page: of slots with one name, and of options, those of `other`."""
        cdef PersonalStage both = self.joined.get(other)
        if both is not None:
            return both
        slots = [slot for slot in self.rules.slots if slot.name not in other.sources] + list(other.rules.slots)
        fallbacks = {name: text for name, text in self.fallbacks.items() if name not in other.sources}
        both = PersonalStage(
            type(self.rules)(slots, esi=self.rules.esi or other.rules.esi), {**self.sources, **other.sources},
            fallbacks={**fallbacks, **other.fallbacks}, esi_source=other.esi_source if other.has_esi() else self.esi_source,
            cache_control=other.cache_control, vary=b", ".join([names for names in (self.vary, other.vary) if names]),
            gzip=other.gzip, wait_ms=other.wait_ms, fragment_bytes_max=other.fragment_bytes_max,
        )
        self.joined[other] = both
        return both

    cdef ValueSource source_of(self, object input):
        return self.sources[input] if type(input) is str else self.esi_source(input)

    # --- the Python face ---------------------------------------------------------------------------------------------

    def joined_to(self, PersonalStage other not None):
        """`beside`, for tests and tools."""
        return self.beside(other)

    def source(self, input):
        return self.source_of(input)

    def varies_by(self, tuple inputs not None):
        return listed(self.vary, [self.source_of(input) for input in inputs])


cdef bytes all_names(list lines):
    """The names of fields in all of these lists of them, each once, whatever its case; None where there are none."""
    cdef dict names = {}
    for line in lines:
        for name in () if line is None else (<bytes> line).split(b","):
            names.setdefault(name.strip(b" \t").lower(), name.strip(b" \t"))
    names.pop(b"", None)
    return b", ".join(names.values()) or None


cdef bytes listed(bytes names, sources):
    return all_names([names] + [name for source in sources for name in (<ValueSource> source).differs_by])


def personal_of(Context ctx not None):
    """The stage that a request's page is for, or None; for tests and tools."""
    return ctx.personal
