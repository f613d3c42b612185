"""`fastedge sign`: a URL that `SignedUrl` lets in for a while."""

import click

from fastedge.cli.credentials import read_secret, span
from fastedge.clock import now
from fastedge.identity.signed_url import sign_url


@click.command()
@click.argument("url")
@click.option("--key-id", required=True, metavar="ID", help="Which of SignedUrl's keys it is.")
@click.option("--secret-env", metavar="NAME", help="The environment variable that holds the secret.")
@click.option("--secret-file", metavar="PATH", help="The file that holds it; one line end at its end does not count.")
@click.option("--expires-in", type=span, required=True, metavar="SPAN", help="Such as 90s, 30m, 12h or 7d.")
@click.option("--query", multiple=True, metavar="NAME", help="A parameter that is signed. Left out: all are.")
@click.option("--no-query", is_flag=True, help="No parameter is signed.")
@click.option("--no-host", is_flag=True, help="The URL is good for every host.")
@click.option("--address", metavar="ADDRESS", help="The one client who may use it. Left out: anybody.")
@click.option("--method", metavar="METHOD", help="The one method that may be used. Left out: GET and HEAD.")
def sign(
    url: str,
    key_id: str,
    secret_env: str | None,
    secret_file: str | None,
    expires_in: float,
    query: tuple[str, ...],
    no_query: bool,
    no_host: bool,
    address: str | None,
    method: str | None,
) -> None:
    """Print URL with a signature. The options are to say what the stage's options say."""
    secret = read_secret("secret", secret_env, secret_file)
    if secret is None:
        raise click.UsageError("--secret-env or --secret-file says where the secret is")
    if query and no_query:
        raise click.UsageError("--query and --no-query exclude each other")
    try:
        signed = sign_url(
            url,
            key_id=key_id,
            secret=secret,
            expires=now() + expires_in,
            query=query if query or no_query else None,
            host=not no_host,
            address=address,
            method=method,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(signed)
