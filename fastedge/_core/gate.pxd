from fastedge._core.fields cimport FieldName, Fields
from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport NativeStage
from fastedge._core.revocations cimport Revocable


cdef class Admission:
    """Who a credential says the client is; immutable, shared by all requests that show it."""
    cdef readonly object claims     # read-only mapping; None: it says nothing
    cdef Py_ssize_t told            # how many fields the origin is told; mostly none, and then the lists are not touched
    cdef list names                 # fields towards the origin: FieldName,
    cdef list values                # bytes,
    cdef list keyed                 # and whether it is in the cache key
    cdef readonly bint private      # what comes back is for this client alone
    cdef readonly Revocable revocable   # None: it is not a token


cdef class Refusal:
    """An answer to a credential that is no good; made once, and the same for everyone."""
    cdef readonly str stage
    cdef readonly str reason        # for the log and `explain`, from a closed list; never for the client
    cdef readonly int status
    cdef readonly tuple challenges  # WWW-Authenticate, one text each
    cdef Fields fields
    cdef bytes body


cdef class Gate(NativeStage):
    """A stage that lets nobody pass without a credential of its kind."""
    cdef readonly str stage
    cdef readonly Refusal missing           # for who shows no credential
    cdef readonly Admission stranger        # who is let in without one; None: nobody is
    cdef readonly tuple reserved_fields     # texts: fields that it tells the origin, and that no client may send
    cdef readonly tuple hidden_parameters   # of the query: credentials, which no log may hold
    cdef readonly tuple hidden_fields       # texts, the same; Authorization and Cookie are without saying so

    # What the request's credential is worth: an Admission, a Refusal; None where it shows none of this kind; or a Wait
    # that ends in one of these.
    cdef object examine(self, Request request, Context ctx)
    # Whether `examine` would find anything; costs no check.
    cdef bint decides(self, Request request) except -1
    # Takes the credential out of what the origin gets and what the cache is keyed by; for whoever is let in, by whatever.
    # One that was not `checked` goes to no origin, even where an option would leave it.
    cdef int conceal(self, Request request, Context ctx, bint checked) except -1

    cdef object settle(self, object found, Request request, Context ctx)
    cdef int admit(self, Admission admission, Request request, Context ctx) except -1


# reason → Refusal, all with one challenge; "several" credentials are a bad request.
cdef dict refusals_of(str stage, tuple reasons, str challenge)
cdef Admission make_admission(object claims, list names, list values, list keyed, bint private, Revocable revocable)
