"""One request's life as data: what happened goes in, what to do next comes out. No clock, no socket, no concrete stage.

    start → REPLY · FETCH · SHARE → fetched | failed → REPLY · WAIT → resume → …

Between the request hooks and the origin stands the store: `look` answers from it, or says what to ask for and why.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from email.utils import formatdate
from http import HTTPStatus

from fastedge._core.fields cimport (
    ACCEPT_ENCODING, CDN_LOOP, CONDITIONAL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPECT, HOP_BY_HOP, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, TRANSFER_ENCODING, UPGRADE, FieldName, Fields, intern_text, known,
)
from fastedge._core.geotable cimport GeoSlot
from fastedge._core.key cimport hash_of, key_of, url_span
from fastedge._core.message cimport Plan, Request, Response, make_context, make_request, make_response
from fastedge._core.originstate cimport OriginState
from fastedge._core.pipeline cimport CONTINUE_, BoundPipeline, Wait
from fastedge._core.pipeline import HookFailure
from fastedge._core.purges cimport HARD, KEPT, SOFTLY, Purged, Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.stored cimport HAS_ETAG, HAS_LAST_MODIFIED, Stored, age_s, new_stored
from fastedge._core.stored cimport key_of as key_text
from fastedge._core.storedhead cimport fields_of, head_of, head_value
from fastedge.caching.answer cimport ASKS_FOR_LESS, answer_of, whole_of
from fastedge.caching.invalidation cimport invalidated, is_unsafe
from fastedge.caching.reuse cimport FRESH, REFRESH, VALIDATE, Use, forbids_store, may_stand_in, only_if_cached, use_of
from fastedge.caching.status cimport forward_lines, hit_lines
from fastedge.caching.storing cimport Assessment, assess, said_of_sharing
from fastedge.caching.validation cimport agrees, conditions_of, freshened
from fastedge.caching.vary cimport matches, selection
from fastedge.errors import StageError
from fastedge.html.pages cimport Pages, is_page, is_stored_page
from fastedge.html.reply cimport Asked, page_reply
from fastedge.limits import fragments_asked_max, fragments_depth_max, html_pages_bytes_min

cdef FieldName _CDN_LOOP = known(CDN_LOOP)
cdef FieldName _DATE = known(DATE)
cdef FieldName _ETAG = known(ETAG)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)
cdef FieldName _CONTENT_TYPE = intern_text("content-type")
cdef FieldName _PROXY_STATUS = intern_text("proxy-status")
cdef bytes _GET = b"GET"
# Failures (RFC 9209 §2.3) before a byte of the request was sent: another origin can be asked without asking twice.
cdef frozenset NEVER_ASKED = frozenset((
    "connection_refused", "connection_timeout", "destination_unavailable", "destination_ip_unroutable", "dns_error",
    "dns_timeout", "tls_certificate_error", "tls_protocol_error",
))
cdef bytes _HEAD = b"HEAD"
cdef int FRAGMENTS_MAX = fragments_asked_max
cdef int DEPTH_MAX = fragments_depth_max
cdef unsigned long long HAS_MORE_THAN_A_HEAD = 1ULL << CONTENT_LENGTH | 1ULL << TRANSFER_ENCODING | 1ULL << UPGRADE | 1ULL << EXPECT
cdef unsigned long long FOR_THE_ORIGIN = 1ULL << IF_MATCH | 1ULL << IF_UNMODIFIED_SINCE    # RFC 9111 §4.3.2


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

    `pages_bytes_max`: what compiled pages may take. `sites` maps host patterns ("shop.example", "*.shop.example", or "*" for every host) to a Site.
    """

    def __init__(self, sites, origins, *, geo=None, str cdn_id="fastedge", generation=0, pages_bytes_max=html_pages_bytes_min):
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
        self.pages = Pages(pages_bytes_max)

    def sites(self):
        """Every site once."""
        found = [*self.exact.values(), *(site for _, site in self.suffixes), self.catch_all]
        return list(dict.fromkeys(site for site in found if site is not None))

    def begin(self, Request request, double now, bytes client, MemoryStore store=None, Purges purges=None, dict origin_states=None):
        """The Python face of `open`: `client` is packed in 16 bytes. None for a host that no site claims."""
        return self.open(request, now, <long long> (now * 1e6), client, store, purges, origin_states)

    cdef Site site_of(self, bytes host):
        cdef object found = self.exact.get(host)
        if found is None and self.suffixes:
            for suffix, site in self.suffixes:
                if host.endswith(suffix):
                    return <Site> site
        return self.catch_all if found is None else <Site> found

    cdef Exchange open(
        self, Request request, double now, long long now_us, const unsigned char* client, MemoryStore store, Purges purges,
        dict origin_states,
    ):
        """`now` is the wall clock's, `now_us` the monotonic one's; without a store nothing is looked up or stored."""
        cdef Site site = self.catch_all if not self.exact and not self.suffixes else self.site_of(request.host_wire)
        cdef Exchange exchange
        if site is None:
            return None
        exchange = Exchange.__new__(Exchange)
        exchange.engine = self
        exchange.site = site
        exchange.request = request
        exchange.store = store
        exchange.purges = purges
        exchange.origin_states = origin_states
        exchange.now_us = now_us
        geo = (<GeoSlot> self.geo).table if type(self.geo) is GeoSlot else self.geo
        exchange.ctx = make_context(now, client, geo, site.origin, request.target_wire)
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
        return self._decide(wait.position + 1) if verdict is CONTINUE_ else self._decided(verdict)

    cdef Step look(self) except *:
        """Answers from the store, or says why the origin has to be asked."""
        cdef Stored stored, first
        cdef Purged purged
        cdef Use use
        cdef double age
        self.stored = None
        self.collects = self.refreshes = False
        if self.key is None:
            self.key = key_of(self.request, self.ctx.plan)
            self.hash = hash_of(self.key)
        self.born = self.purges.now()
        first = self.store.find(self.hash.high, self.hash.low, PyBytes_AS_STRING(self.key), len(self.key))
        if first is None:
            return self._miss("uri-miss")
        stored = self._variant(first)
        if stored is None:
            self.selection = selection(first.vary, self.request, self.ctx.plan)
            return self._miss("vary-miss")
        purged = self._purged(stored)
        if purged == HARD:
            self.store.drop(stored)
            return self._miss("uri-miss")
        age = age_s(stored, self.now_us)
        use = use_of(stored, age, self.request, self.ctx.plan, purged == SOFTLY)
        if use != VALIDATE:
            self.store.touch(stored)
            self.stored = stored
            self.age_s = <long long> age
            if use == FRESH and self._is_sent_as_it_is():
                self.ctx.cache = "HIT"
                return SEND
            self.refreshes = use == REFRESH
            return self.reply_stored(stored, "HIT" if use == FRESH else "UPDATING", stored.body)
        self.stored = stored
        self.forwarded = "request" if age < stored.lifetime_s and purged == KEPT else "stale"
        self.ctx.cache = "EXPIRED"
        return self._to_origin()

    cdef Step whole(self) except *:
        """The reply that SEND stands for."""
        return self.reply_stored(self.stored, "HIT", self.stored.body)

    cdef int status(self) noexcept:
        """Of the reply."""
        return self.stored.status if self.response is None else self.response.code

    cdef Step lead(self) except *:
        """The first to ask: the fetch is for all who come meanwhile."""
        return self._ask(SHARE)

    cdef Step alone(self, str reason) except *:
        """What the origin says is not for sharing: a fetch for this client alone."""
        self.ctx.cache_reason = reason
        self.is_alone = True
        return self._ask(FETCH)

    cdef bint falls_back(self) except -1:
        """Goes over to the next origin of the plan that is up, if the chosen one is down: under another key, so that the
        store is to be asked again. What is stored may stand in first."""
        if self.ctx.plan.fallback_names is None or self._is_up(self.ctx.plan.origin_name):
            return False
        return not (self.stored is not None and self.may_stand_in(self.stored)) and self._goes_over()

    cdef bint _goes_over(self) except -1:
        cdef Plan plan = self.ctx.plan
        cdef tuple names = plan.fallback_names
        for i, name in enumerate(names or ()):
            if self._is_up(name):
                self.ctx.note("origin", f"{plan.origin_name} is down: {name} is asked")
                plan.origin_name, plan.fallback_names = name, names[i + 1:] or None
                self.key = self.stored = None
                self.disk_asked = self.apart = False
                return True
        return False

    cdef bint _is_up(self, str origin) except -1:
        state = None if self.origin_states is None else self.origin_states.get(origin)
        return state is None or (<OriginState?> state).is_up(self.now_us)

    cdef bint leads_refresh(self) except -1:
        """Whether the origin is to be asked to refresh what has just been sent stale."""
        try:
            return self.site.pipeline.run_origin_request(self.request, self.ctx) is CONTINUE_
        except Exception as error:
            self._culprit(error)
            return False

    cdef int origin_answered(self, Response response) except -1:
        """Runs the origin response hooks: 1 if one has failed, which is said in `failure`."""
        try:
            self.site.pipeline.run_origin_response(self.request, response, self.ctx)
        except Exception as error:
            self._culprit(error)
            return 1
        return 0

    cdef Step fetched(self, Response response) except *:
        """An origin's response head to this client alone, its body still streaming."""
        if self.origin_answered(response):
            return self._reply(plain_answer(500, None))
        if self.store is not None:
            self._learn(response)
        if self.is_alone:
            self.said = said_of_sharing(response.code, response.fields)
        return self._reply_page(response)

    cdef Step failed(self, int status, str error) except *:
        """No response came; `error` is a proxy error type of RFC 9209 §2.3."""
        if self.collects and self.response.stored is not None:      # it was arriving, and has broken off
            self.stored, self.own = self.former, None
            self.kept = False
        if self.stored is not None and self.may_stand_in(self.stored):
            self.error = error
            return self.reply_stored(self.stored, "STALE", self.stored.body)
        is_shared = self.key is not None and not self.is_alone
        if error in NEVER_ASKED and self._is_a_plain_question() and self._goes_over():
            return self.look() if is_shared else self._ask(FETCH)
        self.error = error
        return self._reply(error_answer(status, error))

    cdef Step reply_with(self, Response response) except *:
        """A response that a shared fetch brought, its hooks already run."""
        return self._reply_page(response)

    cdef Step broken(self, object failure) except *:
        """A hook has failed in a fetch that was shared."""
        self._culprit(failure)
        return self._reply(plain_answer(500, None))

    cdef list validators(self):
        """The conditions under which the origin need not send what is stored (RFC 9111 §4.3.1)."""
        cdef Stored stored = self.stored
        if stored is None or not stored.flags & (HAS_ETAG | HAS_LAST_MODIFIED):
            return None
        return conditions_of(head_value(stored.head, _ETAG), head_value(stored.head, _LAST_MODIFIED))

    cdef Step reply_stored(self, Stored stored, str outcome, object content) except *:
        """From a stored response, or from one that is being stored: then `content` is STREAM."""
        cdef Response response
        cdef bint is_edited
        cdef Py_ssize_t i
        self.former, self.stored = self.stored, stored
        self.ctx.cache = outcome
        self.age_s = <long long> age_s(stored, self.now_us)
        is_edited = self.own is not None        # hooks make the fields their own when they touch them
        if self.ctx.personal is not None and is_stored_page(stored):
            response = whole_of(stored, content, is_edited, &self.part)     # conditions and ranges are not about what is stored
        else:
            response = answer_of(stored, self.request, content, self.ctx.now, is_edited, &self.part)
        if self.own is not None:
            for i in range(self.own.total):
                response.fields.append(self.own.name_at(i), self.own.value_at(i))
        return self._reply_page(response)

    cdef bint may_stand_in(self, Stored stored) except -1:
        """Whether a stale response may be sent since the origin fails (RFC 9111 §4.2.4, RFC 5861 §4)."""
        return may_stand_in(stored, age_s(stored, self.now_us), self.request, self.ctx.plan)

    cdef bytes cache_lines(self):
        """Cache-Status and Age of the reply, and what a personal page says of itself; None where that is nothing."""
        cdef bytes lines
        if self.page is None or self.page.lines is None:
            return self._cache_lines(self.age_s)
        # A page is made now, whatever the age of what it is made from.
        lines = self._cache_lines(-1 if self.page.is_made else self.age_s)
        return self.page.lines if lines is None else self.page.lines + lines

    cdef bytes _cache_lines(self, long long age_s):
        cdef Stored stored = self.stored
        cdef str outcome = self.ctx.cache
        if outcome == "HIT" or outcome == "UPDATING":
            return hit_lines(self.engine.cdn_id, age_s, <long long> stored.lifetime_s - self.age_s)
        if self.forwarded is None:
            return None
        return forward_lines(
            self.engine.cdn_id, self.forwarded, self.origin_status, self.collapsed, self.kept, self.ctx.cache_reason, age_s
        )

    cdef Stored stored_of(
        self, Assessment assessment, int status, Fields fields, list nominated, long long received_us, double received_s
    ):
        """What is to be stored under this exchange's key; its body comes later. Fields get the Date that they lack."""
        cdef Py_ssize_t url_at, url_size
        if not fields.count(_DATE):
            fields.append(_DATE, formatdate(received_s, usegmt=True).encode("ascii"))     # RFC 9110 §6.6.1
        if assessment.left_out:
            self.own = _lines_of(assessment.left_out, fields)
        cdef Stored stored = new_stored(
            self.hash.high, self.hash.low, self.key, assessment.names or b"", status,
            head_of(fields, nominated, assessment.left_out), None, -1,
        )
        url_span(self.key, &url_at, &url_size)
        stored.url_at, stored.url_size = <int> url_at, <int> url_size
        stored.vary = assessment.vary
        stored.received_us, stored.received_s = received_us, received_s
        stored.initial_age_s = assessment.initial_age_s
        stored.lifetime_s = assessment.lifetime_s
        stored.stale_while_revalidate_s = assessment.stale_while_revalidate_s
        stored.stale_if_error_s = assessment.stale_if_error_s
        stored.flags = assessment.flags
        stored.born = self.born
        return stored

    cdef bint _is_a_plain_question(self) except -1:
        """A request that can be asked again elsewhere: it has no body, and changes nothing."""
        return not self.request.fields.seen & HAS_MORE_THAN_A_HEAD and (
            self.request.method_wire == _GET or self.request.method_wire == _HEAD
        )

    cdef bint asks_for_less(self) noexcept:
        return (self.request.fields.seen & ASKS_FOR_LESS) != 0

    cdef bint _is_sent_as_it_is(self) noexcept:
        return (
            self.ctx.personal is None and not self.site.pipeline.response_hooks and not self.request.fields.seen & ASKS_FOR_LESS
            and self.request.method_wire == _GET
        )

    # --- the way -----------------------------------------------------------------------------------------------

    cdef Step _decide(self, Py_ssize_t position) except *:
        cdef object verdict
        try:
            verdict = self.site.pipeline.run_request(self.request, self.ctx, position)
        except Exception as error:
            self._culprit(error)
            return self._reply(plain_answer(500, None))
        return self._planned() if verdict is CONTINUE_ else self._decided(verdict)

    cdef Step _decided(self, object verdict) except *:
        if type(verdict) is Response:
            return self._answer(<Response> verdict)
        self.wait = <Wait> verdict
        return WAIT

    cdef Step _planned(self) except *:
        """The key is fixed: from here on the plan says what the origin will be asked."""
        cdef Plan plan = self.ctx.plan
        plan.frozen = True
        if plan.origin_name not in self.engine.origins or (
            plan.fallback_names is not None and not self.engine.origins.issuperset(plan.fallback_names)
        ):
            self._culprit(StageError(_no_such_origin(plan, self.engine.origins)))
            return self._reply(plain_answer(500, None))
        if self.store is None:
            return self._ask(FETCH)
        if self.request.method_wire != _GET and self.request.method_wire != _HEAD:
            return self._past("method", "method", "DYNAMIC")
        if self.request.fields.seen & HAS_MORE_THAN_A_HEAD:
            return self._past("bypass", "request_body", "BYPASS")
        if self.request.fields.seen & FOR_THE_ORIGIN:
            return self._past("bypass", "precondition", "BYPASS")
        if plan.cache_mode != "default":
            return self._past("bypass", "policy", "BYPASS")
        if plan.unstorable is not None:
            return self._past("bypass", plan.unstorable, "BYPASS")
        return self.look()

    cdef Step _past(self, str forwarded, str reason, str outcome) except *:
        """Neither answered from the store nor stored."""
        self.forwarded = forwarded
        self.ctx.cache = outcome
        self.ctx.cache_reason = reason
        return self._ask(FETCH)

    cdef Step _miss(self, str forwarded) except *:
        self.forwarded = forwarded
        self.ctx.cache = "MISS"
        return self._to_origin()

    cdef Step _to_origin(self) except *:
        if not self.ctx.plan.ignores_request:
            if only_if_cached(self.request):
                self.forwarded = None
                return self._reply(plain_answer(504, None))     # RFC 9111 §5.2.1.7
            if forbids_store(self.request):
                return self.alone("request_no_store")
        if self.request.method_wire == _HEAD:
            return self._ask(FETCH)
        return SHARE

    cdef Step _ask(self, Step step) except *:
        """`step`, unless an origin request hook has an answer of its own."""
        cdef object verdict
        if step == FETCH:
            self.falls_back()
        if not self.site.pipeline.origin_request_hooks:
            return step
        try:
            verdict = self.site.pipeline.run_origin_request(self.request, self.ctx)
        except Exception as error:
            self._culprit(error)
            return self._reply(plain_answer(500, None))
        return step if verdict is CONTINUE_ else self._answer(<Response> verdict)

    cdef Stored _variant(self, Stored first):
        """Of the responses under the key the latest that answers this request (RFC 9111 §4.1)."""
        cdef Stored found = None
        while first is not None:
            if (first.vary is None or matches(first.vary, self.request, self.ctx.plan)) and (
                found is None or first.received_us > found.received_us
            ):
                found = first
            first = first.variant
        return found

    cdef Purged _purged(self, Stored stored) except *:
        """What has become of it through purges; nobody looks twice as long as nothing is purged."""
        cdef uint64_t version = self.purges.version()
        cdef Purged purged
        if stored.checked == version:
            return KEPT
        purged = self.purges.verdict_at(
            stored.facts, stored.names_total, key_text(stored) + stored.url_at, stored.url_size, stored.born
        )
        if purged == KEPT:
            stored.checked = version
        return purged

    cdef bint came_after_purge(self, Stored stored, uint64_t born) noexcept:
        """Whether it was purged after `born`, and maybe before this request."""
        return self.born > born and self.purges.verdict_at(
            stored.facts, stored.names_total, key_text(stored) + stored.url_at, stored.url_size, born
        ) != KEPT

    cdef int _learn(self, Response response) except -1:
        """What a response that is not stored says about those that are (RFC 9111 §4.3.5, §4.4)."""
        cdef const uint64_t* names
        cdef Py_ssize_t i
        if self.request.method_wire == _HEAD and self.stored is not None and response.code == 200:
            self._freshen_by_head(response)
        elif is_unsafe(self.request.method_wire):
            self.gone = invalidated(self.request, self.ctx.plan, response.code, response.fields)
            if self.gone is None:
                return 0
            names = <const uint64_t*> <void*> PyBytes_AS_STRING(self.gone)
            for i in range(<Py_ssize_t> (len(self.gone) // sizeof(uint64_t))):
                self.purges.purge(names[i], False)
        return 0

    cdef int _freshen_by_head(self, Response response) except -1:
        """A HEAD that agrees with what is stored freshens it; one that does not says that it is gone."""
        cdef Stored stored = self.stored, fresh
        cdef Fields fields
        cdef Assessment assessment
        self.store.drop(stored)
        if agrees(head_value(stored.head, _ETAG), head_value(stored.head, _LAST_MODIFIED), stored.length, response.fields):
            fields = freshened(fields_of(stored.head), response.fields)
            assessment = assess(self.request, self.ctx.plan, stored.status, fields, None, self.ctx.now, self.ctx.now)
            if assessment.reason is None:
                fresh = self.stored_of(assessment, stored.status, fields, None, self.now_us, self.ctx.now)
                fresh.body, fresh.length = stored.body, stored.length
                self.store.keep(fresh)
        return 0

    cdef Step _answer(self, Response response) except *:
        """A stage's own answer. It may be one object for all requests, so that response hooks edit a copy: what they add
        for one client must never reach another. It is no page to personalise."""
        self.forwarded = None
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
        self.collects = False
        self.page = None
        return REPLY

    # --- a personal page ----------------------------------------------------------------------------------------

    cdef Step _reply_page(self, Response response) except *:
        """The reply with what an origin or the store says; as this visitor's own, where it is a page: it needs the whole body."""
        self._reply(response)
        response = self.response
        if self.ctx.personal is None or not is_page(response):
            return REPLY
        self.page = page_reply(self.engine.pages, self.ctx.personal, self.request, self.ctx, response)
        if type(response.content) is bytes or type(response.content) is tuple or self.page.is_compiled():
            return self.collected(response.content)
        if response.is_stream() and self.request.method_wire == _HEAD:
            self.page.without_body()
        else:
            self.collects = True
        return REPLY

    cdef Step collected(self, object body) except *:
        """All of the reply's body: the stored one, where it was stored."""
        self.collects = False
        return self._gather(self.page.begin(body))

    cdef int left_alone(self, str reason) except -1:
        """The body cannot be had as a whole: the reply goes out as it is."""
        self.collects = False
        return self.page.left_alone(reason)

    cdef Step gathered(self) except *:
        """Each of `asked` has its content, or its problem."""
        return self._gather(self.page.gathered())

    cdef Step _gather(self, bint is_ready) except *:
        cdef Asked asked
        cdef bint is_waiting
        while not is_ready:
            is_waiting = False
            for asked in self.page.asked:
                asked.problem = self._objection(asked.target)
                is_waiting |= asked.problem is None
            if is_waiting:
                return GATHER
            is_ready = self.page.gathered()
        return REPLY

    cdef str _objection(self, bytes target):
        """Why this exchange may not ask for that URL; what it may is counted."""
        cdef Exchange outer = self
        cdef int depth = 1
        while True:
            if outer.request.target_wire == target or depth > DEPTH_MAX:
                return "loop"
            if outer.outer is None:
                break
            outer = outer.outer
            depth += 1
        if outer.inner_count == FRAGMENTS_MAX:
            return "too_many"
        outer.inner_count += 1
        return None

    cdef Exchange inside(self, bytes target):
        """The exchange of another URL of this site, as if the client had asked for that."""
        cdef Exchange exchange = Exchange.__new__(Exchange)
        cdef Py_ssize_t path_length = target.find(b"?")
        exchange.engine, exchange.site, exchange.outer = self.engine, self.site, self
        exchange.store, exchange.purges, exchange.origin_states = self.store, self.purges, self.origin_states
        exchange.now_us = self.now_us
        exchange.request = make_request(
            _GET, target, len(target) if path_length < 0 else path_length, self.request.authority, self.request.host_wire,
            _fields_inside(self.request.fields), 1, self.request.secure,
        )
        exchange.ctx = make_context(self.ctx.now, self.ctx.client_address, self.ctx.geo_table, self.site.origin, target)
        memcpy(exchange.ctx.geo_address, self.ctx.geo_address, 16)
        return exchange

    cdef int _culprit(self, object failure) except -1:
        self.failure = failure
        self.error = "stage_error"
        return 0

    # --- Python face, for tests and `explain` ------------------------------------------------------------------

    def observe(self, observer):
        """`observer(hook, verdict)` is called after each hook that applies."""
        self.ctx.observer = observer

    cdef str _told(self, Step step):
        """A hit is shown as the reply that it is."""
        return _STEPS[self.whole() if step == SEND else step]

    def step_start(self):
        return self._told(self.start())

    def step_resume(self, answer):
        if self.wait is None:
            raise ValueError("nobody waits")
        return self._told(self.resume(answer))

    def step_lead(self):
        return self._told(self.lead())

    def step_fetched(self, Response response):
        return self._told(self.fetched(response))

    def step_failed(self, int status, str error):
        return self._told(self.failed(status, error))


_STEPS = {REPLY: "reply", FETCH: "fetch", WAIT: "wait", SHARE: "share", GATHER: "gather"}


cdef Fields _fields_inside(Fields fields):
    """What of a request goes along to a URL inside of its page: not what is about its body, its parts or the connection."""
    cdef Fields kept = Fields.__new__(Fields)
    cdef FieldName name
    cdef Py_ssize_t i
    kept.head = fields.head
    for i in range(fields.total):
        name = fields.name_at(i)
        if not name.traits & (HOP_BY_HOP | CONDITIONAL) and name.id not in (
            CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, EXPECT, ACCEPT_ENCODING
        ):
            kept.append(name, fields.value_at(i))
    kept.frozen = True
    return kept


cdef Fields _lines_of(list names, Fields fields):
    cdef Fields lines = Fields.__new__(Fields)
    cdef Py_ssize_t i
    for i in range(fields.total):
        if fields.name_at(i) in names:
            lines.append(fields.name_at(i), fields.value_at(i))
    return lines


cdef str _no_such_origin(Plan plan, origins):
    name = next(name for name in (plan.origin_name, *(plan.fallback_names or ())) if name not in origins)
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
