"""A second input of the video's own stem goes where its video is put away, if nothing else needs it and it is the one that was used."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from qavix_watch.core.files import Writer
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import numbered, split_name
from qavix_watch.errors import FileChanged, FileError, FileGone, Stopped, StoreError
from qavix_watch.stages.asides import asides_for_partner
from qavix_watch.stages.moving import MOST_NUMBERS, Original, copies_in, give_back, is_there, move, stat_of
from qavix_watch.stages.sweep import about_to_make

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx


async def follow(ports: Ports, rules: Rules, hand: Hand, video: bytes | None) -> None:
    """Put the partner, if there is one, away beside its `video`; None where that was removed, and so is the partner. Like that it goes to a
    private name first; and a host that was frozen until somebody brought it anew, or back, learns that this is no business of its own any
    more before it goes further. Fenced then; FileError where it cannot go there, and lies where it lay.
    """
    drop: Drop = hand.row
    if not _is_its_own(drop) or await ports.store.transaction("who else needs its partner", lambda tx: tx.drops.partner_needed(drop)):
        return
    aside = await ports.blocking(_taken_aside, ports, rules, drop)
    if aside is None:
        return
    try:
        far = video is not None and not await ports.blocking(ports.files.same_filesystem, parent(aside), parent(video))
        copies = copies_in(parent(video), hand) if video is not None and far else []
        note = partial(_followed, rules=rules, hand=hand, copies=copies, now=ports.clock.now())
        await ports.store.transaction("its partner follows", note)
        await ports.blocking(_put_away, ports, hand, aside, video)
    except (FileError, StoreError, Stopped):
        with suppress(FileError):
            await ports.blocking(lay_back, ports, rules, drop)
        raise
    await ports.blocking(lay_back, ports, rules, drop)


def _followed(tx: Tx, *, rules: Rules, hand: Hand, copies: list[bytes], now: float) -> None:
    """Fenced where the drop is no longer ours."""
    if copies:
        about_to_make(tx, rules=rules, hand=hand, paths=copies, now=now)
    else:
        tx.work.guard(hand.claim)


def lay_back(ports: Ports, rules: Rules, drop: Drop) -> None:
    """A partner that lies under its private name, as where an earlier try died, gets its own back."""
    for path, aside in asides_for_partner(rules, drop).items() if _is_its_own(drop) else ():
        if is_there(ports, aside):
            give_back(ports, aside, path)


def _is_its_own(drop: Drop) -> bool:
    """Whether it goes by the name of this video alone."""
    return drop.partner is not None and split_name(name_of(drop.partner))[0] == split_name(name_of(drop.path))[0]


def _taken_aside(ports: Ports, rules: Rules, drop: Drop) -> bytes | None:
    """Rename the partner to its private name, which is given, and compare it there. None where the one that was used is not there."""
    there = [(path, aside) for path, aside in asides_for_partner(rules, drop).items() if _is_the_one(ports, drop, path)]
    with suppress(FileGone):
        for path, aside in there[:1]:
            ports.files.rename_new(path, aside)
            if _is_the_one(ports, drop, aside):
                return aside
            give_back(ports, aside, path)
    return None


def _is_the_one(ports: Ports, drop: Drop, path: bytes) -> bool:
    stat = stat_of(ports, path)
    return stat is not None and drop.partner_is(stat) and ports.files.writer(path) is not Writer.OPEN


def _put_away(ports: Ports, hand: Hand, aside: bytes, video: bytes | None) -> None:
    """It stays as it is where it was replaced or taken away after all."""
    drop: Drop = hand.row
    with suppress(FileChanged, FileGone):
        if video is not None:
            original, name = Original(aside, drop.partner_sha256, "p"), name_of(drop.partner or b"")
            any(move(ports, hand, original, join(parent(video), numbered(name, number))) for number in range(1, MOST_NUMBERS))
        elif ports.files.fingerprint(aside, hand.meter("comparing")).sha256 == drop.partner_sha256:
            ports.files.remove(aside, durable=True)
