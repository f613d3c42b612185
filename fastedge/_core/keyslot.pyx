"""The place of a key set that can change under a running configuration. Never looks into the keys."""

cimport cython


@cython.final
cdef class KeySlot:
    def __init__(self, keys=None, *, renew=None):
        self.keys = keys
        self.renew = renew

    def swap(self, keys):
        """From the next request on these are the keys; None takes them away."""
        self.keys = keys
        self.version += 1
