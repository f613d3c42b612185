"""The pipeline: a policy's stages, checked when it is built, bound once, run on each request.

A verdict is CONTINUE or a Response. Anything else is an error and never lets anyone in. Nothing here does I/O.
"""

cimport cython

import difflib
import inspect

from fastedge._core.condition cimport Condition
from fastedge._core.condition import Match
from fastedge._core.message cimport Context, Request, Response, make_response
from fastedge.errors import ConfigError, StageError
from fastedge.limits import conditions_max, stages_max

# The one table of hooks: name, number of arguments.
HOOKS = {"on_request": 2, "on_origin_request": 2, "on_origin_response": 3, "on_response": 3}
_ON_ERROR = ("fail_closed", "fail_open")


@cython.final
cdef class Verdict:
    """What a request hook returns when it lets the request pass."""

    def __repr__(self):
        return "CONTINUE"

    def __bool__(self):
        raise TypeError("a verdict is not a truth value: return CONTINUE or a Response")


CONTINUE_ = Verdict()
CONTINUE = CONTINUE_


class HookFailure(StageError):
    """A hook raised, or returned what no hook may return. Names the stage and the hook; `__cause__` is what it raised."""

    def __init__(self, stage, hook, problem, position):
        super().__init__(f"{stage}.{hook}: {problem}")
        self.stage = stage
        self.hook = hook
        self.position = position


@cython.final
cdef class Wait:
    """A verdict of fastedge's own stages: perform `step`, then call `then(answer)` for the verdict."""

    def __init__(self, step, then):
        self.step = step
        self.then = then


cdef class NativeStage:
    cdef object request_hook(self, Request request, Context ctx):
        return CONTINUE_

    cdef int response_hook(self, Request request, Response response, Context ctx) except -1:
        return 0

    cdef int bound_in(self, BoundPipeline pipeline, int serial) except -1:
        return 0

    def decide(self, Request request, Context ctx):
        """The request hook, for tests and tools."""
        return self.request_hook(request, ctx)

    def decorate(self, Request request, Response response, Context ctx):
        """The response hook, for tests and tools."""
        self.response_hook(request, response, ctx)


@cython.final
cdef class When:
    """Scopes stages: they run only on requests for which the condition holds.

    `condition` is a path pattern such as "/checkout/*" or what `Match(...)` gives.
    """

    cdef readonly Condition condition
    cdef readonly tuple stages

    def __init__(self, condition, *stages):
        if isinstance(condition, str):
            condition = Match(path=condition)
        if not isinstance(condition, Condition):
            raise ConfigError(f"When() takes a path pattern or a Match(...), not {type(condition).__name__}")
        if not stages:
            raise ConfigError("When() without stages does nothing")
        self.condition = condition
        self.stages = stages


@cython.final
cdef class Pipeline:
    """A policy's stages in their order.

    Raises ConfigError for an object without hooks, a misspelt hook, a hook that is a coroutine or takes the wrong
    number of arguments. `bind(snapshot)` resolves the names of keys, tables and origins and gives what runs.
    """

    cdef readonly tuple stages
    cdef list _flat         # of (stage, Condition or None)

    def __init__(self, *stages):
        self.stages = stages
        self._flat = []
        _flatten(stages, None, self._flat)
        if len(self._flat) > stages_max:
            raise ConfigError(f"a pipeline has at most {stages_max} stages, this one has {len(self._flat)}")

    def bind(self, snapshot):
        return BoundPipeline(self._flat, snapshot)

    def __repr__(self):
        return f"Pipeline({', '.join(type(stage).__name__ for stage, _ in self._flat)})"


cdef _flatten(tuple stages, Condition condition, list flat):
    cdef When when
    for stage in stages:
        if isinstance(stage, When):
            when = stage
            _flatten(when.stages, when.condition if condition is None else condition & when.condition, flat)
        else:
            _check_stage(stage)
            flat.append((stage, condition))


cdef _check_stage(stage):
    if isinstance(stage, type):
        raise ConfigError(f"{stage.__name__} is a class: a pipeline takes objects, {stage.__name__}(...)")
    name = type(stage).__name__
    if not _check_hooks(stage, name) and not hasattr(stage, "bind"):
        raise ConfigError(f"{name} is no stage: it has none of {', '.join(HOOKS)}")


cdef _bound(stage, snapshot):
    """What runs in the stage's place; a `bind` that forgot its return must not take a gate away."""
    bound = stage.bind(snapshot)
    name = type(stage).__name__
    if not isinstance(bound, NativeStage) and not _check_hooks(bound, name):
        raise ConfigError(f"{name}.bind returned {type(bound).__name__}; it returns the object with the hooks, such as self")
    return bound


cdef bint _check_hooks(stage, str name) except -1:
    """Whether the object has hooks; ConfigError for one that cannot be called as one."""
    for attribute in dir(stage):
        if attribute.startswith("on_") and attribute not in HOOKS and attribute != "on_error":
            near = difflib.get_close_matches(attribute, HOOKS, 1)
            raise ConfigError(f"{name}.{attribute} is no hook" + (f"; did you mean {near[0]}?" if near else ""))
    hooks = [hook for hook in HOOKS if hasattr(stage, hook)]
    for hook in hooks:
        _check_hook(name, hook, getattr(stage, hook))
    if getattr(stage, "on_error", "fail_closed") not in _ON_ERROR:
        raise ConfigError(f"{name}.on_error is one of {', '.join(_ON_ERROR)}, not {stage.on_error!r}")
    return bool(hooks)


cdef _check_hook(str stage, str hook, call):
    if inspect.iscoroutinefunction(call) or inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call):
        raise ConfigError(f"{stage}.{hook} must be a plain function: stages do no I/O and do not wait")
    try:
        inspect.signature(call).bind(*range(HOOKS[hook]))
    except TypeError:
        raise ConfigError(f"{stage}.{hook} takes {HOOKS[hook]} arguments: {'request, ctx' if HOOKS[hook] == 2 else 'request, response, ctx'}") from None
    except ValueError:
        return  # compiled without a signature: ours


@cython.final
cdef class Hook:
    pass


@cython.final
cdef class BoundPipeline:
    """A pipeline whose names are resolved against one snapshot. Immutable; many requests run it at a time."""

    def __init__(self, list flat, snapshot):
        self.request_hooks = []
        self.origin_request_hooks = []
        self.origin_response_hooks = []
        self.response_hooks = []
        self.conditions = []
        self.hook_names = [""]
        self.marker = &self.marker_here
        reserved, hidden = [], []
        for serial, (stage, condition) in enumerate(flat, 1):
            bound = self._bind_stage(stage, self._condition_index(condition), snapshot, serial)
            reserved += getattr(bound, "reserved_fields", ())
            hidden += getattr(bound, "hidden_parameters", ())
        self.response_hooks.reverse()
        self.reserved = Reserved(reserved, hidden) if reserved or hidden else None

    cdef _bind_stage(self, stage, int condition, snapshot, int serial):
        cdef Hook hook
        cdef int first = <int> len(self.hook_names)
        bound = _bound(stage, snapshot) if hasattr(stage, "bind") else stage
        fail_open = getattr(stage, "on_error", "fail_closed") == "fail_open"
        for name, hooks in (
            ("on_request", self.request_hooks), ("on_origin_request", self.origin_request_hooks),
            ("on_origin_response", self.origin_response_hooks), ("on_response", self.response_hooks),
        ):
            if not _has_hook(bound, name):
                continue
            hook = Hook.__new__(Hook)
            hook.stage = type(stage).__name__
            hook.name = name
            hook.fail_open = fail_open
            hook.may_wait = type(stage).__module__.startswith("fastedge.")
            hook.condition = condition
            hook.serial = len(self.hook_names)
            hook.inputs = []
            if condition >= 0:
                (<Condition> self.conditions[condition]).collect(hook.inputs)
            if isinstance(bound, NativeStage):
                hook.native = bound
            else:
                hook.call = getattr(bound, name)
                hook.watched = 0 if hook.may_wait or name == "on_response" else serial
            hooks.append(hook)
            self.hook_names.append(f"{hook.stage}.{name}")
        if isinstance(bound, NativeStage):
            (<NativeStage> bound).bound_in(self, first)
        return bound

    cdef int _condition_index(self, condition) except -2:
        if condition is None:
            return -1
        for i, known in enumerate(self.conditions):
            if known is condition:
                return i
        if len(self.conditions) == conditions_max:
            raise ConfigError(f"a pipeline has at most {conditions_max} conditions")
        self.conditions.append(condition)
        return len(self.conditions) - 1

    def set_marker(self, size_t address, int first=0):
        """From now on the running hook's index in `hook_names`, plus `first`, is written to the 8 bytes at `address`; 0
        when none runs."""
        self.marker = <long long*> address
        self.marker_first = first

    def hooks(self):
        """Every hook in the order in which a request meets it."""
        return [*self.request_hooks, *self.origin_request_hooks, *self.origin_response_hooks, *self.response_hooks]

    # --- the four passes ----------------------------------------------------------------------------------------

    cdef object run_request(self, Request request, Context ctx, Py_ssize_t position):
        """The first Response or Wait from `position` on, else CONTINUE. Raises HookFailure."""
        cdef Py_ssize_t i
        cdef Hook hook
        if self.reserved is not None and position == 0:
            self.reserved.enforce(request, ctx)
        for i in range(position, len(self.request_hooks)):
            hook = <Hook> self.request_hooks[i]
            if hook.condition >= 0 and not self.applies(hook, request, ctx):
                continue
            verdict = self.verdict(hook, request, ctx, i)
            if verdict is not CONTINUE_:
                return verdict
        return CONTINUE_

    cdef object resume(self, Wait wait, object answer, Context ctx):
        """The verdict that a Wait ends in, or the next Wait: what goes wrong there is the waiting hook's doing."""
        cdef Hook hook = <Hook> self.request_hooks[wait.position]
        try:
            verdict = wait.then(answer)
            if verdict is not CONTINUE_:
                _check_verdict(hook, verdict, wait.position)
        except (Exception, SystemExit) as error:
            _note_or_raise(hook, error, ctx, wait.position)
            verdict = CONTINUE_
        if ctx.observer is not None:
            ctx.observer(hook, verdict)
        return verdict

    cdef object run_origin_request(self, Request request, Context ctx):
        cdef Hook hook
        for i, hook in enumerate(self.origin_request_hooks):
            if hook.condition >= 0 and not self.applies(hook, request, ctx):
                continue
            verdict = self.verdict(hook, request, ctx, i)
            if verdict is not CONTINUE_:
                return verdict
        return CONTINUE_

    cdef int run_origin_response(self, Request request, Response response, Context ctx) except -1:
        cdef Hook hook
        for i, hook in enumerate(self.origin_response_hooks):
            if hook.condition < 0 or self.applies(hook, request, ctx):
                self.edit_response(hook, request, response, ctx, i)
        return 0

    cdef int run_response(self, Request request, Response response, Context ctx, Py_ssize_t position) except -1:
        """Runs the response hooks, last stage first, from `position` on. Raises HookFailure, which says where."""
        cdef Py_ssize_t i
        cdef Hook hook
        for i in range(position, len(self.response_hooks)):
            hook = <Hook> self.response_hooks[i]
            if hook.condition < 0 or self.applies(hook, request, ctx):
                self.edit_response(hook, request, response, ctx, i)
        return 0

    # --- one hook -----------------------------------------------------------------------------------------------

    cdef bint applies(self, Hook hook, Request request, Context ctx) except -1:
        """Whether the hook's condition holds; each condition is worked out once a request."""
        cdef unsigned long long bit
        if hook.condition < 0:
            return True
        bit = (<unsigned long long> 1) << hook.condition
        if not ctx.conditions_known & bit:
            ctx.conditions_known |= bit
            if (<Condition> self.conditions[hook.condition]).test(request):
                ctx.conditions_true |= bit
        return (ctx.conditions_true & bit) != 0

    cdef object verdict(self, Hook hook, Request request, Context ctx, Py_ssize_t position):
        cdef object verdict, before = None
        cdef int edits = ctx.plan.unkeyed_edits
        try:
            if hook.native is not None:
                verdict = hook.native.request_hook(request, ctx)
                if hook.inputs and ctx.plan.unkeyed_edits != edits:
                    ctx.suspect(hook.stage, 0, hook.inputs)
            else:
                if hook.fail_open:
                    before = ctx.plan.checkpoint()
                if hook.watched:
                    ctx.watch(request, hook.watched)
                self.marker[0] = self.marker_first + hook.serial
                verdict = hook.call(request, ctx)
                self.marker[0] = 0
                ctx.unwatch()
                if hook.watched and ctx.plan.unkeyed_edits != edits:
                    ctx.suspect(hook.stage, hook.watched, hook.inputs)
            if verdict is not CONTINUE_:
                _check_verdict(hook, verdict, position)
        except BaseException as error:      # sys.exit() in a policy must not end the worker, nor leave the client without answer
            self.marker[0] = 0
            ctx.unwatch()
            _note_or_raise(hook, error, ctx, position)
            if before is not None:
                ctx.plan.rollback(before)
            verdict = CONTINUE_
        if ctx.observer is not None:
            ctx.observer(hook, verdict)
        return verdict

    cdef int edit_response(self, Hook hook, Request request, Response response, Context ctx, Py_ssize_t position) except -1:
        cdef Response before = None
        cdef int code = response.code
        cdef object content = response.content
        try:
            if hook.native is not None:
                hook.native.response_hook(request, response, ctx)
            else:
                response.own_fields()
                if hook.fail_open:
                    before = make_response(response.code, response.fields.copy_fields(), response.content)
                if hook.watched:
                    ctx.watch(request, hook.watched)
                    response.fields.touched = False
                self.marker[0] = self.marker_first + hook.serial
                answer = hook.call(request, response, ctx)
                self.marker[0] = 0
                ctx.unwatch()
                if hook.watched and _is_edited(response, code, content):
                    ctx.suspect(hook.stage, hook.watched, hook.inputs)
                if answer is not None:
                    raise StageError(f"returned {type(answer).__name__}; a response hook edits the response and returns None")
        except BaseException as error:
            self.marker[0] = 0
            ctx.unwatch()
            _note_or_raise(hook, error, ctx, position)
            if before is not None:
                response.code, response.fields, response.content = before.code, before.fields, before.content
        if ctx.observer is not None:
            ctx.observer(hook, None)
        return 0


cdef bint _is_edited(Response response, int code, object content) noexcept:
    """Whether the hook that just ran changed the response, which had this status and body before."""
    if response.fields is not None and response.fields.touched:
        return True
    return response.code != code or response.content is not content


cdef int _check_verdict(Hook hook, verdict, Py_ssize_t position) except -1:
    if type(verdict) is Response:
        if (<Response> verdict).is_stream():
            raise StageError("returned a response that an origin gave to another request; its body cannot be sent twice")
        return 0
    if hook.may_wait and type(verdict) is Wait:
        (<Wait> verdict).position = position
        return 0
    if verdict is None:
        raise StageError("returned None; a request hook ends with `return CONTINUE` or returns a Response")
    raise StageError(f"returned {type(verdict).__name__}; a request hook returns CONTINUE or a Response")


cdef int _note_or_raise(Hook hook, error, Context ctx, Py_ssize_t position) except -1:
    """Failing closed is an error of the whole request; failing open is a note in its log line."""
    if not hook.fail_open:
        problem = _said(error)
        if not isinstance(error, StageError):
            problem = f"{type(error).__name__}: {problem}"
        failure = HookFailure(hook.stage, hook.name, problem, position)
        if ctx.observer is not None:
            ctx.observer(hook, failure)
        raise failure from error
    ctx.note(hook.stage, f"failed open: {type(error).__name__}")
    return 0


cdef str _said(error):
    try:
        return str(error)
    except BaseException:
        return ""       # an exception of the policy's own whose __str__ fails too


cdef bint _has_hook(bound, str name):
    if isinstance(bound, NativeStage):
        return (name == "on_request" and (<NativeStage> bound).hooks & ON_REQUEST) or (name == "on_response" and (<NativeStage> bound).hooks & ON_RESPONSE)
    return hasattr(bound, name)
