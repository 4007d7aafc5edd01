"""Hosts, addresses to listen on, and URLs: which may be spoken to, and how."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from qavix_watch.config.wrong import SettingError, kind_of

LISTEN_MEND = 'write host and port, such as "127.0.0.1:8420" or "[::1]:8420"'
_PRIVATE_NAMES = (".local", ".internal", ".home.arpa")  # never public: RFC 6762, ICANN 2024-07-29, RFC 8375


class Address(NamedTuple):
    """Where to listen. Port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host, as a name or an IP address, is this machine alone."""
    ip = _ip(host)
    name = host.lower().rstrip(".")
    return ip.is_loopback if ip else name == "localhost" or name.endswith(".localhost")


def is_private(host: str) -> bool:
    """Whether a host is loopback, an address that the internet does not route, or a name reserved for private networks.

    Other names are not looked up: a name that leads to a private address counts as public here.
    """
    ip = _ip(host)
    if ip:
        return not ip.is_global and not ip.is_multicast
    return is_loopback(host) or host.lower().rstrip(".").endswith(_PRIVATE_NAMES)


def is_local_service(base_url: str) -> bool:
    """Whether a service is loopback or private, so that plain HTTP and private storage hosts are in order with it."""
    return is_private(urlsplit(base_url).hostname or "")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def service_url(value: object) -> str:
    """A URL that work or callbacks go to: HTTPS unless it is loopback, without a slash at its end."""
    parts = _split(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise SettingError("must be HTTPS", "begin it with https:// (plain http:// is for loopback alone)")
    return _joined(parts)


def lan_url(value: object) -> str:
    """A URL of a server at home: HTTP or HTTPS, without a slash at its end."""
    parts = _split(value)
    if parts.scheme not in {"http", "https"}:
        raise SettingError("is no web address", "begin it with http:// or https://")
    return _joined(parts)


def _joined(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _split(value: object) -> SplitResult:
    """The parts of a URL that has a host, a sound port, and no place where a secret or a parameter could sit."""
    if not isinstance(value, str):
        raise SettingError(f"must be text, not {kind_of(value)}")
    if re.search(r"[\s\x00-\x1f\x7f\\]", value):
        raise SettingError("has a space, backslash or control character in it", "write the plain address")
    try:
        parts = urlsplit(value)
        sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise SettingError("is no web address", "write it like https://host.example/path")
    if "@" in parts.netloc:
        raise SettingError("carries a user name or password", "take out what stands before the @")
    if "?" in value or "#" in value:
        raise SettingError("carries a query or a fragment", "take out the ? or # and what follows it")
    return parts


def address(value: object) -> Address:
    """Where to listen, from "host:port"."""
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise SettingError(f"must be text, not {kind_of(value)}", LISTEN_MEND)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+)):(\d{1,5})", value.strip(), re.ASCII)
    if match is None or int(match[3]) > 65535 or (match[1] and not _ip(match[1])):
        raise SettingError("is no address to listen on", LISTEN_MEND)
    return Address(match[1] or match[2], int(match[3]))


def network(value: object) -> str:
    """An IP address or network in CIDR notation, in its canonical spelling."""
    try:
        return str(ipaddress.ip_network(str(value).strip(), strict=False))
    except ValueError:
        raise SettingError("is no IP address or network", 'write them like "10.0.0.2" or "10.0.0.0/8"') from None
