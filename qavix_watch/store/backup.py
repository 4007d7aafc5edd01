"""A copy of the state, whole and of one moment, while a service writes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from qavix_watch.errors import NoSpace, StateUnusable, StoreError
from qavix_watch.store.views import opened_to_read

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES_AT_ONCE = 1000
STEPS_BETWEEN = 100_000  # of SQLite's machine, between two signs of life while the copy is checked


def copy_state(path: str, target: str, told: Callable[[int, int], None]) -> None:
    """Fill the empty file `target` with the state at `path` as it is now, checked. `told` hears pages done and pages in all.

    The copy is one file without companions, on any filesystem; making it durable is the caller's. It knows itself for a copy: its
    folders have seen a start more than it. StateUnusable where the state cannot be read or is damaged, NoSpace, StoreError.
    """
    with closing(_reading(path)) as source, closing(_writing(target)) as copy:
        try:
            # The transaction holds on to one moment: without it the copy begins anew whenever the service writes.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(copy, pages=PAGES_AT_ONCE, progress=lambda _, left, total: told(total - left, total), sleep=0)
            copy.execute("PRAGMA journal_mode = MEMORY").fetchone()  # no WAL, which would be a second file
            _mark(copy)
            _check(copy, path, told)
        except sqlite3.Error as error:
            raise _meaning(error, path, target) from error


def _reading(path: str) -> sqlite3.Connection:
    connection = opened_to_read(path)
    if connection is None:
        raise StateUnusable(f"there is no state at {path} to copy", hint="It begins with `qavix-watch init`.")
    return connection


def _writing(target: str) -> sqlite3.Connection:
    """Without locks and journals, which nobody needs beside a file that only we know, and which network mounts lack."""
    try:
        copy = sqlite3.connect(f"file:{quote(os.fsencode(target))}?vfs=unix-none&mode=rw", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"the copy {target} cannot be written: {error}") from error
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = OFF", "synchronous = OFF"):
        copy.execute(f"PRAGMA {pragma}").fetchone()
    return copy


def _mark(copy: sqlite3.Connection) -> None:
    """Let it say of itself what is so: nobody serves it, and it is older than the folders that it speaks of."""
    if copy.execute("PRAGMA user_version").fetchone()[0]:
        copy.execute("UPDATE places SET starts = starts - 1")
        copy.execute("UPDATE service SET pid = 0, ready = 0")
        copy.execute("DELETE FROM progress")


def _check(copy: sqlite3.Connection, path: str, told: Callable[[int, int], None]) -> None:
    pages = copy.execute("PRAGMA page_count").fetchone()[0]
    copy.set_progress_handler(lambda: told(pages, pages), STEPS_BETWEEN)
    found = [str(row[0]) for row in copy.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StateUnusable(f"the state {path} is damaged ({'; '.join(found)})", hint="Keep the backups that you have, and restore one.")


def _meaning(error: sqlite3.Error, path: str, target: str) -> StoreError | NoSpace:
    name, text = getattr(error, "sqlite_errorname", ""), str(error)
    if name in {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}:
        return NoSpace(f"there is no room for the copy at {target}: {text}", hint="Make room there, or name a file on another disk.")
    if "malformed" in text or "not a database" in text:
        return StateUnusable(f"the state {path} is damaged ({text})", hint="Keep the backups that you have, and restore one.")
    return StoreError(f"the state {path} could not be copied: {text}", hint="Try again; if it stays so, look at both disks.")
