"""What both clients share of the network: trust in certificates, proxies, and what httpx's exceptions mean here."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import httpx

from qavix_watch.api.texts import fit_to_show
from qavix_watch.errors import ConfigError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, OSError, UnicodeError)
"""All that httpx and what lies below it raise. UnicodeError is getaddrinfo's, for a host name that cannot be one."""

_NOT_SENT = False
_PERHAPS = True
MEANING: Mapping[type[Exception], tuple[str, bool]] = MappingProxyType({
    # What to say where the cause says nothing better, and whether the request may have reached the other side.
    httpx.ConnectError: ("no connection could be made", _NOT_SENT),
    httpx.ConnectTimeout: ("it took too long to connect", _NOT_SENT),
    httpx.PoolTimeout: ("no connection was free", _NOT_SENT),
    httpx.ProxyError: ("the proxy refused the connection", _NOT_SENT),
    httpx.UnsupportedProtocol: ("its address is neither http nor https", _NOT_SENT),
    httpx.LocalProtocolError: ("the request could not be written as HTTP", _NOT_SENT),
    httpx.InvalidURL: ("its address cannot be read", _NOT_SENT),
    UnicodeError: ("its name cannot be a host name", _NOT_SENT),
    socket.gaierror: ("its name is not known", _NOT_SENT),
    ConnectionRefusedError: ("it refuses connections", _NOT_SENT),
    ssl.SSLCertVerificationError: ("its certificate is not trusted", _NOT_SENT),
    httpx.ReadTimeout: ("it took too long to answer", _PERHAPS),
    httpx.WriteTimeout: ("it took too long to take the request", _PERHAPS),
    httpx.TimeoutException: ("it took too long", _PERHAPS),
    httpx.ReadError: ("the connection was cut", _PERHAPS),
    httpx.WriteError: ("the connection was cut", _PERHAPS),
    httpx.CloseError: ("the connection was cut", _PERHAPS),
    httpx.NetworkError: ("the connection failed", _PERHAPS),
    httpx.RemoteProtocolError: ("it ended the answer early, or did not speak HTTP", _PERHAPS),
    httpx.ProtocolError: ("it did not speak HTTP", _PERHAPS),
    httpx.TransportError: ("the connection failed", _PERHAPS),
    httpx.DecodingError: ("its answer could not be decoded", _PERHAPS),
    httpx.TooManyRedirects: ("it redirects without end", _PERHAPS),
    httpx.RequestError: ("the request failed", _PERHAPS),
    httpx.HTTPStatusError: ("it answered with an error", _PERHAPS),
    httpx.HTTPError: ("the request failed", _PERHAPS),
    httpx.CookieConflict: ("its cookies contradict each other", _PERHAPS),
    httpx.StreamConsumed: ("its answer was read twice", _PERHAPS),
    httpx.StreamClosed: ("its answer was closed early", _PERHAPS),
    httpx.ResponseNotRead: ("its answer was not read", _PERHAPS),
    httpx.RequestNotRead: ("the request was not read", _PERHAPS),
    httpx.StreamError: ("the connection was misused", _PERHAPS),
    TimeoutError: ("it took too long", _PERHAPS),
    ssl.SSLError: ("the encrypted connection failed", _PERHAPS),
    OSError: ("the connection failed", _PERHAPS),
})


def unreachable(error: Exception, host: str) -> Unreachable:
    """What one of FOREIGN means. Its own text is used only where it comes from the system: httpx's may hold a secret."""
    meaning = next((MEANING[kind] for kind in type(error).__mro__ if kind in MEANING), ("the request failed", _PERHAPS))
    cause = _system_error(error)
    said = _said(cause) if cause else ""
    known = MEANING.get(type(cause)) if cause else None
    reason = f"{known[0]} ({said})" if known and said else said or meaning[0]
    return Unreachable(f"No answer from {fit_to_show(host, 200)}: {reason}.", maybe_done=meaning[1])


def _system_error(error: BaseException | None, depth: int = 8) -> OSError | None:
    """The error of the system below httpx's; httpcore keeps it as an argument, where it does not chain it."""
    if error is None or depth == 0:
        return None
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TimeoutError):
        return error
    below = [error.__cause__, *(part for part in error.args if isinstance(part, BaseException)), error.__context__]
    if isinstance(error, BaseExceptionGroup):
        below.extend(error.exceptions)
    return next((found for part in below if (found := _system_error(part, depth - 1))), None)


def _said(error: OSError) -> str:
    text = str(error.strerror or "")
    if isinstance(error, ssl.SSLCertVerificationError):
        text = str(error.verify_message)
    elif error.errno is not None and not isinstance(error, ssl.SSLError | socket.gaierror):
        text = os.strerror(error.errno)
    return fit_to_show(text, 200).rstrip(".")


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Whose certificates are believed: the well-known authorities, the system's, and those in `ca_file` (PEM)."""
    try:
        context = httpx.create_ssl_context()
        context.load_default_certs()
    except OSError as error:
        raise ConfigError(
            f"The certificates of this machine cannot be read: {error.strerror or error}.",
            hint="Check the variables SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error
    if ca_file is not None:
        _add_authority(context, ca_file)
    return context


def _add_authority(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no certificate"
        raise ConfigError(
            f"`api.ca_file` is {ca_file!r}, which cannot be used: {fit_to_show(reason, 200)}.",
            hint="It is to be a file of certificates in PEM form that this user may read.",
        ) from error


def trust_nobody() -> ssl.SSLContext:
    """For a client that speaks plain HTTP alone; it is made in no time."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


LOOPBACK_MOUNTS: Mapping[str, None] = MappingProxyType(
    {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
)
"""Hosts that no proxy of the environment is asked for."""


@contextmanager
def building() -> Iterator[None]:
    """Around the making of an httpx client: a proxy variable that it cannot use becomes ConfigError."""
    # httpx's own request log names whole URLs, signatures included.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            "The proxy that the environment names cannot be used.",
            hint="Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: an http:// or https:// address; SOCKS is not supported.",
        ) from error
