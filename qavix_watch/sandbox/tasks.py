"""Tasks, the account's balance, and the ledger of what was billed. Every method is one transaction."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox.database import read_meta, write_meta
from qavix_watch.sandbox.problems import ApiError

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is about to be made.

    `inputs` maps a field of the request to file id and SHA-256; `params` is what else shapes the result.
    """

    task_type: str
    fingerprint: str
    credits: int
    wait_seconds: float
    work_seconds: float
    name: str | None = None
    source: str | None = None
    target: str | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


class Tasks:
    """The tasks' table and the balance."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # -- the account

    @property
    def balance(self) -> int:
        value = read_meta(self._db, "credits")
        assert isinstance(value, int)
        return value

    def set_balance(self, amount: int) -> None:
        write_meta(self._db, "credits", amount)

    def cover(self, amount: int) -> None:
        """Raises insufficient_credits (402) where the balance does not cover `amount`."""
        if self.balance < amount:
            message = f"this needs {amount} credits and {self.balance} remain"
            raise ApiError("insufficient_credits", "insufficient_credits", message)

    # -- one task

    def get(self, task_id: str | int) -> sqlite3.Row | None:
        if not str(task_id).isdecimal() or len(str(task_id)) > 18:
            return None
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM tasks WHERE id = ?", (int(task_id),)).fetchone()
        return row

    def by_key(self, key: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM tasks WHERE idempotency_key = ?", (key,)).fetchone()
        return row

    def create(self, new: NewTask) -> sqlite3.Row:
        """Bills and makes the task; raises insufficient_credits (402) and then changes nothing."""
        self.cover(new.credits)
        now = time.time()
        starts = now + new.wait_seconds
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            task_id = self._insert(new, "pending", (now, starts, starts + new.work_seconds))
            self.set_balance(self.balance - new.credits)
        row = self.get(task_id)
        assert row is not None
        return row

    def record_done(self, new: NewTask) -> None:
        """A piece of work that was done synchronously (Voice Clone): billed, and complete at once."""
        now = time.time()
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            task_id = self._insert(new, "completed", (now, now, now))
            self._db.execute("UPDATE tasks SET completed_at = ?, results = '{}' WHERE id = ?", (now, task_id))
            self.set_balance(self.balance - new.credits)

    def _insert(self, new: NewTask, status: str, times: tuple[float, float, float]) -> int:
        cursor = self._db.execute(
            "INSERT INTO tasks (task_type, name, source, target, params, inputs, idempotency_key, fingerprint, callback_url,"
            " status, credits, estimated, created_at, starts_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.task_type, new.name, new.source, new.target, json.dumps(new.params), json.dumps(new.inputs),
                new.idempotency_key, new.fingerprint, new.callback_url, status, new.credits, new.credits, *times,
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def seen_again(self, task_id: int) -> None:
        self._db.execute("UPDATE tasks SET posts = posts + 1 WHERE id = ?", (task_id,))

    def forget_keys(self, keys: list[str] | None) -> int:
        """The tasks stay, and nobody finds them by these keys (None: any) any more; how many were forgotten."""
        if keys is None:
            return self._db.execute("UPDATE tasks SET idempotency_key = NULL WHERE idempotency_key IS NOT NULL").rowcount
        return sum(self._db.execute("UPDATE tasks SET idempotency_key = NULL WHERE idempotency_key = ?", (key,)).rowcount for key in keys)

    # -- its life

    def start_due(self, now: float) -> None:
        self._db.execute("UPDATE tasks SET status = 'processing' WHERE status = 'pending' AND starts_at <= ?", (now,))

    def claim_due(self, now: float, most: int) -> list[sqlite3.Row]:
        """Tasks whose work is over and whose result is to be made now; nobody else gets them."""
        return self._db.execute(
            "UPDATE tasks SET claimed = 1 WHERE id IN (SELECT id FROM tasks WHERE status = 'processing' AND claimed = 0"
            " AND ends_at <= ? ORDER BY ends_at LIMIT ?) RETURNING *",
            (now, most),
        ).fetchall()

    def next_due(self) -> float | None:
        """When the next task starts or ends, in Unix time; None where there is none."""
        row = self._db.execute(
            "SELECT (SELECT MIN(starts_at) FROM tasks WHERE status = 'pending') AS start,"
            " (SELECT MIN(ends_at) FROM tasks WHERE status = 'processing' AND claimed = 0) AS end"
        ).fetchone()
        return min((moment for moment in row if moment is not None), default=None)

    def complete(self, task_id: int, results: dict[str, Any]) -> None:
        self._end(task_id, "completed", json.dumps(results), None)

    def fail(self, task_id: int, message: str) -> None:
        """The task failed; what was billed for it is given back."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self.get(task_id)
            if row is not None and row["status"] != "failed":
                self.set_balance(self.balance + row["credits"])
                self._db.execute("UPDATE tasks SET credits = 0 WHERE id = ?", (task_id,))
                self._end(task_id, "failed", None, message)

    def _end(self, task_id: int, status: str, results: str | None, error: str | None) -> None:
        self._db.execute(
            "UPDATE tasks SET status = ?, results = ?, error = ?, completed_at = ?, claimed = 0,"
            " callback_due = callback_url IS NOT NULL WHERE id = ?",
            (status, results, error, time.time(), task_id),
        )

    def stick(self, task_id: int) -> None:
        """The task stays at 99 % for ever."""
        self._db.execute("UPDATE tasks SET claimed = 2 WHERE id = ?", (task_id,))

    def reopen(self, task_id: int, status: str) -> None:
        """Back to pending or processing, to be worked on once more from now."""
        now = time.time()
        row = self.get(task_id)
        assert row is not None
        self._db.execute(
            "UPDATE tasks SET status = ?, results = NULL, error = NULL, completed_at = NULL, claimed = 0,"
            " starts_at = ?, ends_at = ? WHERE id = ?",
            (status, now, now + row["ends_at"] - row["starts_at"], task_id),
        )

    def hurry(self, task_id: int, now: float) -> None:
        """An open task's work is over now, as if it had begun earlier; its result is made at once."""
        self._db.execute(
            "UPDATE tasks SET status = 'processing', starts_at = ? - (ends_at - starts_at), ends_at = ?, claimed = 0"
            " WHERE id = ? AND completed_at IS NULL AND claimed != 1",
            (now, now, task_id),
        )

    def drop(self, task_id: int) -> None:
        """The service no longer knows the task."""
        self._db.execute("DELETE FROM tasks WHERE id = ?", (task_id,))

    # -- callbacks

    def callbacks_due(self) -> list[int]:
        return [row["id"] for row in self._db.execute("SELECT id FROM tasks WHERE callback_due = 1")]

    def callback_done(self, task_id: int) -> None:
        self._db.execute("UPDATE tasks SET callback_due = 0 WHERE id = ?", (task_id,))

    def callback_again(self, task_id: int) -> None:
        self._db.execute("UPDATE tasks SET callback_due = 1 WHERE id = ?", (task_id,))

    def callback_posted(self, task_id: int) -> None:
        self._db.execute("UPDATE tasks SET callback_posts = callback_posts + 1 WHERE id = ?", (task_id,))

    # -- pages, newest first

    def page(self, *, status: str | None, task_type: str | None, before: int | None, limit: int) -> list[sqlite3.Row]:
        """Up to `limit` tasks with an id below `before`."""
        wanted = {"status = ?": status, "task_type = ?": task_type, "id < ?": before}
        return self._select("SELECT * FROM tasks", wanted, limit)

    def usage(self, *, start: float | None, end: float | None, before: int | None, limit: int) -> tuple[list[sqlite3.Row], int]:
        """A page of what consumed credits within [start, end), and the sum of all pages."""
        wanted: dict[str, Any] = {"credits > ?": 0, "created_at >= ?": start, "created_at < ?": end}
        total = self._select("SELECT COALESCE(SUM(credits), 0) AS total FROM tasks", wanted, 1, order="")[0]["total"]
        return self._select("SELECT * FROM tasks", {**wanted, "id < ?": before}, limit), total

    def _select(self, head: str, wanted: dict[str, Any], limit: int, order: str = " ORDER BY id DESC") -> list[sqlite3.Row]:
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        return self._db.execute(f"{head}{where}{order} LIMIT ?", (*given.values(), limit)).fetchall()

    def everything(self) -> list[sqlite3.Row]:
        return self._db.execute("SELECT * FROM tasks ORDER BY id").fetchall()
