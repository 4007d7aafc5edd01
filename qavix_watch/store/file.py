"""The file under the state: how it is opened, what a transaction is, and what SQLite's errors mean to people."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qavix_watch.errors import NoSpace, QavixWatchError, StateBusy, StateUnusable, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 30.0
MOST_STATEMENTS = 1024
"""There are some four hundred; one that is not kept is read anew each time, which takes longer than to run it."""


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """A connection to the file at `path`, which is closed again where the block fails. StateUnusable where it cannot be opened."""
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False, cached_statements=MOST_STATEMENTS
        )
    except sqlite3.Error as error:
        raise _unopened(path, error) from error
    try:
        with mapped(path):
            configure(connection, path)
            yield connection
    except (QavixWatchError, sqlite3.Error):
        connection.close()
        raise


def configure(connection: sqlite3.Connection, path: str) -> None:
    """Have a connection behave as the state needs it; `path` is what errors name. It was made with `isolation_level=None`."""
    connection.row_factory = sqlite3.Row
    _in_wal(connection, path)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What a statement needs for its own time is small: the disk of temporary files may be full, and nobody would look for it there.
    connection.execute("PRAGMA temp_store = MEMORY")


def _in_wal(connection: sqlite3.Connection, path: str) -> None:
    """The first touch of the file. Changing to WAL does not wait for another process that does so too: it is told "locked"."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > until:
                raise _unopened(path, error) from error
            time.sleep(0.01)
        else:
            return


def _unopened(path: str, error: sqlite3.Error) -> QavixWatchError:
    meaning = _meaning(error, path)
    if isinstance(meaning, (StateUnusable, NoSpace)):
        return meaning
    return StateUnusable(f"the state {path} cannot be opened: {error}", hint="Look at its folder and its rights, or change `state.path`.")


class transaction:  # noqa: N801 - a class, as below
    """All of the block, or nothing."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        # IMMEDIATE, which sqlite-utils' atomic() does not offer: a transaction that reads first and writes later would otherwise be
        # refused where another process (a command) has written in between.
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self._take_back()
            return
        try:
            self._connection.execute("COMMIT")
        except Exception:
            self._take_back()
            raise

    def _take_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


class mapped:  # noqa: N801 - read as a verb, like `suppress`; a class, since every act of every commit passes here
    """Let what SQLite raises leave as an error of ours that names `what`."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise _meaning(error, self._what) from error


def _meaning(error: sqlite3.Error, what: str) -> QavixWatchError:
    text = str(error)
    if "full" in text or getattr(error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}:
        return NoSpace(f"the state could not be written: {text}", hint="Make room on its disk; work goes on by itself.")
    if "locked" in text:
        return StateBusy(f"{what}: {text}", hint="Another program has the database open for writing; work goes on when it lets go.")
    if "malformed" in text or "not a database" in text:
        return StateUnusable(f"{what}: the state is damaged ({text})", hint="Restore a backup of it, or name another with `state.path`.")
    return StoreError(f"{what}: {text}")
