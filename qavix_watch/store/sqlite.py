"""The state in one SQLite file, with one thread that writes it.

WAL with synchronous=FULL: with NORMAL a power loss takes back commits that a POST was built on (every one of 200, on ext4).
`isolation_level=None`, because with the default one `UPDATE … RETURNING` through sqlite-utils leaves a transaction open that
other connections do not see.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database

from qavix_watch.errors import NoSpace, QavixWatchError, StateUnusable, StoreError
from qavix_watch.store.brakes import Brakes
from qavix_watch.store.contents import Contents
from qavix_watch.store.drops import Drops
from qavix_watch.store.house import House
from qavix_watch.store.jobs import Jobs
from qavix_watch.store.migrations import migrate
from qavix_watch.store.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

BUSY_SECONDS = 30.0
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


class Store:
    """The state of one account.

    Acts run in a thread of their own, each all or nothing. Acts that wait at the same time share one commit, because it is the
    commit, not the act, that waits for the disk; nobody is told of success before it.
    """

    def __init__(self, path: str, base_url: str, account: str, new_id: str) -> None:
        """Open or make the state at `path`; `new_id` names it if it is new. StateUnusable where it cannot be used."""
        self._acts: SimpleQueue[_Act | None] = SimpleQueue()
        self._connection = _open(path)
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
            with _mapped(acts[0].name), _transaction(self._connection):
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
            with _mapped(act.name):
                value = act.run(self._tx)
        except Exception as error:  # noqa: BLE001 - whoever asked gets it; the acts beside it go on
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO act")
                self._connection.execute("RELEASE act")
            act.asked.set_exception(error)
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


def _open(path: str) -> sqlite3.Connection:
    with _mapped(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(Database(connection))
        return connection


def _begin(connection: sqlite3.Connection, base_url: str, account: str, new_id: str) -> tuple[str, Tx]:
    with _mapped("the state"), _transaction(connection):
        connection.execute("INSERT INTO state_id SELECT ? WHERE NOT EXISTS (SELECT 1 FROM state_id)", (new_id,))
        connection.execute("INSERT OR IGNORE INTO accounts (base_url, name) VALUES (?, ?)", (base_url, account))
        number = connection.execute("SELECT id FROM accounts WHERE base_url = ? AND name = ?", (base_url, account)).fetchone()[0]
        own = connection.execute("SELECT id FROM state_id").fetchone()[0]
    work = Work(connection, number)
    drops = Drops(connection, number, work)
    jobs = Jobs(connection, number, work, drops)
    contents = Contents(connection, number, work)
    return own, Tx(work, drops, contents, jobs, Brakes(connection, number, work), House(connection, number, work))


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE, which sqlite-utils' atomic() does not offer: a transaction that reads first and writes later would otherwise be
    # refused where another process (a command) has written in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except Exception:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _meaning(error, what) from error


def _meaning(error: sqlite3.DatabaseError, what: str) -> QavixWatchError:
    text = str(error)
    if "full" in text or getattr(error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}:
        return NoSpace(f"the state could not be written: {text}", hint="Make room on its disk; work goes on by itself.")
    if "malformed" in text or "not a database" in text:
        return StateUnusable(f"{what}: the state is damaged ({text})", hint="Restore a backup of it, or name another with `state.path`.")
    return StoreError(f"{what}: {text}")
