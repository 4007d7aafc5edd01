"""Verbs over what the service says of itself: its process, its places, the folders it understood, progress, troubles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qavix_watch.store.work import WAKE, WAKES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from qavix_watch.store.work import Work


class House:
    """What `status` shows besides work. Each node that serves the state says this of itself, from its `started` on."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work) -> None:
        self._connection = connection
        self._account = account
        self._work = work
        self._node = ""

    def started(self, pid: int, node: str, boot: str, config: str, now: float) -> bool:
        """This process of this node serves the state now. Whether the one before ran since the start of its host (`boot` changes with
        it); a host of the same boot is the same one, under whatever name.
        """
        self._node = node
        before = self._connection.execute(
            "SELECT node, boot FROM service WHERE node = ? OR (boot = ? AND boot <> '')", (node, boot)
        ).fetchall()
        for earlier in dict.fromkeys((node, *(row["node"] for row in before))):
            for table in ("service", "progress", "troubles"):
                self._connection.execute(f"DELETE FROM {table} WHERE node = ?", (earlier,))
        self._connection.execute(
            "INSERT INTO service (node, pid, boot, started_at, config, ready) VALUES (?, ?, ?, ?, ?, 0)", (node, pid, boot, now, config)
        )
        return any(row["boot"] == boot for row in before)

    def ready(self) -> None:
        """The first scan is done."""
        self._connection.execute("UPDATE service SET ready = 1 WHERE node = ?", (self._node,))

    def stopped(self) -> None:
        """This node serves the state no more."""
        self._connection.execute("UPDATE service SET pid = 0, ready = 0 WHERE node = ?", (self._node,))
        self._connection.execute("DELETE FROM progress WHERE node = ?", (self._node,))

    def place(self, number: str, path: bytes, starts: int) -> int:
        """A watched place, by the id in its marker, at its start `starts`. How many starts before this one the state knows nothing of."""
        before = self._connection.execute("SELECT starts FROM places WHERE id = ?", (number,)).fetchone()
        self._connection.execute("INSERT OR REPLACE INTO places (id, path, starts) VALUES (?, ?, ?)", (number, path, starts))
        return max(0, starts - 1 - (before["starts"] if before else 0))

    def standing(self) -> dict[str, int]:
        """How much is open: "files" in work, jobs "uploading" and "processing", what is "held". Read from indexes that hold no more."""
        opened = "state IN ('uploading', 'processing')"
        in_work = "state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving')"
        asked = {
            "files": f"FROM drops WHERE account = ? AND {in_work}",
            "uploading": f"FROM jobs WHERE account = ? AND {opened} AND state = 'uploading'",
            "processing": f"FROM jobs WHERE account = ? AND {opened} AND state = 'processing'",
            "held drops": f"FROM drops WHERE account = ? AND held <> '' AND {in_work}",
            "held jobs": "FROM jobs WHERE account = ? AND state = 'held'",
        }
        rows = {what: self._connection.execute(f"SELECT count(*) {sql}", (self._account,)).fetchone() for what, sql in asked.items()}
        found = {what: int(row[0]) for what, row in rows.items()}
        return {**found, "held": found["held drops"] + found["held jobs"]}

    def duty(self, name: str, now: float) -> None:
        """Have recurring work done; nothing where it is known."""
        self._connection.execute(
            "INSERT INTO duties (account, state, name, due) VALUES (?, 'due', ?, ?) ON CONFLICT (account, name) DO NOTHING",
            (self._account, name, now),
        )

    def hurry(self, name: str, now: float) -> None:
        """Have recurring work done at `now`, or earlier."""
        self._connection.execute(
            f"UPDATE duties SET {WAKE} WHERE account = :account AND name = :name AND {WAKES}",
            {"at": now, "account": self._account, "name": name},
        )

    def progress(self, rows: Iterable[tuple[str, int, str, int, int, float, float]]) -> None:
        """What this node does just now: item, id, act, bytes done, bytes in all, bytes a second, when."""
        self._connection.execute("DELETE FROM progress WHERE node = ?", (self._node,))
        self._connection.executemany(
            "INSERT OR REPLACE INTO progress (item, item_id, act, done, total, rate, at, node) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(*row, self._node) for row in rows],
        )

    def trouble(self, name: str, text: str | None, now: float) -> None:
        """Something that `status` should say; None ends it."""
        if text is None:
            self._connection.execute("DELETE FROM troubles WHERE name = ? AND node = ?", (name, self._node))
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO troubles (name, at, text, node) VALUES (?, ?, ?, ?)", (name, now, text, self._node)
            )

    def folders(self, place: str, folders: Mapping[bytes, tuple[str | None, str | None, str | None]]) -> None:
        """The folders of the inbox as they were read: canonical order, in words, problem."""
        self._connection.execute("DELETE FROM folders WHERE place = ?", (place,))
        self._connection.executemany(
            "INSERT INTO folders (place, path, canonical, words, problem) VALUES (?, ?, ?, ?, ?)",
            [(place, path, *said) for path, said in folders.items()],
        )

    def fact(self, name: str) -> tuple[Any, float] | None:
        """What the account is known for under this name ("balance", "pricing" …), and since when; None where nothing is."""
        row = self._connection.execute("SELECT value, at FROM facts WHERE account = ? AND name = ?", (self._account, name)).fetchone()
        return None if row is None else (json.loads(row["value"]), float(row["at"]))

    def learn(self, name: str, value: Any, now: float) -> None:
        """Remember something of the account: anything that JSON can hold."""
        self._connection.execute(
            "INSERT INTO facts (account, name, value, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, name) DO UPDATE SET value = excluded.value, at = excluded.at",
            (self._account, name, json.dumps(value), now),
        )
