from fastedge._core.condition cimport Condition
from fastedge._core.message cimport Context, Request, Response
from fastedge._core.reserved cimport Reserved

cdef enum Hooks:
    ON_REQUEST = 1
    ON_RESPONSE = 2


cdef class NativeStage:
    """What a compiled stage implements; `hooks` says which of the two it has."""
    cdef int hooks
    cdef object request_hook(self, Request request, Context ctx)
    cdef int response_hook(self, Request request, Response response, Context ctx) except -1
    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1   # `serial`: of its first hook, for the marker


cdef class Wait:
    cdef readonly object step
    cdef readonly object then
    cdef Py_ssize_t position


cdef class Hook:
    cdef readonly str stage
    cdef readonly str name
    cdef readonly bint fail_open
    cdef bint may_wait
    cdef int watched        # a custom stage's hook that has a say in what is stored: its stage, counted from 1; or 0
    cdef list inputs        # what of its condition is in no cache key
    cdef readonly NativeStage native    # None: a Python object's hook, `call`
    cdef object call
    cdef int condition      # index into the pipeline's conditions; -1: always
    cdef int serial         # index into the pipeline's hook names, for the stuck-worker marker


cdef class BoundPipeline:
    cdef list request_hooks
    cdef list origin_request_hooks
    cdef list origin_response_hooks
    cdef list response_hooks
    cdef list conditions
    cdef Reserved reserved          # by its gates; None: nothing is
    cdef readonly list hook_names
    cdef long long* marker
    cdef long long marker_here
    cdef int marker_first       # added to a hook's serial, for hosts with several pipelines

    cdef _bind_stage(self, stage, int condition, snapshot, int serial)
    cdef int _condition_index(self, condition) except -2
    cdef bint applies(self, Hook hook, Request request, Context ctx) except -1
    cdef object run_request(self, Request request, Context ctx, Py_ssize_t position)
    cdef object resume(self, Wait wait, object answer, Context ctx)
    cdef object run_origin_request(self, Request request, Context ctx)
    cdef int run_origin_response(self, Request request, Response response, Context ctx) except -1
    cdef int run_response(self, Request request, Response response, Context ctx, Py_ssize_t position) except -1
    cdef object verdict(self, Hook hook, Request request, Context ctx, Py_ssize_t position)
    cdef int edit_response(self, Hook hook, Request request, Response response, Context ctx, Py_ssize_t position) except -1


cdef object CONTINUE_
