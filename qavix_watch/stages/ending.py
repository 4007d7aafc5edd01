"""`cancel`: work ends. What was submitted stays billed; it is only followed and delivered no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import DROP_AT_REST, JOB_OPEN, DeliveryState, DropState, JobState
from qavix_watch.errors import CommandRefused
from qavix_watch.stages.steering import Steering, drop_named, job_named

if TYPE_CHECKING:
    from qavix_watch.core.records import Job
    from qavix_watch.ports.state import Tx

_STAYS = "the original stays where it is, and is not picked up again unless it changes or is retried"


def cancel(tx: Tx, steering: Steering) -> str:
    """End a job for every drop that wants it, or a drop with all that it alone wants."""
    target = steering.command.target
    job = job_named(tx, target)
    return _job(tx, steering, job) if job is not None else _drop(tx, steering)


def _job(tx: Tx, steering: Steering, job: Job) -> str:
    if job.state is JobState.DONE and _pending(tx, job):
        tx.jobs.give_up(job.id, steering.now, steering.why, DeliveryState.CANCELLED)
        return "its results are not delivered; its task was billed"
    if job.state not in {*JOB_OPEN, JobState.HELD}:
        raise CommandRefused(f"it has ended already ({job.state})")
    if job.state is JobState.FETCHING:
        for result in tx.jobs.results(job.id):
            tx.jobs.unstage(result.id)
    tx.work.move("job", job.id, (job.state,), JobState.CANCELLED, steering.now, steering.why, {"ended_at": steering.now})
    tx.jobs.give_up(job.id, steering.now, steering.why, DeliveryState.CANCELLED)
    return billed(job)


def _pending(tx: Tx, job: Job) -> bool:
    return any(delivery.state is DeliveryState.PENDING for delivery in tx.jobs.deliveries(job.id))


def billed(job: Job) -> str:
    """What it means for the account that a job was cancelled as it was."""
    if job.task_id is not None:
        return f"it is followed and delivered no more; its task {job.task_id} stays billed, for the service has no cancel"
    if job.posted:
        return "it is ended; a request for it had gone out, and if the service took it, its task stays billed"
    return f"it is ended, and nothing was submitted; {_STAYS}"


def _drop(tx: Tx, steering: Steering) -> str:
    drop = drop_named(tx, steering.command.target)
    if drop.state in DROP_AT_REST or drop.state is DropState.ARCHIVING:
        raise CommandRefused(f"drop-{drop.id} has ended already ({drop.state})")
    going = (*JOB_OPEN, JobState.HELD)
    submitted = [job for job in tx.jobs.of_drop(drop.id) if job.state in going and (job.posted or job.task_id)]
    tx.drops.cancel(drop.id, steering.now, steering.why)
    said = [_ended(tx, steering, job) for job in submitted]
    return "; ".join(said) or f"it is ended, and nothing was submitted; {_STAYS}"


def _ended(tx: Tx, steering: Steering, job: Job) -> str:
    """What becomes of a job that one drop less wants."""
    if tx.drops.wanting(job.id):
        return f"it is ended; its job {job.id} goes on for others that want the same"
    going = (*JOB_OPEN, JobState.HELD)
    tx.work.move("job", job.id, going, JobState.CANCELLED, steering.now, steering.why, {"ended_at": steering.now})
    return billed(job)
