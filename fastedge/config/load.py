"""From the sources to a configuration that can be used, or to every reason why it cannot."""

from fastedge.config.document import override_key
from fastedge.config.draft import Reference
from fastedge.config.problems import ConfigErrors, Problem, Problems
from fastedge.config.schema import EdgeConfig
from fastedge.config.sources import Sources


def load(sources: Sources) -> EdgeConfig:
    """The configuration that the sources hold. Raises ConfigErrors with all that is wrong, missing files included.

    What stands *in* the files that it names is not looked at here: `make_snapshot` and `execute` do that.
    """
    if sources.data is None:
        raise ConfigErrors([Problem(sources.file, "", sources.failures.get(sources.file, "cannot be read"))])
    draft = sources.draft()
    problems = Problems(sources.file, map(override_key, sources.overrides))
    problems.found.extend(draft.problems)
    for reference in draft.references:
        _check_reference(reference, sources, problems)
    if problems.found:
        raise ConfigErrors(problems.found)
    return draft.config


def _check_reference(reference: Reference, sources: Sources, problems: Problems) -> None:
    name = reference.name
    known = sources.files if reference.is_file else sources.variables
    if name in known:
        return
    failure = sources.failures.get(name, "not read")
    if reference.is_file:
        problems.add(reference.key, f"cannot use the file {sources.shown(name)}: {failure}")
    else:
        # Only what looks like a variable's name is repeated: it may be the secret itself, put in the wrong place.
        shown = f" {name}" if name.isupper() else ""
        problems.add(reference.key, f"cannot use the environment variable{shown}: {failure}")
