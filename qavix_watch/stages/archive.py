"""archiving → archived / kept / deleted / failed: the original is put away, if it still is the one that was worked on.

The intention is recorded, the file is renamed to a private name beside itself, and only then compared: what a person put in its
place meanwhile gets its name back and is a drop of its own.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qavix_watch.core.files import Writer
from qavix_watch.core.foreign import escape_refused
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.lifecycle import CANCELLED, UNDONE, DropState
from qavix_watch.core.naming import display, numbered
from qavix_watch.core.outcomes import Brake, Done, Later, Outcome
from qavix_watch.core.stability import patience
from qavix_watch.errors import Fenced, FileError, NameRefused, NameTaken, Stopped
from qavix_watch.stages.asides import aside_for
from qavix_watch.stages.deliver import whose_rights
from qavix_watch.stages.moving import MOST_NUMBERS, Original, copies_in, give_back, is_there, move, stat_of
from qavix_watch.stages.outlets import clear_outlet, roots_online
from qavix_watch.stages.partners import follow, lay_back
from qavix_watch.stages.sweep import about_to_make
from qavix_watch.stages.whys import clear_away, private_of, remove_why, went_away, write_why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

BUSY_SECONDS = 5.0
MISSED = "the original is not where it was"


@dataclass(frozen=True, slots=True)
class Away:
    """Where an original went: `path` is absolute, None where it was removed."""

    path: bytes | None


@dataclass(frozen=True, slots=True)
class Unlike:
    """What lies there is not what was worked on."""

    why: str


async def archive(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Put one original away, as the configuration said when it settled."""
    drop: Drop = hand.row
    await roots_online(ports, drop)
    jobs: list[Job] = await ports.store.transaction("its jobs", lambda tx: tx.jobs.of_drop(drop.id))
    failed = drop.verdict == "failed"
    if drop.outlet is not None:
        return await _stays(ports, rules, hand, jobs)
    if drop.partner is not None:
        with suppress(FileError):  # where it lies may be gone for good; what follows does not need it
            await ports.blocking(lay_back, ports, rules, drop)
    if drop.detached and (drop.aside is None or not await ports.blocking(is_there, ports, drop.aside)):
        return await _taken_away(ports, rules, drop)
    original = rules.layout.original(drop)
    if drop.verdict == "cancelled" or _after(rules, drop) == "keep" or _lies_in(_room(rules, failed), original):
        return await _kept(ports, rules, hand, jobs)
    short = await ports.blocking(_too_little_room, ports, rules, drop, failed)
    if short is not None:
        return short
    aside = await ports.blocking(_private_name, ports, drop, original)
    await ports.store.transaction("about to put it away", lambda tx: tx.work.keep(hand.claim, {"aside": aside}))
    taken = await ports.blocking(_take_aside, ports, rules, hand, aside, failed)
    if isinstance(taken, Later):
        return taken
    if isinstance(taken, Unlike):
        return await _unlike(ports, rules, hand, taken.why)
    try:
        away = await _put_away(ports, rules, hand, aside, failed)
    except (FileError, Stopped):
        # It may be long until this works: meanwhile people see their file where they put it.
        await ports.blocking(_lay_back, ports, aside, original)
        raise
    if isinstance(away, Later):
        return away
    if failed and away.path is not None:
        await _say_why_beside(ports, rules, hand, away.path, jobs)
    await follow(ports, rules, hand, away.path)
    if drop.origin is not None:
        await ports.blocking(clear_away, ports, rules, drop.origin)
    state = DropState.FAILED if failed else DropState.DELETED if away.path is None else DropState.ARCHIVED
    return _ended(ports, state, drop.reason if failed else "put away", away.path, {"detached": 0})  # whatever lies at its path by now


async def _taken_away(ports: Ports, rules: Rules, drop: Drop) -> Outcome:
    await ports.blocking(_clear_whys, ports, rules, drop)
    if drop.verdict == "cancelled" and drop.origin is not None:
        return _ended(ports, DropState.GONE, UNDONE, None)
    state = DropState.FAILED if drop.verdict == "failed" else DropState.KEPT
    return _ended(ports, state, "the original had been taken away or replaced", None)


def _too_little_room(ports: Ports, rules: Rules, drop: Drop, failed: bool) -> Brake | None:
    """The brake where the original has to be copied to another filesystem that has no room for it; nothing is touched then."""
    room = _room(rules, failed)
    lies = parent(rules.layout.original(drop))
    if (_after(rules, drop) == "delete" and not failed) or not is_there(ports, lies) or ports.files.same_filesystem(lies, room):
        return None
    if drop.target is not None and is_there(ports, drop.target):
        return None
    free = ports.files.space(room).for_a_file
    if free >= drop.size + rules.min_free_bytes:
        return None
    scope = "failed" if failed else "archive"
    why = f"there is too little free space in {display(room)} to put “{display(name_of(drop.path))}” there"
    return Brake("disk", why, "Make room; work goes on by itself.", scope, 10.0, level=float(drop.size))


def _ended(ports: Ports, state: DropState, why: str, target: bytes | None, more: Mapping[str, int] = {}) -> Outcome:
    fields = {"ended_at": ports.clock.now(), "aside": None, "origin": None, "target": target, "reason": why, **more}
    return Done(state, why, fields, due=None)


async def _say_why(ports: Ports, rules: Rules, hand: Hand, original: bytes, jobs: list[Job]) -> None:
    """Beside the original, under a private name first that the state knows of."""
    borrow = partial(about_to_make, rules=rules, hand=hand, paths=[private_of(original, hand)], now=ports.clock.now())
    await ports.store.transaction("about to say why", borrow)
    await ports.blocking(write_why, ports, rules, hand, original, hand.row, jobs)


async def _say_why_beside(ports: Ports, rules: Rules, hand: Hand, original: bytes, jobs: list[Job]) -> None:
    """The same of an original that lies there. A host that was frozen before it did may tell what is over, or is no longer so: that goes
    again, or what is so now takes its place.
    """
    await _say_why(ports, rules, hand, original, jobs)
    try:
        await ports.store.transaction("it was told why", lambda tx: tx.work.guard(hand.claim))
    except Fenced:
        with suppress(FileError):
            if not await ports.blocking(went_away, ports, rules, hand, original, hand.id):
                await _say_it_as_it_is(ports, rules, hand, original)
        raise


async def _say_it_as_it_is(ports: Ports, rules: Rules, hand: Hand, original: bytes) -> None:
    """What the state says by now of the drop whose original lies there, if it has failed."""
    drop, jobs = await ports.store.transaction("what it is now", lambda tx: (tx.work.get("drop", hand.id), tx.jobs.of_drop(hand.id)))
    if drop.state is DropState.FAILED and drop.target == original:
        await ports.blocking(write_why, ports, rules, hand, original, drop, jobs)


async def _stays(ports: Ports, rules: Rules, hand: Hand, jobs: list[Job]) -> Outcome:
    """What was submitted by command is never touched. Why it failed is told where its results would be, if it can be told there."""
    drop: Drop = hand.row
    failed = drop.verdict == "failed"
    if failed:
        with suppress(FileError):
            await _say_why(ports, rules, hand, join(drop.outlet or b"", name_of(drop.path)), jobs)
    elif drop.verdict == "done":
        await ports.blocking(remove_why, ports, join(drop.outlet or b"", name_of(drop.path)))
    await ports.blocking(clear_outlet, ports, rules, drop, jobs)
    return _ended(ports, DropState.FAILED if failed else DropState.KEPT, drop.reason if failed else "kept where it is", drop.path)


async def _kept(ports: Ports, rules: Rules, hand: Hand, jobs: list[Job]) -> Outcome:
    drop: Drop = hand.row
    failed = drop.verdict == "failed"
    path = rules.layout.original(drop)
    if drop.aside is not None and await ports.blocking(is_there, ports, drop.aside):
        await ports.blocking(give_back, ports, drop.aside, path)
    if failed and not await ports.blocking(is_there, ports, path):
        return await _unlike(ports, rules, hand, drop.reason)
    if failed:
        await _say_why_beside(ports, rules, hand, path, jobs)
    elif drop.verdict == "done":
        await ports.blocking(remove_why, ports, path)
    why = drop.reason if failed else CANCELLED if drop.verdict == "cancelled" else "kept where it is"
    return _ended(ports, _state_of_kept(rules, drop, path), why, path)


def _state_of_kept(rules: Rules, drop: Drop, path: bytes) -> DropState:
    """What an original that stays where it is comes to: in the archive it is archived, as it was before it was done again."""
    if drop.verdict == "failed" or (drop.origin is not None and _lies_in(rules.layout.failed, path)):
        return DropState.FAILED
    return DropState.ARCHIVED if drop.origin is not None and _lies_in(rules.layout.archive, path) else DropState.KEPT


def _private_name(ports: Ports, drop: Drop, original: bytes) -> bytes:
    """Where an earlier try has laid it; else beside where it lies now, for its folder may have been renamed since."""
    if drop.aside is not None and is_there(ports, drop.aside):
        return drop.aside
    return aside_for(drop, original)


def _take_aside(ports: Ports, rules: Rules, hand: Hand, aside: bytes, failed: bool) -> Later | Unlike | None:
    """Rename the original to its private name and compare it there. None where it is the one, or where an earlier try was further."""
    drop: Drop = hand.row
    path = rules.layout.original(drop)
    if not is_there(ports, aside):
        stat = stat_of(ports, path)
        if stat is None:
            return _missed(ports, rules, drop, failed)
        if not drop.stat_is(stat):
            return Unlike("the original was replaced by a newer file")
        if ports.files.writer(path) is Writer.OPEN:
            pause = patience(ports.clock.now() - drop.changed_at, BUSY_SECONDS)
            return Later(pause, "another program has the original open for writing")
        if drop.target is not None:
            _clear_whys(ports, rules, drop)  # an earlier try had put it there, and it was dragged back
        ports.files.rename_new(path, aside)
    if _is_the_one(ports, rules, hand, aside, failed):
        return None
    give_back(ports, aside, path)
    return Unlike("the original was replaced by a newer file")


def _missed(ports: Ports, rules: Rules, drop: Drop, failed: bool) -> Later | Unlike | None:
    """What it means that it does not lie where it did: whether a person only moved it, or renamed its folder, the next look at the inbox
    tells, which wakes this.
    """
    was_put_away = _was_put_away(ports, rules, drop, failed)
    if (was_put_away and drop.target is not None) or failed or drop.origin is not None or drop.reason == MISSED:
        return None if was_put_away else Unlike("the original was taken away")
    # nothing was laid under the private name: one that the state knows would say that it was, and removed from there
    return Later(rules.rescan_seconds, MISSED, {} if drop.aside is not None else {"aside": None})


def _was_put_away(ports: Ports, rules: Rules, drop: Drop, failed: bool) -> bool:
    """Whether an earlier try, which could not tell of it, came to its end."""
    if drop.target is not None:
        return is_there(ports, drop.target)
    return drop.aside is not None and _after(rules, drop) == "delete" and not failed


def _lay_back(ports: Ports, aside: bytes, path: bytes) -> None:
    """Give an original its name back until the next try, unless that is taken."""
    with suppress(FileError):
        ports.files.rename_new(aside, path)


def _is_the_one(ports: Ports, rules: Rules, hand: Hand, aside: bytes, failed: bool) -> bool:
    drop: Drop = hand.row
    if not drop.stat_is(ports.files.stat(aside)) or ports.files.writer(aside) is Writer.OPEN:
        return False
    removed = _after(rules, drop) == "delete" and not failed
    if drop.sha256 is None or (not removed and ports.files.same_filesystem(parent(aside), _room(rules, failed))):
        return True
    return ports.files.fingerprint(aside, hand.meter("comparing")).sha256 == drop.sha256


def _after(rules: Rules, drop: Drop) -> str:
    """What becomes of an original in the end: as it was fixed when it settled."""
    return drop.after or rules.layout.after


def _lies_in(room: bytes, path: bytes) -> bool:
    return path.startswith(room + b"/")


def _room(rules: Rules, failed: bool) -> bytes:
    return rules.layout.failed if failed else rules.layout.archive


def _clear_whys(ports: Ports, rules: Rules, drop: Drop) -> None:
    """An earlier try may have told why beside an original, and died; our text does not stay where people took that from meanwhile."""
    for path in (rules.layout.original(drop), drop.target):
        if path is not None and not is_there(ports, path):
            clear_away(ports, rules, path)


async def _unlike(ports: Ports, rules: Rules, hand: Hand, why: str) -> Outcome:
    drop: Drop = hand.row
    await ports.blocking(_clear_whys, ports, rules, drop)
    now = ports.clock.now()
    state = DropState.FAILED if drop.verdict == "failed" else DropState.KEPT

    def note(tx: Tx) -> None:
        tx.drops.detach(drop.id, now, why)

    return Done(state, why, {"ended_at": now, "aside": None}, also=note, due=None)


async def _put_away(ports: Ports, rules: Rules, hand: Hand, aside: bytes, failed: bool) -> Away | Later:
    drop: Drop = hand.row
    if not await ports.blocking(is_there, ports, aside):
        if await ports.blocking(_was_put_away, ports, rules, drop, failed):
            return Away(drop.target)
        return Later(rules.rescan_seconds, "its folder was renamed while it was put away")  # the next look at the inbox finds it again
    if _after(rules, drop) == "delete" and not failed:
        await ports.blocking(partial(ports.files.remove, aside, durable=True))
        return Away(None)
    try:
        return await _to_free_name(ports, rules, hand, aside, _room(rules, failed), drop.path)
    except NameRefused:
        escaped = b"/".join(escape_refused(name) for name in drop.path.split(b"/"))
        return await _to_free_name(ports, rules, hand, aside, _room(rules, failed), escaped)


async def _to_free_name(ports: Ports, rules: Rules, hand: Hand, aside: bytes, room: bytes, path: bytes) -> Away:
    folder, name = join(room, parent(path)), name_of(path)
    original = Original(aside, hand.row.sha256)
    rights = await ports.blocking(whose_rights, ports, rules, hand.row, rules.layout.inbox)
    await ports.blocking(ports.files.make_folder, folder, rights, room)
    if not await ports.blocking(ports.files.same_filesystem, parent(aside), folder):
        borrow = partial(about_to_make, rules=rules, hand=hand, paths=copies_in(folder, hand), now=ports.clock.now())
        await ports.store.transaction("about to copy it", borrow)
    for number in range(1, MOST_NUMBERS):
        target = join(folder, numbered(name, number))
        await ports.store.transaction("where it goes", lambda tx, target=target: tx.work.keep(hand.claim, {"target": target}))  # type: ignore[misc]
        if await ports.blocking(move, ports, hand, original, target):
            return Away(target)
    raise NameTaken(f"every name for “{display(name)}” is taken in “{display(folder)}”")
