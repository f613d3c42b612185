"""`fastedge api-key`: makes API keys, and keeps their hashes in an `api_keys_file`."""

import json
import os
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import click

from fastedge._core.base64url import decode
from fastedge.cli.credentials import read_file, read_secret, replace_file, span
from fastedge.clock import now
from fastedge.errors import ConfigError
from fastedge.identity.api_keys import KEY_PREFIX, ApiKeys, is_key, key_hash
from fastedge.limits import api_key_chars_min

_SHOWN_CHARS = 8  # of a hash, by which a key is named


@click.command()
@click.argument("file")
@click.argument("consumer", required=False)
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="What the consumer is; may be repeated.")
@click.option("--expires-in", type=span, metavar="SPAN", help="Such as 90d. Left out: never.")
@click.option("--pepper-env", metavar="NAME", help="The environment variable that holds ApiKeyAuth's pepper.")
@click.option("--pepper-file", metavar="PATH", help="The file that holds it.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Take a key that there is already, from standard input.")
@click.option(
    "--list", "listing", is_flag=True, help="Show the consumers and their keys, by the start of their hashes."
)
@click.option("--revoke", metavar="HASH", help="Take the key out whose hash begins so.")
def api_key(
    file: str,
    consumer: str | None,
    claims: tuple[str, ...],
    expires_in: float | None,
    pepper_env: str | None,
    pepper_file: str | None,
    from_stdin: bool,
    listing: bool,
    revoke: str | None,
) -> None:
    """Make a key for CONSUMER, print it once, and add its hash to FILE (an api_keys_file of edge.toml).

    FILE is made if it is not there. The old keys of the consumer stay, so that they can be exchanged in peace.
    A VALUE is JSON if it can be read as such, else a text.
    """
    data = read_file(file)
    if data is None and (listing or revoke):
        raise click.ClickException(f"{file}: no such file")
    document = _new_document() if data is None else _document(file, data)
    if listing:
        for line in _listed(document):
            click.echo(line)
        return
    if revoke is not None:
        _revoke(document, revoke)
    else:
        key = _given() if from_stdin else KEY_PREFIX + _text(os.urandom(32))
        pepper = read_secret("pepper", pepper_env, pepper_file)
        until = None if expires_in is None else datetime.fromtimestamp(int(now() + expires_in), UTC).isoformat()
        salt = decode(document["salt"].encode())
        _add(document, _consumer(document, consumer, claims), key_hash(salt or b"", key, pepper), until)
    text = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
    _document(file, text)
    replace_file(file, text)
    if revoke is None and not from_stdin:
        click.echo(key)
    click.echo(f"{file}: written; a reload puts it in force", err=True)


def _new_document() -> dict[str, Any]:
    return {"salt": _text(os.urandom(32)), "consumers": []}


def _document(file: str, data: bytes) -> dict[str, Any]:
    """The JSON of a file that the edge would take."""
    try:
        ApiKeys.from_json(data, name=file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    document: dict[str, Any] = json.loads(data)
    return document


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _given() -> str:
    key = sys.stdin.readline().strip()
    if not is_key(key) or len(key) < api_key_chars_min:
        raise click.ClickException(
            f"a key has at least {api_key_chars_min} characters, all of them A-Z a-z 0-9 - . _ ~"
        )
    return key


def _consumer(document: dict[str, Any], name: str | None, claims: tuple[str, ...]) -> dict[str, Any]:
    """The consumer of that name, with these claims beside those that there are."""
    if name is None:
        raise click.UsageError("CONSUMER says whose key it is")
    found = next((one for one in document["consumers"] if one["name"] == name), None)
    if found is None:
        found = {"name": name, "keys": []}
        document["consumers"].append(found)
    for claim in claims:
        key, equals, value = claim.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"expected NAME=VALUE, found {claim!r}", param_hint="--claim")
        found.setdefault("claims", {})[key] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _add(document: dict[str, Any], consumer: dict[str, Any], digest: str, until: str | None) -> None:
    if any(_hash_of(key) == digest for one in document["consumers"] for key in one["keys"]):
        raise click.ClickException("this key is there already")
    consumer["keys"].append(digest if until is None else {"hash": digest, "expires": until})


def _revoke(document: dict[str, Any], start: str) -> None:
    found = [
        (one, key) for one in document["consumers"] for key in one["keys"] if _hash_of(key).startswith(start) and start
    ]
    if len(found) != 1:
        raise click.ClickException(f"{len(found) or 'no'} keys have a hash that begins so; --list shows how they begin")
    [(consumer, key)] = found
    consumer["keys"].remove(key)


def _listed(document: dict[str, Any]) -> list[str]:
    lines = []
    for one in document["consumers"]:
        lines.append(f"{one['name']}  {json.dumps(one.get('claims', {}), ensure_ascii=False)}")
        for key in one["keys"]:
            until = f"  until {key['expires']}" if isinstance(key, dict) and "expires" in key else ""
            lines.append(f"  {_hash_of(key)[:_SHOWN_CHARS]}…{until}")
    return lines


def _hash_of(key: Any) -> str:
    return str(key["hash"] if isinstance(key, dict) else key)
