cdef class Value:
    cdef public int input
    cdef public str context
    cdef public tuple wrapping
    cdef public int attempt

cdef class Part:
    cdef public int start
    cdef public int end
    cdef public int order
    cdef public str kind
    cdef public Value value
    cdef public tuple before
    cdef public tuple behind
    cdef public Part parent
    cdef public object test
    cdef public int number
    cdef public tuple content
    cdef public str name

cdef Value value_of(int input, str context, tuple wrapping)
cdef Part part_of(int start, int end, int order, Part parent, Value value, str name)

cdef class Opened:
    cdef Part part
    cdef bint live      # whether its own text is written
    cdef int step
    cdef list leaves    # steps that jump behind its end

cdef class StepWriter:
    cdef readonly list crossing
    cdef list steps
    cdef int size
    cdef int cursor
    cdef list open

    cdef bint _admits(self, Part part) except -1
    cdef int _text(self, int until) except -1
    cdef int _value(self, Value value) except -1
    cdef int _jump_here(self, int at) except -1
    cdef int _begin(self, Part part) except -1
    cdef int _close(self) except -1
