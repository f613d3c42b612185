"""From a visitor's key to a bucket, and from the bucket to a variant, or to an experiment's range of its layer.

The bucket is XXH3-64 (seed 0) of the salt's UTF-8 bytes, one NUL byte and the key's bytes, modulo 10,000. That is a
contract with every origin that computes it: never change it. It keeps no secret: a chosen key is a chosen variant.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

from xxhash import xxh3_64_intdigest

from fastedge.limits import experiment_buckets, experiment_variants_max

assert experiment_variants_max == VARIANTS and experiment_buckets == BUCKETS
cdef object _hash = xxh3_64_intdigest
cdef enum:
    NOBODY = 255


@cython.final
cdef class Buckets:
    """One experiment's buckets. `ranges` are (number of a variant, first bucket, the first that is no longer in it)."""

    def __init__(self, str salt not None, tuple variants not None, ranges not None):
        cdef int variant, first, end, bucket
        assert 0 < len(variants) <= VARIANTS and "\0" not in salt
        self.salt = salt.encode() + b"\0"
        self.variants = variants
        memset(self.of, NOBODY, BUCKETS)
        for variant, first, end in ranges:
            assert 0 <= variant < len(variants) and 0 <= first < end <= BUCKETS
            for bucket in range(first, end):
                assert self.of[bucket] == NOBODY, "two variants have this bucket"
                self.of[bucket] = variant
            self.shares[variant] += end - first
        assert sum([share for share in self.shares]) == BUCKETS, "a bucket has no variant"

    def bucket_of(self, bytes key not None):
        """The bucket of a key, from 0 to 9,999."""
        return self.hash(key, len(key)) % BUCKETS

    def variant_of(self, bytes key not None):
        """The variant of a key."""
        return self.variants[self.of[self.hash(key, len(key)) % BUCKETS]]

    cdef uint64_t hash(self, const char* key, Py_ssize_t size) except? 0:
        return salted(self.salt, key, size)


@cython.final
cdef class LayerRange:
    """What one experiment has of its layer's buckets."""

    def __init__(self, str salt not None, int first, int end):
        assert 0 <= first < end <= BUCKETS and "\0" not in salt
        self.salt = salt.encode() + b"\0"
        self.first, self.end = first, end

    def bucket_of(self, bytes key not None):
        """The layer's bucket of a key, from 0 to 9,999."""
        return salted(self.salt, key, len(key)) % BUCKETS

    def has(self, bytes key not None):
        """Whether the visitor with this key is in the range."""
        return self.holds(key, len(key))

    cdef bint holds(self, const char* key, Py_ssize_t size) except -1:
        return self.first <= <int> (salted(self.salt, key, size) % BUCKETS) < self.end


cdef inline uint64_t salted(bytes salt, const char* key, Py_ssize_t size) except? 0:
    cdef Py_ssize_t salt_size = PyBytes_GET_SIZE(salt)
    cdef bytes text = PyBytes_FromStringAndSize(NULL, salt_size + size)
    cdef char* at = PyBytes_AS_STRING(text)
    memcpy(at, PyBytes_AS_STRING(salt), salt_size)
    memcpy(at + salt_size, key, size)
    return <uint64_t> _hash(text)
