"""From a visitor's key to a bucket, and from the bucket to a variant.

The bucket is XXH3-64 (seed 0) of the salt's UTF-8 bytes, one NUL byte and the key's bytes, modulo 10,000. That is a
contract with every origin that computes it: never change it. It keeps no secret: a chosen key is a chosen variant.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from xxhash import xxh3_64_intdigest

from fastedge.limits import experiment_buckets, experiment_variants_max

assert experiment_variants_max == VARIANTS
cdef uint64_t BUCKETS = experiment_buckets
cdef object _hash = xxh3_64_intdigest


@cython.final
cdef class Buckets:
    """One experiment's buckets: `edges[i]` is the first bucket that is no longer of variant i; the last is 10,000."""

    def __init__(self, str salt not None, tuple variants not None, edges not None):
        assert 0 < len(variants) == len(edges) <= VARIANTS and edges[len(edges) - 1] == BUCKETS and "\0" not in salt
        self.salt = salt.encode() + b"\0"
        self.variants = variants
        self.count = len(variants)
        for i, edge in enumerate(edges):
            self.edges[i] = edge

    def bucket_of(self, bytes key not None):
        """The bucket of a key, from 0 to 9,999."""
        return self.bucket(key, len(key))

    def variant_of(self, bytes key not None):
        """The variant of a key."""
        return self.variants[self.index(key, len(key))]

    cdef int bucket(self, const char* key, Py_ssize_t size) except -1:
        cdef Py_ssize_t salt_size = len(self.salt)
        cdef bytes text = PyBytes_FromStringAndSize(NULL, salt_size + size)
        cdef char* at = PyBytes_AS_STRING(text)
        memcpy(at, PyBytes_AS_STRING(self.salt), salt_size)
        memcpy(at + salt_size, key, size)
        return <int> (<uint64_t> _hash(text) % BUCKETS)

    cdef int index(self, const char* key, Py_ssize_t size) except -1:
        """Which variant a key has, as its number."""
        cdef int bucket = self.bucket(key, size)
        cdef int i = 0
        while bucket >= self.edges[i]:
            i += 1
        return i
