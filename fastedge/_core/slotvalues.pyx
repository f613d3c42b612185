"""Values of slots: what is known of a request, made text, or looked up in what a policy says that it stands for.

What clients send comes out bounded and as UTF-8, or not at all; escaping it is the template's business. A fact for which
there is no value is None: the page then shows its own.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from urllib.parse import quote, unquote_to_bytes

from fastedge._core.cookies cimport find
from fastedge._core.fields cimport AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, Line, intern_text
from fastedge._core.geostage cimport fact_of
from fastedge._core.geostage import FACTS
from fastedge._core.htmlescape cimport URL_PART, escape
from fastedge._core.message cimport OriginField
from fastedge._core.queryrules cimport raw_values
from fastedge._core.stitch cimport Fragment

from fastedge.errors import StageError
from fastedge.limits import esi_variable_bytes_max

cdef Py_ssize_t VARIABLE_MAX = esi_variable_bytes_max
cdef str _PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
cdef FieldName _REFERER = intern_text("referer")

cdef enum:
    OF_SOURCE           # a cookie, a fact
    OF_FIELD
    OF_QUERY
    OF_PARAMETER
    OF_HOST
    OF_REFERER


cdef class ValueSource:
    def __cinit__(self, *arguments, **options):
        self.differs_by = ()

    def find(self, Request request not None, Context ctx not None):
        """The value, for tests and tools."""
        return self.value(request, ctx)

    cdef object value(self, Request request, Context ctx):
        raise NotImplementedError

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        return 0


cdef class UrlSource(ValueSource):
    def locate(self, Request request not None, Context ctx not None, bint alternative=False):
        """The URL, for tests and tools."""
        return self.url(request, ctx, alternative)

    cdef bytes url(self, Request request, Context ctx, bint alternative):
        raise NotImplementedError


# --- facts about the visitor ------------------------------------------------------------------------------------------


@cython.final
cdef class ClaimValue(ValueSource):
    """A claim that is a text, a number, true or false, as JSON writes it. `mapping`: text → the value it stands for."""

    def __init__(self, str name not None, mapping=None):
        self.name = name
        self.mapping = None if mapping is None else {<str?> text: constant(value) for text, value in mapping.items()}
        self.differs_by = (b"Authorization", b"Cookie")

    cdef object value(self, Request request, Context ctx):
        cdef object claim = None if ctx._claims is None else ctx._claims.get(self.name)
        if type(claim) is not str:
            claim = _json(claim)
        return claim if self.mapping is None or claim is None else self.mapping.get(claim)


@cython.final
cdef class CookieValue(ValueSource):
    """The first cookie of that name: looked up in `mapping`, or as it is, if it has at most `bytes_max` and is UTF-8."""

    def __init__(self, str name not None, mapping=None, *, Py_ssize_t bytes_max=0):
        self.name = name.encode()
        self.mapping = None if mapping is None else encoded(mapping)
        self.bytes_max = bytes_max if mapping is None else max([len(key) for key in self.mapping], default=0)
        self.differs_by = (b"Cookie",)

    cdef object value(self, Request request, Context ctx):
        cdef const char* at = NULL
        cdef Py_ssize_t size = 0
        if not request.fields.may_have(COOKIE) or not cookie(request, self.name, &at, &size) or size > self.bytes_max:
            return None
        return utf8(at[:size]) if self.mapping is None else self.mapping.get(at[:size])


@cython.final
cdef class GeoValue(ValueSource):
    """A fact about where the client is, such as "country"; one that is not known is none."""

    def __init__(self, str fact not None, mapping=None):
        self.fact = FACTS[fact]
        self.mapping = None if mapping is None else encoded(mapping)

    cdef object value(self, Request request, Context ctx):
        cdef bytes found = fact_of(ctx, self.fact)
        if self.mapping is not None:
            return self.mapping.get(found)
        return found if PyBytes_GET_SIZE(found) else None


@cython.final
cdef class VariantValue(ValueSource):
    """The variant of an experiment that the visitor has; an experiment that is not there has none."""

    def __init__(self, str experiment not None, mapping=None):
        self.experiment = experiment
        self.mapping = None if mapping is None else {<str?> text: constant(value) for text, value in mapping.items()}
        self.differs_by = (b"Cookie",)

    cdef object value(self, Request request, Context ctx):
        cdef object variant = None if ctx._variants is None else ctx._variants.get(self.experiment)
        if type(variant) is not str:
            return None
        return variant if self.mapping is None else self.mapping.get(variant)


@cython.final
cdef class FragmentsValue(ValueSource):
    """The fragment of a table that is named by what another source finds."""

    def __init__(self, table, ValueSource by not None):
        self.table = encoded(table)
        self.by = by
        self.differs_by = by.differs_by

    cdef object value(self, Request request, Context ctx):
        cdef object found = self.by.value(request, ctx)
        return None if found is None else self.table.get(text_of(found))

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        return self.by.bound_in(pipeline, serial)


@cython.final
cdef class CallValue(ValueSource):
    """What a policy's function gives: bytes, str, Fragment or None. What it raises is passed on; all else is a StageError."""

    def __init__(self, function, str slot not None):
        self.function = function
        self.slot = slot

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        self.pipeline, self.serial = pipeline, serial
        return 0

    cdef object value(self, Request request, Context ctx):
        self.mark(True)
        try:
            value = self.function(request, ctx)
        except Exception:
            raise
        except BaseException as error:      # sys.exit() in a policy must not end the worker
            raise StageError(f"Personalize, slot {self.slot!r}: {type(error).__name__}") from error
        finally:
            self.mark(False)
        if value is not None and type(value) is not str and type(value) is not bytes and type(value) is not Fragment:
            raise StageError(f"Personalize, slot {self.slot!r}: returned {type(value).__name__}; a value is str, bytes or None")
        return value

    cdef int mark(self, bint runs) noexcept:
        """The stuck-worker marker names the hook while its policy's function runs."""
        if self.pipeline is not None:
            self.pipeline.marker[0] = self.pipeline.marker_first + self.serial if runs else 0
        return 0


# --- other URLs -------------------------------------------------------------------------------------------------------


@cython.final
cdef class UrlValue(UrlSource):
    """`parts`: bytes, and sources whose values go between them as one component each; without one of these it is nowhere."""

    def __init__(self, parts, int wait_ms=0):
        self.parts = list(parts)
        self.wait_ms = wait_ms
        self.differs_by = fields_of(self.parts)

    cdef bytes url(self, Request request, Context ctx, bint alternative):
        return None if alternative else filled(self.parts, request, ctx)

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        for part in self.parts:
            if isinstance(part, ValueSource):
                (<ValueSource> part).bound_in(pipeline, serial)
        return 0


@cython.final
cdef class EsiInclude(UrlSource):
    """`esi:include`: `src` and `alt` are sequences of str and EsiVariable."""

    def __init__(self, src, alt, int wait_ms=0):
        self.parts, self.alternatives = written(src), written(alt)
        self.wait_ms = wait_ms
        self.differs_by = fields_of(self.parts + self.alternatives)

    cdef bytes url(self, Request request, Context ctx, bint alternative):
        return filled(self.alternatives if alternative else self.parts, request, ctx) or None


cdef list written(parts):
    """Texts of a page as bytes that may stand in a URL."""
    return [quote(part, safe=_PRINTABLE).encode("ascii") if isinstance(part, str) else part for part in parts]


cdef bytes filled(list parts, Request request, Context ctx):
    """A URL. Each value is one component of it, percent-encoded: it adds no segment, no parameter, and leads nowhere else."""
    cdef list pieces = []
    cdef object value
    cdef bytes piece
    for part in parts:
        if type(part) is bytes:
            piece = <bytes> part
        else:
            value = (<ValueSource> part).value(request, ctx)
            if type(part) is EsiVariable and value is None:
                value = (<EsiVariable> part).default
            elif value is None or not len(text_of(value)):
                return None
            piece = escape(text_of(value), URL_PART, False)
            if piece is None:
                return None
        pieces.append(piece)
    return b"".join(pieces)


# --- ESI --------------------------------------------------------------------------------------------------------------


@cython.final
cdef class EsiVariable(ValueSource):
    """`$(NAME{key}|default)`; the default is the page's or the include's to apply.

    A field is there only if the origin gets it as the client sent it, and no credential is; nor is what logs may not hold.
    """

    def __init__(self, str name not None, str key not None="", str default not None=""):
        self.key = key.encode()
        self.default = default.encode("utf-8", "replace")
        self.kind = {
            "HTTP_HOST": OF_HOST, "HTTP_REFERER": OF_REFERER, "QUERY_STRING": OF_PARAMETER if key else OF_QUERY,
            "HTTP_HEADER": OF_FIELD, "HTTP_USER_AGENT": OF_FIELD, "HTTP_COOKIE": OF_SOURCE, "GEO": OF_SOURCE,
        }[name]
        if name == "HTTP_COOKIE":
            self.source = CookieValue(key, bytes_max=VARIABLE_MAX)
            self.differs_by = self.source.differs_by
        elif name == "GEO":
            self.source = GeoValue(key.lower()) if key.lower() in FACTS else None
        elif name == "HTTP_REFERER":
            self.differs_by = (b"Referer",)
        elif self.kind == OF_FIELD:
            self._of_field("User-Agent" if name == "HTTP_USER_AGENT" else key)

    def _of_field(self, str name):
        try:
            field = intern_text(name)
        except ValueError:
            return
        if (<FieldName> field).id not in (AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE):
            self.field = field
            self.differs_by = (name.encode("ascii"),)

    cdef object value(self, Request request, Context ctx):
        cdef bytes target = request.target_wire if ctx.shown_target is None else ctx.shown_target
        cdef bytes found = None
        if self.kind == OF_SOURCE:
            return None if self.source is None else self.source.value(request, ctx)
        if self.kind == OF_QUERY:
            found = target.partition(b"?")[2] or None
        elif self.kind == OF_PARAMETER:
            found = raw_values(target, self.key)
            if found is not None:
                found = unquote_to_bytes(found.partition(b"&")[0][1:].replace(b"+", b" "))
        elif self.kind == OF_HOST:
            found = request.authority
        elif self.kind == OF_REFERER:
            found = request.fields.find(_REFERER) if ctx.shown_referer is None else ctx.shown_referer
        elif self.field is not None and not is_edited(ctx, self.field):
            found = request.fields.combined(self.field)
        return None if found is None or PyBytes_GET_SIZE(found) > VARIABLE_MAX else utf8(found)


cdef bint is_edited(Context ctx, FieldName name) except -1:
    """Whether a stage keeps the client's own lines from the origin."""
    cdef OriginField edit
    for edit in ctx.plan.edits:
        if edit.replaces and edit.name == name:
            return True
    return False


# --- what things are written as ---------------------------------------------------------------------------------------


def constant(value not None):
    """A value that is the same for everybody, encoded once."""
    if type(value) is Fragment or type(value) is bytes:
        return value
    return (<str?> value).encode("utf-8", "replace")


cdef dict encoded(mapping):
    return {(<str?> text).encode("utf-8", "replace"): constant(value) for text, value in mapping.items()}


cdef tuple fields_of(list parts):
    return tuple(dict.fromkeys([
        field for part in parts if isinstance(part, ValueSource) for field in (<ValueSource> part).differs_by
    ]))


cdef inline bytes text_of(object value):
    if type(value) is str:
        return (<str> value).encode("utf-8", "replace")
    return (<Fragment> value).data if type(value) is Fragment else <bytes?> value


cdef str _json(object claim):
    """A number, true or false; None for what is nested, absent, or a number that no JSON parser agrees on."""
    if type(claim) is bool:
        return "true" if claim else "false"
    if type(claim) is int:
        return str(claim) if -(1 << 63) <= claim < (1 << 63) else None
    return repr(claim) if type(claim) is float else None


cdef bytes utf8(bytes text):
    """The very same bytes, or None if they are not UTF-8."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return None
    return text


cdef bint cookie(Request request, bytes name, const char** value, Py_ssize_t* size) noexcept:
    """The first cookie of that name, in the request's own bytes."""
    cdef Py_ssize_t i
    cdef Line* line
    for i in range(request.fields.total):
        if request.fields.name_at(i).id == COOKIE:
            line = &request.fields.lines[i]
            if find(line.at, line.size, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), value, size):
                return True
    return False
