"""A command that asks the service: a client for as long as the question takes, all pages, and errors that a person can mend."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    NotFound,
    QavixWatchError,
    RateLimited,
    ServiceFailed,
    UnexpectedAnswer,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rich.status import Status

    from qavix_watch.api.client import Client
    from qavix_watch.config import Settings
    from qavix_watch.core.secret import Secret

T = TypeVar("T")

QUIET_SECONDS = 2.0  # what takes no longer needs no sign of life
LONGEST_WAIT_SECONDS = 120.0  # for the account's rate limits, before a command gives up
MOST_PAGES = 10_000
NO_KEY = "there is no API key"


class Waiting:
    """The sign of life of a question that takes its time; `tell` changes its words."""

    def __init__(self, doing: str) -> None:
        self._words = doing
        self._status: Status | None = None

    def tell(self, words: str) -> None:
        """Say how far it is."""
        self._words = words
        if self._status is not None:
            self._status.update(words)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it on the terminal after a while, and take it away at the end."""
        from qavix_watch.cli.context import err

        console = err()
        later = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._show, console.status) if console.is_terminal else None
        try:
            yield
        finally:
            if later is not None:
                later.cancel()
            if self._status is not None:
                self._status.stop()

    def _show(self, make: Callable[[str], Status]) -> None:
        self._status = make(self._words)
        self._status.start()


def ask(settings: Settings, question: Callable[[Client, Waiting], Awaitable[T]], doing: str = "Asking the service …") -> T:
    """What `question` gives, asked with the configured key.

    QavixWatchError where there is no key; else the errors of the client, each with the hint for somebody who waits for the answer.
    """
    from qavix_watch.config import read_key

    found = read_key(settings, os.environ)
    if found is None:
        raise QavixWatchError(NO_KEY, hint=AuthenticationRefused.hint)
    key, origin = found
    try:
        return asyncio.run(_asked(client_for(settings, key), question, Waiting(doing)))
    except (ApiError, Unreachable) as error:
        error.hint = _hint(error, settings, origin) or error.hint
        raise


def client_for(settings: Settings, key: Secret, *, timeout: float | None = None) -> Client:
    """A client as the configuration says; `timeout` in seconds, where it shall be shorter."""
    from qavix_watch.api.client import Client

    own = settings.api.timeout
    return Client(
        settings.api.base_url, key=key, paths=settings.api.paths, timeout=own if timeout is None else min(own, timeout),
        ca_file=settings.api.ca_file, monotonic=time.monotonic,
    )  # fmt: skip


async def _asked(client: Client, question: Callable[[Client, Waiting], Awaitable[T]], waiting: Waiting) -> T:
    try:
        with waiting.shown():
            return await question(client, waiting)
    finally:
        await client.close()


class Page(Protocol):
    """One page of a list: where the next begins, None at the end."""

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=Page)


async def every_page(
    read: Callable[[str | None], Awaitable[P]], rows: Callable[[P], int], waiting: Waiting, most: int | None = None
) -> list[P]:
    """All pages that `read` gives, or as many as hold `most` rows. Waits where the account's rate limits ask for it."""
    pages: list[P] = []
    count, cursor = 0, None
    seen: set[str] = set()
    while True:
        pages.append(await _patiently(read, cursor, waiting))
        count += rows(pages[-1])
        cursor = pages[-1].next_cursor
        waiting.tell(f"{count:,} so far …")
        if cursor is None or (most is not None and count >= most):
            return pages
        if cursor in seen or len(pages) >= MOST_PAGES:
            raise QavixWatchError("the service's list does not end: it leads back to a page that was read already")
        seen.add(cursor)


async def _patiently(read: Callable[[str | None], Awaitable[P]], cursor: str | None, waiting: Waiting) -> P:
    """One page, however busy the account is; RateLimited where the waiting gets too long."""
    waited = 0.0
    while True:
        try:
            return await read(cursor)
        except RateLimited as error:
            pause = min(error.retry_after or 5.0, LONGEST_WAIT_SECONDS) + 0.1
            waited += pause
            if waited > LONGEST_WAIT_SECONDS:
                raise
            waiting.tell(f"Waiting {pause:.0f} s for the account's rate limits …")
            await asyncio.sleep(pause)


def _hint(error: ApiError | Unreachable, settings: Settings, origin: str) -> str:
    """What the person who asked can do now; "" where the error says it best itself."""
    if isinstance(error, Unreachable):
        return f"Check the network, `api.base_url` ({settings.api.base_url}) and `api.ca_file`, then ask again."
    if isinstance(error, AuthenticationRefused):
        return f"The key comes from {origin}: put a valid one there. The Qavix console has it."
    if isinstance(error, RateLimited):
        return f"Ask again in {error.retry_after or 60:.0f} s."
    if isinstance(error, ServiceFailed):
        return "That is the service's own trouble. Ask again in a while."
    if isinstance(error, (NotFound, UnexpectedAnswer)):
        return _wrong_path(error, settings)
    return ""


def _wrong_path(error: ApiError, settings: Settings) -> str:
    from qavix_watch.api.endpoints import endpoints

    path = endpoints(settings.api.paths)[error.operation].path
    whole = urlsplit(settings.api.base_url).path.rstrip("/") + path
    return (
        f"It was asked for at {whole}. Where your account's documentation names another path, write it into the configuration:"
        f' [api.paths] {error.operation} = "{path}"; or `api.base_url` is not the service\'s address.'
    )
