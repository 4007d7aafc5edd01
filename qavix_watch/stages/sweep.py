"""What dead processes left under private names goes, and what frozen ones leave when they wake, unless the state still needs it.

In the folder of parts the names are read first, then the state is asked about them, then they are removed: what another host makes
meanwhile is not among them. Elsewhere, among people's files, no folder is looked through: there the state is told of each private name
before anything is made under it.

A start sweeps, and after that a duty, from the first private name on until nothing is left.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.layout import PARTS, Layout, join
from qavix_watch.core.outcomes import Later
from qavix_watch.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.core.records import Claim
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Files, Hand, Ports
    from qavix_watch.ports.state import Tx

GROWING = (b".part", b".head")
"""What a download goes on with after a restart."""


DUTY = "sweep"


async def clear(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """The duty: one sweep, and another later while anything is left."""
    node = hand.claim.node

    def ask(tx: Tx) -> tuple[list[bytes], list[bytes]]:
        return needless(tx, names, same_boot=True), tx.private.strays()

    names = await ports.blocking(_parts_online, ports, rules)
    parts, strays = await ports.store.transaction("what is needless", ask)
    gone = await ports.blocking(_cleared, ports, rules, parts, strays)
    in_hand: bool = await ports.store.transaction("cleared", lambda tx: tx.private.cleared(gone, node))
    again = in_hand or len(gone) < len(strays) or set(names) != set(parts)
    return Later(rules.rescan_seconds if again else None)


def _parts_online(ports: Ports, rules: Rules) -> list[bytes]:
    ports.roots.check()
    return left_behind(ports.files, rules.layout)


def _cleared(ports: Ports, rules: Rules, parts: Iterable[bytes], strays: Iterable[bytes]) -> list[bytes]:
    """Remove all of these; gives the strays that are gone for certain. RootOffline, for then the absence of a name means nothing."""
    gone = []
    for path in strays:
        with suppress(FileError):
            ports.files.remove(path, durable=True)  # the state forgets it, and nobody else knows of it
            gone.append(path)
    with suppress(FileError):
        sweep(ports.files, rules.layout, parts)
    ports.roots.check()
    return gone


def about_to_make(tx: Tx, *, rules: Rules, hand: Hand, paths: Iterable[bytes], now: float) -> None:
    """Let the state know of private names among people's files. Fenced where the drop is no longer ours."""
    tx.work.guard(hand.claim)
    tx.private.borrow(hand.claim, paths)
    later(tx, rules, now)


def later(tx: Tx, rules: Rules, now: float) -> None:
    """Something is about to be made under a private name: have it swept, should it be left."""
    tx.house.hurry(DUTY, now + rules.rescan_seconds)


def left_by(tx: Tx, claim: Claim, now: float) -> None:
    """Who was fenced out of this work has only now come to its end; what it made last is swept."""
    tx.private.let_go(claim)
    tx.house.hurry(DUTY, now)


def left_behind(files: Files, layout: Layout) -> list[bytes]:
    """The names in the folder of parts."""
    try:
        return files.listdir(layout.parts)
    except FileError:
        return []


def needless(tx: Tx, names: Iterable[bytes], *, same_boot: bool) -> list[bytes]:
    """Those of these names that nobody needs: no result waits under them that is still to be delivered, nobody has their work in hand,
    and no download goes on.

    `same_boot`: the host has not lost its power since they were written, so that what was half fetched is what was fetched.
    """
    tx.jobs.unstage_unwanted()
    staged, fetching = tx.jobs.staged(), tx.jobs.fetching() if same_boot else set()
    return [
        name for name in names if join(PARTS, name) not in staged and not _is_in_hand(tx, name) and not _goes_on(name, fetching)
    ]


def sweep(files: Files, layout: Layout, names: Iterable[bytes]) -> None:
    """Remove these from the folder of parts."""
    for name in names:
        files.remove(join(layout.parts, name))
    tidy(files, layout)


def _is_in_hand(tx: Tx, name: bytes) -> bool:
    """Whether another host fetches into this file or copies into it. Its name begins with the job's number, or “d” and the delivery's."""
    number = name.split(b".")[0]
    item = "delivery" if number.startswith(b"d") else "job"
    return number.removeprefix(b"d").isdigit() and tx.work.is_held(item, int(number.removeprefix(b"d")))


def _goes_on(name: bytes, fetching: set[int]) -> bool:
    """Whether a file is part of a download that goes on; its name begins with the job's number."""
    number = name.split(b".")[0]
    return name.endswith(GROWING) and number.isdigit() and int(number) in fetching


def tidy(files: Files, layout: Layout) -> None:
    """The folder of parts goes where it is empty."""
    files.remove_empty(layout.parts, layout.outbox)
