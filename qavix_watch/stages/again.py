"""`retry` and `redo`: work that has ended is begun again, from where its originals lie now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import DROP_AT_REST, DROP_LIVE, JOB_OPEN, DeliveryState, DropState, JobState
from qavix_watch.errors import CommandRefused, FileError, FileGone, RootOffline
from qavix_watch.stages.generations import begin, ensure, failed_there, plan_of
from qavix_watch.stages.moving import partner_stats
from qavix_watch.stages.steering import NotYet, Steering, drop_named, job_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.records import Delivery, Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx

_NOT_THERE = "its original is not there any more; drop it again"
_NOT_PAIRED = "the picture or sound that it was done with is not there any more; drop both again"
_OVER = (DeliveryState.FAILED, DeliveryState.CANCELLED)


async def not_there(ports: Ports, rules: Rules, target: str) -> dict[int, str]:
    """The drops at rest that a command is about whose original is not there, or what that was paired with, and what to say of it: what
    somebody else put in their place is none. While a root is offline, that is not known.
    """
    drops = await ports.store.transaction("what it is about", lambda tx: _about(tx, target))
    try:
        await ports.blocking(ports.roots.check)
    except RootOffline:
        return {}
    said = {drop.id: await ports.blocking(_lacks, ports, rules, drop) for drop in drops}
    return {number: what for number, what in said.items() if what}


def _lacks(ports: Ports, rules: Rules, drop: Drop) -> str:
    """What cannot be looked at may be it."""
    try:
        if not drop.stat_is(ports.files.stat(rules.layout.original(drop))):
            return _NOT_THERE
        paired = drop.partner is None or any(drop.partner_is(stat) for stat in partner_stats(ports, rules, drop))
    except FileGone:
        return _NOT_THERE
    except FileError:
        return ""
    return "" if paired else _NOT_PAIRED


def _about(tx: Tx, target: str) -> list[Drop]:
    try:
        job = job_named(tx, target)
        numbers = {one.drop_id for one in tx.jobs.deliveries(job.id)} if job is not None else {drop_named(tx, target).id}
    except CommandRefused:
        return []
    return [drop for drop in (tx.work.get("drop", number) for number in sorted(numbers)) if drop.state in DROP_AT_REST]


def retry(tx: Tx, steering: Steering) -> str:
    """Try again what failed or was cancelled: a job for every drop that misses its results, or all that a drop misses."""
    target = steering.command.target
    job = job_named(tx, target)
    if job is not None:
        return _retried(tx, steering, job, _missed(tx, job))
    drop = drop_named(tx, target)
    jobs = _newest_of_each(tx.jobs.asked_by(drop.id))
    if not jobs:
        return _judged_anew(tx, steering, drop)
    missed = [(job, [one for one in _missed(tx, job) if one.drop_id == drop.id]) for job in jobs]
    said = [_retried(tx, steering, job, deliveries) for job, deliveries in missed if deliveries and not _in_hand(job)]
    if not said:
        raise CommandRefused(_no_need(drop))
    return "; ".join(said)


def _missed(tx: Tx, job: Job) -> list[Delivery]:
    """What drops wanted of a job and do not get, from a newer generation neither."""
    newest = tx.jobs.newest(job.identity) or job
    newer = [] if newest.id == job.id else tx.jobs.deliveries(newest.id)
    served = {delivery.drop_id for delivery in newer if not _misses(delivery, newest)}
    return [one for one in tx.jobs.deliveries(job.id) if _misses(one, job) and one.drop_id not in served]


def _misses(delivery: Delivery, job: Job) -> bool:
    """Whether a drop does not get what it wanted. The end of a job that was just refused may not have been told to its drops yet."""
    return delivery.state in _OVER or (delivery.state is DeliveryState.PENDING and job.state is JobState.FAILED)


def _in_hand(job: Job) -> bool:
    return job.state in {*JOB_OPEN, JobState.HELD}


def _no_need(drop: Drop) -> str:
    if drop.state in DROP_LIVE:
        return f"drop-{drop.id} is being worked on"
    if drop.state in {DropState.GONE, DropState.DELETED}:
        return _NOT_THERE
    return f"nothing of drop-{drop.id} has failed; `redo` does it again as a new task"


def _retried(tx: Tx, steering: Steering, job: Job, missed: Sequence[Delivery]) -> str:
    if job.state is JobState.HELD:
        raise CommandRefused(f"it is held ({job.reason}); `qavix-watch approve {job.id}` lets it go")
    if _in_hand(job):
        raise CommandRefused(f"it is being worked on ({job.state})")
    drops = _usable(tx, steering, job, missed)
    newest = tx.jobs.newest(job.identity) or job
    if not drops and newest.id != job.id and job.state is not JobState.DONE:
        return f"job {newest.id} has taken its place ({newest.state})"
    if not drops:
        done = job.state is JobState.DONE and not missed
        raise CommandRefused("it is done; `redo` does it again as a new task" if done else _why_none(steering, missed))
    number = ensure(tx, plan_of(steering.rules, job), job.priority, steering.now)
    _wanted_again(tx, steering, number, drops)
    return _said(tx, job, number)


def _said(tx: Tx, job: Job, number: int) -> str:
    now: Job = tx.work.get("job", number)
    if now.state is JobState.HELD:
        return f"it is job {number} now, and is held: {now.reason}"
    if number != job.id:
        return f"it is tried again as job {number}" + (", a new task" if failed_there(job) else "")
    if now.state is JobState.DONE:
        return "its results are delivered"
    if now.state is JobState.PROCESSING:
        return f"its task {now.task_id} is followed again; that costs nothing"
    return "it is tried again under its own key: the service had made no task of it"


def _judged_anew(tx: Tx, steering: Steering, drop: Drop, accepted: int = 0) -> str:
    """A drop that never became a job: look at its file again."""
    if drop.state in DROP_LIVE:
        raise CommandRefused(f"drop-{drop.id} is being worked on" if not drop.held else _held(drop))
    origin = _origin(tx, steering, drop)
    if not tx.drops.reopen(drop.id, DropState.WAITING, origin, steering.now, steering.why, {"accepted": accepted, "sha256": None}):
        raise CommandRefused(_NOT_THERE)
    return "it is looked at again"


def _held(drop: Drop) -> str:
    return f"it is held ({drop.held}); `qavix-watch approve drop-{drop.id}` lets it go"


def accept(tx: Tx, steering: Steering, drop: Drop) -> str:
    """A person takes a refused file as it is."""
    return _judged_anew(tx, steering, drop, accepted=1)


def redo(tx: Tx, steering: Steering) -> str:
    """Do work again that has ended, as a new generation, for every drop whose original is there."""
    target = steering.command.target
    job = job_named(tx, target)
    if job is not None:
        return _redone(tx, steering, job, tx.jobs.deliveries(job.id))
    drop = drop_named(tx, target)
    jobs = _newest_of_each(tx.jobs.asked_by(drop.id))
    if not jobs:
        raise CommandRefused(f"drop-{drop.id} has no job yet; `retry` looks at its file again")
    return "; ".join(
        _redone(tx, steering, job, [one for one in tx.jobs.deliveries(job.id) if one.drop_id == drop.id]) for job in jobs
    )


def _newest_of_each(jobs: Sequence[Job]) -> list[Job]:
    """Of each work, the last generation that the drop asked for."""
    return list({job.identity: job for job in jobs}.values())


def _redone(tx: Tx, steering: Steering, job: Job, deliveries: Sequence[Delivery]) -> str:
    newest = tx.jobs.newest(job.identity) or job
    if _in_hand(newest):
        what = "it" if newest.id == job.id else f"job {newest.id}, which does the same,"
        raise CommandRefused(f"{what} is being worked on ({newest.state}); `cancel {newest.id}` first, or wait for its end")
    drops = _usable(tx, steering, job, deliveries)
    if not drops:
        raise CommandRefused(_why_none(steering, deliveries))
    number = begin(tx, plan_of(steering.rules, job), job.priority, steering.now, why=steering.why)
    _wanted_again(tx, steering, number, drops)
    return f"it is done again as job {number}, a new task"


def _usable(tx: Tx, steering: Steering, job: Job, deliveries: Sequence[Delivery]) -> list[Drop]:
    """The drops of these deliveries whose originals are there, as far as that is known, and are still those of the job. NotYet where one is
    just being put away.
    """
    drops: list[Drop] = [tx.work.get("drop", number) for number in sorted({delivery.drop_id for delivery in deliveries})]
    if any(drop.state is DropState.ARCHIVING for drop in drops):
        raise NotYet("its original is just being put away")
    usable = {DropState.ARCHIVED, DropState.KEPT, DropState.FAILED, DropState.DELIVERING}
    there = [drop for drop in drops if drop.state in usable and not drop.detached and drop.id not in steering.missing]
    there = [drop for drop in there if (drop.sha256, drop.partner_sha256) == (job.main_sha256, job.partner_sha256)]
    return [drop for drop in there if drop.state is DropState.DELIVERING or drop.is_away or _newest_there(tx, drop)]


def _why_none(steering: Steering, deliveries: Sequence[Delivery]) -> str:
    """Why none of their drops is usable."""
    return next((steering.missing[one.drop_id] for one in deliveries if one.drop_id in steering.missing), _NOT_THERE)


def _newest_there(tx: Tx, drop: Drop) -> bool:
    """Whether what lies at a drop's path is still this drop's, and not that of a newer one."""
    return tx.drops.at(drop.place, drop.path)[0].id == drop.id


def _wanted_again(tx: Tx, steering: Steering, job: int, drops: Sequence[Drop]) -> None:
    """These drops want the results of this job now; what they waited for in vain before is over."""
    identity = tx.work.get("job", job).identity
    for drop in drops:
        for earlier in tx.jobs.asked_by(drop.id):
            if earlier.identity == identity and earlier.id != job:
                _replaced(tx, steering, earlier, drop, job)
        tx.jobs.expect_delivery(job, drop.id, steering.now)
        if drop.state is not DropState.DELIVERING:
            tx.drops.reopen(drop.id, DropState.DELIVERING, _origin(tx, steering, drop), steering.now, steering.why)


def _replaced(tx: Tx, steering: Steering, earlier: Job, drop: Drop, job: int) -> None:
    for delivery in tx.jobs.deliveries(earlier.id):
        if delivery.drop_id == drop.id:
            old = (DeliveryState.FAILED, DeliveryState.PENDING)
            tx.work.move("delivery", delivery.id, old, DeliveryState.CANCELLED, steering.now, f"job {job} takes its place")


def _origin(tx: Tx, steering: Steering, drop: Drop) -> bytes | None:
    """Where the original lies that a drop is worked on from, None for its own path. CommandRefused where it is known to be away."""
    if steering.missing.get(drop.id) == _NOT_THERE:
        raise CommandRefused(_NOT_THERE)
    original = steering.rules.layout.original(drop)
    if original != steering.rules.layout.in_inbox(drop.path):
        return original
    if drop.detached or not _newest_there(tx, drop):
        raise CommandRefused(_NOT_THERE)
    return None
