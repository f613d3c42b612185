from fastedge._core.fields cimport FieldName, Fields

cdef bytes head_of(Fields fields, list nominated, list left_out)
cdef Fields fields_of(bytes head)
cdef bytes head_value(bytes head, FieldName name)
