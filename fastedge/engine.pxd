from libc.stdint cimport uint64_t

from fastedge._core.fields cimport Fields
from fastedge._core.key cimport KeyHash
from fastedge._core.message cimport Context, Request, Response
from fastedge._core.pipeline cimport BoundPipeline, Wait
from fastedge._core.purges cimport Purged, Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.stored cimport Stored
from fastedge.caching.answer cimport Part
from fastedge.caching.storing cimport Assessment
from fastedge.html.pages cimport Pages
from fastedge.html.reply cimport PageReply

cdef enum Step:
    REPLY = 1   # send `exchange.response`
    FETCH       # ask `exchange.ctx.plan.origin` for this client alone, then `fetched` or `failed`
    WAIT        # perform `exchange.wait.step`, then `resume`
    SEND        # send `exchange.stored` as it is: a fresh hit, and nobody edits it
    GATHER      # have each of `exchange.page.asked` answered by an exchange `inside` this one, then `gathered`
    SHARE       # join who fetches `exchange.key` already; else `lead`, and fetch it for all who come


cdef class Site:
    cdef readonly str name
    cdef readonly BoundPipeline pipeline
    cdef readonly str origin


cdef class Engine:
    cdef readonly dict exact            # host → Site
    cdef readonly list suffixes         # of (b".shop.example", Site), longest first
    cdef readonly Site catch_all        # serves every host, or None
    cdef readonly frozenset origins
    cdef readonly object geo
    cdef readonly bytes cdn_id
    cdef readonly object generation
    cdef readonly Pages pages           # compiled, for personal replies

    cdef Site site_of(self, bytes host)
    cdef Exchange open(
        self, Request request, double now, long long now_us, const unsigned char* client, MemoryStore store, Purges purges,
        dict origin_states,
    )


cdef class Exchange:
    cdef readonly Engine engine
    cdef readonly Site site
    cdef readonly Request request
    cdef readonly Context ctx
    cdef readonly Response response
    cdef readonly Wait wait
    cdef readonly str error             # for the log: what went wrong and whose fault it is
    cdef readonly object failure        # the HookFailure that made it a 500, or None
    # the cache
    cdef MemoryStore store              # None: nothing is stored
    cdef Purges purges
    cdef dict origin_states             # name → OriginState; None: all are taken to be up
    cdef long long now_us
    cdef readonly bytes key             # None as long as no store is asked
    cdef KeyHash hash
    cdef uint64_t born                  # Purges.now() before the origin is asked
    cdef readonly Stored stored         # what the answer comes from, or what is validated
    cdef Stored former                  # what was validated, where the answer comes from another
    cdef readonly bint refreshes        # the answer is stale: it is to be refreshed beside
    cdef readonly long long age_s       # of what is answered from `stored`; -1: the origin has just answered
    cdef str forwarded                  # why the origin was asked (RFC 9211 §2.2), or None
    cdef int origin_status              # what it said, where that is not what the client gets; else 0
    cdef Part part                      # of the stored body, where the reply is a part of it
    cdef bint is_alone                  # it was not shared, since its last answer was not for sharing
    cdef tuple said                     # what this one says about that
    cdef bint disk_asked                # what the disk has of the key is in the store already
    cdef bytes gone                     # purge names that an unsafe method has invalidated, packed; or None
    cdef bint collapsed                 # somebody else's fetch answered
    cdef bint kept                      # what came is being stored
    cdef Fields own                     # lines of the answer that are not stored: for this client alone; or None
    cdef bytes selection                # what it says in the fields that are known to vary, or None
    cdef bint apart                     # what the host is fetching under its key is not for it
    # a personal page
    cdef bint collects                  # the reply's body is still arriving: `collected` wants all of it first
    cdef PageReply page                 # None: the reply is no page, or nothing of it is personal
    cdef Exchange outer                 # the one whose page asks for this; or None
    cdef int inner_count                # of exchanges inside of the outermost one

    cdef Step start(self) except *
    cdef Step resume(self, object answer) except *
    cdef Step look(self) except *
    cdef Step whole(self) except *
    cdef int status(self) noexcept
    cdef Step lead(self) except *
    cdef str _told(self, Step step)
    cdef Step alone(self, str reason) except *
    cdef bint falls_back(self) except -1
    cdef bint _goes_over(self) except -1
    cdef bint _is_up(self, str origin) except -1
    cdef bint leads_refresh(self) except -1
    cdef int origin_answered(self, Response response) except -1
    cdef Step fetched(self, Response response) except *
    cdef Step failed(self, int status, str error) except *
    cdef Step reply_with(self, Response response) except *
    cdef Step broken(self, object failure) except *
    cdef list validators(self)
    cdef Exchange inside(self, bytes target)
    cdef Step collected(self, object body) except *
    cdef Step gathered(self) except *
    cdef int left_alone(self, str reason) except -1
    cdef Step _reply_page(self, Response response) except *
    cdef Step _gather(self, bint is_ready) except *
    cdef str _objection(self, bytes target)
    cdef Step reply_stored(self, Stored stored, str outcome, object content) except *
    cdef bint may_stand_in(self, Stored stored) except -1
    cdef bytes cache_lines(self)
    cdef bytes _cache_lines(self, long long age_s)
    cdef Stored stored_of(self, Assessment assessment, int status, Fields fields, list nominated, long long received_us, double received_s)
    cdef bint _is_a_plain_question(self) except -1
    cdef bint asks_for_less(self) noexcept
    cdef bint _is_sent_as_it_is(self) noexcept
    cdef Step _decide(self, Py_ssize_t position) except *
    cdef Step _decided(self, object verdict) except *
    cdef Step _planned(self) except *
    cdef Step _miss(self, str forwarded) except *
    cdef Step _past(self, str forwarded, str reason, str outcome) except *
    cdef Step _to_origin(self) except *
    cdef Step _ask(self, Step step) except *
    cdef Purged _purged(self, Stored stored) except *
    cdef bint came_after_purge(self, Stored stored, uint64_t born) noexcept
    cdef int _learn(self, Response response) except -1
    cdef int _freshen_by_head(self, Response response) except -1
    cdef Stored _variant(self, Stored first)
    cdef Step _answer(self, Response response) except *
    cdef Step _reply(self, Response response) except *
    cdef int _culprit(self, object failure) except -1


cdef Response plain_answer(int status, str text)
