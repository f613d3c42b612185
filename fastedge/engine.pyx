"""One request's life as data: what happened goes in, what to do next comes out. No clock, no socket, no concrete stage.

    start → REPLY · FETCH → fetched | failed → REPLY · WAIT → resume → …
"""

cimport cython

from http import HTTPStatus

from fastedge._core.fields cimport CDN_LOOP, FieldName, Fields, intern_text, known
from fastedge._core.message cimport Plan, Request, Response, make_context, make_response
from fastedge._core.pipeline cimport CONTINUE_, BoundPipeline, Wait
from fastedge._core.pipeline import HookFailure
from fastedge.errors import StageError

cdef FieldName _CDN_LOOP = known(CDN_LOOP)
cdef FieldName _CONTENT_TYPE = intern_text("content-type")
cdef FieldName _PROXY_STATUS = intern_text("proxy-status")


@cython.final
cdef class Site:
    """Some hosts, their pipeline, and the origin that they go to when no stage says otherwise."""

    def __init__(self, str name, BoundPipeline pipeline, origin):
        self.name = name
        self.pipeline = pipeline
        self.origin = origin


@cython.final
cdef class Engine:
    """What one configuration decides with. Immutable: a reload makes a new one and swaps it in by one assignment.

    `sites` maps host patterns ("shop.example", "*.shop.example", or "*" for every host) to a Site.
    """

    def __init__(self, sites, origins, *, geo=None, str cdn_id="fastedge", generation=0):
        self.exact = {}
        self.suffixes = []
        for pattern, site in sites.items():
            if pattern == "*":
                self.catch_all = site
            elif pattern.startswith("*."):
                self.suffixes.append((pattern[1:].encode("ascii"), site))
            else:
                self.exact[pattern.encode("ascii")] = site
        self.suffixes.sort(key=lambda row: -len(row[0]))
        self.origins = frozenset(origins)
        self.geo = geo
        self.cdn_id = cdn_id.encode("ascii")
        self.generation = generation

    def sites(self):
        """Every site once."""
        found = [*self.exact.values(), *(site for _, site in self.suffixes), self.catch_all]
        return list(dict.fromkeys(site for site in found if site is not None))

    def begin(self, Request request, double now, bytes client):
        """The Python face of `open`: `client` is packed in 16 bytes. None for a host that no site claims."""
        return self.open(request, now, client)

    cdef Site site_of(self, bytes host):
        cdef object found = self.exact.get(host)
        if found is None and self.suffixes:
            for suffix, site in self.suffixes:
                if host.endswith(suffix):
                    return <Site> site
        return self.catch_all if found is None else <Site> found

    cdef Exchange open(self, Request request, double now, const unsigned char* client):
        cdef Site site = self.catch_all if not self.exact and not self.suffixes else self.site_of(request.host_wire)
        cdef Exchange exchange
        if site is None:
            return None
        exchange = Exchange.__new__(Exchange)
        exchange.engine = self
        exchange.site = site
        exchange.request = request
        exchange.ctx = make_context(now, client, self.geo, site.origin, request.target_wire)
        return exchange


@cython.final
@cython.freelist(256)
cdef class Exchange:
    """One request from its head to its reply."""

    # --- C face: each returns the next step --------------------------------------------------------------------

    cdef Step start(self) except *:
        cdef bytes loop = self.request.fields.combined(_CDN_LOOP)
        if loop is not None and _names(loop, self.engine.cdn_id):
            # RFC 8586 §2; the status is RFC 9209 §2.3.20's.
            self.response = error_answer(502, "proxy_loop_detected")
            self.error = "proxy_loop_detected"
            return REPLY
        return self._decide(0)

    cdef Step resume(self, object answer) except *:
        """The answer to `wait`: the stage that asked turns it into its verdict."""
        cdef Wait wait = self.wait
        self.wait = None
        try:
            verdict = self.site.pipeline.resume(wait, answer, self.ctx)
        except Exception as error:
            self._culprit(error)
            return self._reply(plain_answer(500, None))
        if verdict is CONTINUE_:
            return self._decide(wait.position + 1)
        return self._answer(<Response> verdict)

    cdef Step fetched(self, Response response) except *:
        """An origin's response head, its body still streaming."""
        try:
            self.site.pipeline.run_origin_response(self.request, response, self.ctx)
        except Exception as error:
            self._culprit(error)
            response = plain_answer(500, None)
        return self._reply(response)

    cdef Step failed(self, int status, str error) except *:
        """No response came; `error` is a proxy error type of RFC 9209 §2.3."""
        self.error = error
        return self._reply(error_answer(status, error))

    cdef Step _decide(self, Py_ssize_t position) except *:
        cdef object verdict
        try:
            verdict = self.site.pipeline.run_request(self.request, self.ctx, position)
        except Exception as error:
            self._culprit(error)
            return self._reply(plain_answer(500, None))
        if type(verdict) is Response:
            return self._answer(<Response> verdict)
        if verdict is not CONTINUE_:
            self.wait = <Wait> verdict
            return WAIT
        return self._plan_fetch()

    cdef Step _plan_fetch(self) except *:
        cdef object verdict
        cdef Plan plan = self.ctx.plan
        plan.frozen = True
        try:
            if plan.origin_name not in self.engine.origins:
                raise StageError(_no_such_origin(plan.origin_name, self.engine.origins))
            if self.site.pipeline.origin_request_hooks:
                verdict = self.site.pipeline.run_origin_request(self.request, self.ctx)
                if verdict is not CONTINUE_:
                    return self._answer(<Response> verdict)
        except Exception as error:
            self._culprit(error)
            return self._reply(plain_answer(500, None))
        return FETCH

    cdef Step _answer(self, Response response) except *:
        """A stage's own answer. It may be one object for all requests, so that response hooks edit a copy: what they add
        for one client must never reach another."""
        if self.site.pipeline.response_hooks:
            response = make_response(response.code, response.fields.copy_fields(), response.content)
        return self._reply(response)

    cdef Step _reply(self, Response response) except *:
        """Every reply passes the response hooks; one that fails makes it a 500, and the rest still run."""
        cdef Py_ssize_t position = 0
        if self.site.pipeline.response_hooks:
            while True:
                try:
                    self.site.pipeline.run_response(self.request, response, self.ctx, position)
                    break
                except HookFailure as error:
                    self._culprit(error)
                    position = error.position + 1
                    response = plain_answer(500, None)
        self.response = response
        return REPLY

    cdef int _culprit(self, object failure) except -1:
        self.failure = failure
        self.error = "stage_error"
        return 0

    # --- Python face, for tests and `explain` ------------------------------------------------------------------

    def observe(self, observer):
        """`observer(hook, verdict)` is called after each hook that applies."""
        self.ctx.observer = observer

    def step_start(self):
        return _STEPS[self.start()]

    def step_resume(self, answer):
        return _STEPS[self.resume(answer)]

    def step_fetched(self, Response response):
        return _STEPS[self.fetched(response)]

    def step_failed(self, int status, str error):
        return _STEPS[self.failed(status, error)]


_STEPS = {REPLY: "reply", FETCH: "fetch", WAIT: "wait"}


cdef str _no_such_origin(name, origins):
    known_names = ", ".join(sorted(origins)) or "none"
    if name is None:
        return f"no origin is chosen: set plan.origin, or server.default_origin in edge.toml (origins: {known_names})"
    return f"there is no origin {name!r} (origins: {known_names})"


cdef bint _names(bytes loop, bytes cdn_id):
    for member in loop.split(b","):
        if member.partition(b";")[0].strip(b" \t") == cdn_id:
            return True
    return False


cdef Response plain_answer(int status, str text):
    """A short text answer of the edge's own; without a text, the status code's phrase."""
    cdef Fields fields = Fields.__new__(Fields)
    fields.append(_CONTENT_TYPE, b"text/plain; charset=utf-8")
    if text is None:
        text = f"{status} {HTTPStatus(status).phrase}\n"
    return make_response(status, fields, text.encode())


cdef Response error_answer(int status, str error):
    """A failure on the way to an origin, said in Proxy-Status (RFC 9209)."""
    cdef Response response = plain_answer(status, None)
    response.fields.append(_PROXY_STATUS, f"fastedge; error={error}".encode("ascii"))
    return response
