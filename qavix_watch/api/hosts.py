"""Which hosts may be spoken to: the rules for `api.base_url`, for object storage and for the hosts of results."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import httpx

from qavix_watch.errors import ConfigError, TransferError

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def base_address(base_url: str) -> httpx.URL:
    """`api.base_url` as an address: https, or http on loopback alone; without user, query or fragment. ConfigError."""
    try:
        url = httpx.URL(base_url.rstrip("/"))
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL("")
    odd = url.userinfo or url.query or url.fragment or " " in base_url or not base_url.isprintable()
    if url.scheme not in ("https", "http") or not url.host or odd:
        raise ConfigError(
            "`api.base_url` is no address such as https://qavixi.com/qavix.",
            hint="Write scheme, host and path alone; the key has a place of its own.",
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError(
            f"`api.base_url` would send the API key to {url.host} without encryption.",
            hint="Write https://; plain http:// is for loopback addresses alone.",
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name or literal address is this machine, without asking DNS."""
    address = _literal(host)
    return host.lower() == "localhost" if address is None else _inner(address).is_loopback


def public_only(base_url: str) -> bool:
    """Whether storage and results must be public HTTPS hosts: always, unless `api.base_url` is loopback or private.

    A name is looked up (this blocks); one that cannot be counts as public.
    """
    host = base_address(base_url).host
    if is_loopback(host):
        return False
    addresses = lookup(host, 443)
    return not addresses or any(is_public(address) for address in addresses)


def transfer_address(text: str, what: str, *, only_public: bool) -> httpx.URL:
    """The address of an upload or a result, checked as far as that goes without DNS. TransferError names the host alone."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise TransferError(f"The address of {what} cannot be read.") from None
    if url.scheme not in ("https", "http") or not url.host:
        raise TransferError(f"The address of {what} is no https:// address.")
    if url.userinfo:
        raise TransferError(f"The address of {what} on {url.host} holds a user name, which is not sent to anybody.")
    if only_public:
        _must_be_public(url, what)
    return url


def _must_be_public(url: httpx.URL, what: str) -> None:
    if url.scheme != "https":
        raise TransferError(f"The address of {what} on {url.host} is not encrypted (http://), and is not used.")
    literal = _literal(url.host)
    if is_loopback(url.host) or (literal is not None and not is_public(literal)):
        raise not_public(url.host, what)


def not_public(host: str, what: str) -> TransferError:
    """The error for a public service that points into a private network."""
    return TransferError(
        f"The address of {what} leads to {host}, which is not on the public network, and is not used.",
        hint="Private addresses are used only where `api.base_url` itself is loopback or private.",
    )


def lookup(host: str, port: int) -> list[Address]:
    """All addresses of a host; [] where it has none, or cannot be looked up."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(addresses(str(row[4][0]) for row in found))


def addresses(texts: Iterable[str]) -> Iterable[Address]:
    """The literal addresses among `texts`."""
    return (address for text in texts if (address := _literal(text)) is not None)


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, also when it is an IPv4 address in the clothes of IPv6."""
    inner = _inner(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def _literal(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    except ValueError:
        return None
