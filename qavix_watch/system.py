"""The host's clock, chance and threads, in the shapes of `ports`."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

WRONG_SECONDS = 60.0
"""A host whose clock is off by more than this from the service's own Date goes by the service's."""


class SystemClock:
    """Runs evenly from the moment it was made, whatever the host's clock does; set right once by the service's Date."""

    def __init__(self, corrected: Callable[[float], None] | None = None) -> None:
        """`corrected` is told by how many seconds `now` was set right."""
        self._start = time.time() - time.monotonic()
        self._corrected = corrected
        self._asked = False

    def now(self) -> float:
        """Seconds since 1970."""
        return self._start + time.monotonic()

    def wall(self) -> float:
        """The host's clock, for comparing with times of files."""
        return time.time()

    def local(self, at: float) -> datetime:
        """A moment in the host's time zone."""
        return local_time(at)

    def set_right(self, date: float) -> None:
        """The service says that it is `date`. Only the first time counts: its Date has a second's grain, and jitters."""
        if self._asked:
            return
        self._asked = True
        off = date - self.now()
        if abs(off) > WRONG_SECONDS:
            self._start += off
            if self._corrected is not None:
                self._corrected(off)


def local_time(at: float) -> datetime:
    """A moment (seconds since 1970) in the host's time zone."""
    return datetime.fromtimestamp(at).astimezone()


class SystemChance:
    """Random numbers and unguessable words."""

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return random.uniform(low, high)  # noqa: S311 - for jitter, not for secrets

    def token(self) -> str:
        """An unguessable word of 43 letters, safe in a URL."""
        return secrets.token_urlsafe(32)


class Threads:
    """Runs what may block in a bounded pool."""

    def __init__(self, threads: int = 24) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="blocking")

    async def __call__(self, act: Callable[..., T], *arguments: Any) -> T:
        """Run `act` on a thread of the pool and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, *arguments)

    def close(self) -> None:
        """Wait for what still runs."""
        self._pool.shutdown()


def boot_id() -> str:
    """Changes when the host starts anew (random(4)); after that the end of a half-written file may not be what was written."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
