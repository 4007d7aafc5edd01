"""processing → fetching: what became of the tasks, learnt from pages of List Tasks, not from one call a task."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.deadlines import allowed_seconds, overdue_said
from qavix_watch.core.identity import mark, mark_in
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Later, Outcome, Retry
from qavix_watch.core.service import LARGEST_PAGE, OPEN_STATUSES
from qavix_watch.errors import NotFound
from qavix_watch.stages.answers import about_the_path
from qavix_watch.stages.money import settled, task_failed

if TYPE_CHECKING:
    from qavix_watch.core.records import Job, OpenTask
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import Output, Task
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

MOST_PAGES_BEYOND_OURS = 50
YOUNG_SECONDS = 60.0
LOST_SECONDS = 60.0
GONE = {"task_status": "gone"}
"""A task that the service does not know any more: its key would make a new one, or lead nowhere."""
MOST_ASKED = 3
ACCOUNT_SECONDS = 30.0
ACCOUNT_HINT = (
    "The key is another account's: put the right one back, or name the new account with `api.account`."
    " `qavix-watch approve account` goes on with it as it is; compare `[api.paths] get_task` first."
)


async def follow(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """One round: tasks that have left the open lists are asked for one by one, the others' progress is noted.

    Where none is open it rests: whoever leaves a task to be followed says so. A state that is written for nothing lets no disk sleep.
    """
    began = ports.clock.now()
    ours: list[OpenTask] = await ports.store.transaction("what is open", lambda tx: tx.jobs.open_tasks())
    if not ours:
        return Later(None)
    listed: dict[str, Task] = {}
    for status in OPEN_STATUSES:
        await _pages(ports, status, listed, len(ours))
    # What has a due time is being asked for, or waits between two tries: waking it would use its tries up.
    left = [job for job in ours if job.task_id not in listed and job.due is None and job.submitted_at < began]
    still = [(job.id, listed[job.task_id]) for job in ours if job.task_id in listed]
    late = [job for job in ours if job.task_id in listed and job.due is None and job.overdue_since is None and _is_late(job, began)]

    def note(tx: Tx) -> None:
        for number, task in still:
            tx.jobs.seen(number, task.status, task.progress)
        for job in (*left, *late):
            tx.work.wake("job", job.id, began)

    await ports.store.transaction("what List Tasks says", note)
    return Later(_interval(ours, began, rules))


async def _pages(ports: Ports, status: str, listed: dict[str, Task], ours: int) -> None:
    """Read every page of one status, unless very many tasks are not ours: what was not seen then is asked for one by one."""
    cursor = None
    for _ in range(ours // LARGEST_PAGE + 1 + MOST_PAGES_BEYOND_OURS):
        page = await ports.api.list_tasks(status=status, cursor=cursor, limit=LARGEST_PAGE)
        listed.update({task.task_id: task for task in page.tasks})
        cursor = page.next_cursor
        if cursor is None:
            return


def _interval(ours: list[OpenTask], now: float, rules: Rules) -> float:
    """Young tasks are looked at often, old ones rarely: a tenth of the youngest one's age, within the bounds. Those past their deadline
    as rarely as that goes.
    """
    youngest = min((now - job.submitted_at for job in ours if job.overdue_since is None), default=float("inf"))
    return min(rules.poll_max_seconds, max(rules.poll_min_seconds, (youngest - YOUNG_SECONDS) / 10))


def _is_late(job: OpenTask, now: float) -> bool:
    return now - job.submitted_at > allowed_seconds(job.task, job.seconds, job.letters)


async def look(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Get Task for one job: it has left the open lists, or a callback named it."""
    job: Job = hand.row
    try:
        task = await ports.api.get_task(job.task_id or "")
    except NotFound as error:
        if about_the_path(error):
            raise
        return await _lost(ports, job)
    if (mark_in(task.name) or mark(job.key)) != mark(job.key):
        return await _lost(ports, job)  # other work under the same id: another account's, or a service's that began anew
    if task.status == "failed":
        await ports.store.transaction("its credits", lambda tx: task_failed(tx, hand, task.credits_used, ports.clock.now()))
        return Fail(f"the task failed: {task.error_message or 'the service did not say why'}")
    if task.status != "completed":
        return await _still_open(ports, rules, job, task)
    if task.output is None or not task.output.urls:
        return Retry("the task is completed, but there is no result yet")
    is_done = {"task_status": task.status, "progress": 100, "overdue_since": None}
    fields = {**is_done, "output_json": pack(task.output), **settled(task.credits_used)}
    return Done(JobState.FETCHING, "the task is completed", fields, also=lambda tx: tx.money.freed(ports.clock.now()))


async def _still_open(ports: Ports, rules: Rules, job: Job, task: Task) -> Later:
    """The service works on it: it is followed with the others. A task past its deadline is told of once; nothing else changes by it."""
    fields = {"task_status": task.status, "progress": task.progress if task.progress is not None else job.progress}
    now = ports.clock.now()
    content = await ports.store.transaction("its length", lambda tx: tx.contents.find(job.main_sha256))
    allowed = allowed_seconds(job.task, None if content is None else content.duration, None if job.text is None else len(job.text))

    def followed(tx: Tx) -> None:
        tx.house.hurry("follow", now + rules.poll_max_seconds)

    def late(tx: Tx) -> None:
        followed(tx)
        tx.work.note(now, "job", job.id, job.state, job.state, why)

    if now - (job.submitted_at or now) <= allowed:
        return Later(None, "", {**fields, "overdue_since": None} if job.overdue_since is not None else fields, also=followed)
    why = overdue_said(allowed)
    if job.overdue_since is not None:
        return Later(None, why, fields, also=followed)
    return Later(None, why, {**fields, "overdue_since": now}, also=late)


async def _lost(ports: Ports, job: Job) -> Outcome:
    """One task that is not known is lost; where no other one is known either, it is another account that was asked.

    What stays lost fails in the end, and a new task is only made of it when a person says so.
    """
    why = f"the service does not know task {job.task_id} any more"
    approved, doubted = await ports.store.transaction("the account", lambda tx: (tx.house.fact("account approved"), tx.brakes.on()))
    if approved is not None and approved[1] >= (job.submitted_at or job.created_at):
        return Retry(why, LOST_SECONDS, GONE)
    known = False if any(brake.name == "account" for brake in doubted) else await knows_any(ports, job.task_id or "")
    if known is False or (known is None and job.tries):
        return Brake("account", f"{why}, and no other task that it gave us", ACCOUNT_HINT, after=ACCOUNT_SECONDS)
    return Retry(why, LOST_SECONDS, GONE)


async def knows_any(ports: Ports, but: str) -> bool | None:
    """Whether the service knows one of the last tasks that it gave us, `but` one; None where there are none. Errors: as for Api."""
    tasks: list[str] = await ports.store.transaction("known tasks", lambda tx: tx.jobs.known_tasks(but, MOST_ASKED))
    for task in tasks:
        with suppress(NotFound):
            await ports.api.get_task(task)
            return True
    return False if tasks else None


def pack(output: Output) -> str:
    """Where results lie, as the state keeps it."""
    return json.dumps({"urls": dict(output.urls), "expires_at": output.expires_at})


def unpack(text: str | None) -> dict[str, str]:
    """The URLs of results by kind."""
    urls: dict[str, str] = json.loads(text)["urls"] if text else {}
    return urls


