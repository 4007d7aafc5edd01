"""Verbs over drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import (
    CUT_SHORT,
    DROP_LIVE,
    HELD_BY_ORDER,
    JOB_UNSUBMITTED,
    DeliveryState,
    DropState,
    JobState,
)
from qavix_watch.core.records import Drop
from qavix_watch.store.rows import UNSUBMITTED, bare, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from qavix_watch.core.files import Stat
    from qavix_watch.store.work import Work

_LIVE = ", ".join(f"'{state}'" for state in DROP_LIVE)
_BEFORE_JOBS = (DropState.WAITING, DropState.SETTLED, DropState.FINGERPRINTED)


class Drops:
    """Files that people put into watched places."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work) -> None:
        self._connection = connection
        self._account = account
        self._work = work

    def known(self, place: str) -> Iterable[Drop]:
        """Every drop whose file may still lie at its path."""
        rows = self._connection.execute(
            f"SELECT * FROM drops WHERE account = ? AND place = ? AND detached = 0 AND state IN ({_LIVE}, 'kept', 'failed', 'ignored')"
            " ORDER BY id",
            (self._account, place),
        )
        return (read(Drop, row) for row in rows)

    def find(self, number: int) -> Drop | None:
        """The drop of this id."""
        row = self._connection.execute("SELECT * FROM drops WHERE account = ? AND id = ?", (self._account, number)).fetchone()
        return None if row is None else read(Drop, row)

    def add(self, place: str, path: bytes, stat: Stat, order: Mapping[str, Any], now: float, due: float, not_before: float) -> int:
        """A new drop; `order` gives folder, order_json, canonical, task and priority. Gives its id."""
        values = {
            "account": self._account,
            "state": DropState.WAITING,
            "place": place,
            "path": path,
            **_stat_fields(stat),
            **order,
            "changed_at": now,
            "not_before": not_before,
            "due": due,
            "created_at": now,
        }
        cursor = self._connection.execute(
            f"INSERT INTO drops ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*map(bare, values.values())]
        )
        number = int(cursor.lastrowid or 0)
        self._work.note(now, "drop", number, "", DropState.WAITING, "noticed")
        return number

    def changed(self, number: int, stat: Stat, now: float, due: float, why: str) -> bool:
        """The file is not what it was: begin again, where nothing was submitted for it. False where it is too late for that."""
        fields = {**_stat_fields(stat), "changed_at": now, "due": due, "sha256": None, "partner_sha256": None, "accepted": 0}
        return self._begin_again(number, now, why, fields)

    def reordered(self, number: int, order: Mapping[str, Any], now: float) -> bool:
        """Its folder's name or options say something else now: begin again, where nothing was submitted for it."""
        fields = {**order, "due": now, "sha256": None, "partner_sha256": None, "partner": None}
        return self._begin_again(number, now, "its order changed", fields)

    def stopped(self, number: int, now: float, why: str) -> bool:
        """Its folder asks for nothing that is understood: what was not submitted waits."""
        return self._begin_again(number, now, why, {"due": now, "sha256": None, "partner_sha256": None})

    def partner_changed(self, number: int, now: float) -> bool:
        """Its second input is not what it was read with, or not there: begin again, where nothing was submitted for it."""
        fields = {"due": now, "sha256": None, "partner_sha256": None, "partner": None}
        return self._begin_again(number, now, "its partner changed", fields)

    def paired(self, place: str) -> Iterable[Drop]:
        """The drops of two inputs whose second one is known, and that may still begin again."""
        rows = self._connection.execute(
            "SELECT * FROM drops WHERE account = ? AND place = ? AND detached = 0 AND origin IS NULL"
            " AND state IN ('settled', 'fingerprinted', 'delivering') AND partner IS NOT NULL",
            (self._account, place),
        ).fetchall()
        return (read(Drop, row) for row in rows)

    def settle_again(self, now: float, why: str) -> None:
        """Whether a file is complete is to be judged anew, of each that was not read since."""
        rows = self._connection.execute(
            "SELECT id FROM drops WHERE account = ? AND state = 'settled' AND owner IS NULL", (self._account,)
        ).fetchall()
        for (number,) in rows:
            self._work.move("drop", number, (DropState.SETTLED,), DropState.WAITING, now, why, {"due": now})

    def _begin_again(self, number: int, now: float, why: str, fields: Mapping[str, Any]) -> bool:
        if self.was_submitted(number):
            return False
        self._forget_jobs(number, now, why)
        fields = {"held": "", "question": "", **fields}  # whatever it was held for, it is judged anew
        return self._work.move("drop", number, (*_BEFORE_JOBS, DropState.DELIVERING), DropState.WAITING, now, why, fields)

    def touch(self, number: int, now: float, due: float, not_before: float | None = None) -> None:
        """Its last change was just now: look at it at `due`."""
        self._connection.execute(
            "UPDATE drops SET changed_at = max(changed_at, ?), due = ?,"
            " not_before = max(not_before, ?) WHERE id = ? AND state = 'waiting'",
            (now, due, not_before or 0.0, number),
        )

    def still_arriving(self, place: str, folder: bytes, until: float) -> None:
        """What waits below a folder that is still arriving waits until it has been quiet."""
        self._connection.execute(
            "UPDATE drops SET not_before = max(not_before, ?), due = max(due, ?) WHERE account = ? AND place = ? AND state = 'waiting'"
            " AND due IS NOT NULL AND path > ? AND path < ?",
            (until, until, self._account, place, folder + b"/", folder + b"0"),
        )

    def wake_pairs(self, place: str, folder: bytes, now: float) -> None:
        """Look at the drops of two inputs that wait in this folder or below it."""
        self._connection.execute(
            "UPDATE drops SET due = min(due, max(not_before, ?)) WHERE account = ? AND place = ? AND state = 'waiting'"
            " AND task IN ('face_swap', 'lip_sync') AND path > ? AND path < ?",
            (now, self._account, place, folder + b"/", folder + b"0"),
        )

    def vanished(self, number: int, now: float, why: str = "the original was taken away") -> str:
        """Its file is no longer there: what was not submitted for it is undone.

        Gives "gone" (that was all) or "detached" (what was submitted is still delivered; what is being put away comes to its end, and so
        does what was told of it where it was worked on from).
        """
        self._forget_jobs(number, now, why)
        said, end = "gone", DropState.GONE
        fields: dict[str, object] = {"ended_at": now}
        if self._work.get("drop", number).origin is not None:
            said, end = "detached", DropState.ARCHIVING
            fields = {"detached": 1, "due": now, "verdict": "cancelled", "held": "", "question": ""}
        if not self.was_submitted(number) and self._work.move(
            "drop", number, (*_BEFORE_JOBS, DropState.DELIVERING), end, now, "taken out", fields
        ):
            return said
        self.detach(number, now, why)
        self.conclude(number, now)
        return "detached"

    def detach(self, number: int, now: float, why: str) -> None:
        """What lies at its path is no longer this drop's: its results are delivered, the path is left alone."""
        self._connection.execute("UPDATE drops SET detached = 1 WHERE id = ?", (number,))
        row: Drop = self._work.get("drop", number)
        self._work.note(now, "drop", number, row.state, row.state, why)

    def moved(self, number: int, path: bytes, folder: bytes, now: float, *, aside: bytes | None = None) -> None:
        """A submitted drop's file has another path now, or another private name (`aside`, absolute); its results go where that
        folder's results go.
        """
        self._connection.execute(
            "UPDATE drops SET path = ?, folder = ?, aside = coalesce(?, aside) WHERE id = ?", (path, folder, aside, number)
        )
        row: Drop = self._work.get("drop", number)
        self._work.note(now, "drop", number, row.state, row.state, "the original was moved or its folder renamed")

    def reopen(self, number: int, to: DropState, origin: bytes | None, now: float, why: str, fields: Mapping[str, Any] = {}) -> bool:
        """A drop at rest is worked on again, from where its original lies (`origin`, absolute; None for its own path)."""
        anew = {
            "origin": origin, "target": None, "aside": None, "verdict": "", "held": "", "ended_at": None,
            "due": now if to is DropState.WAITING else None,
        }
        return self._work.move("drop", number, (DropState.ARCHIVED, DropState.KEPT, DropState.FAILED), to, now, why, {**anew, **fields})

    def approve(self, number: int, now: float, why: str) -> None:
        """A person takes a drop as it is: it goes on where it was held."""
        row: Drop = self._work.get("drop", number)
        due = None if row.state is DropState.DELIVERING else now
        self._work.move("drop", number, DROP_LIVE, row.state, now, why, {"held": "", "accepted": 1, "due": due})
        self._work.note(now, "drop", number, row.state, row.state, why)

    def cancel(self, number: int, now: float, why: str) -> bool:
        """It is worked on no more. What nobody else wants and was not submitted ends; False where it is at rest."""
        self._forget_jobs(number, now, why)
        for (delivery,) in self._connection.execute(
            "SELECT id FROM deliveries WHERE drop_id = ? AND state = 'pending'", (number,)
        ).fetchall():
            self._work.move("delivery", delivery, (DeliveryState.PENDING,), DeliveryState.CANCELLED, now, why)
        self.conclude(number, now)
        return self._work.move(
            "drop", number, _BEFORE_JOBS, DropState.ARCHIVING, now, why, {"due": now, "verdict": "cancelled", "held": ""}
        ) or self._work.get("drop", number).state is DropState.ARCHIVING

    def failed_alike(self, drop: Drop) -> list[Drop]:
        """Earlier drops of the same content whose originals were put into failed/: this one may be such an original, dragged back."""
        rows = self._connection.execute(
            "SELECT * FROM drops WHERE account = ? AND sha256 = ? AND state = 'failed' AND detached = 0 AND id < ? AND target IS NOT NULL",
            (self._account, drop.sha256, drop.id),
        )
        return [read(Drop, row) for row in rows]

    def was_refused_cut(self, drop: Drop, inbox: bytes) -> bool:
        """Whether this very file, as it is, was refused before for being cut short, and put out of the inbox: who drags it back means it.
        One that stayed there may only have got another name.
        """
        found = self._connection.execute(
            "SELECT 1 FROM drops WHERE account = ? AND state = 'failed' AND sha256 IS NULL AND size = ? AND mtime_ns = ? AND id < ?"
            " AND instr(reason, ?) = 1 AND instr(target, ?) <> 1 LIMIT 1",
            (self._account, drop.size, drop.mtime_ns, drop.id, CUT_SHORT, inbox + b"/"),
        ).fetchone()
        return found is not None

    def was_submitted(self, number: int) -> bool:
        """Whether a POST may have gone out for any of its jobs, or something was delivered."""
        found = self._connection.execute(
            "SELECT 1 FROM deliveries JOIN jobs ON jobs.id = deliveries.job WHERE drop_id = ? AND deliveries.state <> 'cancelled'"
            f" AND (deliveries.state = 'done' OR jobs.posted OR jobs.state NOT IN ({UNSUBMITTED}, 'held', 'cancelled')) LIMIT 1",
            (number,),
        ).fetchone()
        return found is not None

    def _forget_jobs(self, number: int, now: float, why: str) -> None:
        pending = self._connection.execute(
            "SELECT deliveries.id, job, held_by FROM deliveries JOIN jobs ON jobs.id = deliveries.job WHERE drop_id = ?"
            f" AND deliveries.state = 'pending' AND jobs.posted = 0 AND jobs.state IN ({UNSUBMITTED}, 'held', 'failed')", (number,)
        ).fetchall()  # one that has failed and is still waited for is in doubt: it may be taken back
        for delivery, job, held_by in pending:
            self._work.move("delivery", delivery, (DeliveryState.PENDING,), DeliveryState.CANCELLED, now, why)
            left = self.wanting(job)
            if not left:
                self._work.move(
                    "job", job, (*JOB_UNSUBMITTED, JobState.HELD), JobState.CANCELLED, now, "nobody wants it any more",
                    {"ended_at": now},
                )
            elif all(drop.held for drop in left):
                # what a limit held would go by itself once that is raised
                frm = (*JOB_UNSUBMITTED, JobState.HELD) if held_by else JOB_UNSUBMITTED
                self._work.move("job", job, frm, JobState.HELD, now, HELD_BY_ORDER, {"held_by": ""})

    def wanting(self, job: int) -> list[Drop]:
        """The drops that wait for this job."""
        rows = self._connection.execute(
            "SELECT drops.* FROM drops JOIN deliveries ON deliveries.drop_id = drops.id WHERE deliveries.job = ?"
            " AND deliveries.state = 'pending' ORDER BY drops.id",
            (job,),
        )
        return [read(Drop, row) for row in rows]

    def holding(self, sha256: str) -> list[Drop]:
        """The drops at whose path this content should lie, as the main file or as the partner."""
        rows = self._connection.execute(
            "SELECT * FROM drops WHERE account = ? AND (sha256 = ? OR partner_sha256 = ?) AND detached = 0"
            f" AND state IN ({_LIVE}, 'kept', 'failed', 'archived') ORDER BY state IN ({_LIVE}) DESC, id",
            (self._account, sha256, sha256),
        )
        return [read(Drop, row) for row in rows]

    def at(self, place: str, path: bytes) -> list[Drop]:
        """Every drop that was ever made from this path, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM drops WHERE account = ? AND place = ? AND path = ? ORDER BY id DESC", (self._account, place, path)
        )
        return [read(Drop, row) for row in rows]

    def questions(self, place: str) -> list[tuple[bytes, bytes, str]]:
        """The drops whose order is understood and cannot be carried out before somebody mends it: folder, path, what is to be mended."""
        rows = self._connection.execute(
            "SELECT folder, path, question FROM drops WHERE account = ? AND place = ? AND state = 'fingerprinted' AND question <> ''"
            " AND outlet IS NULL ORDER BY id",
            (self._account, place),
        )
        return [(row["folder"], row["path"], row["question"]) for row in rows]

    def twins(self, drop: Drop, stem: bytes) -> bool:
        """Whether another source has lain in the same folder, at the same time, with the stem `stem` (a path without suffix) as well."""
        low, high = stem + b".", stem + b"/"  # "/" is the byte after "."
        rows = self._connection.execute(
            "SELECT path FROM drops WHERE account = ? AND place = ? AND path >= ? AND path < ? AND path <> ? AND state <> 'gone'"
            " AND (ended_at IS NULL OR ended_at >= ? OR (state IN ('kept', 'ignored') AND detached = 0))"
            " AND (outlet IS NULL OR (outlet = ? AND canonical = ?))",  # what was submitted by command has no folder of its own kind
            (self._account, drop.place, low, high, drop.path, drop.created_at, drop.outlet, drop.canonical),
        )
        return any(b"/" not in row[0][len(low) :] and b"." not in row[0][len(low) :] for row in rows)

    def partner_needed(self, drop: Drop) -> bool:
        """Whether another drop that is not at rest uses this drop's partner too."""
        found = self._connection.execute(
            f"SELECT 1 FROM drops WHERE account = ? AND place = ? AND partner = ? AND id <> ? AND state IN ({_LIVE}) LIMIT 1",
            (self._account, drop.place, drop.partner, drop.id),
        ).fetchone()
        return found is not None

    def conclude(self, number: int, now: float) -> None:
        """Where every delivery of a drop is at rest, send it on to be put away."""
        states = self._connection.execute(
            "SELECT deliveries.state, deliveries.reason FROM deliveries WHERE drop_id = ?", (number,)
        ).fetchall()
        if any(state == "pending" for state, _ in states):
            return
        failed = [reason for state, reason in states if state == "failed"]
        cancelled = [reason for state, reason in states if state == "cancelled"]
        verdict = "failed" if failed else "done" if len(cancelled) < len(states) else "cancelled"
        why = failed[0] if failed else "every result is in place" if verdict == "done" else "cancelled"
        self._work.move(
            "drop", number, (DropState.DELIVERING,), DropState.ARCHIVING, now, why, {"due": now, "verdict": verdict}
        )


def _stat_fields(stat: Stat) -> dict[str, int]:
    return {"size": stat.size, "mtime_ns": stat.mtime_ns, "inode": stat.inode}
