"""Verbs over commands: rows that a person's steering left, and what came of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qavix_watch.core.records import Command
from qavix_watch.store.rows import read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping


class Commands:
    """What people's steering left to be done. A row is written by the command, and answered once by whoever serves the state."""

    def __init__(self, connection: sqlite3.Connection, account: int) -> None:
        self._connection = connection
        self._account = account

    def add(self, verb: str, target: str, said: Mapping[str, Any], now: float) -> int:
        """Leave a command: `target` is an id as `jobs` shows it, "" where it is about everything. Gives the row's id."""
        cursor = self._connection.execute(
            "INSERT INTO commands (account, at, verb, target, argument) VALUES (?, ?, ?, ?, ?)",
            (self._account, now, verb, target, json.dumps(dict(said))),
        )
        return int(cursor.lastrowid or 0)

    def waiting(self) -> list[Command]:
        """What is still to be done, in the order in which it was said."""
        rows = self._connection.execute("SELECT * FROM commands WHERE account = ? AND done_at IS NULL ORDER BY id", (self._account,))
        return [read(Command, row) for row in rows]

    def is_waiting(self, number: int) -> bool:
        """Whether this one is still to be done."""
        return self._connection.execute("SELECT 1 FROM commands WHERE id = ? AND done_at IS NULL", (number,)).fetchone() is not None

    def answer(self, number: int, ok: bool, text: str, now: float) -> None:
        """It was done, or could not be; `text` says what came of it."""
        self._connection.execute(
            "UPDATE commands SET done_at = ?, ok = ?, answer = ? WHERE id = ? AND done_at IS NULL", (now, int(ok), text, number)
        )

    def answers(self, numbers: Collection[int]) -> dict[int, tuple[bool, str]]:
        """What came of those of these commands that were done: whether it worked, and what is said of it."""
        rows = self._connection.execute(
            f"SELECT id, ok, answer FROM commands WHERE done_at IS NOT NULL AND id IN ({', '.join('?' * len(numbers))})", (*numbers,)
        )
        return {row["id"]: (bool(row["ok"]), row["answer"]) for row in rows}
