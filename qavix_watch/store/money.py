"""Verbs over credits: what is set aside for jobs, which jobs a limit holds, and the mass drops that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import JOB_UNSUBMITTED, JobState
from qavix_watch.core.money import MASS_SECONDS, Batch, Filed, Span
from qavix_watch.core.records import Drop, Job
from qavix_watch.store.rows import UNSUBMITTED, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from qavix_watch.store.work import Work

_ALLOWED = "budget allowed"
_SAID_YES = (
    "EXISTS (SELECT 1 FROM batches WHERE batches.account = drops.account AND batches.place = drops.place"
    " AND batches.canonical = drops.canonical AND batches.state = 'approved'"
    " AND drops.created_at BETWEEN batches.begun AND batches.latest)"
)
"""Whether a person let the mass go that this drop belongs to."""


class Money:
    """What the budget counts. A batch is a mass of files of one order: waiting, then approved, or ended without a person."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work) -> None:
        self._connection = connection
        self._account = account
        self._work = work

    # What is set aside

    def spent(self, since: float, but: int = 0) -> float:
        """Credits that were set aside or used since then, those of the job `but` left out."""
        row = self._connection.execute(
            "SELECT coalesce(sum(reserved), 0) FROM jobs WHERE account = ? AND reserved IS NOT NULL AND reserved_at >= ? AND id <> ?",
            (self._account, since, but),
        ).fetchone()
        return float(row[0])

    def next_price(self, now: float) -> float | None:
        """What the job is estimated at that would be submitted now; None where none waits, or its price is not known.

        What waits out a pause, or for its operation to answer, says nothing of those behind it: the brake would go on and off.
        """
        row = self._connection.execute(
            "SELECT estimate FROM jobs WHERE account = :account AND state = 'submitting' AND approved = 0 AND posted = 0 AND due <= :now"
            " AND operation NOT IN (SELECT scope FROM brakes WHERE account = :account AND name = 'api' AND state = 'on')"
            " ORDER BY priority DESC, due, id LIMIT 1",
            {"account": self._account, "now": now},
        ).fetchone()
        return None if row is None else row[0]

    def unsubmitted(self) -> list[Job]:
        """The jobs that nothing was paid for yet."""
        rows = self._connection.execute(
            f"SELECT * FROM jobs WHERE account = ? AND state IN ({UNSUBMITTED}, 'held') AND posted = 0", (self._account,)
        )
        return [read(Job, row) for row in rows]

    def priced(self, number: int, estimate: float | None) -> None:
        """What a job should cost."""
        self._connection.execute("UPDATE jobs SET estimate = ? WHERE id = ? AND estimate IS NOT ?", (estimate, number, estimate))

    def freed(self, now: float) -> None:
        """A task has ended, perhaps for less than was set aside for it: look whether the budget has room again."""
        self._connection.execute(
            "UPDATE brakes SET until = ? WHERE account = ? AND name = 'budget' AND state = 'on' AND until > ?", (now, self._account, now)
        )

    # What a person allowed

    def allow_budget(self, now: float, until: float) -> bool:
        """A person said that the used-up day or month does not count for the rest of it, or until then. False where none is used up."""
        rows = self._connection.execute(
            "SELECT scope FROM brakes WHERE account = ? AND name = 'budget' AND state = 'on'", (self._account,)
        ).fetchall()
        for (scope,) in rows:
            self._connection.execute(
                "INSERT INTO facts (account, name, value, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (account, name) DO UPDATE SET value = excluded.value, at = excluded.at",
                (self._account, f"{_ALLOWED} {scope}", repr(float(until)), now),
            )
        self._connection.execute(
            "UPDATE brakes SET state = 'off', probing = 0 WHERE account = ? AND name = 'budget' AND state = 'on'", (self._account,)
        )
        for _ in rows:
            self._work.note(now, "brake budget", 0, "on", "off", "a person allowed it")
        return bool(rows)

    def allowed(self, span: Span) -> tuple[float, float]:
        """When a person last allowed to go over the limit of a day or month, and until when at least; 0.0 where nobody did."""
        row = self._connection.execute(
            "SELECT at, value FROM facts WHERE account = ? AND name = ?", (self._account, f"{_ALLOWED} {span}")
        ).fetchone()
        return (0.0, 0.0) if row is None else (float(row["at"]), float(row["value"]))

    # What limits hold

    def held(self) -> list[Job]:
        """The jobs that a limit holds."""
        rows = self._connection.execute(
            "SELECT * FROM jobs WHERE account = ? AND held_by <> '' AND state = 'held' ORDER BY id", (self._account,)
        )
        return [read(Job, row) for row in rows]

    def let_go(self, number: int, now: float, why: str) -> bool:
        """A held job goes on."""
        return self._work.move("job", number, (JobState.HELD,), JobState.READY, now, why, {"due": now, "held_by": ""})

    # Mass drops

    def files(self, place: str, canonical: str, low: float, high: float) -> list[Filed]:
        """The files of one order that came from `low` to `high`, but for those that a person let go or that nothing is to be paid for."""
        rows = self._connection.execute(
            "SELECT drops.id AS file, drops.created_at AS at, jobs.id AS job, jobs.state, jobs.estimate, jobs.reserved, jobs.reserved_at"
            " FROM drops LEFT JOIN deliveries ON deliveries.drop_id = drops.id AND deliveries.state <> 'cancelled'"
            " LEFT JOIN jobs ON jobs.id = deliveries.job WHERE drops.account = ? AND drops.place = ? AND drops.canonical = ?"
            f" AND drops.created_at BETWEEN ? AND ? AND drops.state NOT IN ('gone', 'ignored') AND drops.held = '' AND NOT {_SAID_YES}"
            " ORDER BY drops.id, jobs.id",
            (self._account, place, canonical, low, high),
        ).fetchall()
        return [filed for filed in _by_file(rows, low) if filed.waits or filed.credits]

    def at_most(self, drop: Drop, low: float, high: float) -> tuple[int, float | None]:
        """How many files of a drop's order came from `low` to `high`, and what they cost at the very most, without looking at each."""
        count, jobs, dearest = self._connection.execute(
            "SELECT (SELECT count(*) FROM drops WHERE account = ? AND place = ? AND canonical = ? AND created_at BETWEEN ? AND ?),"
            " (SELECT count(*) FROM deliveries WHERE drop_id = ?), (SELECT max(estimate) FROM jobs WHERE account = ? AND canonical = ?)",
            (self._account, drop.place, drop.canonical, low, high, drop.id, self._account, drop.canonical),
        ).fetchone()
        return count, None if dearest is None else count * jobs * dearest

    def said_yes(self, drop: int) -> bool:
        """Whether a person let the mass go that this drop belongs to."""
        return self._connection.execute(f"SELECT 1 FROM drops WHERE id = ? AND {_SAID_YES}", (drop,)).fetchone() is not None

    def waiting_batch(self, place: str, canonical: str, at: float) -> Batch | None:
        """The mass of this order that a file which came at `at` belongs to."""
        found = self._batches("AND place = ? AND canonical = ? AND ? BETWEEN begun AND latest + ?", place, canonical, at, MASS_SECONDS)
        return found[0] if found else None

    def waiting_batches(self) -> list[Batch]:
        """Every mass that waits for a person."""
        return self._batches("")

    def _batches(self, where: str, *values: object) -> list[Batch]:
        rows = self._connection.execute(
            f"SELECT * FROM batches WHERE account = ? AND state = 'waiting' {where} ORDER BY id", (self._account, *values)
        )
        return [read(Batch, row) for row in rows]

    def open_batch(self, place: str, canonical: str, begun: float, latest: float, now: float) -> Batch:
        """A mass waits from now on."""
        cursor = self._connection.execute(
            "INSERT INTO batches (account, place, canonical, state, since, begun, latest) VALUES (?, ?, ?, 'waiting', ?, ?, ?)",
            (self._account, place, canonical, now, begun, latest),
        )
        return Batch(int(cursor.lastrowid or 0), place, canonical, now, begun, latest)

    def stretch(self, batch: Batch, at: float) -> None:
        """One more file, which came at `at`, belongs to a mass."""
        self._connection.execute("UPDATE batches SET latest = max(latest, ?) WHERE id = ?", (at, batch.id))

    def hold_batch(self, batch: Batch, now: float, why: str, but: int) -> None:
        """Hold every job of the order that was not submitted, except `but`, which is in hand, and those that a person let go."""
        rows = self._connection.execute(
            "SELECT DISTINCT jobs.id FROM drops JOIN deliveries ON deliveries.drop_id = drops.id AND deliveries.state = 'pending'"
            " JOIN jobs ON jobs.id = deliveries.job WHERE drops.account = ? AND drops.place = ? AND drops.canonical = ? AND drops.held = ''"
            f" AND jobs.state IN ({UNSUBMITTED}) AND jobs.posted = 0 AND jobs.approved = 0 AND jobs.id <> ? AND NOT {_SAID_YES}",
            (self._account, batch.place, batch.canonical, but),
        ).fetchall()
        for (number,) in rows:
            self._work.move("job", number, JOB_UNSUBMITTED, JobState.HELD, now, why, {"batch": batch.id, "held_by": "mass"})

    def approve_batch(self, number: int, now: float) -> int:
        """A person lets a mass go, with what still arrives of it. Gives the jobs that were held; 0 where no such mass waits."""
        batch = next((one for one in self.waiting_batches() if one.id == number), None)
        if batch is None:
            return 0
        low, high = self._connection.execute(
            "SELECT min(created_at), max(created_at) FROM drops WHERE account = ? AND place = ? AND canonical = ? AND created_at <= ?"
            " AND (created_at >= ? OR id IN (SELECT drop_id FROM deliveries JOIN jobs ON jobs.id = deliveries.job WHERE jobs.batch = ?))",
            (self._account, batch.place, batch.canonical, batch.latest + MASS_SECONDS, batch.begun, number),
        ).fetchone()
        self._connection.execute(
            "UPDATE batches SET begun = min(begun, coalesce(?, begun)), latest = max(latest, coalesce(?, latest)) WHERE id = ?",
            (low, high, number),
        )
        return self.end_batch(number, now, "approved", "a person let the batch go")

    def end_batch(self, number: int, now: float, state: str, why: str) -> int:
        """A mass waits no longer. Gives the jobs that go on."""
        self._connection.execute("UPDATE batches SET state = ?, ended_at = ? WHERE id = ?", (state, now, number))
        self._work.note(now, "batch", number, "waiting", state, why)
        jobs = self._connection.execute(
            "SELECT id FROM jobs WHERE batch = ? AND state = 'held' AND held_by = 'mass'", (number,)
        ).fetchall()
        return sum(self.let_go(row[0], now, why) for row in jobs)


def _by_file(rows: Iterable[sqlite3.Row], low: float) -> list[Filed]:
    """One record a file; a job that several files want counts for the first of them."""
    grouped: dict[int, list[sqlite3.Row]] = {}
    counted: set[Any] = set()
    for row in rows:
        own = grouped.setdefault(row["file"], [])
        if row["job"] not in counted:
            own.append(row)
        if row["job"] is not None:
            counted.add(row["job"])
    at = {row["file"]: row["at"] for own in grouped.values() for row in own}
    return [_filed(at[file], own, low) for file, own in grouped.items() if own]


def _filed(at: float, rows: list[sqlite3.Row], low: float) -> Filed:
    """A file and its jobs. What was paid for before `low` costs nothing now; of what is not ordered yet the price is not known."""
    waiting = [row for row in rows if row["state"] in {None, *JOB_UNSUBMITTED, JobState.HELD}]
    paid = [row["reserved"] for row in rows if row not in waiting and row["reserved"] is not None and row["reserved_at"] >= low]
    prices = [*(row["estimate"] for row in waiting), *paid]
    return Filed(at, None if None in prices else sum(prices), sum(paid), bool(waiting))
