from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Plan, Request
from fastedge._core.queryrules cimport QueryRules


cdef struct Span:           # of bytes that the request owns
    const char* at
    Py_ssize_t size


cdef enum Place:
    IN_AUTHORIZATION        # behind a scheme (RFC 9110 §11.6.2)
    IN_FIELD                # a field's whole value
    IN_COOKIE
    IN_QUERY


cdef enum Shown:
    NONE_SHOWN = 0
    ONE_SHOWN
    SEVERAL_SHOWN           # that differ, or a field twice that there may be one of


cdef class CredentialSource:
    cdef readonly Place place
    cdef readonly str text  # as the option spells it
    cdef bytes name         # the scheme in lower case, the cookie, the parameter
    cdef FieldName field
    cdef QueryRules without # the target without the parameter

    cdef Shown find(self, Request request, Span* found) except *
    cdef Shown _in_field(self, Request request, Span* found) except *
    cdef int conceal(self, Request request, Plan plan) except -1


# What all the places say together; `found` is the first that there is.
cdef Shown credential(list sources, Request request, Span* found) except *
# Whether one is shown outside Authorization.
cdef bint is_shown_elsewhere(list sources, Request request) except -1
# The names of parameters, and of fields.
cdef tuple hidden(list sources)
cdef int conceal_all(list sources, Request request, Plan plan) except -1
# Takes the next parameter off a query, as it is spelled; without a "=" its value is empty. False where there is none.
cdef bint next_parameter(const char** at, const char* end, Span* name, Span* value) noexcept
# Whether the name of a parameter, as it is spelled there, is this one.
cdef bint is_name(const Span* spelled, bytes name) except -1
