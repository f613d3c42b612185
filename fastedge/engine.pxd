from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Context, Request, Response
from fastedge._core.pipeline cimport BoundPipeline, Wait

cdef enum Step:
    REPLY = 1   # send `exchange.response`
    FETCH       # ask `exchange.ctx.plan.origin`, then `fetched` or `failed`
    WAIT        # perform `exchange.wait.step`, then `resume`


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

    cdef Site site_of(self, bytes host)
    cdef Exchange open(self, Request request, double now, const unsigned char* client)


cdef class Exchange:
    cdef readonly Engine engine
    cdef readonly Site site
    cdef readonly Request request
    cdef readonly Context ctx
    cdef readonly Response response
    cdef readonly Wait wait
    cdef readonly str error             # for the log: what went wrong and whose fault it is
    cdef readonly object failure        # the HookFailure that made it a 500, or None

    cdef Step start(self) except *
    cdef Step resume(self, object answer) except *
    cdef Step fetched(self, Response response) except *
    cdef Step failed(self, int status, str error) except *
    cdef Step _decide(self, Py_ssize_t position) except *
    cdef Step _plan_fetch(self) except *
    cdef Step _answer(self, Response response) except *
    cdef Step _reply(self, Response response) except *
    cdef int _culprit(self, object failure) except -1


cdef Response plain_answer(int status, str text)
