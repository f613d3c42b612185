"""`fastedge password`: sets a user's password in a `users_file`."""

import os
import sys
import unicodedata

import click

from fastedge.cli.credentials import read_file, replace_file
from fastedge.errors import ConfigError
from fastedge.identity.passwords import Users, is_user, new_hash, split_credentials, token_of
from fastedge.limits import basic_credentials_bytes_max, credential_name_chars_max


@click.command()
@click.argument("file")
@click.argument("user")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from the first line of standard input.")
def password(file: str, user: str, from_stdin: bool) -> None:
    """Set USER's password in FILE (a users_file of edge.toml), which is made if it is not there.

    The password is asked for twice; what is written is its hash, by Argon2id.
    """
    user = unicodedata.normalize("NFC", user)
    lines = (read_file(file) or b"").splitlines()
    line = f"{user}:{new_hash(_usable(user, _asked(from_stdin)), os.urandom(16))}".encode()
    mine = [i for i, other in enumerate(lines) if _name(other) == user]
    if mine:
        lines[mine[0]] = line
    else:
        lines.append(line)
    data = b"".join(one + b"\n" for one in lines)
    try:
        Users.from_lines(data, name=file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    replace_file(file, data)
    click.echo(f"{file}: {'changed' if mine else 'added'} {user}; a reload puts it in force", err=True)


def _name(line: bytes) -> str:
    """Whose line it is, as the edge reads it."""
    return unicodedata.normalize("NFC", line.partition(b":")[0].decode(errors="replace").strip())


def _asked(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt="Again", err=True)
    return asked


def _usable(user: str, password: str) -> str:
    """The password, if a client can send it with that name."""
    if not is_user(user):
        raise click.ClickException(
            f"a name is 1 to {credential_name_chars_max} printable characters: no colon, no # at its start, no space at"
            " its ends"
        )
    token = token_of(user, password)
    if not password or split_credentials(token) is None:
        raise click.ClickException("a password is not empty and has no control characters")
    if len(token) > basic_credentials_bytes_max:
        raise click.ClickException(f"name and password are longer than {basic_credentials_bytes_max} bytes in base64")
    return password
