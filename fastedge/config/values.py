"""The values of edge.toml that are more than a number or a text: addresses, networks, names, paths.

Each kind has one parser, which gives the value or raises ValueError with what is expected. None of them resolves a
name, opens a file or looks at the machine.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NewType

from msgspec import Struct

from fastedge.limits import config_name_chars_max, config_path_bytes_max, unix_path_bytes_max, url_chars_max

Name = NewType("Name", str)
FilePath = NewType("FilePath", str)  # joined with the directory of edge.toml
VariableName = NewType("VariableName", str)
HostName = NewType("HostName", str)  # as a Host field has it, lower-case
HostPattern = NewType("HostPattern", str)  # a HostName or "*." and a HostName
OriginHost = NewType("OriginHost", str)  # "preserve", "origin", or a HostName with or without a port
CdnId = NewType("CdnId", str)
LogTarget = NewType("LogTarget", str)  # "stdout", "off", or a FilePath
Unkeyed = NewType("Unkeyed", str)  # "report", "error", or "ignore"
FieldName = NewType("FieldName", str)  # lower-case, and none that has a meaning of its own here
KeyUrl = NewType("KeyUrl", str)  # of a JWK Set, as it was written; `WebUrl.read` takes it apart
IssuerUrl = NewType("IssuerUrl", str)  # of an OpenID provider, as it was written: it is compared as it stands

_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,{config_name_chars_max - 1}}}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,255}")  # RFC 9110 §5.6.2
_URL = re.compile(r"(https?)://([^/?#]*)(/[!-~]*|\\?[!-~]*)?", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::(.*))?", re.DOTALL)

_HOST_CHARS_MAX = 253  # RFC 1035 §2.3.4, written with dots
_MAPPED = b"\0" * 10 + b"\xff\xff"  # RFC 4291 §2.5.5.2
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Listener(Struct, frozen=True):
    """Where the edge listens: an IP address and a port (0: any that is free), or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else _host_and_port(self.host, self.port)


class OriginServer(Struct, frozen=True):
    """One server of an origin: scheme, host (a lower-case name or an IP address) and port, or a unix socket's path."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.scheme}://{_host_and_port(self.host, self.port)}"


class Network(Struct, frozen=True):
    """Peers that are trusted: 16 packed bytes (IPv4 as ::ffff:a.b.c.d) and the bits of them that count, or unix peers.

    `version` is 4, 6, or 0 for unix; an IPv6 network never holds an IPv4 address, not even ::/0.
    """

    version: int
    packed: bytes = b""
    prefix_bits: int = 0

    def __str__(self) -> str:
        if not self.version:
            return "unix:"
        if self.version == 4:
            return f"{IPv4Address(self.packed[12:])}/{self.prefix_bits - 96}"
        return f"{IPv6Address(self.packed)}/{self.prefix_bits}"


class WebUrl(Struct, frozen=True):
    """An http or https URL taken apart: who is connected to (a lower-case name or an IP address), and what is asked."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def read(cls, text: str) -> "WebUrl":
        """ValueError says what is expected of one."""
        match = _URL.fullmatch(text)
        if not match or len(text) > url_chars_max:
            raise ValueError("an absolute http or https URL in printable ASCII")
        if "@" in match[2] or "#" in text:
            raise ValueError("a URL without user and without fragment")
        scheme, target = match[1].lower(), match[3] or "/"
        host, port = _split(match[2])
        number = _DEFAULT_PORTS[scheme] if port is None else _port(port, lowest=1)
        return cls(scheme, _without_brackets(_host(host)), number, target if target.startswith("/") else f"/{target}")

    @property
    def authority(self) -> str:
        """As a Host field has it."""
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        text = _host_and_port(self.host, self.port)
        return text.rpartition(":")[0] if is_default else text

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this host."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def may_be_fetched(url: WebUrl, *, plain_http: bool) -> bool:
    """Whether keys may come from there: by https, or where nobody is between, or where that does not matter."""
    return url.scheme == "https" or url.is_loopback or plain_http


def parse_name(value: object, base: str) -> Name:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"a name of 1 to {config_name_chars_max} letters, digits, - and _")
    return Name(value)


def parse_path(value: object, base: str) -> FilePath:
    if not isinstance(value, str) or not value or "\0" in value or len(value) > config_path_bytes_max:
        raise ValueError("a path, absolute or relative to edge.toml")
    return FilePath(str(PurePosixPath(base, value)))


def parse_variable(value: object, base: str) -> VariableName:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("the name of an environment variable")
    return VariableName(value)


def parse_host_name(value: object, base: str) -> HostName:
    if not isinstance(value, str):
        raise ValueError("a host name")
    return HostName(_host(value))


def parse_host_pattern(value: object, base: str) -> HostPattern:
    """An exact host, or "*." and the domain below which hosts are meant. Case does not matter (RFC 9110 §4.2.3)."""
    if not isinstance(value, str):
        raise ValueError('a host such as "shop.example", or "*.shop.example"')
    wildcard = "*." if value.startswith("*.") else ""
    try:
        return HostPattern(wildcard + _host(value[len(wildcard) :]))
    except ValueError as why:
        raise ValueError(f'a host such as "shop.example", or "*.shop.example": {why}') from None


def parse_origin_host(value: object, base: str) -> OriginHost:
    if value in ("preserve", "origin"):
        return OriginHost(str(value))
    if not isinstance(value, str):
        raise ValueError('"preserve", "origin", or a host')
    try:
        return OriginHost(_authority(value))
    except ValueError as why:
        raise ValueError(f'"preserve", "origin", or a host: {why}') from None


def parse_field_name(value: object, base: str) -> FieldName:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or "_" in value or not value.lower().startswith("x-"):
        raise ValueError("the name of a field that begins with x-")
    if value.lower().startswith("x-forwarded-"):
        raise ValueError("the name of a field of your own, not one of proxies")
    return FieldName(value.lower())


def parse_cdn_id(value: object, base: str) -> CdnId:
    """RFC 8586 §2: a host with or without a port, or a token."""
    if isinstance(value, str):
        if _TOKEN.fullmatch(value):
            return CdnId(value)
        try:
            return CdnId(_authority(value))
        except ValueError:
            pass
    raise ValueError("a token or a host (RFC 8586)")


def parse_log_target(value: object, base: str) -> LogTarget:
    if value in ("stdout", "off"):
        return LogTarget(str(value))
    try:
        return LogTarget(parse_path(value, base))
    except ValueError:
        raise ValueError('"stdout", "off", or a path') from None


def parse_unkeyed(value: object, base: str) -> Unkeyed:
    if value not in ("report", "error", "ignore"):
        raise ValueError('"report", "error", or "ignore"')
    return Unkeyed(str(value))


def parse_key_url(value: object, base: str) -> KeyUrl:
    _check_url(value, 'such as "https://id.example/jwks.json"')
    return KeyUrl(str(value))


def parse_issuer_url(value: object, base: str) -> IssuerUrl:
    """OpenID Connect Discovery 1.0 §3: no query and no fragment."""
    url = _check_url(value, 'such as "https://id.example", as it stands in tokens')
    if "?" in url.target:
        raise ValueError("an issuer, which has no query")
    return IssuerUrl(str(value))


def parse_listener(value: object, base: str) -> Listener:
    """A string, or a table with `address` (the place for a listener's options)."""
    expected = 'an address such as "127.0.0.1:8080", "[::1]:8080" or "unix:run/edge.sock"'
    if isinstance(value, dict):
        return parse_listener(_address_of(value, expected), base)
    if not isinstance(value, str):
        raise ValueError(f"{expected}, or a table with it as address")
    if value.startswith("unix:"):
        return Listener(path=_unix_path(value, base))
    host, port = _split(value)
    if not host and port and _PORT.fullmatch(port):
        raise ValueError(f'{expected}; all addresses are "0.0.0.0{value}" and "[::]{value}"')
    try:
        address = IPv6Address(_host(host)[1:-1]) if host.startswith("[") else IPv4Address(host)
        return Listener(str(address), _port(port, lowest=0))
    except ValueError:
        raise ValueError(expected) from None


def parse_origin_server(value: object, base: str) -> OriginServer:
    """`http://` or `https://`, a host and perhaps a port; or `unix:` and a path, where HTTP without TLS is spoken."""
    expected = 'a server such as "http://10.0.0.1:8000", "https://app.example" or "unix:run/app.sock"'
    if not isinstance(value, str):
        raise ValueError(expected)
    if value.startswith("unix:"):
        return OriginServer("http", path=_unix_path(value, base))
    scheme, _, authority = value.partition("://")
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(expected)
    if "@" in authority:
        raise ValueError(f"{expected}, without user information")
    if any(c in authority for c in "/?#"):
        raise ValueError(f"{expected}, without a path")
    host, port = _split(authority)
    try:
        number = _DEFAULT_PORTS[scheme] if port is None else _port(port, lowest=1)
        return OriginServer(scheme, _without_brackets(_host(host)), number)
    except ValueError as why:
        raise ValueError(f"{expected}: {why}") from None


def parse_network(value: object, base: str) -> Network:
    expected = 'a network such as "10.0.0.0/8" or "2001:db8::/32", an address, or "unix:"'
    if value == "unix:":
        return Network(0)
    if not isinstance(value, str) or "%" in value:
        raise ValueError(expected)
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(expected) from None
    address = value.partition("/")[0]
    if ip_address(address) != network.network_address:
        # Whoever wrote 10.1.2.3/8 meant either the host or the network; guessing wrong would trust 16 million peers.
        raise ValueError(f'a network without host bits: "{network}", or the address "{address}" alone')
    if network.version == 4:
        return Network(4, _MAPPED + network.network_address.packed, network.prefixlen + 96)
    packed = network.network_address.packed
    is_mapped = packed.startswith(_MAPPED) and network.prefixlen >= 96
    return Network(4 if is_mapped else 6, packed, network.prefixlen)


class Kind(Struct, frozen=True):
    """How a kind of value is read, and how a JSON Schema and the documentation call it."""

    parse: Callable[[object, str], object]
    documented: str
    schema: Mapping[str, Any] = MappingProxyType({"type": "string"})


_LISTENER_SCHEMA = {
    "oneOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"address": {"type": "string"}},
            "required": ["address"],
            "additionalProperties": False,
        },
    ]
}

KINDS: Mapping[object, Kind] = MappingProxyType(
    {
        Name: Kind(parse_name, "name"),
        FilePath: Kind(parse_path, "path"),
        VariableName: Kind(parse_variable, "variable"),
        HostName: Kind(parse_host_name, "host"),
        HostPattern: Kind(parse_host_pattern, "host pattern"),
        OriginHost: Kind(parse_origin_host, "string"),
        CdnId: Kind(parse_cdn_id, "string"),
        FieldName: Kind(parse_field_name, "field"),
        LogTarget: Kind(parse_log_target, "string"),
        Unkeyed: Kind(parse_unkeyed, "string", {"enum": ["report", "error", "ignore"]}),
        KeyUrl: Kind(parse_key_url, "URL"),
        IssuerUrl: Kind(parse_issuer_url, "URL"),
        Listener: Kind(parse_listener, "address", _LISTENER_SCHEMA),
        OriginServer: Kind(parse_origin_server, "server"),
        Network: Kind(parse_network, "network"),
    }
)


def _check_url(value: object, example: str) -> WebUrl:
    try:
        return WebUrl.read(value if isinstance(value, str) else "")
    except ValueError as why:
        raise ValueError(f"a URL {example}: {why}") from None


def _host(text: str) -> str:
    """A host as RFC 3986 §3.2.2 has it, lower-case, an IPv6 address in its short form within brackets."""
    if text.startswith("["):
        try:
            return f"[{IPv6Address(text[1:-1] if text.endswith(']') and '%' not in text else '')}]"
        except ValueError:
            raise ValueError("the IPv6 address is not one") from None
    if not text.isascii():
        raise ValueError(f"it must be in ASCII{_as_ascii(text)}")
    if ":" in text:
        raise ValueError("it has no port")
    text = text.lower()
    labels = text.split(".")
    if len(text) > _HOST_CHARS_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("it has labels of letters, digits and - with dots between them")
    if labels[-1].isdigit() and not _is_ipv4(text):
        raise ValueError("the IPv4 address is not one")
    return text


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
        return True
    except ValueError:
        return False


def _as_ascii(text: str) -> str:
    try:
        return f' ("{text.encode("idna").decode()}")' if len(text) <= _HOST_CHARS_MAX else ""
    except UnicodeError:
        return ""


def _authority(text: str) -> str:
    host, port = _split(text)
    return _host(host) if port is None else f"{_host(host)}:{_port(port, lowest=1)}"


def _split(text: str) -> tuple[str, str | None]:
    match = _HOST_AND_PORT.fullmatch(text)
    return (match[1], match[2]) if match else (text, None)


def _port(text: str | None, lowest: int) -> int:
    if text is None or not _PORT.fullmatch(text) or not lowest <= int(text) <= 65535:
        raise ValueError(f"the port is a number from {lowest} to 65535")
    return int(text)


def _without_brackets(host: str) -> str:
    return host[1:-1] if host.startswith("[") else host


def _unix_path(value: str, base: str) -> str:
    path = str(parse_path(value.removeprefix("unix:"), base))
    if len(path.encode("utf-8", "surrogatepass")) > unix_path_bytes_max:
        raise ValueError(f'"unix:" and a path of at most {unix_path_bytes_max} bytes once the directory is before it')
    return path


def _address_of(table: dict[str, object], expected: str) -> object:
    if "proxy_protocol" in table:
        raise ValueError("a listener without proxy_protocol: it is not supported yet")
    unknown = table.keys() - {"address"}
    if unknown or isinstance(table.get("address"), dict):
        raise ValueError(f"a table with no key but address, {expected}")
    return table.get("address")


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
