"""The place of what may change about an experiment under a running configuration: its buckets, and whether it runs."""

cimport cython

STATES = {"on": ON, "paused": PAUSED, "off": OFF}


@cython.final
cdef class ExperimentSlot:
    def __init__(self, str name not None, Buckets buckets not None, *, str state="on", int default=-1, int row=-1):
        self.name = name
        self.row = row
        self.swap(buckets, state, default)

    @property
    def state(self):
        return next(text for text, state in STATES.items() if state == self.now)

    def swap(self, Buckets buckets not None, str state not None, int default):
        """From the next request on. The variants are those that there were: what is derived from them stays."""
        assert self.buckets is None or buckets.variants == self.buckets.variants
        assert -1 <= default < len(buckets.variants)
        self.buckets, self.now, self.default = buckets, STATES[state], default
