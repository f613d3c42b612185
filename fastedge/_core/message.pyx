"""What flows: Request, Plan, Context, Response (RFC 9110 §3).

A request never changes; a plan is the only thing that a stage edits on the way in; a context holds facts written once.
Nothing here does I/O or knows what time it is.
"""

cimport cython
from libc.string cimport memcpy

from types import MappingProxyType
from urllib.parse import unquote_to_bytes

import orjson

from fastedge._core.address cimport format_address, sixteen
from fastedge._core.cookies cimport find
from fastedge._core.fields cimport COOKIE, Line, FieldName, Fields, intern_text, value_to_wire
from fastedge._core.address import pack_address
from fastedge._core.geotable cimport GeoTable
from fastedge._core.storedhead cimport fields_of
from fastedge.errors import StageError
from fastedge.limits import cache_ttl_s_max, target_bytes_max

_NOTHING = MappingProxyType({})
cdef list _NONE_YET = []     # of all plans that are as they began: never appended to
_CACHE_MODES = ("default", "bypass")
cdef object TTL_MAX = cache_ttl_s_max
_METHODS = {name.encode(): name for name in (
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
)}
cdef bytes _UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"


cdef class _Stream:
    def __repr__(self):
        return "<stream>"


STREAM = _Stream()


# --- Request -------------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(256)
cdef class Request:
    """What the client asked, as it came; it cannot be changed.

    `target` is the origin-form ("/path?query", percent-encoding untouched, or "*"); `host` is lower-case without port.
    """

    def __init__(self, method="GET", target="/", headers=(), *, host="localhost", scheme="http"):
        """For tests and tools: the wire builds its requests itself."""
        self.method_wire = method.encode("ascii")
        self.target_wire = target.encode("ascii")
        self.authority = host.lower().encode("ascii")
        self.host_wire = _without_port(self.authority)
        self.fields = Fields(headers)
        self.fields.frozen = True
        self.path_length = len(self.target_wire.partition(b"?")[0])
        self.minor = 1
        self.secure = scheme == "https"

    @property
    def method(self):
        return _METHODS.get(self.method_wire) or self.method_wire.decode("ascii")

    @property
    def target(self):
        return self.target_wire.decode("ascii")

    @property
    def path(self):
        return self.target_wire[:self.path_length].decode("ascii")

    @property
    def query(self):
        """Without the "?"; empty when there is none."""
        return self.target_wire[self.path_length + 1:].decode("ascii")

    @property
    def host(self):
        return self.host_wire.decode("ascii")

    @property
    def scheme(self):
        return "https" if self.secure else "http"

    @property
    def url(self):
        """scheme://authority/path?query, as the client meant it."""
        return f"{self.scheme}://{self.authority.decode('ascii')}{self.target if self.target_wire != b'*' else ''}"

    @property
    def headers(self):
        return self.fields

    @property
    def http_version(self):
        return f"1.{self.minor}"

    def cookie(self, str name):
        """The value of the first cookie called `name` (RFC 6265 §5.4), or None."""
        cdef bytes wanted = name.encode("latin-1")
        cdef const char* value
        cdef Py_ssize_t i, size
        cdef Line* line
        self.fields.note_read(wanted)
        for i in range(self.fields.total):
            if self.fields.name_at(i).id == COOKIE:
                line = &self.fields.lines[i]
                if find(line.at, line.size, wanted, len(wanted), &value, &size):
                    return value[:size].decode("latin-1")
        return None

    def query_value(self, str name):
        """The first value of the query parameter `name`, percent-decoded as UTF-8; None when it is not there."""
        value = self.query_first(name.encode())
        return None if value is None else value.decode("utf-8", "replace")

    def __repr__(self):
        return f"<Request {self.method} {self.url}>"

    cdef bytes query_first(self, bytes name):
        if self.path_length == len(self.target_wire):
            return None
        for pair in self.target_wire[self.path_length + 1:].replace(b"+", b" ").split(b"&"):
            found, _, value = pair.partition(b"=")
            if unquote_to_bytes(found) == name:
                return unquote_to_bytes(value)
        return None

    cdef bytes match_path(self):
        """The path for conditions: parameters (RFC 3986 §3.3) taken out of its segments, %-encoded unreserved characters,
        "/" and "\\" decoded (§6.2.2.2), each run of them made one "/", so that no spelling that some origin would read as the
        same path slips past a gate."""
        cdef const char* at
        cdef Py_ssize_t i
        if self._match_path is None:
            at = self.target_wire
            self._match_path = self.target_wire if self.path_length == len(self.target_wire) else self.target_wire[:self.path_length]
            for i in range(self.path_length):
                if at[i] == c"%" or at[i] == c";" or (at[i] == c"/" and at[i + 1] == c"/"):
                    self._match_path = normal_path(self._match_path)
                    break
        return self._match_path


cdef bytes normal_path(bytes path):
    if b";" in path:
        path = b"/".join([segment.partition(b";")[0] for segment in path.split(b"/")])
    parts = path.replace(b"%5c", b"/").replace(b"%5C", b"/").split(b"%")
    out = [parts[0]]
    for part in parts[1:]:
        decoded = unquote_to_bytes(b"%" + part[:2])
        out.append(decoded if len(decoded) == 1 and decoded in _UNRESERVED else b"%" + part[:2].upper())
        out.append(part[2:])
    normal = b"".join(out)
    while b"//" in normal:
        normal = normal.replace(b"//", b"/")
    return normal


cdef bytes _without_port(bytes authority):
    if authority.startswith(b"["):
        return authority.partition(b"]")[0] + b"]"
    return authority.partition(b":")[0]


cdef Request make_request(
    bytes method, bytes target, Py_ssize_t path_length, bytes authority, bytes host, Fields fields, int minor, bint secure
):
    cdef Request request = Request.__new__(Request)
    request.method_wire = method
    request.target_wire = target
    request.path_length = path_length
    request.authority = authority
    request.host_wire = host
    request.fields = fields
    request.minor = minor
    request.secure = secure
    return request


# --- Plan ----------------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(256)
cdef class OriginField:
    pass


@cython.final
@cython.freelist(256)
cdef class Plan:
    """Where the request goes and what goes with it; the only thing that a stage edits on the way in.

    Everything set here is in the cache key by construction. `keyed=False` takes a field out, by name and in the open.
    """

    def __cinit__(self):
        self.cache_mode = "default"
        self.edits = self.key_parts = _NONE_YET

    def __init__(self, *, origin=None, target="/"):
        self.origin_name = origin
        self.target_wire = _origin_form(target)

    @property
    def origin(self):
        """The name of the origin, as `[origins.NAME]` has it; None while the site's default stands for none."""
        return self.origin_name

    @origin.setter
    def origin(self, name):
        self._check_open("origin")
        if not isinstance(name, str):
            raise StageError(f"plan.origin is the name of an origin, not {type(name).__name__}")
        self.origin_name = name

    @property
    def fallbacks(self):
        """The origins to go over to, in order, while the chosen one is down."""
        return self.fallback_names or ()

    @fallbacks.setter
    def fallbacks(self, names):
        self._check_open("fallbacks")
        if isinstance(names, str) or not all([isinstance(name, str) for name in names]):
            raise StageError(f"plan.fallbacks are names of origins, not {names!r}")
        self.fallback_names = tuple(names) or None

    @property
    def target(self):
        """What the origin is asked for, in origin-form ("/path?query")."""
        return self.target_wire.decode("ascii")

    @target.setter
    def target(self, value):
        self._check_open("target")
        self.target_wire = _origin_form(value)

    @property
    def cache(self):
        """"default", or "bypass": neither answered from a store nor stored."""
        return self.cache_mode

    @cache.setter
    def cache(self, mode):
        self._check_open("cache")
        if mode not in _CACHE_MODES:
            raise StageError(f"plan.cache is one of {', '.join(_CACHE_MODES)}, not {mode!r}")
        self.cache_mode = mode

    @property
    def ttl_s(self):
        """Seconds that a stored answer stays fresh, whatever the origin said; None: as the origin said."""
        return self.ttl

    @ttl_s.setter
    def ttl_s(self, seconds):
        self._check_open("ttl_s")
        self.unkeyed_edits += 1
        self.ttl = _seconds("ttl_s", seconds)

    @property
    def default_ttl_s(self):
        """Seconds that an answer stays fresh of which the origin says nothing; None: a tenth of its age at most."""
        return self.default_ttl

    @default_ttl_s.setter
    def default_ttl_s(self, seconds):
        self._check_open("default_ttl_s")
        self.unkeyed_edits += 1
        self.default_ttl = _seconds("default_ttl_s", seconds)

    @property
    def stale_while_revalidate_s(self):
        """Seconds for which a stale answer is sent while it is being refreshed (RFC 5861 §3); None: as the origin said."""
        return self.stale_while_revalidate

    @stale_while_revalidate_s.setter
    def stale_while_revalidate_s(self, seconds):
        self._check_open("stale_while_revalidate_s")
        self.unkeyed_edits += 1
        self.stale_while_revalidate = _seconds("stale_while_revalidate_s", seconds)

    @property
    def stale_if_error_s(self):
        """Seconds for which a stale answer stands in for an origin that fails (RFC 5861 §4); None: as the origin said."""
        return self.stale_if_error

    @stale_if_error_s.setter
    def stale_if_error_s(self, seconds):
        self._check_open("stale_if_error_s")
        self.unkeyed_edits += 1
        self.stale_if_error = _seconds("stale_if_error_s", seconds)

    def add_tag(self, str name not None):
        """What is stored can be purged by this name too."""
        self._check_open("add_tag")
        self.unkeyed_edits += 1
        self.tag(name.encode())

    @property
    def is_storable(self):
        """False once a stage has made the plan personal."""
        return self.unstorable is None

    @property
    def unstorable_reason(self):
        return self.unstorable

    def set_header(self, str name, value, *, bint keyed=True):
        """The origin gets this value, and none that the client sent under that name."""
        self.edit(_origin_field(name), value_to_wire(value), True, keyed)

    def add_header(self, str name, value, *, bint keyed=True):
        """The origin gets this line beside the client's."""
        self.edit(_origin_field(name), value_to_wire(value), False, keyed)

    def remove_header(self, str name):
        """The origin does not get the client's lines of that name."""
        self.edit(_origin_field(name), None, True, True)

    def add_key(self, str name, str value):
        """Splits the cache by `value`, without telling the origin."""
        self.part(name.encode(), value.encode())

    def make_unstorable(self, str reason not None):
        """What comes back is for this client alone."""
        self.keep_private(reason)

    @property
    def header_edits(self):
        """The edits so far as (name, value or None, keyed)."""
        return [
            ((<OriginField> e).name.text, None if (<OriginField> e).value is None else (<OriginField> e).value.decode("latin-1"), (<OriginField> e).keyed)
            for e in self.edits
        ]

    @property
    def key_additions(self):
        return [(name.decode(), value.decode("utf-8", "replace")) for name, value in self.key_parts]

    @property
    def tag_additions(self):
        return [] if self.tags is None else [name.decode() for name in self.tags]

    # --- C face -------------------------------------------------------------------------------------------------

    cdef int edit(self, FieldName name, bytes value, bint replaces, bint keyed) except -1:
        cdef OriginField field
        if self.frozen and keyed:
            raise StageError(f"the cache key is fixed: {name.text} can only be set with keyed=False here")
        field = OriginField.__new__(OriginField)
        field.name = name
        field.value = value
        field.replaces = replaces
        field.keyed = keyed
        self.unkeyed_edits += not keyed
        self.add(field)
        return 0

    cdef int add(self, OriginField field) except -1:
        if self.edits is _NONE_YET:
            self.edits = []
        self.edits.append(field)
        return 0

    cdef int part(self, bytes name, bytes value) except -1:
        self._check_open("add_key")
        if self.key_parts is _NONE_YET:
            self.key_parts = []
        self.key_parts.append((name, value))
        return 0

    cdef int keep_private(self, str reason) except -1:
        if self.unstorable is None:
            self.unstorable = reason
        return 0

    cdef int tag(self, bytes name) except -1:
        self.tags = (name,) if self.tags is None else (*self.tags, name)
        return 0

    cdef tuple checkpoint(self):
        return (
            self.origin_name, self.fallback_names, self.target_wire, self.cache_mode, self.ttl, self.default_ttl,
            self.stale_while_revalidate, self.stale_if_error, self.tags, self.unstorable, len(self.edits), len(self.key_parts),
        )

    cdef int rollback(self, tuple checkpoint) except -1:
        cdef Py_ssize_t edits, parts
        (
            self.origin_name, self.fallback_names, self.target_wire, self.cache_mode, self.ttl, self.default_ttl,
            self.stale_while_revalidate, self.stale_if_error, self.tags, self.unstorable, edits, parts,
        ) = checkpoint
        del self.edits[edits:]
        del self.key_parts[parts:]
        return 0

    cdef int _check_open(self, str what) except -1:
        if self.frozen:
            raise StageError(f"the cache key is fixed: plan.{what} cannot change any more")
        return 0


cdef object _seconds(str name, object seconds):
    if seconds is None:
        return None
    if not 0 <= seconds <= TTL_MAX:
        raise StageError(f"plan.{name} is a number of seconds from 0 to {TTL_MAX}, not {seconds!r}")
    return float(seconds)


cdef bytes _origin_form(object value):
    if not isinstance(value, str) or not value.startswith("/") or not all("!" <= c <= "~" and c != "#" for c in value):
        raise StageError(f"plan.target is an origin-form of printable ASCII such as '/path?query', not {value!r}")
    if len(<str> value) > target_bytes_max:
        raise StageError(f"plan.target has at most {target_bytes_max} bytes, this one has {len(<str> value)}")
    return (<str> value).encode("ascii")


# Fields of which the edge alone says what an origin gets: framing, hops and who asked.
_NOT_A_STAGES = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
    "upgrade", "expect", "via", "cdn-loop", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
})


cdef FieldName _origin_field(str name):
    cdef FieldName field = intern_text(name)
    if field.text in _NOT_A_STAGES:
        raise StageError(f"{field.text} is written by the edge itself; a stage cannot set it")
    return field


def replaced_fields(Plan plan not None):
    """The names of which the client's own lines do not reach the origin; for tests and tools."""
    return frozenset([(<OriginField> edit).name.text for edit in plan.edits if (<OriginField> edit).replaces])


# --- Context -------------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(256)
cdef class Context:
    """The facts about one request, each written once. `vars` is the policies' own dictionary."""

    def __init__(self, *, double now=0.0, str client="192.0.2.1", geo=None, Plan plan=None):
        """For tests and tools: the engine builds its contexts itself."""
        self.now = now
        self._client = client
        memcpy(self.client_address, sixteen(pack_address(client)), 16)
        memcpy(self.geo_address, self.client_address, 16)
        self.geo_table = geo
        self.plan = Plan() if plan is None else plan
        self.cache = "DYNAMIC"

    @property
    def client(self):
        """The client's address in its canonical text; "::" for a unix peer that named none."""
        self.note_read("client address")
        if self._client is None:
            self._client = format_address(self.client_address).decode("ascii")
        return self._client

    @property
    def client_packed(self):
        """The client's address as 16 bytes, IPv4 as ::ffff:a.b.c.d."""
        self.note_read("client address")
        return self.client_address[:16]

    @property
    def geo(self):
        """What the table knows about the client's address: see GeoFacts."""
        self.note_read("geo")
        if self._geo is None:
            if self.geo_table is None:
                raise StageError("there is no geo table: this pipeline was bound without one")
            if type(self.geo_table) is GeoTable:
                self._geo = (<GeoTable> self.geo_table).find(self.geo_address)
            else:
                self._geo = self.geo_table.lookup_packed(self.geo_address[:16])
        return self._geo

    @property
    def claims(self):
        """The verified token's claims, read-only; empty without a token."""
        self.note_read("claims")
        return _NOTHING if self._claims is None else self._claims

    @claims.setter
    def claims(self, claims):
        self.set_claims(MappingProxyType(dict(claims)))

    @property
    def variants(self):
        """Experiment → the variant this visitor has."""
        self.note_read("variants")
        if self._variants is None:
            self._variants = {}
        return self._variants

    @property
    def vars(self):
        if self._vars is None:
            self._vars = {}
        return self._vars

    @property
    def notes(self):
        """Stage → the reason it gave, for the log and for `explain`; never for the client."""
        if self._notes is None:
            self._notes = {}
        return self._notes

    cdef int set_claims(self, object claims) except -1:
        if self._claims is not None:
            raise StageError("the claims are known already")
        self._claims = claims
        return 0

    cdef int add_claims(self, object claims) except -1:
        """What a further credential says: of two claims of one name, the first is the one."""
        self._claims = claims if self._claims is None else MappingProxyType({**claims, **self._claims})
        return 0

    cdef int set_variant(self, str experiment, str variant) except -1:
        if self._variants is None:
            self._variants = {}
        self._variants[experiment] = variant
        return 0

    cdef int note(self, str stage, str reason) except -1:
        self.notes[stage] = reason
        return 0

    # --- what custom hooks read ---------------------------------------------------------------------------------

    cdef int note_read(self, str fact) noexcept:
        if self.reads is not None:
            self.reads.note(fact)
        return 0

    cdef int watch(self, Request request, int stage) except -1:
        """A hook of this stage runs: what it reads of the request and of this context is written down until `unwatch`."""
        if self.reads is None:
            self.reads = Reads.__new__(Reads)
        request.fields.reads = self.reads
        self.reads.stage = stage
        return 0

    cdef int unwatch(self) noexcept:
        if self.reads is not None:
            self.reads.stage = 0
        return 0

    cdef int suspect(self, str name, int stage, list inputs) except -1:
        """The stage edited what is stored outside the key, perhaps by what it had read; `inputs` decided that it ran."""
        if self.unkeyed is None:
            self.unkeyed = []
        self.unkeyed.append((name, stage, inputs, 0 if self.reads is None else self.reads.count))
        return 0


cdef Context make_context(double now, const unsigned char* address, object geo_table, str origin, bytes target):
    cdef Context ctx = Context.__new__(Context)
    cdef Plan plan = Plan.__new__(Plan)
    plan.origin_name = origin
    plan.target_wire = target
    ctx.plan = plan
    ctx.now = now
    ctx.geo_table = geo_table
    ctx.cache = "DYNAMIC"
    memcpy(ctx.client_address, address, 16)
    memcpy(ctx.geo_address, address, 16)
    return ctx


# --- Response ------------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(256)
cdef class Response:
    """An answer: `status` 200–599, `headers`, and a `body` of bytes (a str is sent as UTF-8).

    The edge writes Content-Length, Date, Connection and Transfer-Encoding itself. The body that an origin streams is
    opaque: a hook may replace it, not read it.
    """

    def __init__(self, int status=200, headers=(), body=b""):
        self.status = status
        self.fields = Fields(headers)
        self.body = body

    @staticmethod
    def redirect(str location, int status=302):
        """A redirection (RFC 9110 §15.4) to `location`."""
        if status not in (301, 302, 303, 307, 308):
            raise ValueError(f"{status} is not a redirection")
        return Response(status, {"location": location})

    @staticmethod
    def text(str text, int status=200):
        return Response(status, {"content-type": "text/plain; charset=utf-8"}, text)

    @staticmethod
    def json(value, int status=200):
        return Response(status, {"content-type": "application/json"}, orjson.dumps(value))

    @property
    def status(self):
        return self.code

    @status.setter
    def status(self, int code):
        if not 200 <= code <= 599:
            raise ValueError(f"a response's status is 200–599, not {code}")
        self.code = code

    @property
    def headers(self):
        return self.own_fields()

    @property
    def body(self):
        if type(self.content) is tuple:
            return b"".join(self.content)
        if type(self.content) is not bytes:
            raise StageError("this body streams from an origin, or from a file: it can be replaced, not read")
        return self.content

    @body.setter
    def body(self, body):
        if isinstance(body, str):
            body = (<str> body).encode()
        if isinstance(body, (bytearray, memoryview)):
            body = bytes(body)
        if not isinstance(body, bytes):
            raise TypeError(f"a body is bytes or str, not {type(body).__name__}")
        self.content = body

    @property
    def streams(self):
        """True while the body comes from an origin and cannot be read."""
        return self.is_stream()

    def __repr__(self):
        return f"<Response {self.code}{' streaming' if self.is_stream() else ''}>"

    cdef bint is_stream(self) noexcept:
        return self.content is STREAM

    cdef Fields own_fields(self):
        """The fields, this response's own to edit."""
        if self.fields is None:
            self.fields = fields_of(self.stored.head)
        return self.fields


cdef Response make_response(int code, Fields fields, object content):
    cdef Response response = Response.__new__(Response)
    response.code = code
    response.fields = fields
    response.content = content
    return response
