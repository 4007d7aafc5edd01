"""`approve`: a person lets go what waits for one: a job, a drop, a mass of files, or what a brake stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import BEGUN_IN_VAIN, DROP_LIVE, JOB_UNSUBMITTED, DeliveryState, DropState, JobState
from qavix_watch.core.money import turns
from qavix_watch.core.tasks import TaskType
from qavix_watch.errors import CommandRefused
from qavix_watch.stages.again import accept
from qavix_watch.stages.steering import Steering, drop_named, job_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.records import Delivery, Drop, Job
    from qavix_watch.ports.state import Tx

BRAKES = ("budget", "account")
"""The brakes that a person may overrule; the others say what is wrong with the world, and an approval does not mend that."""


def approve(tx: Tx, steering: Steering) -> str:
    """Let go what an id or a brake's name says."""
    target = steering.command.target
    if target == "budget":
        return _budget(tx, steering)
    if target == "account":
        return _account(tx, steering)
    if target.startswith("batch-"):
        return _batch(tx, steering, target.removeprefix("batch-"))
    job = job_named(tx, target)
    return _job(tx, steering, job) if job is not None else _drop(tx, steering, drop_named(tx, target))


def _budget(tx: Tx, steering: Steering) -> str:
    spans = [brake.scope for brake in tx.brakes.on() if brake.name == "budget"]
    ends = [turns(steering.local, steering.now, "month" if span == "month" else "day") for span in spans]
    if not ends or not tx.money.allow_budget(steering.now, min(ends)):
        raise CommandRefused("the brake `budget` is not on")
    return f"the budget does not count until {steering.local(min(ends)):%Y-%m-%d %H:%M}"


def _account(tx: Tx, steering: Steering) -> str:
    if not tx.brakes.approve_account(steering.now):
        raise CommandRefused("the brake `account` is not on")
    return "work is submitted to this account again"


def _batch(tx: Tx, steering: Steering, number: str) -> str:
    jobs = tx.money.approve_batch(int(number), steering.now) if number.isdecimal() and len(number) < 19 else 0
    if not jobs:
        raise CommandRefused(f"no batch-{number} waits")
    return f"{jobs} {'job goes' if jobs == 1 else 'jobs go'} on"


def _job(tx: Tx, steering: Steering, job: Job) -> str:
    if job.state is JobState.HELD:
        return _let_go(tx, steering, job)
    if halted := _halted(tx, job):
        return _deliver(tx, steering, halted)
    if job.state not in JOB_UNSUBMITTED or job.posted:
        raise CommandRefused(f"nothing about it waits for a person ({job.state})")
    if job.approved:
        raise CommandRefused(f"it was approved already ({job.state})")
    tx.work.move("job", job.id, (job.state,), job.state, steering.now, steering.why, {"approved": 1, "due": _due(job, steering)})
    tx.work.note(steering.now, "job", job.id, job.state, job.state, steering.why)
    return "it goes on, whatever the budget says"


def _due(job: Job, steering: Steering) -> float | None:
    """What waits for its contents is woken by them."""
    return None if job.state is JobState.UPLOADING else steering.now


def _let_go(tx: Tx, steering: Steering, job: Job) -> str:
    to, why, now = JobState.READY, steering.why, steering.now
    fields: dict[str, object] = {"approved": 1, "due": now, "held_by": ""}
    if job.task == TaskType.VOICE_CLONE and job.posted and job.reason.startswith(BEGUN_IN_VAIN):
        to, fields = JobState.SUBMITTING, {"due": now, "held_by": ""}  # nobody has asked yet what became of its request
    elif job.task == TaskType.VOICE_CLONE:  # it has no key: whatever became of the last request, a person asks for a new one
        fields |= {"posted": 0, "posted_at": None, "reserved": None}
    elif job.task_id is not None:
        to = JobState.PROCESSING
    tx.work.move("job", job.id, (JobState.HELD,), to, now, why, fields)
    for drop in tx.drops.wanting(job.id):
        if drop.held:
            tx.drops.approve(drop.id, now, why)
    return "it goes on"


def _drop(tx: Tx, steering: Steering, drop: Drop) -> str:
    if drop.state is DropState.FAILED and not tx.jobs.asked_by(drop.id):
        return accept(tx, steering, drop) + ", and taken as it is"
    jobs = tx.jobs.of_drop(drop.id)
    held = [job for job in jobs if job.state is JobState.HELD]
    halted = [delivery for job in jobs for delivery in _halted(tx, job) if delivery.drop_id == drop.id]
    if drop.state not in DROP_LIVE or not (drop.held or held or halted):
        raise CommandRefused(f"nothing about drop-{drop.id} waits for a person ({drop.state})")
    if drop.held:
        tx.drops.approve(drop.id, steering.now, steering.why)
    for job in held:
        _let_go(tx, steering, job)
    return _deliver(tx, steering, halted)


def _halted(tx: Tx, job: Job) -> list[Delivery]:
    """Deliveries of results that are there which are due no more: each was begun too often without coming to an end."""
    pending = [one for one in tx.jobs.deliveries(job.id) if one.state is DeliveryState.PENDING]
    return [one for one in pending if one.due is None] if job.state is JobState.DONE else []


def _deliver(tx: Tx, steering: Steering, halted: Sequence[Delivery]) -> str:
    for delivery in halted:
        tx.work.wake("delivery", delivery.id, steering.now)
        tx.work.note(steering.now, "delivery", delivery.id, delivery.state, delivery.state, steering.why)
    return "it goes on"
