"""A state that was lost, or restored from an old backup: the service's list of tasks is read once before anything is submitted.

A task whose mark, type and languages agree is adopted instead of submitted: the mark depends on the idempotency key alone, so this holds
where the service has forgotten the key, or knows it under another name. That the list is to be read is durable (a loss in the state);
the brake `recovery` says so, and stops what would send or submit until it is done. The list is read page by page, and only what bears
a mark is kept.

Voice Clone has no key and no mark (`stages.clone` looks at the voices); a task of Text to Speech has no name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core.identity import mark
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import FOREVER_SECONDS, Brake, Done, Fail, Later, Outcome, Retry
from qavix_watch.core.recovery import agrees, best, by_generation, failed_last, marked
from qavix_watch.core.service import LARGEST_PAGE, OPEN_STATUSES
from qavix_watch.errors import InvalidRequest
from qavix_watch.stages.account import reckon
from qavix_watch.stages.answers import names_the_key
from qavix_watch.stages.generations import MOST_GENERATIONS, held_for_failing, plan_of
from qavix_watch.stages.money import given_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.records import Job, ListedTask
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import TaskPage
    from qavix_watch.errors import ApiError
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.generations import Plan

BRAKE = "recovery"
HINT = "Nothing needs to be done; work goes on by itself."
MOST_PAGES = 10_000
"""A list that does not end is taken to have been read after a million tasks."""
CONFLICT_SECONDS = 60.0
_READ = "tasks read"
_OLDER = "the folders have seen more starts of the service than the state knows of (by {}): it was lost, or is a restored backup"
_TAKEN = "the service knows the key of a job from a request that this state does not know: it may have been lost"


# Noticing it


def suspect(tx: Tx, unknown_starts: int, now: float) -> None:
    """At a start: put the brake on where the list is to be read, be it for a loss noticed just now or for an earlier one."""
    if unknown_starts:
        tx.recovery.declare(now, _OLDER.format(unknown_starts))
    if is_due(tx):
        tx.brakes.pull(BRAKE, "", said(tx), HINT, now, now + FOREVER_SECONDS)


def is_due(tx: Tx) -> bool:
    """Whether the list of tasks was not read to its end since the last loss."""
    reading = _reading(tx)
    return not reading["done"]


def said(tx: Tx) -> str:
    """Why nothing is submitted, and how much of the list was read."""
    reading = _reading(tx)
    far = f" ({reading['tasks']:,} so far)" if reading["tasks"] else ""
    return f"{tx.recovery.why()}; the service's list of tasks is read before anything is submitted{far}"


def _reading(tx: Tx) -> dict[str, Any]:
    """How far the list was read since the last loss. `began`: when that began, None where it did not."""
    loss, fact = tx.recovery.last_loss(), tx.house.fact(_READ)
    if fact is not None and fact[0]["loss"] == loss:
        return dict(fact[0])
    return {"loss": loss, "done": not loss, "began": None, "cursor": None, "pages": 0, "tasks": 0}


async def key_taken(ports: Ports, rules: Rules, hand: Hand, error: ApiError) -> Outcome:
    """What follows where the service knows a job's key from another request: its task is looked for by its mark, which depends on the
    key alone. Where it was looked for in vain since the job exists, the job has failed.
    """
    job: Job = hand.row
    now = ports.clock.now()

    def look(tx: Tx) -> Outcome:
        tx.work.keep(hand.claim, given_back(job))
        adoption, reading = adoption_of(tx, rules, job, now), _reading(tx)
        if adoption is not None:  # the list was read while this request was on its way
            return adopted(job, adoption, now)
        if reading["done"] and reading["began"] is not None and reading["began"] >= job.created_at:
            if not names_the_key(error):
                return Retry(f"the service is still at another request for this work, or knows one: {error}", after=CONFLICT_SECONDS)
            return Fail(
                f"the service knows this work from another request ({error}), and its list of tasks has none of this mark,"
                f" {mark(job.key)}; `qavix-watch redo {job.id}` does it as a new task"
            )
        if reading["done"]:
            tx.recovery.declare(now, _TAKEN)
        tx.house.hurry(BRAKE, now)
        return Brake(BRAKE, said(tx), HINT, after=FOREVER_SECONDS)

    outcome: Outcome = await ports.store.transaction("the key is taken", look)
    return outcome


# Reading the list


async def recover(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """A duty: read one page of the list of tasks, where that is to be done. After the last, what it shows is adopted.

    Whatever it writes is fenced: who was frozen meanwhile must not take back what another has read.
    """
    reading = await ports.store.transaction("how far the list was read", _reading)
    if reading["done"]:
        return Later(None)
    now = ports.clock.now()
    if reading["began"] is None:
        reading["began"] = now
        await ports.store.transaction("what was listed before", partial(_forget, hand=hand))
    try:
        page = await ports.api.list_tasks(cursor=reading["cursor"], limit=LARGEST_PAGE)
    except InvalidRequest as error:
        if reading["cursor"] is None:
            raise
        anew = {**reading, "cursor": None, "pages": 0, "tasks": 0}
        await ports.store.transaction("from its beginning", partial(_read, hand=hand, reading=anew, now=now))
        return Retry(f"the list of tasks is read from its beginning: {error}")
    await ports.store.transaction("a page of tasks", partial(_note, rules=rules, hand=hand, reading=reading, page=page, now=now))
    return Later(0.0)


def _forget(tx: Tx, *, hand: Hand) -> None:
    tx.work.guard(hand.claim)
    tx.recovery.forget()


def _read(tx: Tx, *, hand: Hand, reading: dict[str, Any], now: float) -> None:
    tx.work.guard(hand.claim)
    tx.house.learn(_READ, reading, now)


def _note(tx: Tx, *, rules: Rules, hand: Hand, reading: dict[str, Any], page: TaskPage, now: float) -> None:
    tx.work.guard(hand.claim)
    if reading["loss"] != tx.recovery.last_loss():
        return  # another one was noticed meanwhile, and the list is read anew
    pages, tasks = reading["pages"] + 1, reading["tasks"] + len(page.tasks)
    done = page.next_cursor is None or pages >= MOST_PAGES
    tx.recovery.remember([task for task in map(marked, page.tasks) if task is not None])
    tx.house.learn(_READ, {**reading, "cursor": page.next_cursor, "pages": pages, "tasks": tasks, "done": done}, now)
    tx.brakes.say(BRAKE, "", said(tx))
    if done:
        for job in tx.recovery.waiting():
            adopt(tx, rules, job, now)
        tx.brakes.rest(BRAKE, "", now)  # it is looked at now, and lets go


# Adopting


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a job is by the list: `to` which state it goes, with which fields; `failed` are the generations before it that failed."""

    plan: Plan
    to: JobState
    why: str
    fields: Mapping[str, Any]
    failed: Mapping[int, ListedTask]

    def due(self, now: float) -> float | None:
        """When the job is looked at next: at once, unless it is open at the service or waits for something else."""
        if self.to is JobState.PROCESSING:
            return None if self.fields["task_status"] in OPEN_STATUSES else now
        return None if self.to in {JobState.HELD, JobState.UPLOADING} else now

    def record_failed(self, tx: Tx, job: Job, now: float) -> None:
        """Have the generations that failed in history: they count."""
        for generation, task in self.failed.items():
            at = _when(task, now)
            why = f"its task {task.task_id} failed; it was found in the service's list"
            values = {
                "identity": job.identity, "key": self.plan.key(generation), "generation": generation, "priority": job.priority,
                "posted": 1, "task_id": task.task_id, "task_status": task.status, "submitted_at": at, "ended_at": at, "due": None,
                "reason": why,
            }  # fmt: skip
            tx.jobs.add({**self.plan.values, **values}, JobState.FAILED, now, why)


def adoption_of(tx: Tx, rules: Rules, job: Job, now: float) -> Adoption | None:
    """What a job without a task is by the service's list; None where that shows nothing of it, or was not read to its end."""
    if not tx.recovery.knows_any() or is_due(tx):
        return None
    plan = plan_of(rules, job)

    def listed(generation: int) -> ListedTask | None:
        found = tx.recovery.listed(mark(plan.key(generation)))
        return best(one for one in found if agrees(one, job.task, job.source, job.language))

    found = by_generation(job.generation, listed)
    if not found:
        return None
    newest = max(found)
    is_own = newest == job.generation and bool(job.posted)
    if found[newest].status != "failed" or is_own:
        return _taken(tx, plan, job, newest, found, now)
    return _tried_before(tx, plan, job, found)


def _taken(tx: Tx, plan: Plan, job: Job, generation: int, found: Mapping[int, ListedTask], now: float) -> Adoption:
    """It is that task, whatever became of it."""
    task = found[generation]
    at = _when(task, now)
    price = reckon(tx, job.id) if task.credits_used is None else float(task.credits_used)
    fields = {
        **_as_generation(plan, job, generation), "posted": 1, "posted_at": at, "submitted_at": at, "task_id": task.task_id,
        "task_status": task.status, "progress": task.progress or 0, "reserved": price or 0.0, "reserved_at": at, "held_by": "",
    }  # fmt: skip
    why = f"the service has it already as task {task.task_id}, found by its mark; nothing is billed again"
    return Adoption(plan, JobState.PROCESSING, why, fields, failed_last(found, generation))


def _tried_before(tx: Tx, plan: Plan, job: Job, found: Mapping[int, ListedTask]) -> Adoption:
    """It failed at the service as often as the list shows, so this is the next generation; after too many a person is asked."""
    failed = failed_last(found, max(found) + 1)
    fields = {**_as_generation(plan, job, max(found) + 1), "posted": 0, "posted_at": None, "reserved": None}
    failures = tx.jobs.failures(job.identity) + len(failed)
    if failures >= MOST_GENERATIONS and not job.approved:
        return Adoption(plan, JobState.HELD, held_for_failing(failures), fields, failed)
    return Adoption(plan, job.state, f"it failed at the service before; this is generation {max(found) + 1}", fields, failed)


def _as_generation(plan: Plan, job: Job, generation: int) -> dict[str, Any]:
    """The fields of a job that turns out to be a later generation of its work; the body of a request holds the key."""
    return {} if generation == job.generation else {"generation": generation, "key": plan.key(generation), "body": None}


def _when(task: ListedTask, now: float) -> float:
    return now if task.created_at is None else min(now, task.created_at)


def adopt(tx: Tx, rules: Rules, job: Job, now: float) -> None:
    """Have a job that nobody has in hand be what the service's list shows of it, if anything."""
    adoption = adoption_of(tx, rules, job, now)
    if adoption is None:
        return
    fields = {**adoption.fields, "due": adoption.due(now)}
    tx.work.move("job", job.id, (job.state,), adoption.to, now, adoption.why, fields)
    if adoption.to is job.state:
        tx.work.note(now, "job", job.id, job.state, job.state, adoption.why)
    adoption.record_failed(tx, job, now)
    tx.house.hurry("follow", now)


def adopted(job: Job, adoption: Adoption, now: float) -> Done:
    """The same as the outcome of a job in hand."""

    def also(tx: Tx) -> None:
        adoption.record_failed(tx, job, now)
        tx.house.hurry("follow", now)

    due = adoption.due(now)
    return Done(adoption.to, adoption.why, adoption.fields, also=also, due=None if due is None else due - now)
