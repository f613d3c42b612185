"""What the commands about credentials have in common: secrets that come in, files that are replaced, spans of time."""

import contextlib
import os
import re
import stat
from pathlib import Path

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def span(text: str) -> float:
    """A span of time, in seconds; a type of click's options."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if found is None:
        raise click.BadParameter(f"expected a span such as 90s, 30m, 12h or 7d, found {text!r}")
    return float(int(found[1]) * _SECONDS[found[2]])


def read_secret(what: str, variable: str | None, file: str | None) -> bytes | None:
    """The bytes of a secret as `secret_env` or `secret_file` would have them; None where neither is given."""
    if variable is not None and file is not None:
        raise click.UsageError(f"--{what}-env and --{what}-file exclude each other")
    if variable is not None:
        if not os.environ.get(variable):
            shown = f" {variable}" if variable.isupper() else ""  # it may be the secret itself, in the wrong place
            raise click.ClickException(f"the environment variable{shown} is not set")
        return os.environb[os.fsencode(variable)]
    if file is None:
        return None
    try:
        return Path(file).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


def read_file(path: str) -> bytes | None:
    """None where there is no file yet."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None


def replace_file(path: str, data: bytes) -> None:
    """At once or not at all. A new file is for its owner alone; one that was there keeps its mode and owner."""
    target = Path(path).resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                if target.exists():
                    before = target.stat()
                    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
                    os.fchown(descriptor, before.st_uid, before.st_gid)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            beside.replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            raise
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
