"""Executing policy files, from bytes that were read before, and binding their pipelines to a snapshot.

A policy is trusted code, but its mistakes are the user's to read: each becomes a ConfigError with the policy's own file
and line. A policy is one file: modules beside it are not importable.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PurePath
from types import MappingProxyType, ModuleType, TracebackType
from typing import TypeVar

from msgspec import Struct

from fastedge._core.pipeline import BoundPipeline, Pipeline
from fastedge.config.problems import ConfigErrors, Problem
from fastedge.config.schema import EdgeConfig
from fastedge.config.snapshot import Snapshot
from fastedge.config.sources import Sources
from fastedge.errors import ConfigError
from fastedge.limits import policy_error_chars_max

_T = TypeVar("_T")


class Policies(Struct, frozen=True):
    """The bound pipelines of one generation: by policy file, and the empty one of a site that has none."""

    by_file: Mapping[str, BoundPipeline]
    none: BoundPipeline
    modules: tuple[str, ...]

    def of(self, file: str | None) -> BoundPipeline:
        """The pipeline of a site's policy file (`Site.policy` or `Policy.file`)."""
        return self.none if file is None else self.by_file[file]

    def forget(self) -> None:
        """Take the modules out of `sys.modules`; requests in flight keep what they hold."""
        for module in self.modules:
            sys.modules.pop(module, None)


def bind_policies(config: EdgeConfig, sources: Sources, snapshot: Snapshot, generation: int) -> Policies:
    """Execute every policy that a configuration names and bind it. Raises ConfigErrors with all that is wrong in them.

    `generation` makes the names of their modules unique; if one fails, none stays in `sys.modules`.
    """
    bound: dict[str, BoundPipeline] = {}
    modules: list[str] = []
    problems: list[Problem] = []
    for i, path in enumerate(config.policies):
        module, shown = f"fastedge_policy_{generation}_{i}_{_identifier(path)}", sources.shown(path)
        try:
            pipeline = execute(sources.files[path], path, module, shown)
            modules.append(module)
            bound[path] = _guarded(partial(pipeline.bind, snapshot), path, shown)
        except ConfigErrors as errors:
            problems.extend(errors.problems)
    policies = Policies(MappingProxyType(bound), Pipeline().bind(snapshot), tuple(modules))
    if problems:
        policies.forget()
        raise ConfigErrors(problems)
    return policies


def execute(data: bytes, path: str, module: str, shown: str) -> Pipeline:
    """Run a policy's source as the module of that name and give its `pipeline`.

    `path` is the file in tracebacks, `shown` in messages. Raises ConfigErrors, and then the module is gone again.
    """
    assert module not in sys.modules, "a generation has its own names"
    code = _guarded(lambda: compile(data, path, "exec", dont_inherit=True), path, shown)
    policy = ModuleType(module)
    policy.__file__ = path
    sys.modules[module] = policy  # dataclasses look their own module up there
    try:
        _guarded(lambda: exec(code, policy.__dict__), path, shown)
        return _pipeline_of(policy, shown)
    except BaseException:
        sys.modules.pop(module, None)
        raise


def _pipeline_of(policy: ModuleType, shown: str) -> Pipeline:
    pipeline = policy.__dict__.get("pipeline")
    if isinstance(pipeline, Pipeline):
        return pipeline
    found = "no pipeline" if "pipeline" not in policy.__dict__ else f"as pipeline an object of type {_type(pipeline)}"
    raise ConfigErrors([Problem(shown, "", f"found {found}, expected pipeline = Pipeline(...)")])


def _guarded(do: Callable[[], _T], path: str, shown: str) -> _T:
    """What `do` gives. Whatever a policy raises, SystemExit included, is a mistake in it and must not stop the edge."""
    try:
        return do()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problems = _problems(error, path, shown)
    raise ConfigErrors(problems)  # out here, so that it holds no frame of the policy as its context


def _problems(error: BaseException, path: str, shown: str) -> list[Problem]:
    if isinstance(error, SyntaxError) and error.filename == path:
        line, texts = error.lineno, [f"{_type(error)}: {error.msg}"]
    else:
        line, texts = _last_line(error.__traceback__, path), _texts(error)
    return [Problem(shown, f"line {line}" if line else "", text) for text in texts]


def _last_line(traceback: TracebackType | None, path: str) -> int | None:
    """The line of the policy's own frame that is nearest to where the error came up."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _texts(error: BaseException) -> list[str]:
    try:
        said = str(error)
    except Exception:
        said = ""  # an exception of the policy's own whose __str__ fails too
    lines = [line[:policy_error_chars_max] for line in said.splitlines()]
    if isinstance(error, ConfigError):
        return lines or ["refused"]
    return [f"{_type(error)}: {lines[0]}" if lines else _type(error)]


def _type(value: object) -> str:
    return type(value).__name__


def _identifier(path: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in PurePath(path).stem)
