from fastedge._core.message cimport Context, Request
from fastedge._core.pipeline cimport BoundPipeline, NativeStage
from fastedge._core.slotvalues cimport ValueSource


cdef class PersonalStage(NativeStage):
    """`Personalize`, bound. Its request hook leaves itself in `ctx.personal`; the engine does the rest when it replies."""
    cdef readonly object rules          # fastedge.html.PageRules
    cdef readonly bytes rules_text      # the same in writing, for what changes with them
    cdef readonly dict sources          # slot → ValueSource
    cdef readonly dict fallbacks        # slot → str or bytes, where the page's own content is not what is shown instead
    cdef readonly object esi_source     # esi_source(Variable or Include) → ValueSource; None: no ESI
    cdef readonly bytes cache_control   # of the answer
    cdef readonly bytes vary            # names beside Accept-Encoding, or None
    cdef readonly bint gzip             # whether clients that accept gzip get it
    cdef readonly int wait_ms           # for a fragment from a URL
    cdef readonly Py_ssize_t fragment_bytes_max
    cdef dict joined                    # PersonalStage → what both together are

    cdef PersonalStage beside(self, PersonalStage other)
    cdef ValueSource source_of(self, object input)      # an input of a template: a slot's name, a Variable, an Include
    cdef int ask(self, Request request, Context ctx) except -1
    cdef bint has_esi(self) noexcept


cdef bytes all_names(list lines)
cdef bytes listed(bytes names, sources)     # names, and what the values of these sources differ by
