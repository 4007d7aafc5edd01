"""api.network: every exception of httpx has a meaning here."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from qavix_watch.api.network import FOREIGN, MEANING, unreachable
from qavix_watch.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS: list[type[Exception]] = [httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError]


def family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


KINDS = sorted({kind for root in ROOTS for kind in family(root) if kind.__module__.startswith("httpx")}, key=lambda kind: kind.__name__)


def test_every_exception_that_httpx_exports_belongs_to_the_families_that_are_caught() -> None:
    exported = [value for value in vars(httpx).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert set(exported) <= set(KINDS)
    assert all(issubclass(kind, FOREIGN) for kind in KINDS)


BELOW = [OSError, ssl.SSLError, ssl.SSLCertVerificationError, socket.gaierror, TimeoutError, UnicodeError]


@pytest.mark.parametrize("kind", [*KINDS, *BELOW], ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_ssl_and_the_system_says_whether_the_request_may_have_arrived(kind: type[Exception]) -> None:
    assert kind in MEANING
    error = unreachable(kind.__new__(kind), "qavix.test")
    assert type(error) is Unreachable
    assert str(error).startswith("No answer from qavix.test: ")
    before = {
        httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.LocalProtocolError,
        httpx.InvalidURL, ssl.SSLCertVerificationError, socket.gaierror, UnicodeError,
    }
    assert error.maybe_done is (kind not in before)


def test_the_own_text_of_httpx_is_never_shown_for_it_may_hold_a_header() -> None:
    assert "hunter2" not in str(unreachable(httpx.LocalProtocolError("Illegal header value b'Bearer hunter2'"), "h"))


def test_what_the_system_said_is_shown() -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 443)")
    assert str(unreachable(error, "h")) == "No answer from h: it refuses connections (Connection refused)."
    reset = httpx.ReadError(OSError(104, "x"))  # type: ignore[arg-type]
    assert str(unreachable(reset, "h")) == "No answer from h: Connection reset by peer."
