"""fetching → done: every result of a task is whole, checked and durable under a name of our own in the outbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.foreign import extension_for
from qavix_watch.core.layout import join, name_of
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.naming import KNOWN_KINDS, display
from qavix_watch.core.outcomes import Brake, Done, Later, Outcome, Retry
from qavix_watch.core.service import ResultHead
from qavix_watch.errors import (
    Fenced,
    FileError,
    FileGone,
    LinkExpired,
    MediaError,
    NoMediaReader,
    NoSpace,
    NotFound,
    ResultBroken,
    Stopped,
    TransferError,
    Unreachable,
)
from qavix_watch.stages.answers import about_the_path
from qavix_watch.stages.filling import Filling, TooLarge
from qavix_watch.stages.follow import GONE, pack, unpack
from qavix_watch.stages.outlets import parts_of
from qavix_watch.stages.sweep import GROWING, later

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop, Job, Result
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import Download
    from qavix_watch.ports import Hand, Ports, Sink
    from qavix_watch.ports.state import Tx

HEAD_BYTES = 4096
ROOM_SECONDS = 10.0
LONGEST_ROOM_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where results grow: the folder for that, absolute, and the one above it. `in_outbox`: that is the outbox, which has a root."""

    parts: bytes
    home: bytes
    in_outbox: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """One result that has come in. `staged`: below the outbox, or absolute where that is elsewhere."""

    kind: str
    extension: str
    sha256: str
    size: int
    staged: bytes


async def fetch(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Fetch what is not there yet."""
    job: Job = hand.row
    begun = ports.clock.now()

    def who(tx: Tx) -> list[Drop]:
        later(tx, rules, begun)
        return list(tx.drops.wanting(job.id))

    wanting = await ports.store.transaction("who wants it", who)
    place = _place(rules, job, wanting)
    if place.in_outbox:
        await ports.blocking(ports.roots.check)
    known: list[Result] = await ports.store.transaction("its results", lambda tx: tx.jobs.results(job.id))
    have = await ports.blocking(_whole, ports, rules, known)
    urls = unpack(job.output_json)
    for kind in sorted(urls.keys() - have):
        outcome = await _one(ports, rules, hand, place, kind, urls[kind])
        if outcome is not None:
            return outcome
    now = ports.clock.now()

    def ready(tx: Tx) -> None:
        tx.jobs.wake_deliveries(job.id, now)

    return Done(JobState.DONE, "every result is here", {"ended_at": now}, also=ready, due=None)


def _place(rules: Rules, job: Job, wanting: list[Drop]) -> Place:
    """What somebody submitted by command grows where it shall lie; it does not wait for a root that is away."""
    drop = next((one for one in wanting if one.outlet is not None), None)
    return Place(parts_of(rules, job, drop), rules.layout.outbox if drop is None else drop.outlet or b"", drop is None)


def _whole(ports: Ports, rules: Rules, known: list[Result]) -> set[str]:
    """The kinds of which an earlier try has brought in the whole."""
    return {result.kind for result in known if _is_there(ports, rules, result)}


def _is_there(ports: Ports, rules: Rules, result: Result) -> bool:
    if result.staged is None:
        return False
    try:
        return ports.files.stat(join(rules.layout.outbox, result.staged)).size == result.size
    except FileError:
        return False


async def _one(ports: Ports, rules: Rules, hand: Hand, place: Place, kind: str, url: str) -> Outcome | None:
    """Fetch one result and note it; an outcome where that has to wait."""
    job: Job = hand.row
    try:
        space = await ports.blocking(_room, ports, rules, job, place)
        if space is not None:
            return space
        fetched = await ports.blocking(_download, ports, rules, hand, place, kind, url)
    except LinkExpired:
        return await _new_links(ports, hand, "the results' links had expired")
    except NoSpace as error:
        if place.in_outbox and not isinstance(error, TooLarge):
            raise
        return _without_room(job, f"{error}; make room there")
    except (ResultBroken, Unreachable) as error:  # a host of results is not the service: that it fails says nothing of that
        return Retry(f"the {kind} result: {error}")
    except Stopped:
        raise
    except TransferError as error:  # nobody goes where this address leads
        return await _new_links(ports, hand, f"the {kind} result: {error}")

    def note(tx: Tx) -> None:
        tx.work.keep(hand.claim, {"reason": ""})
        tx.jobs.add_result(job.id, kind, fetched.extension, fetched.sha256, fetched.size, fetched.staged, None)

    try:
        await ports.store.transaction("a result is here", note)
    except Fenced:
        await ports.blocking(ports.files.remove, join(rules.layout.outbox, fetched.staged))
        raise
    return None


async def _new_links(ports: Ports, hand: Hand, why: str) -> Outcome:
    job: Job = hand.row
    try:
        task = await ports.api.get_task(job.task_id or "")
    except NotFound as error:
        if about_the_path(error):
            raise
        return Retry(f"the results' links have expired, and the service does not know task {job.task_id} any more", fields=GONE)
    if task.status != "completed":
        return Done(JobState.PROCESSING, f"its task is not completed any more, but {task.status}", {"task_status": task.status})
    if task.output is None or not task.output.urls:
        return Retry("the results' links have expired, and the service gives no new ones")
    fresh = pack(task.output)
    return Retry(why, fields={"output_json": fresh})


def _make_parts(ports: Ports, place: Place) -> None:
    """In the outbox as that is; elsewhere for us alone to write into, whoever may write into the folder above."""
    ports.files.make_folder(place.parts, place.home if place.in_outbox else None)


def _without_room(job: Job, why: str) -> Later:
    """The brake is for the outbox and all that goes there; this one alone waits, and people are told of it by its tries."""
    return Later(min(ROOM_SECONDS * (job.tries + 1), LONGEST_ROOM_SECONDS), why, {"tries": job.tries + 1})


def _room(ports: Ports, rules: Rules, job: Job, place: Place) -> Brake | Later | None:
    _make_parts(ports, place)
    space = ports.files.space(place.parts)
    if space.for_a_file < rules.min_free_bytes:
        if not place.in_outbox:
            return _without_room(job, f"there is too little free space in {display(place.home)}; make room there")
        why = f"there is too little free space for results in {display(place.home)}"
        return Brake("disk", why, "Make room; fetching goes on by itself.", "results", 10.0)
    return None


def _download(ports: Ports, rules: Rules, hand: Hand, place: Place, kind: str, url: str) -> Fetched:
    job: Job = hand.row
    stem = join(place.parts, f"{job.id}.{kind}.{job.fence}-{hand.claim.mark}".encode())
    part, notes = stem + b".part", stem + b".head"
    sink = _open(ports, place, f"{job.id}.{kind}.".encode(), stem)
    known = _read_head(ports, notes)
    filling = Filling(ports, rules, place.home, sink, None if known is None else known.size)

    def begin(head: ResultHead) -> None:
        filling.begin(head.size)
        _write_head(ports, notes, head)

    try:
        came = ports.transfers.download(url, filling, known, begin, hand.meter("downloading"), rules.result_limit_bytes)
    finally:
        sink.close()
    return _checked(ports, place, hand, kind, url, part, notes, came)


def _open(ports: Ports, place: Place, prefix: bytes, stem: bytes) -> Sink:
    """The part that grows; a delivery that ends just now may take away the folder of parts under our hands."""
    while True:
        _make_parts(ports, place)
        try:
            _go_on_with(ports, place, prefix, stem)
            return ports.files.append(stem + b".part")
        except FileGone:
            if place.in_outbox:
                ports.roots.check()


def _go_on_with(ports: Ports, place: Place, prefix: bytes, stem: bytes) -> None:
    """What an earlier try of this host left is gone on with, under a name of our own: whoever was fenced out keeps its hands off it.

    What another host left goes. It may only be frozen, and would write on into the very file when it wakes, whatever that is called by
    then. A later try's files are not touched: then it is we who were fenced out.
    """
    fence, mark = _try_of(name_of(stem))
    names = [name for name in ports.files.listdir(place.parts) if name.startswith(prefix) and _try_of(name)[0] <= fence]
    ours = sorted((name for name in names if _try_of(name)[1] == mark and name.endswith(GROWING)), key=_try_of)
    for name in names:
        if name not in ours:  # what is whole was never recorded, or is no longer what was recorded
            ports.files.remove(join(place.parts, name))
    for ending in GROWING:
        left = [name for name in ours if name.endswith(ending)]
        for name in left[:-1]:
            ports.files.remove(join(place.parts, name))
        if left and join(place.parts, left[-1]) != stem + ending:
            ports.files.rename_new(join(place.parts, left[-1]), stem + ending)


def _try_of(name: bytes) -> tuple[int, bytes]:
    """The fence of the try that a private name is of, and the mark of its host."""
    fence, _, mark = name.split(b".")[2].partition(b"-")
    return int(fence) if fence.isdigit() else 0, mark


def _checked(ports: Ports, place: Place, hand: Hand, kind: str, url: str, part: bytes, notes: bytes, came: Download) -> Fetched:
    try:
        extension = _kind_is_right(ports, kind, url, part, came)
    except NoMediaReader:
        raise
    except (ResultBroken, MediaError) as error:
        ports.files.remove(part)
        ports.files.remove(notes)
        raise ResultBroken(str(error)) from None
    sha256 = came.sha256 or ports.files.fingerprint(part, hand.meter("hashing")).sha256
    whole = part.removesuffix(b".part") + b".whole"
    ports.files.remove(whole)
    ports.files.rename_new(part, whole)
    ports.files.remove(notes)
    staged = whole[len(place.home) + 1 :] if place.in_outbox else whole
    return Fetched(kind, extension, sha256, came.size, staged)


def _kind_is_right(ports: Ports, kind: str, url: str, part: bytes, came: Download) -> str:
    """The extension; ResultBroken where it is not what it should be, an error page for example."""
    reader = ports.files.open(part)
    try:
        head = reader.read(HEAD_BYTES)
    finally:
        reader.close()
    if head.lstrip()[:1] == b"<" and head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ResultBroken("a page came instead of a result")
    if kind in {"video", "audio"}:
        facts = ports.media.facts(part)
        if facts.cut or facts.kind not in {"video", "audio"} or (kind == "video" and facts.kind != "video"):
            raise ResultBroken(f"what came is no {kind}" + (f" ({facts.cut})" if facts.cut else ""))
    elif not came.size or (kind in KNOWN_KINDS and b"\0" in head[:1024] and not head.startswith((b"\xff\xfe", b"\xfe\xff"))):
        raise ResultBroken("what came is no text" if kind in KNOWN_KINDS else "nothing came")
    return extension_for(url, came.content_type, head, kind)


def _read_head(ports: Ports, path: bytes) -> ResultHead | None:
    try:
        said = json.loads(ports.files.read(path, HEAD_BYTES))
        return ResultHead(said["size"], said["content_type"], said["validator"])
    except (FileGone, ValueError, KeyError, TypeError):
        return None


def _write_head(ports: Ports, path: bytes, head: ResultHead) -> None:
    text = json.dumps({"size": head.size, "content_type": head.content_type, "validator": head.validator})
    ports.files.write(path, text.encode(), path + b".new")

