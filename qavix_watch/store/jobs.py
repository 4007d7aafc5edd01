"""Verbs over jobs, their deliveries and results."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import HELD_BY_ORDER, DeliveryState, JobState
from qavix_watch.core.records import Delivery, Job, KnownVoice, OpenTask, Result, ResultFile
from qavix_watch.store.rows import UNSUBMITTED, bare, read
from qavix_watch.store.work import WAKE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from qavix_watch.store.drops import Drops
    from qavix_watch.store.work import Work


_UNDELIVERED = (DeliveryState.PENDING, DeliveryState.FAILED, DeliveryState.CANCELLED)


class Jobs:
    """Units of billed work, each unique by its key."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work, drops: Drops) -> None:
        self._connection = connection
        self._account = account
        self._work = work
        self._drops = drops

    def find(self, number: int) -> Job | None:
        """The job of this id."""
        return self._one("id = ?", number)

    def by_key(self, key: str) -> Job | None:
        """The job with this idempotency key."""
        return self._one("key = ?", key)

    def newest(self, identity: str) -> Job | None:
        """The job of the newest generation of this work (its identity in the first one)."""
        return self._one("identity = ? ORDER BY generation DESC", identity)

    def failures(self, identity: str) -> int:
        """How many tasks of this work failed running, up to its newest generation."""
        failed = 0
        for row in self._connection.execute(
            "SELECT state, task_id, task_status FROM jobs WHERE account = ? AND identity = ? ORDER BY generation DESC",
            (self._account, identity),
        ):
            if row["state"] == "done":
                break
            failed += row["state"] == "failed" and row["task_id"] is not None and row["task_status"] != "completed"
        return failed

    def _one(self, where: str, *values: object) -> Job | None:
        row = self._connection.execute(f"SELECT * FROM jobs WHERE account = ? AND {where} LIMIT 1", (self._account, *values)).fetchone()
        return None if row is None else read(Job, row)

    def add(self, values: Mapping[str, Any], state: JobState, now: float, why: str) -> int:
        """A new job, due at once unless it is held. Gives its id."""
        row = {"account": self._account, "state": state, "due": None if state is JobState.HELD else now, "created_at": now, **values}
        if state is JobState.HELD:
            row["reason"] = why
        cursor = self._connection.execute(
            f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", [*map(bare, row.values())]
        )
        number = int(cursor.lastrowid or 0)
        self._work.note(now, "job", number, "", state, why)
        return number

    def join(self, job: Job, priority: int, *, held: bool, now: float) -> None:
        """One more drop wants this job: wake it where it had been given up, had failed before the service made a task of it, or only
        waited for approval.
        """
        if priority > job.priority:
            self._connection.execute("UPDATE jobs SET priority = ? WHERE id = ?", (priority, job.id))
        if job.state in {JobState.CANCELLED, JobState.FAILED} and not job.task_id:
            self._begin_again(job, held=held, now=now)
        elif job.state is JobState.CANCELLED or (job.state is JobState.FAILED and job.task_status == "completed"):  # it is followed again
            self._work.move("job", job.id, (job.state,), JobState.PROCESSING, now, "wanted again", {"due": now, "ended_at": None})
        elif job.state is JobState.HELD and job.reason == HELD_BY_ORDER and not held:
            self._work.move("job", job.id, (JobState.HELD,), JobState.READY, now, "wanted without hold", {"due": now})

    def _begin_again(self, job: Job, *, held: bool, now: float) -> None:
        """The service has told of no task: it is tried under its own key, once a person approves where its order says so.

        Where a POST may have gone out it is the one that is repeated, with the credits that were set aside for it.
        """
        to, why, due = (JobState.HELD, HELD_BY_ORDER, None) if held else (JobState.READY, "wanted again", now)
        anew = {"reuploads": 0} if job.state is JobState.FAILED else {"approved": 0}
        self._work.move("job", job.id, (job.state,), to, now, why, {"due": due, "ended_at": None, "held_by": "", **anew})

    def asked_by(self, drop: int) -> list[Job]:
        """The jobs that a drop asked for, those too that were cancelled or that a newer one took the place of."""
        rows = self._connection.execute(
            "SELECT jobs.* FROM jobs JOIN deliveries ON deliveries.job = jobs.id WHERE deliveries.drop_id = ? ORDER BY jobs.id", (drop,)
        )
        return [read(Job, row) for row in rows]

    def of_drop(self, drop: int) -> list[Job]:
        """The jobs that a drop asked for."""
        rows = self._connection.execute(
            "SELECT jobs.* FROM jobs JOIN deliveries ON deliveries.job = jobs.id WHERE deliveries.drop_id = ?"
            " AND deliveries.state <> 'cancelled' ORDER BY jobs.id",
            (drop,),
        )
        return [read(Job, row) for row in rows]

    def waiting_for(self, sha256: str) -> list[Job]:
        """The jobs that wait until this content is uploaded."""
        rows = self._connection.execute(
            "SELECT * FROM jobs WHERE account = ? AND state = 'uploading' AND (main_sha256 = ? OR partner_sha256 = ?)",
            (self._account, sha256, sha256),
        )
        return [read(Job, row) for row in rows]

    def open_tasks(self) -> list[OpenTask]:
        """Every task that the service has not ended yet, as far as we know."""
        rows = self._connection.execute(
            "SELECT id, task_id, submitted_at, due, task, length(text) AS letters, overdue_since,"
            " (SELECT duration FROM contents WHERE contents.account = jobs.account AND sha256 = jobs.main_sha256) AS seconds"
            " FROM jobs WHERE account = ? AND state = 'processing' ORDER BY id", (self._account,),
        )
        return [read(OpenTask, row) for row in rows]

    def known_tasks(self, but: str, limit: int) -> list[str]:
        """Tasks that the service has given us, the newest first, `but` one and those that were found to be gone."""
        rows = self._connection.execute(
            "SELECT task_id FROM jobs WHERE account = ? AND task_id IS NOT NULL AND task_id <> ? AND coalesce(task_status, '') <> 'gone'"
            " ORDER BY submitted_at DESC, id DESC LIMIT ?",
            (self._account, but, limit),
        )
        return [row["task_id"] for row in rows]

    def follow_again(self, now: float) -> None:
        """Ask for every task that is followed, at once."""
        self._connection.execute(
            "UPDATE jobs SET due = ? WHERE account = ? AND state = 'processing' AND owner IS NULL AND due > ?", (now, self._account, now)
        )

    def any_unsubmitted(self) -> bool:
        """Whether any job is still to be submitted."""
        found = self._connection.execute(f"SELECT 1 FROM jobs WHERE account = ? AND state IN ({UNSUBMITTED}) LIMIT 1", (self._account,))
        return found.fetchone() is not None

    def on_its_way(self, operation: str, but: int) -> bool:
        """Whether another job of this operation is still to be submitted."""
        found = self._connection.execute(
            f"SELECT 1 FROM jobs WHERE account = ? AND state IN ({UNSUBMITTED}) AND operation = ? AND id <> ? LIMIT 1",
            (self._account, operation, but),
        ).fetchone()
        return found is not None

    def seen(self, number: int, status: str, progress: int | None) -> None:
        """What List Tasks says of a task that is still open."""
        self._connection.execute(
            "UPDATE jobs SET task_status = ?, progress = coalesce(?, progress) WHERE id = ? AND state = 'processing'"
            " AND (task_status IS NOT ? OR progress IS NOT coalesce(?, progress))",
            (status, progress, number, status, progress),
        )

    def called_back(self, number: int, token: str, now: float) -> bool:
        """A callback came: look at the task now. False where job or token are unknown."""
        row = self._connection.execute("SELECT token, state FROM jobs WHERE id = ? AND account = ?", (number, self._account)).fetchone()
        if row is None or not _equal(row["token"], token):
            return False
        if row["state"] == JobState.PROCESSING:
            self._work.wake("job", number, now)
        return True

    def clone_underway(self, name: str, but: int) -> bool:
        """Whether another clone of this voice name may be under way."""
        found = self._connection.execute(
            "SELECT 1 FROM jobs WHERE account = ? AND task = 'voice_clone' AND state = 'submitting' AND posted = 1 AND id <> ?"
            " AND json_extract(params_json, '$.name') = ? LIMIT 1",
            (self._account, but, name),
        ).fetchone()
        return found is not None

    def expect_delivery(self, job: int, drop: int, now: float) -> None:
        """This drop wants this job's results, perhaps again. They are due at once where they are there."""
        done = self._connection.execute("SELECT state = 'done' FROM jobs WHERE id = ?", (job,)).fetchone()[0]
        due = now if done else None
        cursor = self._connection.execute(
            "INSERT INTO deliveries (account, state, due, job, drop_id) VALUES (?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING",
            (self._account, due, job, drop),
        )
        if not cursor.rowcount:
            (number,) = self._connection.execute("SELECT id FROM deliveries WHERE job = ? AND drop_id = ?", (job, drop)).fetchone()
            self._work.move("delivery", number, _UNDELIVERED, DeliveryState.PENDING, now, "wanted again", {"due": due, "reason": ""})

    def deliveries(self, job: int) -> list[Delivery]:
        """Every delivery of a job."""
        rows = self._connection.execute("SELECT * FROM deliveries WHERE job = ? ORDER BY id", (job,))
        return [read(Delivery, row) for row in rows]

    def beside(self, delivery: Delivery) -> list[Delivery]:
        """The drop's deliveries of other jobs: those that wait, and those that are done."""
        rows = self._connection.execute(
            "SELECT * FROM deliveries WHERE drop_id = ? AND id <> ? AND state IN ('pending', 'done') ORDER BY id",
            (delivery.drop_id, delivery.id),
        )
        return [read(Delivery, row) for row in rows]

    def wake_deliveries(self, job: int, now: float) -> None:
        """The results are there."""
        self._connection.execute(f"UPDATE deliveries SET {WAKE} WHERE job = :job AND state = 'pending'", {"job": job, "at": now})

    def give_up(self, job: int, now: float, why: str, to: DeliveryState = DeliveryState.FAILED) -> None:
        """The job has ended without results: so have its deliveries, and its drops are put away."""
        for delivery in self.deliveries(job):
            if self._work.move("delivery", delivery.id, (DeliveryState.PENDING,), to, now, why):
                self._drops.conclude(delivery.drop_id, now)

    def add_result(self, job: int, kind: str, extension: str, sha256: str, size: int, staged: bytes | None, inline: str | None) -> None:
        """A result is on disk under a name of our own (`staged`), or is a text (`inline`)."""
        self._connection.execute(
            "INSERT INTO results (job, kind, extension, sha256, size, staged, inline) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (job, kind) DO UPDATE SET extension = excluded.extension, sha256 = excluded.sha256, size = excluded.size,"
            " staged = excluded.staged, inline = excluded.inline",
            (job, kind, extension, sha256, size, staged, inline),
        )

    def results(self, job: int) -> list[Result]:
        """What is known of a job's results."""
        rows = self._connection.execute("SELECT * FROM results WHERE job = ? ORDER BY kind", (job,))
        return [read(Result, row) for row in rows]

    def unstage(self, result: int) -> None:
        """The file under our own name has got its place."""
        self._connection.execute("UPDATE results SET staged = NULL WHERE id = ?", (result,))

    def unstage_unwanted(self) -> None:
        """What waits for a delivery that was called off waits no more: where it is wanted again, it is fetched again."""
        self._connection.execute(
            "UPDATE results SET staged = NULL WHERE staged IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE job = results.job AND state = 'pending')"
        )

    def fetching(self) -> set[int]:
        """The jobs whose results are still to be fetched: what has come of them is gone on with."""
        return {row[0] for row in self._connection.execute("SELECT id FROM jobs WHERE state = 'fetching'")}

    def staged(self) -> set[bytes]:
        """The private names that results still wait under."""
        return {row[0] for row in self._connection.execute("SELECT staged FROM results WHERE staged IS NOT NULL")}

    def placed(self, result: int, delivery: int, path: bytes, size: int, sha256: str) -> None:
        """A result lies under a delivery's name, `path` in the outbox."""
        self._connection.execute(
            "INSERT INTO result_files (result, delivery, path, size, sha256) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (result, delivery) DO UPDATE SET path = excluded.path, size = excluded.size, sha256 = excluded.sha256",
            (result, delivery, path, size, sha256),
        )

    def copies(self, result: int) -> list[ResultFile]:
        """Where this result was put, under which names."""
        rows = self._connection.execute("SELECT * FROM result_files WHERE result = ? ORDER BY id DESC", (result,))
        return [read(ResultFile, row) for row in rows]

    def reserved(self, path: bytes, delivery: int) -> bool:
        """Whether another delivery was given this name."""
        found = self._connection.execute(
            "SELECT 1 FROM result_files WHERE path = ? AND delivery <> ? LIMIT 1", (path, delivery)
        ).fetchone()
        return found is not None

    def made_for(self, sha256: str) -> list[tuple[bytes, str]]:
        """The drops for which this content was made as a result: folder, and order as JSON."""
        rows = self._connection.execute(
            "SELECT DISTINCT drops.folder, drops.order_json FROM results JOIN deliveries ON deliveries.job = results.job"
            " JOIN drops ON drops.id = deliveries.drop_id WHERE results.sha256 = ? AND drops.account = ?",
            (sha256, self._account),
        )
        return [(row["folder"], row["order_json"]) for row in rows]

    def voices(self) -> list[KnownVoice]:
        """The voices that were cloned here."""
        rows = self._connection.execute("SELECT voice_id, name, job FROM voices WHERE account = ?", (self._account,))
        return [read(KnownVoice, row) for row in rows]

    def add_voice(self, voice_id: str, name: str, job: int) -> None:
        """A voice was cloned here."""
        self._connection.execute(
            "INSERT INTO voices (account, voice_id, name, job) VALUES (?, ?, ?, ?) ON CONFLICT (account, voice_id) DO NOTHING",
            (self._account, voice_id, name, job),
        )


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))

