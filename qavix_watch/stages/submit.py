"""submitting → processing: the POST, with its key and body durable before its first byte goes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qavix_watch.core.identity import task_name
from qavix_watch.core.lifecycle import ContentState, JobState
from qavix_watch.core.outcomes import Done, Fail, Later, Outcome, Retry
from qavix_watch.core.tasks import TASKS, MediaKind, TaskType
from qavix_watch.errors import ApiError, FileGone, FileUnreadable, NotFound, Unreachable
from qavix_watch.stages.account import balance_is
from qavix_watch.stages.answers import about_the_path, key_is_taken
from qavix_watch.stages.clone import clone
from qavix_watch.stages.money import affordable, not_taken, reserve, set_aside
from qavix_watch.stages.moving import partner_stats
from qavix_watch.stages.outlets import roots_online
from qavix_watch.stages.recovery import adopted, adoption_of, key_taken
from qavix_watch.stages.submitted import look_again

if TYPE_CHECKING:
    from qavix_watch.core.records import Content, Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import CreatedTask
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.recovery import Adoption

LINK_MARGIN_SECONDS = 300.0
_URL_FIELD = {MediaKind.VIDEO: "video_url", MediaKind.AUDIO: "audio_url", MediaKind.IMAGE: "image_url"}


async def submit(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Give a job to the service."""
    job: Job = hand.row
    now = ports.clock.now()

    def who(tx: Tx) -> tuple[list[Drop], Adoption | None]:
        return tx.drops.wanting(job.id), adoption_of(tx, rules, job, now)

    wanting, adoption = await ports.store.transaction("who wants it", who)
    if not job.posted and not await ports.blocking(_still_there, ports, rules, wanting):
        return await _not_there(ports, rules, wanting)
    if adoption is not None:
        return adopted(job, adoption, now)
    urls = await _links(ports, job)
    if isinstance(urls, (Done, Retry)):
        return urls
    barred = None if job.posted else await affordable(ports, rules, hand)
    if barred is not None:
        return barred
    if job.task == TaskType.VOICE_CLONE:
        return await clone(ports, rules, hand, wanting, urls["audio_url"])
    return await _post(ports, rules, hand, urls)


async def _post(ports: Ports, rules: Rules, hand: Hand, urls: dict[str, str]) -> Outcome:
    job: Job = hand.row
    body = {**(_first_body(rules, job) if job.body is None else json.loads(job.body)), **urls}
    kept = {"body": json.dumps(body), "posted": 1, "posted_at": job.posted_at or ports.clock.now()}
    barred = await ports.store.transaction("before the POST", lambda tx: reserve(tx, ports, rules, hand, kept))
    if barred is not None:
        return barred
    try:
        task = await ports.api.create_task(job.operation, body)
    except (ApiError, Unreachable) as error:
        if isinstance(error, ApiError) and key_is_taken(error):
            return await key_taken(ports, rules, hand, error)
        return await not_taken(ports, hand, error)
    return _accepted(ports, rules, task)


async def _not_there(ports: Ports, rules: Rules, wanting: list[Drop]) -> Outcome:
    """It is undone or begins again as soon as that is noticed. Of what is done again nobody notices that it lacks its second input: a new
    one would be other work.
    """
    await look_again(ports, rules, wanting)
    await roots_online(ports, *wanting)
    lacking = await ports.blocking(_lack_partners, ports, rules, wanting)
    if lacking and await ports.store.transaction("are they done again", lambda tx: all(tx.drops.was_submitted(one.id) for one in wanting)):
        return Fail("the picture or sound that it was done with before is not there any more")
    return Later(rules.settle_seconds, "its file is not there any more")


def _still_there(ports: Ports, rules: Rules, wanting: list[Drop]) -> bool:
    """Whether the file of any drop that wants it lies where it was, or did so once and was only moved by a person afterwards."""
    return any(drop.detached or _present(ports, rules, drop) for drop in wanting)


def _present(ports: Ports, rules: Rules, drop: Drop) -> bool:
    """Whether both inputs lie where they were read, as they were then."""
    try:
        if not drop.stat_is(ports.files.stat(rules.layout.original(drop))):
            return False
        return drop.partner is None or any(drop.partner_is(stat) for stat in partner_stats(ports, rules, drop))
    except FileGone:
        return False
    except FileUnreadable:
        return True


def _lack_partners(ports: Ports, rules: Rules, wanting: list[Drop]) -> bool:
    """Whether all that these drops lack is what they were paired with."""
    try:
        there = [drop.stat_is(ports.files.stat(rules.layout.original(drop))) for drop in wanting if drop.partner is not None]
    except FileGone:
        return False
    return bool(wanting) and there == [True] * len(wanting)


async def _links(ports: Ports, job: Job) -> dict[str, str] | Done | Retry:
    """The URL of each input, renewed where it has expired. Done (back to uploading) where the service has forgotten one."""
    spec = TASKS[TaskType(job.task)]
    kinds = [spec.main, spec.partner]
    urls = {}
    for sha256, kind in zip(job.inputs, kinds, strict=False):
        content: Content | None = await ports.store.transaction("its content", lambda tx, sha256=sha256: tx.contents.find(sha256))  # type: ignore[misc]
        if content is None or content.state is not ContentState.STORED or content.url is None:
            return _upload_again(ports, job, sha256, "its content is no longer there")
        url = await _fresh(ports, content)
        if url is None:
            return _upload_again(ports, job, sha256, "the service has forgotten the file")
        urls[_URL_FIELD[MediaKind(kind or spec.main)]] = url
    return urls


async def _fresh(ports: Ports, content: Content) -> str | None:
    if content.url_expires is None or content.url_expires > ports.clock.now() + LINK_MARGIN_SECONDS:
        return content.url
    try:
        link = await ports.api.refresh_url(content.file_id or "")
    except NotFound as error:
        if about_the_path(error):
            raise
        return None
    await ports.store.transaction("renewed", lambda tx: tx.contents.renewed(content.sha256, link.url, link.expires_at))
    return link.url


def _upload_again(ports: Ports, job: Job, sha256: str, why: str) -> Done | Retry:
    now = ports.clock.now()

    def ask(tx: Tx) -> None:
        tx.contents.forgotten(sha256, now, why)
        tx.contents.want(sha256, job.priority, now)

    return Done(JobState.UPLOADING, why, {"reuploads": job.reuploads + 1}, also=ask, due=None)


def _first_body(rules: Rules, job: Job) -> dict[str, Any]:
    body = dict(job.params)
    if job.text is not None:
        body["text"] = job.text
    else:
        body["name"] = task_name(job.stem, job.key)
    if rules.callback_url is not None:
        body["callback_url"] = f"{rules.callback_url}/callback/{job.id}/{job.token}"
    return {**body, "idempotency_key": job.key}


def _accepted(ports: Ports, rules: Rules, task: CreatedTask) -> Outcome:
    now = ports.clock.now()
    fields = {
        "task_id": task.task_id,
        "task_status": task.status,
        "progress": 0,
        "credits_estimated": task.estimated_credits,
        "submitted_at": now,
        **set_aside(task),
    }

    def soon(tx: Tx) -> None:
        balance_is(tx, task.credits_remaining, now)
        tx.house.hurry("follow", now + rules.poll_min_seconds)

    return Done(JobState.PROCESSING, f"the service has it as task {task.task_id}", fields, also=soon, due=None)


