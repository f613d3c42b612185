"""What a configuration must be as a whole: names that exist, nothing claimed twice, nothing that cannot have an effect.

Each check reports all it finds and changes nothing.
"""

from collections import Counter
from collections.abc import Mapping

from fastedge.config.problems import Problems, shown
from fastedge.config.schema import Credentials, EdgeConfig, Key, Origin, Site
from fastedge.config.sections import FIELDS, dotted
from fastedge.config.values import WebUrl, may_be_fetched


def check(config: EdgeConfig, sites: Mapping[int, Site], origins: frozenset[str] | None, problems: Problems) -> None:
    """All checks. `sites` is by position in the file; `origins` is what is declared, None where that cannot be read."""
    _check_listeners(config, problems)
    for name, origin in config.origins.items():
        _check_tls(dotted("origins", name), origin, problems)
    for name, key in config.keys.items():
        _check_key(dotted("keys", name), key, problems)
    for name, credentials in config.credentials.items():
        _check_credentials(dotted("credentials", name), credentials, problems)
    if config.revocations.journal is not None and config.revocations.journal == config.revocations.file:
        problems.add("revocations.journal", "found the file of revocations, expected a file of its own")
    _check_hosts(sites, problems)
    if origins is not None:
        _check_origin_names(config, sites, origins, problems)
        _check_every_host_has_an_answer(config, sites, origins, problems)


def _check_listeners(config: EdgeConfig, problems: Problems) -> None:
    listeners = [listener for listener in config.server.listen if listener.path or listener.port]
    for listener, count in Counter(listeners).items():
        if count > 1:
            problems.add("server.listen", f'found "{listener}" {count} times, expected once')
    if config.admin and config.admin.listen in listeners:
        problems.add("admin.listen", f'found "{config.admin.listen}", expected an address that server.listen has not')


def _check_tls(key: str, origin: Origin, problems: Problems) -> None:
    """A TLS key that would have no effect is a mistake about who is being trusted."""
    given = {
        "tls_ca_file": origin.tls_ca_file is not None,
        "tls_server_name": origin.tls_server_name is not None,
        "tls_verify": not origin.tls_verify,
    }
    if not any(server.scheme == "https" for server in origin.servers):
        for name in (name for name, is_given in given.items() if is_given):
            problems.add(dotted(key, name), "found without an https server, expected only beside one")
    elif given["tls_ca_file"] and given["tls_verify"]:
        problems.add(dotted(key, "tls_ca_file"), "found beside tls_verify = false, expected one of the two")


def _check_key(path: str, key: Key, problems: Problems) -> None:
    names = [field.name for field in FIELDS[Key] if field.default is None and field.name != "tls_ca_file"]
    source = _one_source(path, key, names, problems)
    if source is not None:
        _check_fetching(path, source, key, problems)


def _check_credentials(path: str, credentials: Credentials, problems: Problems) -> None:
    _one_source(path, credentials, [field.name for field in FIELDS[Credentials]], problems)


def _one_source(path: str, section: Key | Credentials, names: list[str], problems: Problems) -> str | None:
    """Which of these keys says where it comes from; None where that is not one of them."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) == 1:
        return given[0]
    if not any(problem.key.startswith(f"{path}.") for problem in problems.found):
        problems.add(path, f"found {' and '.join(given) or 'no source'}, expected exactly one of {', '.join(names)}")
    return None


def _check_fetching(path: str, source: str, key: Key, problems: Problems) -> None:
    """What is fetched is who may come in: nobody between may change it, and no option may be without an effect."""
    options = ("refresh_s", "keep_s", "timeout_ms", "tls_ca_file", "plain_http")
    given = [field.name for field in FIELDS[Key] if field.name in options and getattr(key, field.name) != field.default]
    if key.url is None:
        for name in given:
            problems.add(dotted(path, name), "found without jwks_url or openid_issuer, expected only beside one")
        return
    url = WebUrl.read(key.url)
    for name in {"https": ("plain_http",), "http": ("tls_ca_file",)}[url.scheme]:
        if name in given:
            problems.add(dotted(path, name), f"found beside an {url.scheme} URL, where it has no effect")
    if not may_be_fetched(url, plain_http=key.plain_http):
        problems.add(
            dotted(path, source), "found an http URL of another host, expected https (or plain_http = true beside it)"
        )


def _check_hosts(sites: Mapping[int, Site], problems: Problems) -> None:
    claimed: dict[str, str] = {}
    for i, site in sites.items():
        for j, host in enumerate(site.hosts):
            key = f"sites[{i}].hosts[{j}]"
            if host in claimed:
                problems.add(key, f'found "{host}", which {claimed[host]} claims already, expected each host once')
            claimed.setdefault(host, key)


def _check_origin_names(
    config: EdgeConfig, sites: Mapping[int, Site], origins: frozenset[str], problems: Problems
) -> None:
    named = {"server.default_origin": config.server.default_origin}
    named.update({f"sites[{i}].origin": site.origin for i, site in sites.items()})
    for key, name in named.items():
        if name is not None and name not in origins:
            problems.unknown(key, name, f"origin {shown(key, name)}", origins)


def _check_every_host_has_an_answer(
    config: EdgeConfig, sites: Mapping[int, Site], origins: frozenset[str], problems: Problems
) -> None:
    """With neither a policy that answers or chooses nor one origin that is meant, every request would be an error."""
    if config.server.default_origin is not None or config.policy.file is not None or len(origins) == 1:
        return
    if any(problem.key.startswith(("policy", "server", "sites")) for problem in problems.found):
        return  # what is broken there may have been the answer
    if not sites:
        _no_answer("server.default_origin", origins, problems)
    for i, site in sites.items():
        if site.policy is None and site.origin is None:
            _no_answer(f"sites[{i}].origin", origins, problems)


def _no_answer(key: str, origins: frozenset[str], problems: Problems) -> None:
    if origins:
        problems.add(key, f"missing, expected one of the {len(origins)} origins (or a policy that chooses)")
    else:
        problems.add("origins", 'missing, expected an origin, [origins.main] with servers = ["http://…"] (or a policy)')
