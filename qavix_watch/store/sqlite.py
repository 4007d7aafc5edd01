"""The state in one SQLite file, with one thread that writes it.

WAL with synchronous=FULL: with NORMAL a power loss takes back commits that a POST was built on (every one of 200, on ext4).
`isolation_level=None`, because with the default one `UPDATE … RETURNING` through sqlite-utils leaves a transaction open that
other connections do not see.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database

from qavix_watch.errors import QavixWatchError, StoreError
from qavix_watch.store.brakes import Brakes
from qavix_watch.store.commands import Commands
from qavix_watch.store.contents import Contents
from qavix_watch.store.drops import Drops
from qavix_watch.store.file import mapped, opened, transaction
from qavix_watch.store.house import House
from qavix_watch.store.jobs import Jobs
from qavix_watch.store.migrations import migrate
from qavix_watch.store.money import Money
from qavix_watch.store.overview import Overview
from qavix_watch.store.work import Work

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from qavix_watch.core.layout import Layout

T = TypeVar("T")

MOST_A_COMMIT = 64


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: the verbs, by what they are about."""

    work: Work
    drops: Drops
    contents: Contents
    jobs: Jobs
    brakes: Brakes
    house: House
    commands: Commands
    money: Money
    view: Callable[[Layout], Overview]


class Store:
    """The state of one account.

    Acts run in a thread of their own, each all or nothing. Acts that wait at the same time share one commit, because it is the
    commit, not the act, that waits for the disk; nobody is told of success before it.
    """

    def __init__(self, path: str, base_url: str, account: str, new_id: str) -> None:
        """Open or make the state at `path`; `new_id` names it if it is new. StateUnusable where it cannot be used."""
        self._acts: SimpleQueue[_Act | None] = SimpleQueue()
        with opened(path) as self._connection:
            migrate(Database(self._connection))
            self.id, self._tx = _begin(self._connection, base_url, account, new_id)
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

    def _ask(self, name: str, act: Callable[[Tx], T]) -> Future[T]:
        asked: Future[T] = Future()
        self._acts.put(_Act(name, act, asked))
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
            self._commit([act for act in acts if act is not None])
        self._connection.close()

    def _commit(self, acts: list[_Act]) -> None:
        """Run these acts, each in a savepoint, and make those that worked durable with one commit."""
        if not acts:
            return
        results: list[tuple[_Act, Any]] = []
        try:
            with mapped(acts[0].name), transaction(self._connection):
                results = [(act, value) for act in acts if (value := self._attempt(act)) is not _FAILED]
        except QavixWatchError as error:
            for act in acts:
                if not act.asked.done():
                    act.asked.set_exception(error)
            return
        for act, value in results:
            act.asked.set_result(value)

    def _attempt(self, act: _Act) -> Any:
        if not act.asked.set_running_or_notify_cancel():
            return _FAILED
        self._connection.execute("SAVEPOINT act")
        try:
            with mapped(act.name):
                value = act.run(self._tx)
        except Exception as error:
            act.asked.set_exception(error)
            if not self._connection.in_transaction:  # a full disk takes back all of it; those beside it must not be told otherwise
                raise StoreError(f"{act.name}: the whole transaction was taken back: {error}") from error
            self._connection.execute("ROLLBACK TO act")
            self._connection.execute("RELEASE act")
            return _FAILED
        self._connection.execute("RELEASE act")
        return value


@dataclass(frozen=True, slots=True)
class _Act:
    """One transaction that somebody waits for."""

    name: str
    run: Callable[[Tx], Any]
    asked: Future[Any]


_FAILED = object()


def _begin(connection: sqlite3.Connection, base_url: str, account: str, new_id: str) -> tuple[str, Tx]:
    with mapped("the state"), transaction(connection):
        connection.execute("INSERT INTO state_id SELECT ? WHERE NOT EXISTS (SELECT 1 FROM state_id)", (new_id,))
        connection.execute("INSERT OR IGNORE INTO accounts (base_url, name) VALUES (?, ?)", (base_url, account))
        number = connection.execute("SELECT id FROM accounts WHERE base_url = ? AND name = ?", (base_url, account)).fetchone()[0]
        own = connection.execute("SELECT id FROM state_id").fetchone()[0]
    work = Work(connection, number)
    drops = Drops(connection, number, work)
    jobs = Jobs(connection, number, work, drops)
    contents = Contents(connection, number, work)
    brakes, house = Brakes(connection, number, work), House(connection, number, work)
    commands, money, view = Commands(connection, number), Money(connection, number, work), partial(Overview, connection, number)
    return own, Tx(work, drops, contents, jobs, brakes, house, commands, money, view)
