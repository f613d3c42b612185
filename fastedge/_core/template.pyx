"""A page cut into spans that are for everybody and slots that are not: made once, joined for each visitor without scanning.

The page's own content of a slot is part of the template: it shows where there is no value. A rendering is never shorter than
whole: what has no value, or one that is refused, is left as the page has it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_AsTuple
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastedge._core.htmlescape cimport escape
from fastedge._core.stitch cimport Fragment, GzipWriter, crc_of, crc_operator, deflated

cdef dict KINDS = {"static": STATIC, "value": VALUE, "jump": JUMP, "test": TEST, "attempt": ATTEMPT}
cdef dict CONTEXTS = {name: number for number, name in enumerate(("text", "quoted", "url", "local_url", "url_part", "raw", "nothing"))}

PENDING = object()


@cython.final
cdef class Template:
    """`inputs` says what values are asked for, in the order in which `render` takes them: bytes, str, Fragment or None.

    `problems` is what was left alone: (reason, name or "", offset in the page). Made by `compile_page`; steps are
    ("static", start, end), ("value", input, jump, attempt or -1, context, (before, behind)), ("jump", to), ("test", a callable that takes
    the values, jump if not), ("attempt", number, jump). They only ever lead on.
    """

    def __init__(self, bytes page not None, list steps not None, inputs=(), problems=(), bint ascii=False):
        self.page, self.inputs, self.problems, self.ascii = page, tuple(inputs), tuple(problems), ascii
        self.size = <int> len(steps)
        self.steps = <Step*> calloc(self.size + 1, sizeof(Step))
        self.spans = <Span*> calloc(self.size + 1, sizeof(Span))
        self.numbers = <int*> calloc(self.size + 1, sizeof(int))
        if self.steps == NULL or self.spans == NULL or self.numbers == NULL:
            raise MemoryError
        self._fill(steps)
        self.cost_bytes = self.size * (sizeof(Step) + sizeof(Span) + sizeof(int)) + 256 * (self.span_count + len(self.inputs))

    def __dealloc__(self):
        free(self.steps)
        free(self.spans)
        free(self.numbers)

    cdef int _fill(self, list steps) except -1:
        cdef int i
        cdef Step* step
        cdef list wrappings = [], tests = [], views = []
        cdef Py_ssize_t start, end
        view = memoryview(self.page)
        for i in range(self.size):
            row = steps[i]
            step = &self.steps[i]
            step.kind, step.jump, step.attempt, step.wrapping = <int> KINDS[row[0]], i + 1, -1, -1
            if step.kind == STATIC:
                start, end = row[1], row[2]
                step.number = self.span_count
                self.spans[step.number].start, self.spans[step.number].end = start, end
                self.span_count += 1
                views.append(view[start:end])
            elif step.kind == VALUE:
                step.number, step.jump, step.attempt, step.context = row[1], row[2], row[3], <int> CONTEXTS[row[4]]
                if step.attempt >= self.attempt_count:
                    raise ValueError("an attempt begins before what fails in it")
                before, behind = row[5]
                if before or behind:
                    step.wrapping = <int> len(wrappings)
                    wrappings.append(row[5])
            elif step.kind == TEST:
                step.number, step.jump = <int> len(tests), row[2]
                tests.append(row[1])
            elif step.kind == ATTEMPT:
                step.number, step.jump = row[1], row[2]
                self.attempt_count = max(self.attempt_count, step.number + 1)
            else:
                step.jump = row[1]
            if not i < step.jump <= self.size:
                raise ValueError("a template only ever leads on")
        self.views, self.wrappings, self.tests = tuple(views), tuple(wrappings), tuple(tests)
        return 0

    # --- the Python face ---------------------------------------------------------------------------------------------

    def render(self, tuple values not None, list refused=None):
        """The page with these values, as a tuple of segments: views of the page and bytes.

        The numbers of values that were there and could not be written safely are appended to `refused`.
        """
        return self.pieces(values, refused)

    def render_bytes(self, tuple values not None, list refused=None):
        """The same in one piece."""
        return self.joined(values, refused)

    def render_gzip(self, tuple values not None, list refused=None):
        """The same as one gzip member; the first call compresses the page's spans."""
        return b"".join(self.gzipped(values, refused))

    def compress(self):
        """Compress the page's spans now. Takes a few microseconds a KB, and adds to `cost_bytes`."""
        self.compress_spans()

    @property
    def is_compressed(self):
        return self.deflates is not None

    # --- the C face --------------------------------------------------------------------------------------------------

    cdef list needed(self, list values):
        """The numbers of values that are PENDING and that a rendering comes upon, as if each were there."""
        cdef list found = [], marks = [0] * self.attempt_count
        cdef int at = 0
        cdef Step* step
        cdef object value
        while at < self.size:
            step = &self.steps[at]
            at += 1
            if step.kind == VALUE:
                value = values[step.number]
                if value is PENDING:
                    if step.number not in found:
                        found.append(step.number)
                    at = step.jump
                elif value is not None and self._written(step, value) is not None:
                    at = step.jump
                elif step.attempt >= 0:
                    at = marks[step.attempt]
            elif step.kind == JUMP or (step.kind == TEST and not self.tests[step.number](values)):
                at = step.jump
            elif step.kind == ATTEMPT:
                marks[step.number] = step.jump
        return found

    cdef list walk(self, tuple values, list refused, bint fragments):
        """The segments; `numbers` says of each which span it is. `fragments`: those that go in as they are, stay what they are."""
        cdef list out = []
        cdef int at = 0, count = 0
        cdef Step* step
        cdef object value
        cdef bytes text
        cdef list marks = [0] * self.attempt_count if self.attempt_count else None
        if len(values) != len(self.inputs):
            raise ValueError(f"expected {len(self.inputs)} values, found {len(values)}")
        while at < self.size:
            step = &self.steps[at]
            at += 1
            if step.kind == STATIC:
                out.append(self.views[step.number])
                self.numbers[count] = step.number
                count += 1
            elif step.kind == VALUE:
                value = values[step.number]
                text = self._written(step, value) if value is not None else None
                if text is not None:
                    out.append(value if fragments and type(value) is Fragment and text is (<Fragment> value).data else text)
                    self.numbers[count] = -1
                    count += 1
                    at = step.jump
                elif value is not None and refused is not None:
                    refused.append(step.number)
                if text is None and step.attempt >= 0:
                    count, at = marks[step.attempt]
                    del out[count:]
            elif step.kind == JUMP:
                at = step.jump
            elif step.kind == TEST:
                if not self.tests[step.number](values):
                    at = step.jump
            else:
                marks[step.number] = (count, step.jump)
        return out

    cdef bytes _written(self, const Step* step, object value):
        """A value as it is written here, or None."""
        cdef bytes text = escape((<Fragment> value).data if type(value) is Fragment else value, step.context, self.ascii)
        if text is None or step.wrapping < 0:
            return text
        before, behind = self.wrappings[step.wrapping]
        return <bytes> before + text + <bytes> behind

    cdef tuple pieces(self, tuple values, list refused):
        return PyList_AsTuple(self.walk(values, refused, False))

    cdef bytes joined(self, tuple values, list refused):
        cdef list segments = self.walk(values, refused, False)
        cdef Py_ssize_t length = 0, i
        cdef const char* page = PyBytes_AS_STRING(self.page)
        cdef Span* span
        cdef bytes made, text
        cdef char* out
        for i in range(len(segments)):
            if self.numbers[i] >= 0:
                span = &self.spans[self.numbers[i]]
                length += span.end - span.start
            else:
                length += PyBytes_GET_SIZE(<bytes> segments[i])
        made = PyBytes_FromStringAndSize(NULL, length)
        out = PyBytes_AS_STRING(made)
        for i in range(len(segments)):
            if self.numbers[i] >= 0:
                span = &self.spans[self.numbers[i]]
                memcpy(out, page + span.start, span.end - span.start)
                out += span.end - span.start
            else:
                text = <bytes> segments[i]
                memcpy(out, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
                out += PyBytes_GET_SIZE(text)
        return made

    cdef tuple gzipped(self, tuple values, list refused):
        cdef list segments
        cdef GzipWriter writer = GzipWriter()
        cdef Fragment fragment
        cdef Span* span
        cdef Py_ssize_t i
        self.compress_spans()
        segments = self.walk(values, refused, True)
        for i in range(len(segments)):
            if self.numbers[i] >= 0:
                span = &self.spans[self.numbers[i]]
                writer.add(<bytes> self.deflates[self.numbers[i]], span.crc, span.operator, span.end - span.start)
            elif type(segments[i]) is Fragment:
                fragment = <Fragment> segments[i]
                writer.add(fragment.deflate, fragment.crc, fragment.operator, PyBytes_GET_SIZE(fragment.data))
            else:
                writer.add_value(<bytes> segments[i])
        return writer.finish()

    cdef int compress_spans(self) except -1:
        cdef const uint8_t* page = <const uint8_t*> PyBytes_AS_STRING(self.page)
        cdef int i
        cdef Span* span
        if self.deflates is not None:
            return 0
        for i in range(self.span_count):
            span = &self.spans[i]
            span.crc = crc_of(0, page + span.start, span.end - span.start)
            span.operator = crc_operator(span.end - span.start)
        deflates = tuple([deflated(view) for view in self.views])
        self.cost_bytes += sum([len(one) for one in deflates])
        self.deflates = deflates
        return 0

