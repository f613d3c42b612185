from fastedge._core.gate cimport Gate


cdef class ApiKeyGate(Gate):
    cdef list sources           # CredentialSource
    cdef object hashing         # hash of a key
    cdef dict grants            # hash → (Admission, until when)
    cdef bint forward_key
    cdef dict refusals
