"""What people say on the command line: rows that it leaves in the state, and a knock at the door of whoever serves it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qavix_watch.core.tasks import TASKS, TaskType
from qavix_watch.stages.approving import BRAKES
from tests.simulation.gifts import Work, digest
from tests.simulation.wares import DEADLY, has_salt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Row

    from qavix_watch.ports.state import Tx
    from tests.simulation.person import Person

CLONE = TASKS[TaskType.VOICE_CLONE].operation
PAUSES = (5.0, 0.5, 30.0)
_OF_DROP = "id IN (SELECT job FROM deliveries WHERE drop_id = ?)"
_LIVE = "state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving')"

_HALTED = (
    "SELECT DISTINCT jobs.id FROM deliveries JOIN jobs ON jobs.id = deliveries.job"
    " WHERE deliveries.state = 'pending' AND deliveries.due IS NULL AND jobs.state = 'done' AND deliveries.reason LIKE 'it was begun %'"
    " ORDER BY jobs.id"
)


def say(person: Person, verb: str, target: str = "") -> None:
    """Leave a command, as `cli.steering` does, and wake the service."""
    world = person.world

    def leave(tx: Tx) -> None:
        tx.commands.add(verb, target, {"by": person.name}, world.now())
        tx.house.duty("steer", 0.0)
        tx.house.hurry("steer", 0.0)

    world.state.now(leave)
    person.record.said += 1
    person.tell("says: %s", f"{verb} {target}".strip())
    for machine in world.machines:
        machine.wake(scan=verb == "scan")


# About work


async def retry(person: Person) -> None:
    """Try something again, mostly what failed or was cancelled."""
    failed = _ids(person, "state IN ('failed', 'cancelled')", "state = 'failed'")
    if target := _one(person, failed or _ids(person)):
        say(person, "retry", target)
        person.count("retry")


async def redo(person: Person) -> None:
    """Do something again: each of its jobs may be billed once more."""
    done = _ids(person, "state = 'done'", "state IN ('archived', 'kept')")
    if target := _one(person, done or _ids(person)):
        for job in _jobs(person, target):
            person.record.bought[_work(job)] += 1
        say(person, "redo", target)
        person.count("redo")


async def cancel(person: Person) -> None:
    """Have something end: whatever it is about may or may not be done then."""
    open_jobs = _ids(person, "state NOT IN ('done', 'failed', 'cancelled')", _LIVE)
    if target := _one(person, open_jobs or _ids(person)):
        drop = target.startswith("drop-")
        _cancelled(person, _jobs(person, target), _drops(person, target) if drop else ())
        say(person, "cancel", target)
        person.count("cancel")


def _cancelled(person: Person, jobs: Iterable[Row], drops: Iterable[Row]) -> None:
    digests: list[str | None] = [job["main_sha256"] for job in jobs] + [drop["sha256"] for drop in drops]
    named: list[str | bytes | None] = [*digests, *(person.layout.in_inbox(drop["path"]) for drop in drops)]
    for name in named:
        if name is not None:
            person.record.cancelled[name] = "people cancelled it"
    for gift in person.record.gifts:
        if gift.sha256 in digests or gift.path in named:
            gift.hindrance = gift.hindrance or "people cancelled it"


async def approve(person: Person) -> None:
    """Let go one of the things that wait for a person."""
    if target := _one(person, held(person)):
        allow(person, target)


def allow(person: Person, target: str) -> None:
    """Approve it. A clone that is held may be made once more by that, a file that is cut short be taken as it is."""
    for job in _jobs(person, target):
        if job["operation"] == CLONE:
            person.record.bought[_work(job)] += 1
    for drop in _drops(person, target):
        _as_it_is(person, person.layout.in_inbox(drop["path"]))
    say(person, "approve", target)
    person.count("approved")


def _as_it_is(person: Person, path: bytes) -> None:
    """What lies there may be read, whole or not."""
    if data := person.content(path):
        person.record.readable.add(digest(data))
    gift = person.record.lying_at(path)
    if gift is not None and not gift.whole:
        gift.hindrance = gift.hindrance or "people took it as it is"


def held(person: Person) -> list[str]:
    """The ids of everything that waits for a person: jobs, drops, masses, brakes, deliveries that were begun too often."""
    rows = person.world.state.rows
    jobs = [str(row["id"]) for row in rows("SELECT id FROM jobs WHERE state = 'held' ORDER BY id")]
    drops = [f"drop-{row['id']}" for row in rows(f"SELECT id FROM drops WHERE held <> '' AND {_LIVE} ORDER BY id")]
    batches = [f"batch-{row['id']}" for row in rows("SELECT id FROM batches WHERE state = 'waiting' ORDER BY id")]
    brakes = [row["name"] for row in rows(f"SELECT DISTINCT name FROM brakes WHERE state = 'on' AND name IN {BRAKES} ORDER BY name")]
    halted = [str(row["id"]) for row in rows(_HALTED)]
    return [*batches, *brakes, *drops, *jobs, *halted]


# About everything


async def pause(person: Person) -> None:
    """Begin no new work for a while. Whoever pauses may forget to let it go on."""
    say(person, "pause")
    person.count("pause")
    await asyncio.sleep(person.one_of("pauses", PAUSES))
    if person.pick("forgets to resume", 3) < 2:
        say(person, "resume")


async def scan(person: Person) -> None:
    """Have the whole inbox looked at."""
    say(person, "scan")
    person.count("scan asked for")


def resume_forgotten(person: Person) -> None:
    """Let work go on that somebody has paused."""
    if person.world.state.rows("SELECT name FROM brakes WHERE state = 'on' AND name = 'paused'"):
        say(person, "resume")


def answer_all(person: Person) -> None:
    """Approve whatever waits, unless what was said before is still to be heard."""
    if not person.world.state.rows("SELECT id FROM commands WHERE done_at IS NULL LIMIT 1"):
        for target in held(person):
            if not _better_left(person, target):
                allow(person, target)


def _better_left(person: Person, target: str) -> bool:
    """Whether nobody would approve it: a budget that is as good as new in a moment, a file that has ended the service time and again."""
    if target == "budget":
        return person.world.now() < person.world.turn
    contents = [person.content(person.layout.in_inbox(drop["path"])) for drop in _drops(person, target)]
    return any(has_salt(data or b"", DEADLY) for data in contents)


# What there is


def _ids(person: Person, jobs: str = "1", drops: str = "1") -> list[str]:
    rows = person.world.state.rows
    return [
        *(str(row["id"]) for row in rows(f"SELECT id FROM jobs WHERE {jobs} ORDER BY id")),
        *(f"drop-{row['id']}" for row in rows(f"SELECT id FROM drops WHERE {drops} ORDER BY id")),
    ]


def _one(person: Person, ids: list[str]) -> str | None:
    return person.one_of("which id", ids) if ids else None


def _jobs(person: Person, target: str) -> list[Row]:
    """The jobs that an id is about."""
    rows = person.world.state.rows
    if target.startswith("drop-"):
        return rows(f"SELECT * FROM jobs WHERE {_OF_DROP}", int(target.removeprefix("drop-")))
    return rows("SELECT * FROM jobs WHERE id = ?", int(target)) if target.isdecimal() else []


def _drops(person: Person, target: str) -> list[Row]:
    """The drops that an id is about."""
    rows = person.world.state.rows
    if target.startswith("drop-"):
        return rows("SELECT * FROM drops WHERE id = ?", int(target.removeprefix("drop-")))
    of_job = "SELECT drops.* FROM drops JOIN deliveries ON deliveries.drop_id = drops.id WHERE deliveries.job = ?"
    return rows(of_job, int(target)) if target.isdecimal() else []


def _work(job: Row) -> Work:
    """The work of a job, as the service's ledger has it."""
    inputs = [digest(job["text"].encode())] if job["text"] is not None else [job["main_sha256"], job["partner_sha256"]]
    return Work(job["operation"], job["params_json"], tuple(filter(None, inputs)))
