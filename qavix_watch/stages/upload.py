"""ready → uploading → submitting: a job waits until the service holds its contents; each content is sent once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core.layout import name_of
from qavix_watch.core.lifecycle import ContentState, JobState
from qavix_watch.core.naming import wire_name
from qavix_watch.core.outcomes import Done, Later, Outcome, Retry
from qavix_watch.errors import FileChanged, FileGone, FileUnreadable, GrantRefused, InvalidRequest, NotFound, Unreachable
from qavix_watch.stages.answers import about_the_path
from qavix_watch.stages.money import hold_if_mass
from qavix_watch.stages.outlets import roots_online
from qavix_watch.stages.submitted import look_again

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.files import Stat
    from qavix_watch.core.records import Content, Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import FileLink, UploadGrant
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx


@dataclass(frozen=True, slots=True)
class Source:
    """Where a content lies just now: a path, the stat that it was read with, and whose it is, as the partner or the main file.

    `by_command`: its drop was submitted by command, so that no root is its home.
    """

    path: bytes
    stat: Stat
    drop: int
    partner: bool
    by_command: bool


async def prepare(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Have a job's contents uploaded, and let it go on where they are."""
    job: Job = hand.row
    now = ports.clock.now()
    held = await ports.store.transaction("is it one of many", lambda tx: hold_if_mass(tx, ports, rules, hand))
    if held is not None:
        return held

    def ask(tx: Tx) -> None:
        for sha256 in job.inputs:
            tx.contents.want(sha256, job.priority, now)
        advance(tx, job, now)

    return Done(JobState.UPLOADING, "waits for its contents", also=ask, due=None)


def advance(tx: Tx, job: Job, now: float) -> None:
    """Let a job that waits for contents go on, where the service holds all of them; one that it has forgotten since is sent again."""
    contents = [tx.contents.find(sha256) for sha256 in job.inputs]
    for content in contents:
        if content is not None and content.state is not ContentState.STORED and content.due is None:
            tx.contents.want(content.sha256, job.priority, now)
    if all(content is not None and content.state is ContentState.STORED for content in contents):
        tx.work.move("job", job.id, (JobState.UPLOADING,), JobState.SUBMITTING, now, "its contents are there", {"due": now})


async def upload(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Send one content, unless the service says that it holds it already."""
    content: Content = hand.row
    wanted, holders = await ports.store.transaction(
        "who wants it", lambda tx: (tx.jobs.waiting_for(content.sha256), tx.drops.holding(content.sha256))
    )
    if not wanted:
        return Later(None)
    source = await ports.blocking(_source, ports, rules, content, holders)
    if source is None:
        await look_again(ports, rules, holders)
        await roots_online(ports, *holders)
        return Retry("no file with this content is there any more")
    if content.file_id is not None:
        return await _confirmed(ports, content, content.file_id, content.uploads)
    grant = await ports.api.get_upload_url(wire_name(name_of(source.path)), content.size, content.md5)
    if grant.upload_url is None and grant.url is not None:
        return stored(ports, content, grant.file_id, grant.url, grant.expires_at, "the service had it already", content.uploads)
    return await _send(ports, rules, hand, source, grant)


async def _send(ports: Ports, rules: Rules, hand: Hand, source: Source, grant: UploadGrant) -> Outcome:
    content: Content = hand.row
    uploads = content.uploads + 1
    sent = partial(_sent, hand=hand, fields={"file_id": grant.file_id, "uploads": uploads})
    try:
        same = await ports.blocking(_sent_whole, ports, hand, source, grant)
        if same:
            await ports.store.transaction("it was sent", sent)
            same = await ports.blocking(_still_there, ports, source)
    except GrantRefused as error:
        return Retry(f"storage refused the upload: {error}")
    except Unreachable as error:  # object storage is not the service: that it fails says nothing of that
        return Retry(str(error))
    except (FileGone, FileChanged, FileUnreadable) as error:
        if not source.by_command:
            await ports.blocking(ports.roots.check)
        return await _unlike(ports, rules, source, str(error))
    if not same:
        return await _unlike(ports, rules, source, "what was sent is not what was read before")
    return await _confirmed(ports, content, grant.file_id, uploads)


def _sent(tx: Tx, *, hand: Hand, fields: Mapping[str, Any]) -> None:
    tx.work.keep(hand.claim, fields)


async def _confirmed(ports: Ports, content: Content, file_id: str, uploads: int) -> Outcome:
    """What was sent whole is not sent again because this cannot be asked just now; only if the service does not have it."""
    try:
        link: FileLink = await ports.api.confirm_upload(file_id)
    except (NotFound, InvalidRequest) as error:
        if about_the_path(error):
            raise
        refused_by = error.operation if isinstance(error, InvalidRequest) else ""
        return Retry(str(error), fields={"file_id": None}, refused_by=refused_by)
    return stored(ports, content, link.file_id, link.url, link.expires_at, "uploaded", uploads)


def _sent_whole(ports: Ports, hand: Hand, source: Source, grant: UploadGrant) -> bool:
    """Send it; False where its bytes, or the file afterwards, are not what they were when it was read."""
    content: Content = hand.row
    reader = ports.files.open(source.path)
    try:
        sent = ports.transfers.upload(grant, reader, content.size, hand.meter("uploading"))
        after = reader.stat()
    except GrantRefused:
        # Storage refuses what has another digest than was announced: then it is the file that is not what it was.
        if ports.files.fingerprint(source.path, hand.meter("comparing")).sha256 == content.sha256:
            raise
        return False
    finally:
        reader.close()
    return sent == content.sha256 and after.same_file(source.stat)


def _still_there(ports: Ports, source: Source) -> bool:
    """Whether the file at its path is the one that was sent. FileGone where a person has moved it meanwhile, or taken it out."""
    return ports.files.stat(source.path).same_file(source.stat)


async def _unlike(ports: Ports, rules: Rules, source: Source, why: str) -> Outcome:
    """The file changed under our hands: its drop settles again, and nothing is submitted from this upload."""
    now = ports.clock.now()
    try:
        stat = await ports.blocking(ports.files.stat, source.path)
    except FileGone:
        return Retry(why)
    due = now + rules.settle_seconds

    def note(tx: Tx) -> bool:
        if source.partner:
            return tx.drops.partner_changed(source.drop, now)
        return tx.drops.changed(source.drop, stat, now, due, "it changed while it was uploaded")

    await ports.store.transaction("changed", note)
    return Retry(why)


def _source(ports: Ports, rules: Rules, content: Content, holders: list[Drop]) -> Source | None:
    for drop in holders:
        for path, fits in _places(rules, content, drop):
            try:
                stat = ports.files.stat(path)
            except (FileGone, FileUnreadable):
                continue
            if fits(stat):
                return Source(path, stat, drop.id, content.sha256 != drop.sha256, drop.outlet is not None)
    return None


def _places(rules: Rules, content: Content, drop: Drop) -> list[tuple[bytes, Any]]:
    """Where a content may lie by what a drop says, and whether what lies there is the file that was read."""
    if content.sha256 != drop.sha256:
        return [(path, drop.partner_is) for path in rules.layout.partners(drop)]
    return [(path, drop.stat_is) for path in (rules.layout.original(drop), drop.aside, drop.target) if path is not None]


def stored(
    ports: Ports, content: Content, file_id: str, url: str, expires: float | None, why: str, uploads: int
) -> Outcome:
    """The service holds it: the jobs that waited for it go on."""
    now = ports.clock.now()

    def wake(tx: Tx) -> None:
        for job in tx.jobs.waiting_for(content.sha256):
            advance(tx, job, now)

    fields = {"file_id": file_id, "url": url, "url_expires": expires, "uploads": uploads}
    return Done(ContentState.STORED, why, fields, also=wake, due=None)
