"""Verbs over what a lost or restored state has to make good: that it was noticed, and our marks in the service's list of tasks."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from qavix_watch.core.records import Job, ListedTask
from qavix_watch.store.rows import UNSUBMITTED, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_COLUMNS = ", ".join(field.name for field in fields(ListedTask))
_MARKS = ", ".join("?" * (len(fields(ListedTask)) + 1))
_MOST_OF_ONE_MARK = 100


class Recovery:
    """A loss concerns every account of the state; the tasks that were listed are those of one."""

    def __init__(self, connection: sqlite3.Connection, account: int) -> None:
        self._connection = connection
        self._account = account

    def declare(self, now: float, why: str) -> None:
        """The state may not know of work that was paid for."""
        self._connection.execute("INSERT INTO losses (at, why) VALUES (?, ?)", (now, why))

    def last_loss(self) -> int:
        """The number of the last one, which grows with each; 0 where there never was any."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM losses").fetchone()[0])

    def why(self) -> str:
        """How the last one was noticed, "" where there never was any."""
        row = self._connection.execute("SELECT why FROM losses ORDER BY id DESC LIMIT 1").fetchone()
        return "" if row is None else str(row["why"])

    def forget(self) -> None:
        """What was listed before counts no more."""
        self._connection.execute("DELETE FROM listed_tasks WHERE account = ?", (self._account,))

    def remember(self, tasks: Iterable[ListedTask]) -> None:
        """These tasks are in the list."""
        rows = [(self._account, *astuple(one)) for one in tasks]
        self._connection.executemany(f"INSERT OR REPLACE INTO listed_tasks (account, {_COLUMNS}) VALUES ({_MARKS})", rows)

    def knows_any(self) -> bool:
        """Whether the list had any task with a mark."""
        found = self._connection.execute("SELECT 1 FROM listed_tasks WHERE account = ? LIMIT 1", (self._account,)).fetchone()
        return found is not None

    def listed(self, mark: str) -> list[ListedTask]:
        """The tasks with this mark that no job of this state has."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM listed_tasks WHERE account = :account AND mark = :mark AND NOT EXISTS"
            " (SELECT 1 FROM jobs WHERE jobs.account = :account AND jobs.task_id = listed_tasks.task_id) LIMIT :most",
            {"account": self._account, "mark": mark, "most": _MOST_OF_ONE_MARK},
        )
        return [read(ListedTask, row) for row in rows]

    def waiting(self) -> list[Job]:
        """The jobs that have no task yet, and that nobody has in hand."""
        rows = self._connection.execute(
            f"SELECT * FROM jobs WHERE account = ? AND state IN ({UNSUBMITTED}) AND owner IS NULL ORDER BY id", (self._account,)
        )
        return [read(Job, row) for row in rows]
