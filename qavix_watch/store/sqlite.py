"""The state in one SQLite file, with one thread that writes it.

WAL with synchronous=FULL: with NORMAL a power loss takes back commits that a POST was built on (every one of 200, on ext4).
`isolation_level=None`, because with the default one `UPDATE … RETURNING` through sqlite-utils leaves a transaction open that
other connections do not see.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from qavix_watch.store.committing import MOST_A_COMMIT, Act, Commits
from qavix_watch.store.file import opened
from qavix_watch.store.verbs import Tx, begin

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Store", "Tx"]

T = TypeVar("T")


class Store:
    """The state of one account.

    Acts run in a thread of their own, each all or nothing. Acts that wait at the same time share one commit, because it is the
    commit, not the act, that waits for the disk; nobody is told of success before it. `clock` gives the seconds since 1970 that
    leases end by: the host's, until it is given one that is known to be right.
    """

    def __init__(self, path: str, base_url: str, account: str, new_id: str) -> None:
        """Open or make the state at `path`; `new_id` names it if it is new. StateUnusable where it cannot be used."""
        self.clock: Callable[[], float] = time.time
        self._acts: SimpleQueue[Act | None] = SimpleQueue()
        with opened(path) as self._connection:
            self.id, tx = begin(self._connection, base_url, account, new_id, self._lease_time)
        self._commits = Commits(self._connection, tx)
        self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
        self._thread.start()

    async def transaction(self, name: str, act: Callable[[Tx], T]) -> T:
        """Run `act`, all of it or nothing; it must not wait for anything. `name` is for people who trace.

        What `act` raises takes its changes back and is passed on; what SQLite raises becomes StoreError, or NoSpace where the disk
        is full.
        """
        return await asyncio.wrap_future(self._ask(name, act))

    def now(self, name: str, act: Callable[[Tx], T]) -> T:
        """The same without a loop, for starts and ends."""
        return self._ask(name, act).result()

    def _lease_time(self) -> float:
        return self.clock()

    def _ask(self, name: str, act: Callable[[Tx], T]) -> Future[T]:
        asked: Future[T] = Future()
        self._acts.put(Act(name, act, asked))
        return asked

    def close(self) -> None:
        """Finish what was asked and close the file; what was committed is safe with or without this."""
        self._acts.put(None)
        self._thread.join()

    def _serve(self) -> None:
        ended = False
        while not ended:
            acts = [self._acts.get()]
            with suppress(Empty):
                while len(acts) < MOST_A_COMMIT:
                    acts.append(self._acts.get_nowait())
            ended = None in acts
            self._commits.commit([act for act in acts if act is not None])
        self._connection.close()
