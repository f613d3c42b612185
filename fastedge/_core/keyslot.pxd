cdef class KeySlot:
    """The keys that a name stands for now. The shell swaps them; whoever has made something of them compares `version`."""
    cdef readonly object keys       # a KeySet; None: none could be had, or not for too long
    cdef readonly long long version # another one after each swap
    cdef readonly object renew      # None: these are not fetched. Else renew() gives an `async def` step for a Wait, that
                                    # ends when newer keys may be there; or None while nobody may ask for any
