"""The state in one SQLite file, with one thread that writes it.

WAL with synchronous=FULL: with NORMAL a power loss takes back commits that a POST was built on (every one of 200, on ext4).
`isolation_level=None`, because with the default one `UPDATE … RETURNING` through sqlite-utils leaves a transaction open that
other connections do not see.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

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
    """The state of one account. Every act of it is one transaction, run in its own thread."""

    def __init__(self, path: str, base_url: str, account: str, new_id: str) -> None:
        """Open or make the state at `path`; `new_id` names it if it is new. StateUnusable where it cannot be used."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection = self._thread.submit(self._open, path).result()
        self.id, self._tx = self._thread.submit(self._begin, base_url, account, new_id).result()

    @staticmethod
    def _open(path: str) -> sqlite3.Connection:
        with _mapped(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(Database(connection))
            return connection

    def _begin(self, base_url: str, account: str, new_id: str) -> tuple[str, Tx]:
        connection = self._connection
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

    async def transaction(self, name: str, act: Callable[[Tx], T]) -> T:
        """Run `act`, all of it or nothing; it must not wait for anything. `name` is for people who trace.

        What `act` raises of our own errors takes the transaction back and is passed on; what SQLite raises becomes StoreError,
        or NoSpace where the disk is full.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, name, act)

    def _run(self, name: str, act: Callable[[Tx], T]) -> T:
        with _mapped(name), _transaction(self._connection):
            return act(self._tx)

    def now(self, name: str, act: Callable[[Tx], T]) -> T:
        """The same without a loop, for starts and ends."""
        return self._thread.submit(self._run, name, act).result()

    def close(self) -> None:
        """Close the file; what was committed is safe with or without this."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE, which sqlite-utils' atomic() does not offer: a transaction that reads first and writes later would otherwise be
    # refused where another process (a command) has written in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except QavixWatchError:
        connection.execute("ROLLBACK")
        raise
    except Exception:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


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
