"""From nested parts of a page to the steps of a template. Knows nothing of HTML: parts have a beginning, an end and a value."""

cimport cython

cdef tuple BARE = (b"", b"")
cdef dict JUMPS = {"value": 2, "jump": 1, "test": 2, "attempt": 2}    # where in a step it stands where it leads


@cython.final
cdef class Value:
    """Which input is written, how, and what stands around it."""

    def __init__(self, int input, str context not None, tuple wrapping=BARE, int attempt=-1):
        self.input, self.context, self.wrapping, self.attempt = input, context, wrapping, attempt


@cython.final
cdef class Part:
    """A stretch of the page. `kind`:

    "own": its content is the page's, unless `value` takes its place; "drop": it is left out, with `value` or `content` instead;
    "blocks": only parts inside of it count; "when" (with `test`), "attempt" and "except": such parts.
    """

    def __init__(
        self, int start, int end, int order, str kind="own", Value value=None, Part parent=None, test=None, int number=-1,
        tuple content=None, str name="",
    ):
        self.start, self.end, self.order, self.kind, self.value, self.parent = start, end, order, kind, value, parent
        self.test, self.number, self.content, self.name = test, number, content, name
        self.before = self.behind = ()


cdef Value value_of(int input, str context, tuple wrapping):
    """A value, made without a call through Python."""
    cdef Value made = Value.__new__(Value)
    made.input, made.context, made.wrapping, made.attempt = input, context, wrapping, -1
    return made


cdef Part part_of(int start, int end, int order, Part parent, Value value, str name):
    """The same for a part of the page's own."""
    cdef Part made = Part.__new__(Part)
    made.start, made.end, made.order, made.kind, made.value, made.parent = start, end, order, "own", value, parent
    made.number, made.name = -1, name
    made.before = made.behind = ()
    return made


@cython.final
cdef class Opened:
    """A part that the writer is inside of."""


cdef Opened opened(Part part, bint live):
    cdef Opened made = Opened.__new__(Opened)
    made.part, made.live, made.step, made.leaves = part, live, -1, []
    return made


def by_place(Part part):
    return part.start, -part.end, part.order


@cython.final
cdef class StepWriter:
    """Writes steps while it goes through the page once; parts that cross others are left out, and are in `crossing`."""

    def __init__(self, int size):
        self.steps, self.crossing, self.size, self.cursor = [], [], size, 0
        self.open = [opened(part_of(0, size, -1, None, None, ""), True)]

    def write(self, list parts not None):
        """The steps of all parts."""
        cdef Part part, around
        for part in sorted(parts, key=by_place):
            around = (<Opened> self.open[len(self.open) - 1]).part
            while len(self.open) > 1 and (around.end < part.start or (around.end == part.start and part.parent is not around)):
                self._close()
                around = (<Opened> self.open[len(self.open) - 1]).part
            if part.end > around.end:
                self.crossing.append(part)
            elif self._admits(part):
                self._begin(part)
        while len(self.open) > 1:
            self._close()
        self._text(self.size)
        return self.steps

    cdef bint _admits(self, Part part) except -1:
        cdef Opened around = <Opened> self.open[len(self.open) - 1]
        return around.live or (around.part.kind == "blocks" and part.kind in ("when", "attempt", "except"))

    cdef int _text(self, int until) except -1:
        """The page's own, up to here."""
        if until > self.cursor:
            if (<Opened> self.open[len(self.open) - 1]).live:
                self.steps.append(["static", self.cursor, until])
            self.cursor = until
        return 0

    cdef int _value(self, Value value) except -1:
        cdef int at = len(self.steps)
        self.steps.append(["value", value.input, at + 1, value.attempt, value.context, value.wrapping])
        return at

    cdef int _jump_here(self, int at) except -1:
        """A step that was written before leads to the next one."""
        cdef list step = <list> self.steps[at]
        step[<int> JUMPS[step[0]]] = len(self.steps)
        return 0

    cdef int _begin(self, Part part) except -1:
        cdef Opened made = opened(part, part.kind not in ("drop", "blocks"))
        self._text(part.start)
        for value in part.before:
            self._value(value)
        self.open.append(made)
        if part.value is not None:
            made.step = self._value(part.value)
            if part.content is not None and part.content[0] < part.content[1]:
                self.steps.append(["static", part.content[0], part.content[1]])
        elif part.test is not None:
            made.step = len(self.steps)
            self.steps.append(["test", part.test, made.step + 1])
        elif part.kind == "attempt":
            made.step = len(self.steps)
            self.steps.append(["attempt", part.number, made.step + 1])
        return 0

    cdef int _close(self) except -1:
        cdef Opened made = <Opened> self.open[len(self.open) - 1], around = <Opened> self.open[len(self.open) - 2]
        self._text(made.part.end)
        self.open.pop()
        if made.part.kind in ("when", "attempt"):
            around.leaves.append(len(self.steps))
            self.steps.append(["jump", len(self.steps) + 1])
        if made.step >= 0:
            self._jump_here(made.step)
        for at in made.leaves:
            self._jump_here(at)
        for value in made.part.behind:
            self._value(value)
        return 0
