from fastedge._core.fields cimport Fields
from fastedge._core.personalstage cimport PersonalStage


cdef int make_personal(Fields fields, PersonalStage personal, bytes vary) except -1
