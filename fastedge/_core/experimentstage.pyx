"""The hooks of `Experiment`: finds the visitor's key, names the variant, and sets the own cookie when it must.

Never repeats what a client sent: a cookie is read and hashed; only ids that were made here are set.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcmp

from fastedge._core.bucket cimport BUCKETS
from fastedge._core.cookies cimport find
from fastedge._core.credential cimport NONE_SHOWN, ONE_SHOWN, CredentialSource, Shown, Span
from fastedge._core.experimentslot cimport OFF, ON
from fastedge._core.fields cimport COOKIE, SET_COOKIE, intern_text, known
from fastedge._core.message cimport Response
from fastedge._core.pipeline cimport CONTINUE_, ON_REQUEST, ON_RESPONSE

from fastedge.limits import experiment_key_bytes_max, experiment_override_bytes_max

cdef FieldName _COOKIE_NAME = known(COOKIE)
cdef FieldName _SET_COOKIE_NAME = known(SET_COOKIE)
cdef Py_ssize_t KEY_MAX = experiment_key_bytes_max
cdef Py_ssize_t OVERRIDE_MAX = experiment_override_bytes_max
cdef bytes _ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef const unsigned char* _MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"  # RFC 4291 §2.5.5.2

cdef enum:
    ID_SIZE = 24        # characters of an id: 144 random bits, six in each
    ID_RANDOM = 18
    POOL_SIZE = 228 * ID_RANDOM  # one system call for so many new visitors
    NO_VARIANT = -1

STICKY = {"cookie": BY_OWN_COOKIE, "cookie:": BY_COOKIE, "claim:": BY_CLAIM, "address": BY_ADDRESS}


class Why(str):
    """Why an override is ignored: a judge gives it in a variant's place."""


@cython.final
cdef class Way:
    def __init__(self, str kind not None, str of not None):
        self.kind = STICKY[kind]
        self.cookie = of.encode()
        self.claim = of


@cython.final
cdef class ExperimentStage(NativeStage):
    def __init__(
        self, ExperimentSlot slot not None, sticky not None, *, str cookie not None, int max_age_s, header, bint keyed,
        random_bytes, Target target not None, LayerRange layer=None, list override_sources=None, judge=None, Exposures exposures=None,
    ):
        """`sticky`: pairs of a key of STICKY and the cookie's or claim's name; `header` is a field's name or None; one that is
        `keyed` is in the cache key, in any case."""
        self.hooks = ON_REQUEST if "address" in dict(sticky) else ON_REQUEST | ON_RESPONSE
        places = [source.text.partition(":") for source in override_sources or ()]
        self.hidden_parameters = tuple([name for place, _, name in places if place == "query"])
        self.slot = slot
        self.name = slot.name
        self.ways = [Way(kind, of) for kind, of in sticky]
        self.layer = layer
        self.target = target
        self.override_sources = override_sources
        self.judge = judge
        self.exposures = exposures
        self.own_cookie = cookie.encode()
        self.fresh_key = f"set-cookie {cookie}"
        self.attributes = f"; Path=/; Max-Age={max_age_s}; SameSite=Lax; HttpOnly".encode()
        self.secure_attributes = self.attributes + b"; Secure"
        self.header = None if header is None else intern_text(header)
        self.members = tuple(f"{self.name}={variant}".encode() for variant in slot.buckets.variants)
        self.keyed = keyed
        self.random_bytes = random_bytes
        self.pool = b""

    cdef object request_hook(self, Request request, Context ctx):
        cdef int variant = NO_VARIANT
        if self.override_sources is not None:
            variant = self.overridden(request, ctx)
        if variant == NO_VARIANT:
            variant = self.variant(request, ctx)
        if variant == NO_VARIANT:
            return CONTINUE_
        if self.header is not None:
            ctx.plan.edit(self.header, <bytes> self.members[variant], False, True)
        elif self.keyed:
            ctx.plan.part(b"experiment", <bytes> self.members[variant])
        ctx.set_variant(self.name, <str> self.slot.buckets.variants[variant])
        return CONTINUE_

    cdef int response_hook(self, Request request, Response response, Context ctx) except -1:
        """The own cookie, for whoever was given an id by this request."""
        if ctx._vars is None:
            return 0
        fresh = ctx._vars.pop(self.fresh_key, None)
        if fresh is not None:
            attributes = self.secure_attributes if request.secure else self.attributes
            response.fields.append(_SET_COOKIE_NAME, self.own_cookie + b"=" + (<str> fresh).encode() + attributes)
        return 0

    # --- which variant --------------------------------------------------------------------------------------------

    cdef int variant(self, Request request, Context ctx) except -2:
        """The number of the visitor's variant; of who is not in the experiment, the default one's, or NO_VARIANT."""
        cdef ExperimentSlot slot = self.slot
        cdef Key key
        cdef bytes kept
        cdef uint64_t hash
        cdef int variant
        if slot.now == OFF:
            self.said(ctx, "off")
            return slot.default
        if not self.target.admits(request, ctx):
            self.said(ctx, "not targeted")
            return slot.default
        kept = self.find_key(request, ctx, &key)
        if self.layer is not None and not self.layer.holds(key.at, key.size):
            self.said(ctx, "outside its range of the layer")
            return slot.default
        hash = slot.buckets.hash(key.at, key.size)
        variant = slot.buckets.of[hash % BUCKETS]
        if self.exposures is not None and slot.now == ON:
            self.exposed(ctx, &key, hash, variant)
        if ctx.observer is not None:
            self.said(ctx, f"bucket {hash % BUCKETS}: {slot.buckets.variants[variant]}")
        return variant

    cdef int overridden(self, Request request, Context ctx) except -2:
        """The number of the variant that somebody has signed for this request, or NO_VARIANT. Nobody is exposed by it."""
        cdef CredentialSource source
        cdef Span span
        cdef Shown shown
        cdef int variant = NO_VARIANT
        for source in self.override_sources:
            shown = source.find(request, &span)
            if shown == NONE_SHOWN:
                continue
            source.conceal(request, ctx.plan)
            if variant == NO_VARIANT and self.slot.now != OFF:
                variant = self.judged(ctx, span.at[:span.size] if shown == ONE_SHOWN and span.size <= OVERRIDE_MAX else b"")
        return variant

    cdef int judged(self, Context ctx, bytes override) except -2:
        cdef tuple variants = self.slot.buckets.variants
        cdef object found = self.judge(override, ctx.now)
        if found is None:
            return NO_VARIANT
        if type(found) is not Why and found not in variants:
            found = Why("no such variant")
        ctx.note(f"Experiment {self.name}", f"override ignored: {found}" if type(found) is Why else f"override: {found}")
        return NO_VARIANT if type(found) is Why else variants.index(found)

    cdef int exposed(self, Context ctx, Key* key, uint64_t hash, int variant) except -1:
        """Counts whom this window has not seen yet; the shell writes them down when the request is over."""
        cdef ExperimentSlot slot = self.slot
        if not self.exposures.is_first(slot.row, variant, hash, ctx.now):
            return 0
        self.exposures.count(slot.row, variant, slot.buckets, ctx.now)
        if self.exposures.is_written:
            if ctx.exposures is None:
                ctx.exposures = []
            ctx.exposures.append((self.name, slot.buckets.variants[variant], self.exposures.visitor(key.at, key.size)))
        return 0

    cdef int said(self, Context ctx, str what) except -1:
        if ctx.observer is not None:
            ctx.note(f"Experiment {self.name}", what)
        return 0

    # --- who it is ------------------------------------------------------------------------------------------------

    cdef bytes find_key(self, Request request, Context ctx, Key* key):
        """What the visitor is known by: the first of the ways that is there; where none is, a new own cookie.

        Gives the object that holds the key's bytes, unless that is the request or the context.
        """
        cdef Way way
        cdef bytes kept
        for way in self.ways:
            if way.kind == BY_COOKIE:
                if by_cookie(request, way.cookie, key):
                    return None
            elif way.kind == BY_CLAIM:
                kept = claim_text(ctx._claims, way.claim)
                if kept is not None:
                    return held(kept, key)
            elif way.kind == BY_ADDRESS:
                by_address(ctx, key)
                return None
            elif by_cookie(request, self.own_cookie, key) and is_id(key):
                return None
        return self.own_id(ctx, key)

    cdef bytes own_id(self, Context ctx, Key* key):
        """A new id, for who has no own cookie or one that was not made here."""
        # Experiments that share a cookie share the id.
        fresh = ctx.vars.get(self.fresh_key)
        if fresh is None:
            fresh = ctx.vars[self.fresh_key] = self.new_id()
        return held((<str> fresh).encode(), key)

    cdef str new_id(self):
        cdef const unsigned char* random
        cdef char text[ID_SIZE]
        cdef const char* alphabet = _ALPHABET
        cdef int i
        if self.pool_at + ID_RANDOM > len(self.pool):
            self.pool = self.random_bytes(POOL_SIZE)
            self.pool_at = 0
            if len(self.pool) != POOL_SIZE:
                self.pool = b""
                raise ValueError(f"random_bytes gave another number of bytes than the {POOL_SIZE} asked for")
        random = <const unsigned char*> PyBytes_AS_STRING(self.pool) + self.pool_at
        self.pool_at += ID_RANDOM
        for i in range(0, ID_RANDOM, 3):
            text[i // 3 * 4] = alphabet[random[i] >> 2]
            text[i // 3 * 4 + 1] = alphabet[(random[i] & 3) << 4 | random[i + 1] >> 4]
            text[i // 3 * 4 + 2] = alphabet[(random[i + 1] & 15) << 2 | random[i + 2] >> 6]
            text[i // 3 * 4 + 3] = alphabet[random[i + 2] & 63]
        return text[:ID_SIZE].decode("ascii")


cdef void by_address(Context ctx, Key* key) noexcept:
    """IPv4 whole; of IPv6 the /64 that one household has."""
    cdef bint is_v4 = memcmp(ctx.client_address, _MAPPED, 12) == 0
    key.at = <const char*> ctx.client_address + (12 if is_v4 else 0)
    key.size = 4 if is_v4 else 8


cdef bytes claim_text(object claims, str name):
    """A claim that is a text or an integer, as bytes; None where there is no such thing."""
    cdef bytes text
    value = None if claims is None else claims.get(name)
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        return None
    text = (<str> value).encode("utf-8", "surrogatepass")
    return text if 0 < len(text) <= KEY_MAX else None


cdef inline bytes held(bytes text, Key* key):
    key.at = PyBytes_AS_STRING(text)
    key.size = len(text)
    return text


cdef bint by_cookie(Request request, bytes name, Key* key) noexcept:
    """The first cookie of that name, in the request's own bytes. Known field names are one object each."""
    cdef Py_ssize_t i
    cdef bytes line
    for i in range(request.fields.total):
        if request.fields.name_at(i) is _COOKIE_NAME:
            line = request.fields.value_at(i)
            if find(PyBytes_AS_STRING(line), len(line), PyBytes_AS_STRING(name), len(name), &key.at, &key.size):
                return 0 < key.size <= KEY_MAX
    return False


cdef bint is_id(Key* key) noexcept:
    """Whether it has the form of an id: anything else was not made here."""
    cdef Py_ssize_t i
    cdef char c
    if key.size != ID_SIZE:
        return False
    for i in range(ID_SIZE):
        c = key.at[i]
        if not (c"a" <= c <= c"z" or c"A" <= c <= c"Z" or c"0" <= c <= c"9" or c == c"-" or c == c"_"):
            return False
    return True
