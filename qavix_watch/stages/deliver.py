"""A job's results under one drop's names: put in place whole, never over anything else."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core.foreign import escape_refused
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.lifecycle import DeliveryState, JobState
from qavix_watch.core.naming import KNOWN_KINDS, display, result_name, split_name
from qavix_watch.core.outcomes import Done, Later, Outcome
from qavix_watch.core.tasks import TaskType
from qavix_watch.core.templates import templated
from qavix_watch.errors import FileGone, FileUnreadable, NameRefused, NameTaken, NoSpace
from qavix_watch.stages.outlets import parts_of, roots_online
from qavix_watch.stages.sweep import later, tidy
from qavix_watch.stages.texts import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qavix_watch.core.records import Delivery, Drop, Job, Result, ResultFile
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

MOST_NUMBERS = 10_000
ROOM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Other:
    """Another job of the same drop, whose results bear the same number: `results` as far as they are here."""

    job: Job
    results: Sequence[Result]


@dataclass(frozen=True, slots=True)
class Work:
    """What a delivery has to do with, as the state has it.

    `names`: where an earlier try was about to put each result. `number`: the first that it may bear; `others`: jobs that are
    still to be delivered under that number.
    """

    job: Job
    drop: Drop
    results: Sequence[Result]
    copies: Mapping[int, Sequence[ResultFile]]
    names: Mapping[int, bytes]
    number: int
    others: Sequence[Other]
    twins: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A result under its name in the outbox."""

    result: Result
    path: bytes
    size: int
    sha256: str


async def deliver(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Put every result of a job under this drop's names."""
    delivery, began = hand.row, ports.clock.now()
    work: Work = await ports.store.transaction("what is to be delivered", lambda tx: _read(tx, rules, delivery, began))
    await roots_online(ports, work.drop)
    missing = await ports.blocking(_missing, ports, rules, work)
    if missing:
        return await _fetch_again(ports, hand, missing)
    try:
        return await _under_some_name(ports, rules, hand, work)
    except NoSpace as error:
        if work.drop.outlet is None:
            raise
        return Later(ROOM_SECONDS, f"{error}; make room there")  # the brake is for the outbox and all that goes there


async def _under_some_name(ports: Ports, rules: Rules, hand: Hand, work: Work) -> Outcome:
    try:
        return await _under_a_free_name(ports, rules, hand, work, _target)
    except NameRefused:
        return await _under_a_free_name(ports, rules, hand, work, _escaped_target)


async def _under_a_free_name(ports: Ports, rules: Rules, hand: Hand, work: Work, name_for: Callable[..., bytes]) -> Outcome:
    delivery: Delivery = hand.row
    for attempt in range(work.number, MOST_NUMBERS):
        names = {result.id: name_for(rules, work, result, attempt) for result in work.results}
        if not await ports.blocking(_free, ports, rules, hand, work, names, partial(name_for, number=attempt)):
            continue
        kept = _named(names, attempt)
        await ports.store.transaction("its names", partial(_keep, hand=hand, fields=kept))
        await ports.blocking(_make_folders, ports, rules, work, names)
        try:
            placed = await ports.blocking(_place_all, ports, rules, hand, work, names)
        except NameTaken:
            continue
        except FileGone:  # it was taken away while we looked, or has the right length and other content
            return await _fetch_again(ports, hand, [result for result in work.results if result.inline is None])
        return _done(ports, delivery, placed)
    return Later(rules.rescan_seconds, "every name for its results is taken")


def _keep(tx: Tx, *, hand: Hand, fields: Mapping[str, Any]) -> None:
    tx.work.keep(hand.claim, fields)


def _read(tx: Tx, rules: Rules, delivery: Delivery, now: float) -> Work:
    later(tx, rules, now)
    job, drop = tx.work.get("job", delivery.job), tx.work.get("drop", delivery.drop_id)
    results = tx.jobs.results(job.id)
    copies = {result.id: tx.jobs.copies(result.id) for result in results}
    beside = tx.jobs.beside(delivery)
    number = max(map(_number, [delivery, *(other for other in beside if other.state is DeliveryState.DONE)]))
    waiting = [Other(tx.work.get("job", other.job), tx.jobs.results(other.job)) for other in beside if other.state is DeliveryState.PENDING]
    twins = tx.drops.twins(drop, drop.path[: -len(_suffix(drop)) or None])
    return Work(job, drop, results, copies, _names(delivery), number, waiting, twins)


def _suffix(drop: Drop) -> bytes:
    return split_name(name_of(drop.path))[1]


def _target(rules: Rules, work: Work, result: Result, number: int) -> bytes:
    """The path of a result in the outbox: the drop's own folders below its order's folder, and its name. Absolute in an outlet."""
    stem, suffix = split_name(name_of(work.drop.path))
    task = TaskType(work.job.task)
    template = rules.templates.get(work.job.task)
    if template is not None and result.kind in KNOWN_KINDS:
        name = templated(template, stem, work.job.source, work.job.language, result.extension, number=number)
    else:
        twin = suffix if work.twins else None
        name = result_name(stem, result.kind, task, work.job.language, result.extension, number=number, source_suffix=twin)
    return join(parent(work.drop.path) if work.drop.outlet is None else work.drop.outlet, name)


def _escaped_target(rules: Rules, work: Work, result: Result, number: int) -> bytes:
    """The same with what this filesystem refuses percent-escaped."""
    wanted = _target(rules, work, result, number)
    if work.drop.outlet is not None:  # a person named that folder: it is as it is
        return join(work.drop.outlet, escape_refused(name_of(wanted)))
    return b"/".join(escape_refused(name) for name in wanted.split(b"/"))


def _missing(ports: Ports, rules: Rules, work: Work) -> list[Result]:
    """The results that lie nowhere any more, or not as they were."""
    return [result for result in work.results if result.inline is None and not _origins(ports, rules, work, result)]


def _origins(ports: Ports, rules: Rules, work: Work, result: Result) -> list[bytes]:
    """Where this result can be taken from: its first place, the names that deliveries gave it, the one it got before a kill."""
    paths = [] if result.staged is None else [result.staged]
    paths += [copy.path for copy in work.copies[result.id]]
    paths += [work.names[result.id]] if result.id in work.names else []
    paths = [join(rules.layout.outbox, path) for path in paths]
    return [path for path in paths if _size(ports, path) == result.size]


def _size(ports: Ports, path: bytes) -> int | None:
    try:
        return ports.files.stat(path).size
    except (FileGone, FileUnreadable):
        return None


async def _fetch_again(ports: Ports, hand: Hand, missing: list[Result]) -> Outcome:
    delivery: Delivery = hand.row
    now = ports.clock.now()

    def ask(tx: Tx) -> None:
        tx.work.guard(hand.claim)  # whoever was fenced out looked at what somebody else has moved
        for result in missing:
            tx.jobs.unstage(result.id)
        tx.work.move("job", delivery.job, (JobState.DONE,), JobState.FETCHING, now, "its results are wanted again", {"due": now})

    await ports.store.transaction("fetch again", ask)
    return Later(60.0, "its results are fetched again")


def _named(names: Mapping[int, bytes], number: int) -> dict[str, Any]:
    shown = {str(result): base64.b64encode(path).decode() for result, path in names.items()}
    return {"names_json": json.dumps({"number": number, "names": shown})}


def _names(delivery: Delivery) -> dict[int, bytes]:
    kept = {} if delivery.names_json is None else json.loads(delivery.names_json)["names"]
    return {int(result): base64.b64decode(path) for result, path in kept.items()}


def _number(delivery: Delivery) -> int:
    number: int = 1 if delivery.names_json is None else json.loads(delivery.names_json)["number"]
    return number


def _free(
    ports: Ports, rules: Rules, hand: Hand, work: Work, names: Mapping[int, bytes], name_for: Callable[..., bytes]
) -> bool:
    """Whether no name is taken by other content, neither of these nor of what the drop's other jobs are still to bring."""
    mine = all(_free_one(ports, rules, hand, result, names[result.id]) for result in work.results)
    return mine and all(_free_for(ports, rules, hand, replace(work, job=other.job), other, name_for) for other in work.others)


def _free_for(ports: Ports, rules: Rules, hand: Hand, work: Work, other: Other, name_for: Callable[..., bytes]) -> bool:
    """The same for another job of the drop. What is not here yet will be of the same kinds, being of the same type."""
    if other.results:
        return all(_free_one(ports, rules, hand, result, name_for(rules, work, result)) for result in other.results)
    return all(_size(ports, join(rules.layout.outbox, name_for(rules, work, result))) is None for result in work.results)


def _free_one(ports: Ports, rules: Rules, hand: Hand, result: Result, path: bytes) -> bool:
    target = join(rules.layout.outbox, path)
    size = _size(ports, target)
    return size is None or (size == result.size and _sha256_if_same(ports, hand, result, target) is not None)


def _make_folders(ports: Ports, rules: Rules, work: Work, names: Mapping[int, bytes]) -> None:
    """NameTaken where a file is in the way, which no number helps against."""
    rights = whose_rights(ports, rules, work.drop, rules.layout.outbox)
    for folder in dict.fromkeys(parent(name) for name in names.values()):
        ports.files.make_folder(join(rules.layout.outbox, folder), rights, below=work.drop.outlet or rules.layout.outbox)


def _place_all(ports: Ports, rules: Rules, hand: Hand, work: Work, names: Mapping[int, bytes]) -> list[Placed]:
    placed = [_place(ports, rules, hand, work, result, names[result.id]) for result in work.results]
    if work.drop.outlet is None:
        tidy(ports.files, rules.layout)
    else:
        ports.files.remove_empty(parts_of(rules, work.job, work.drop), work.drop.outlet)
    return placed


def _place(ports: Ports, rules: Rules, hand: Hand, work: Work, result: Result, name: bytes) -> Placed:
    target = join(rules.layout.outbox, name)
    if _size(ports, target) is not None:
        same = _same(ports, hand, result, target, name)
        if result.staged is not None:
            ports.files.remove(join(rules.layout.outbox, result.staged))
        return same
    private, sha256 = _prepare(ports, rules, hand, work, result, parent(target))
    ports.files.adopt(private, whose_rights(ports, rules, work.drop, join(rules.layout.outbox, parent(name))))
    ports.files.rename_new(private, target)
    if result.staged is not None:  # it is still there where it grew on another filesystem
        ports.files.remove(join(rules.layout.outbox, result.staged))
    return Placed(result, name, result.size, sha256)


def whose_rights(ports: Ports, rules: Rules, drop: Drop, otherwise: bytes) -> bytes:
    """The folder whose group and mode what is made for a drop takes: its order's, so that whoever drops there may use it, or the one
    that was named for its results.
    """
    if drop.outlet is not None:
        return drop.outlet
    folder = rules.layout.in_inbox(drop.folder)
    return otherwise if _size(ports, folder) is None else folder


def _same(ports: Ports, hand: Hand, result: Result, target: bytes, name: bytes) -> Placed:
    """The name is taken: by the very same content it is left as it is, by any other NameTaken."""
    sha256 = _sha256_if_same(ports, hand, result, target)
    if sha256 is None:
        raise NameTaken(f"“{display(name)}” is taken by something else")
    ports.files.make_durable(target)  # an earlier try may have died before it was
    return Placed(result, name, result.size, sha256)


def _sha256_if_same(ports: Ports, hand: Hand, result: Result, target: bytes) -> str | None:
    """The SHA-256 that is recorded of a result ("" for a small text), if it is what lies there; None if that is anything else."""
    if result.inline is not None:
        return "" if ports.files.read(target, 1 << 20) == result.inline.encode() else None
    sha256 = ports.files.fingerprint(target, hand.meter("comparing")).sha256
    return sha256 if sha256 == result.sha256 else None


def _prepare(ports: Ports, rules: Rules, hand: Hand, work: Work, result: Result, folder: bytes) -> tuple[bytes, str]:
    """A private file with this result in it, ready to get its name in `folder`."""
    staged = None if result.staged is None else join(rules.layout.outbox, result.staged)
    if staged is not None and _size(ports, staged) == result.size and ports.files.same_filesystem(parent(staged), folder):
        return staged, result.sha256
    parts = parts_of(rules, work.job, work.drop)
    private = join(parts, f"d{hand.id}.{result.id}.{hand.row.fence}.copy".encode())
    while True:
        ports.files.make_folder(parts, rules.layout.outbox if work.drop.outlet is None else None)
        try:
            return private, _copied(ports, rules, hand, work, result, private)
        except FileGone:  # a delivery that ends just now may have taken away the folder of parts under our hands
            if _size(ports, parts) is not None:
                raise


def _copied(ports: Ports, rules: Rules, hand: Hand, work: Work, result: Result, private: bytes) -> str:
    """Write a result into a private file; gives its SHA-256 ("" for a small text)."""
    ports.files.remove(private)
    if result.inline is not None:
        write_private(ports.files, private, result.inline.encode())
        return ""
    for origin in _origins(ports, rules, work, result):
        if ports.files.copy(origin, private, hand.meter("copying")) == result.sha256:
            return result.sha256
        ports.files.remove(private)
    raise FileGone("none of its earlier copies is what it was")


def _done(ports: Ports, delivery: Delivery, placed: list[Placed]) -> Outcome:
    now = ports.clock.now()

    def note(tx: Tx) -> None:
        for one in placed:
            tx.jobs.placed(one.result.id, delivery.id, one.path, one.size, one.sha256)
            tx.jobs.unstage(one.result.id)
        tx.drops.conclude(delivery.drop_id, now)

    names = ", ".join(display(name_of(one.path)) for one in placed)
    return Done(DeliveryState.DONE, f"delivered as {names}", also=note, due=None)

