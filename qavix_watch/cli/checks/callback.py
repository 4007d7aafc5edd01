"""The callback URL: whether what is sent to it comes back to this machine."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from qavix_watch.api.courier import Courier
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem, warning
from qavix_watch.errors import ConfigError, QavixWatchError, Unreachable
from qavix_watch.web.listening import MARK, OURS, TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case

PATIENCE_SECONDS = 10.0
_POLLING = "Until it is mended, work is followed by polling, a little later."
_PROXY = "Let the reverse proxy pass everything below `callback.public_url` to `callback.listen`, without that part of the path"


def callback(case: Case) -> Iterator[Finding]:
    """A callback for no job is sent to the public address. Where no service runs, this process listens meanwhile."""
    url = case.settings.callback.public_url
    if url is None:
        yield ok("There is no `callback.public_url`: polling alone finds out when work is done.")
        return
    if case.running is None:
        yield warning("The callback URL was not tried: the service runs on another host.", "Check there.")
        return
    token = secrets.token_urlsafe(24)
    try:
        with nullcontext() if case.running else _listening(case, token):
            yield _sent(case, url, token)
    except ConfigError as error:
        yield of_error(error)


@contextmanager
def _listening(case: Case, token: str) -> Iterator[None]:
    from qavix_watch.web.listening import briefly, open_socket

    async def called_back(_: int, given: str) -> bool:
        return secrets.compare_digest(given, token)

    address = case.settings.callback.listen
    with briefly(open_socket(address.host, address.port), called_back):
        yield


def _sent(case: Case, url: str, token: str) -> Finding:
    courier = Courier(only_public=False, timeout=PATIENCE_SECONDS, ca_file=case.settings.api.ca_file, connections=1)
    try:
        address = courier.address(f"{url.rstrip('/')}/callback/0/{token}", "a callback")
        with courier.exchange("POST", address, [(b"Host", address.netloc), (b"Content-Length", b"0")], "a callback") as answer:
            return _came_back(case, url, answer.status_code, answer.headers.get(MARK, ""))
    except Unreachable as error:
        return _lost(url, error)
    except QavixWatchError as error:
        return of_error(error)
    finally:
        courier.close()


def _came_back(case: Case, url: str, status: int, mark: str) -> Finding:
    if mark == TAKEN or (mark == OURS and case.running):
        return ok(f"A callback that is sent to {url} comes back to {case.settings.callback.listen}.")
    if mark == OURS:
        return problem(f"{url} leads to another Qavix Watch than this one.", f"{_PROXY}. {_POLLING}")
    if mark:
        return problem(f"{url} comes back to {case.settings.callback.listen} under another path (HTTP {status}).", f"{_PROXY}. {_POLLING}")
    return problem(f"{url} is answered by something else (HTTP {status}).", f"{_PROXY}. {_POLLING}")


def _lost(url: str, error: Unreachable) -> Finding:
    import httpx

    text = f"{url} is not reached from here. {error}"
    if isinstance(error.__cause__, httpx.TimeoutException):  # nobody said no: packets are lost on the way back in
        return warning(text, f"Some routers do not lead back inside: try it from outside. {_POLLING}")
    return problem(text, f"{_PROXY}; look at its name and its certificate, too. {_POLLING}")
