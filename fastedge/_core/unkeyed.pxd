from fastedge._core.message cimport Context, Plan

cdef list unkeyed_reads(Context ctx, Plan plan, bytes vary)
