"""Verbs over brakes: what is wrong with the world, and what it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.records import BrakeRow
from qavix_watch.store.rows import read

if TYPE_CHECKING:
    import sqlite3

    from qavix_watch.store.work import Work


class Brakes:
    """One row a brake and scope. A row that is off keeps its count until a success resets it."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work) -> None:
        self._connection = connection
        self._account = account
        self._work = work

    def on(self) -> list[BrakeRow]:
        """The brakes that are on."""
        rows = self._connection.execute(
            "SELECT * FROM brakes WHERE account = ? AND state = 'on' ORDER BY since", (self._account,)
        )
        return [read(BrakeRow, row) for row in rows]

    def pull(self, name: str, scope: str, why: str, hint: str, now: float, until: float, level: float | None = None) -> bool:
        """Put a brake on, or keep it on until `until`. True where it was off: that is said once.

        Calls that were under way together and failed together are one time: the latest `until` of them holds. `level` is the balance
        that goes with it; one that is known stays.
        """
        before = self._connection.execute(
            "SELECT state, count, until FROM brakes WHERE account = ? AND name = ? AND scope = ?", (self._account, name, scope)
        ).fetchone()
        was_on = before is not None and before["state"] == "on"
        count = 1 if before is None else before["count"] + 1
        if was_on and before["until"] > now:
            count, until = before["count"], max(until, before["until"])
        since = "brakes.since" if was_on else "excluded.since"
        self._connection.execute(
            "INSERT INTO brakes (account, name, scope, since, why, hint, until, count, state, level)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'on', ?)"
            " ON CONFLICT (account, name, scope) DO UPDATE SET why = excluded.why, hint = excluded.hint,"
            " until = excluded.until, count = excluded.count, state = 'on', probing = 0, level = coalesce(excluded.level, brakes.level),"
            f" since = {since}",
            (self._account, name, scope, now, why, hint, until, count, level),
        )
        if not was_on:
            self._work.note(now, f"brake {name}", 0, "off", "on", why)
        return not was_on

    def count(self, name: str, scope: str) -> int:
        """How often it came before this time, without a success between."""
        row = self._connection.execute(
            "SELECT max(count - (state = 'on'), 0) FROM brakes WHERE account = ? AND name = ? AND scope = ?", (self._account, name, scope)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def probe(self, name: str, scope: str) -> None:
        """Let one piece of the work that this brake stops try; whether it works shows then."""
        self._connection.execute(
            "UPDATE brakes SET probing = 1 WHERE account = ? AND name = ? AND scope = ? AND state = 'on'", (self._account, name, scope)
        )

    def rest(self, name: str, scope: str, until: float) -> None:
        """Nothing tries under this brake before `until`: what tried last told nothing of it."""
        self._connection.execute(
            "UPDATE brakes SET probing = 0, until = ? WHERE account = ? AND name = ? AND scope = ? AND state = 'on'",
            (until, self._account, name, scope),
        )

    def say(self, name: str, scope: str, why: str) -> None:
        """What a brake that is on waits for has changed."""
        self._connection.execute(
            "UPDATE brakes SET why = ? WHERE account = ? AND name = ? AND scope = ? AND state = 'on'", (why, self._account, name, scope)
        )

    def approve_account(self, now: float) -> bool:
        """A person says that this is the account, although it knows no task of ours. False where nobody had doubted it.

        What was submitted before is then only lost, task by task.
        """
        if not self.let_go("account", "", now, "approved"):
            return False
        self._connection.execute(
            "INSERT INTO facts (account, name, value, at) VALUES (?, 'account approved', 'true', ?)"
            " ON CONFLICT (account, name) DO UPDATE SET at = excluded.at",
            (self._account, now),
        )
        self._connection.execute(
            "UPDATE jobs SET due = ? WHERE account = ? AND state = 'processing' AND owner IS NULL AND due > ?", (now, self._account, now)
        )
        return True

    def hurry(self, now: float) -> list[BrakeRow]:
        """Look at every brake at once, but for a pause that the service asked for: it is a start, or the settings were read again.

        A path of the API may be another one now: its brake lets go. Gives the brakes that did.
        """
        paths = [brake for brake in self.on() if brake.name == "api"]
        for brake in paths:
            self.let_go(brake.name, brake.scope, now, "the settings were read again")
        self._connection.execute(
            "UPDATE brakes SET until = ? WHERE account = ? AND state = 'on' AND name NOT IN ('rate', 'paused') AND until > ?",
            (now, self._account, now),
        )
        return paths

    def let_go(self, name: str, scope: str, now: float, why: str) -> bool:
        """Take a brake off. False where it was not on."""
        changed = self._connection.execute(
            "UPDATE brakes SET state = 'off', probing = 0, level = NULL WHERE account = ? AND name = ? AND scope = ? AND state = 'on'",
            (self._account, name, scope),
        ).rowcount
        if changed:
            self._work.note(now, f"brake {name}", 0, "on", "off", why)
        return bool(changed)

    def succeeded(self, *brakes: tuple[str, str]) -> None:
        """What these brakes, each a name and a scope, are about works: the next time counts from one again."""
        counting = self._connection.execute("SELECT name, scope FROM brakes WHERE account = ? AND count > 0", (self._account,)).fetchall()
        for name, scope in counting:
            if (name, scope) in brakes:
                self._connection.execute(
                    "UPDATE brakes SET count = 0 WHERE account = ? AND name = ? AND scope = ?", (self._account, name, scope)
                )
