"""What people and programs read of the state, beside a running service: plain values, ready for a table or for JSON."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from qavix_watch.core.layout import join
from qavix_watch.core.lifecycle import DeliveryState, DropState, JobState, shown
from qavix_watch.core.money import mass_said, total
from qavix_watch.core.naming import display
from qavix_watch.errors import StateUnusable
from qavix_watch.store.migrations import MIGRATIONS
from qavix_watch.store.money import Money
from qavix_watch.store.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qavix_watch.core.layout import Layout

Row = dict[str, Any]

_READABLE = "Run this as the user of the service, or name another file with `state.path`."
_BILLED = (
    "SELECT jobs.*, (SELECT drops.path FROM deliveries JOIN drops ON drops.id = deliveries.drop_id"
    " WHERE deliveries.job = jobs.id ORDER BY deliveries.id LIMIT 1) AS path FROM jobs WHERE jobs.account = ?"
)
_SHOWN_AT_REST = ("done", "failed", "cancelled")
SERVING = "FROM service WHERE pid > 0 ORDER BY started_at DESC LIMIT 1"
"""The start of the service that `status` tells of: where several nodes serve the state, the latest."""
_DONE_WITH = ("archived", "kept", "deleted", "failed", "gone", "ignored")


@dataclass(frozen=True, slots=True)
class View:
    """Reads the state of one account without ever writing it."""

    connection: sqlite3.Connection
    account: int
    layout: Layout

    def jobs(self, states: Sequence[str] = (), order: str = "", limit: int | None = None) -> list[Row]:
        """Jobs and drops that have none yet, the newest first, each as `jobs --json` prints it."""
        found = [*self._waiting(), *self._jobs()]
        found = [row for row in found if (not states or row["state"] in states) and order.casefold() in row["order"].casefold()]
        return found[:limit]

    def job(self, number: str) -> Row | None:
        """One job (or `drop-N`) with its whole history under `history`."""
        row = next((row for row in [*self._waiting(), *self._jobs()] if row["id"] == number.lower()), None)
        return None if row is None else {**row, "history": self._history(row)}

    def status(self) -> Row:
        """Who serves the state, brakes, troubles, counts, folders, and the work in hand with its progress."""
        rows = [*self._waiting(), *self._jobs()]
        service = self._one(f"SELECT pid, node, boot, started_at, config, ready {SERVING}")
        return {
            "service": service,
            "brakes": self._all("SELECT name, scope, since, why, hint, until, probing FROM brakes WHERE account = ? AND state = 'on'"),
            "troubles": self._all("SELECT name, at, text FROM troubles", own=False),
            "batches": self.batches(),
            "balance": self.balance(),
            "counts": dict(Counter(row["state"] for row in rows)),
            "folders": self._folders(),
            "in_hand": self._in_hand(rows),
            "waiting_for": [
                {"id": row["id"], "state": row["state"], "path": row["drops"][0]["path"], "why": row["error"]}
                for row in rows
                if row["error"] and row["drops"] and row["state"] not in _SHOWN_AT_REST
            ] + self._not_put_away(),
        }

    def _not_put_away(self) -> list[Row]:
        """Originals that cannot be moved to where they belong, such as out of a folder that only its owner may write to."""
        rows = self._all("SELECT id, path, reason FROM drops WHERE account = ? AND state = 'archiving' AND tries > 0 ORDER BY id")
        return [
            {"id": f"drop-{row['id']}", "state": "fetching", "path": display(self.layout.in_inbox(row["path"])), "why": row["reason"]}
            for row in rows
        ]

    def batches(self) -> list[Row]:
        """The masses of files that wait for a person: id, order, files, credits, and the sentence that says so."""
        money = Money(self.connection, self.account, Work(self.connection, self.account))
        found = []
        for batch in money.waiting_batches():
            waiting = [file for file in money.files(batch.place, batch.canonical, batch.begun, batch.latest) if file.waits]
            facts = {"order": batch.canonical, "files": len(waiting), "credits": total(waiting), "since": batch.since}
            found.append({"id": f"batch-{batch.id}", "number": batch.id, **facts, "said": mass_said(waiting, batch.id)})
        return found

    def balance(self) -> Row | None:
        """What remained on the account when it was last asked for, and when that was; None where it never was."""
        row = self._one("SELECT value, at FROM facts WHERE name = 'balance' AND account = ?", self.account)
        return None if row is None else {"credits_remaining": json.loads(row["value"])["credits_remaining"], "at": row["at"]}

    def spent(self, since: float) -> float:
        """Credits that were used or set aside since then."""
        return Money(self.connection, self.account, Work(self.connection, self.account)).spent(since)

    def drops_at(self, path: bytes) -> list[Row]:
        """Every drop that was made from this path (relative to the inbox), the newest first."""
        return self._all(
            "SELECT id, state, canonical, reason, held, detached, target, created_at, ended_at FROM drops"
            " WHERE account = ? AND path = ? ORDER BY id DESC", path,
        )

    def result_at(self, path: bytes) -> Row | None:
        """Which job made the result at this path (relative to the outbox), and from what."""
        return self._one(
            "SELECT results.job, results.kind, drops.path, jobs.canonical FROM result_files"
            " JOIN results ON results.id = result_files.result JOIN jobs ON jobs.id = results.job"
            " JOIN deliveries ON deliveries.id = result_files.delivery JOIN drops ON drops.id = deliveries.drop_id"
            " WHERE result_files.path = ? AND jobs.account = ?", path, self.account,
        )

    def put_away(self, path: bytes) -> Row | None:
        """Which drop's original lies at this absolute path, in the archive or in failed."""
        return self._one("SELECT id, state, path, canonical, reason FROM drops WHERE target = ? AND account = ?", path, self.account)

    def jobs_of(self, drop: int) -> list[Row]:
        """The jobs of one drop, with the results that were delivered for it alone."""
        own = {base64.b64encode(join(self.layout.outbox, row["path"])).decode() for row in self._delivered(drop)}
        jobs = (row for row in self._jobs() if any(one["id"] == drop for one in row["drops"]))
        return [{**row, "results": [one for one in row["results"] if one["path_b64"] in own]} for row in jobs]

    def by_task(self) -> dict[str, Row]:
        """Our jobs by the service's id of their task: their id, order, first file, and credits as estimated and as used."""
        return {row["task_id"]: self._as_billed(row) for row in self._all(f"{_BILLED} AND jobs.task_id IS NOT NULL")}

    def clones(self) -> list[Row]:
        """The same of the jobs that clone voices, which have no task: with the voice's name, and `since` and `until` when it was made."""
        rows = self._all(f"{_BILLED} AND jobs.task = 'voice_clone' AND jobs.posted_at IS NOT NULL AND jobs.ended_at IS NOT NULL")
        times = ({"since": row["posted_at"], "until": row["ended_at"]} for row in rows)
        names = ({"name": json.loads(row["params_json"]).get("name")} for row in rows)
        return [self._as_billed(row) | name | time for row, name, time in zip(rows, names, times, strict=True)]

    def _as_billed(self, row: Row) -> Row:
        path = None if row["path"] is None else self.layout.in_inbox(row["path"])
        return {
            "id": str(row["id"]), "order": row["canonical"], "target": row["language"],
            "path": None if path is None else display(path), "path_b64": None if path is None else base64.b64encode(path).decode(),
            "credits_estimated": row.get("estimate") if row["credits_estimated"] is None else row["credits_estimated"],
            "credits_used": row["credits_used"],
        }

    def cloned_voices(self) -> dict[str, str]:
        """The voices that were cloned here, by their id: the job that did it."""
        return {row["voice_id"]: str(row["job"]) for row in self._all("SELECT voice_id, job FROM voices WHERE account = ?")}

    def _delivered(self, drop: int) -> list[Row]:
        return self._all(
            "SELECT result_files.path FROM result_files JOIN deliveries ON deliveries.id = result_files.delivery"
            " WHERE deliveries.drop_id = ?", drop, own=False,
        )

    def _waiting(self) -> Iterator[Row]:
        rows = self._all(
            "SELECT * FROM drops WHERE account = ? AND state <> 'ignored'"
            " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE drop_id = drops.id) ORDER BY id DESC"
        )
        return (self._of_drop(row) for row in rows)

    def _of_drop(self, row: Row) -> Row:
        return {
            "id": f"drop-{row['id']}",
            "state": word_of_drop(row),
            "type": row["task"],
            "order": row["canonical"],
            "key": None,
            "task_id": None,
            "progress": None,
            "credits_estimated": None,
            "credits_used": None,
            "error": row["held"] or row["reason"] or None,
            "drops": [self._drop(row)],
            "results": [],
        }

    def _drop(self, row: Row) -> Row:
        path = self.layout.in_inbox(row["path"])
        said = {"id": row["id"], "path": display(path), "path_b64": base64.b64encode(path).decode(), "state": row["state"]}
        return said if row["target"] is None else {**said, "put_away": display(row["target"])}

    def _jobs(self) -> Iterator[Row]:
        drops, results = self._drops_by_job(), self._results_by_job()
        batches = {batch["number"]: batch["said"] for batch in self.batches()}
        for row in self._all("SELECT * FROM jobs WHERE account = ? ORDER BY id DESC"):
            wanted_by = drops.get(row["id"], [])
            pending = any(one["delivery"] == "pending" for one in wanted_by)
            delivery = DeliveryState.PENDING if pending else None
            troubled = row["state"] in {"failed", "held"} or row["tries"] or row["overdue_since"]
            yield {
                "id": str(row["id"]),
                "state": shown(None, JobState(row["state"]), delivery),
                "type": row["task"],
                "order": row["canonical"],
                "target": row["language"],
                "key": row["key"],
                "task_id": row["task_id"],
                "progress": row["progress"],
                "credits_estimated": _estimated(row),
                "credits_used": row["credits_used"],
                "batch": f"batch-{row['batch']}" if row["batch"] in batches else None,
                "error": (batches.get(row["batch"]) or row["reason"]) if troubled else None,
                "drops": wanted_by,
                "results": results.get(row["id"], []),
                "submitted_at": row["submitted_at"],
            }

    def _drops_by_job(self) -> Mapping[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for row in self._all(
            "SELECT deliveries.job, deliveries.state AS delivery, drops.id, drops.path, drops.state, drops.target FROM deliveries"
            " JOIN drops ON drops.id = deliveries.drop_id WHERE drops.account = ? ORDER BY drops.id"
        ):
            found.setdefault(row["job"], []).append({**self._drop(row), "delivery": row["delivery"]})
        return found

    def _results_by_job(self) -> Mapping[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for row in self._all(
            "SELECT results.job, results.kind, result_files.path, result_files.size FROM result_files"
            " JOIN results ON results.id = result_files.result JOIN jobs ON jobs.id = results.job WHERE jobs.account = ?"
            " ORDER BY result_files.id"
        ):
            path = join(self.layout.outbox, row["path"])
            shown_path = {"path": display(path), "path_b64": base64.b64encode(path).decode()}
            found.setdefault(row["job"], []).append({**shown_path, "kind": row["kind"], "bytes": row["size"]})
        return found

    def _history(self, row: Row) -> list[Row]:
        drops = [one["id"] for one in row["drops"]]
        marks = ", ".join("?" * len(drops))
        job = int(row["id"]) if row["id"].isdigit() else -1
        return self._all(
            "SELECT at, item, item_id AS id, old, new, why FROM events WHERE account = ? AND"
            f" ((item = 'job' AND item_id = ?) OR (item = 'drop' AND item_id IN ({marks}))"
            " OR (item = 'delivery' AND item_id IN (SELECT id FROM deliveries WHERE job = ?))"
            " OR (item = 'content' AND item_id IN (SELECT contents.id FROM contents JOIN jobs"
            " ON contents.account = jobs.account AND contents.sha256 IN (jobs.main_sha256, jobs.partner_sha256) WHERE jobs.id = ?)))"
            " ORDER BY events.id", job, *drops, job, job,
        )

    def _in_hand(self, rows: Sequence[Row]) -> list[Row]:
        """Local acts as the worker told them last, and what the service is working on."""
        acts = [{**row, "name": self._name_of(row["item"], row["item_id"])} for row in self._all("SELECT * FROM progress", own=False)]
        tasks = [
            {
                "item": "job", "item_id": int(row["id"]), "act": "processing", "done": row["progress"] or 0, "total": 100, "rate": None,
                "at": None, "name": _names(row), "since": row["submitted_at"],
            }
            for row in rows
            if row["state"] == "processing"
        ]
        return acts + tasks

    def _name_of(self, item: str, number: int) -> str:
        """The file that an act is about."""
        drop = {
            "drop": "SELECT path FROM drops WHERE id = ?",
            "job": "SELECT path FROM drops JOIN deliveries ON deliveries.drop_id = drops.id WHERE job = ? LIMIT 1",
            "delivery": "SELECT path FROM drops JOIN deliveries ON deliveries.drop_id = drops.id WHERE deliveries.id = ?",
            "content": "SELECT path FROM drops JOIN contents ON contents.account = drops.account"
            " AND contents.sha256 IN (drops.sha256, drops.partner_sha256) WHERE contents.id = ? LIMIT 1",
        }.get(item)
        row = None if drop is None else self._one(drop, number)
        return display(row["path"]) if row else f"{item} {number}"

    def _folders(self) -> list[Row]:
        rows = self._all("SELECT path, canonical, words, problem FROM folders ORDER BY path", own=False)
        return [{"name": display(row.pop("path")), **row} for row in rows]

    def _all(self, sql: str, *values: object, own: bool = True) -> list[Row]:
        bound = (self.account, *values) if own else values
        return [dict(row) for row in self.connection.execute(sql, bound)]

    def _one(self, sql: str, *values: object) -> Row | None:
        row = self.connection.execute(sql, values).fetchone()
        return None if row is None else dict(row)


def _estimated(row: Row) -> float | None:
    """What the service said that a job costs, else what we reckoned; whole credits as whole numbers."""
    if row["credits_estimated"] is not None or row["estimate"] is None:
        estimated: float | None = row["credits_estimated"]
        return estimated
    estimate = float(row["estimate"])
    return int(estimate) if estimate.is_integer() else estimate


def word_of_drop(row: Mapping[str, Any]) -> str:
    """The one word that people see of a drop that has no jobs, or never came to any."""
    if row["held"] and row["state"] not in _DONE_WITH:
        return "held"
    return "cancelled" if row["verdict"] == "cancelled" else shown(DropState(row["state"]), None)


def _names(row: Row) -> str:
    first = row["drops"][0]["path"].rsplit("/", 1)[-1] if row["drops"] else f"job {row['id']}"
    return f"{first} → {row['target']}" if row["target"] else first


@contextmanager
def viewing(path: str, base_url: str, account: str, layout: Layout) -> Iterator[View | None]:
    """Look into the state at `path`; None where there is none yet. StateUnusable where it cannot be read."""
    connection = opened_to_read(path)
    if connection is None:
        yield None
        return
    try:
        connection.row_factory = sqlite3.Row
        shape = connection.execute("PRAGMA user_version").fetchone()[0]
        if shape > len(MIGRATIONS):
            raise StateUnusable(f"the state {path} was written by a newer version of qavix-watch", hint="Use the newer version.")
        connection.execute("BEGIN")
        asked = "SELECT id FROM accounts WHERE base_url = ? AND name = ?"
        found = connection.execute(asked, (base_url, account)).fetchone() if shape else None  # 0: it is only just being made
        if found is not None and shape < len(MIGRATIONS):
            raise StateUnusable(f"the state {path} was written by an older version", hint="`qavix-watch run` brings it up to date.")
        yield None if found is None else View(connection, int(found[0]), layout)
    except sqlite3.Error as error:
        raise StateUnusable(f"the state {path} cannot be read: {error}", hint=_READABLE) from error
    finally:
        connection.close()


def opened_to_read(path: str) -> sqlite3.Connection | None:
    """A connection that cannot write; None where there is no such file. StateUnusable."""
    try:
        os.stat(path)
        return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True, timeout=10, isolation_level=None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateUnusable(f"the state {path} cannot be read: {error.strerror}", hint=_READABLE) from error
    except sqlite3.Error as error:
        raise StateUnusable(f"the state {path} cannot be read: {error}", hint=_READABLE) from error
