"""settled → fingerprinted: both inputs are read whole, once, and what they hold is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import DropState
from qavix_watch.core.order import from_json
from qavix_watch.core.outcomes import Done, Outcome
from qavix_watch.core.tasks import TASKS, MediaKind, TaskType
from qavix_watch.errors import FileChanged, FileGone
from qavix_watch.stages.outlets import roots_online

if TYPE_CHECKING:
    from qavix_watch.core.files import Fingerprint, Stat
    from qavix_watch.core.order import Order
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx


async def fingerprint(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Hash a settled drop; back to waiting where it is not what had settled."""
    drop: Drop = hand.row
    spec = TASKS[TaskType(drop.task)]
    main = rules.layout.original(drop)
    partner = None if drop.partner is None or spec.partner is None else rules.layout.in_inbox(drop.partner)
    try:
        read = await ports.blocking(_read, ports, main, hand)
        if not drop.stat_is(read.before):
            return again(read.after, ports.clock.now(), rules)
        also = None if partner is None else await ports.blocking(_read, ports, partner, hand)
        if also is not None and not drop.partner_is(also.before):
            return again(read.after, ports.clock.now(), rules)
    except (FileGone, FileChanged):
        await roots_online(ports, drop)
        return Done(DropState.WAITING, "it changed while it was read")
    duration = await _duration(ports, main, spec.main)
    second = None if partner is None or spec.partner is None else await _duration(ports, partner, spec.partner)

    def know(tx: Tx) -> None:
        tx.contents.ensure(read.sha256, read.md5, read.size, spec.main.value, duration)
        if also is not None and spec.partner is not None:
            tx.contents.ensure(also.sha256, also.md5, also.size, spec.partner.value, second)

    by_command = drop.outlet is not None  # whoever names a file means it
    if not by_command and await ports.store.transaction("is it ours", lambda tx: _made_for(tx, read.sha256, drop)):
        return Done(DropState.IGNORED, "it is a result of this very order", {"ended_at": ports.clock.now()}, due=None)
    fields = {"sha256": read.sha256, "partner_sha256": None if also is None else also.sha256, "reason": ""}
    return Done(DropState.FINGERPRINTED, "read whole", fields, also=know)


def _made_for(tx: Tx, sha256: str, drop: Drop) -> bool:
    """Whether a content is a result of the order that it was dropped for, whatever the label of that is."""
    return any(folder == drop.folder or _asked(order) == _asked(drop.order_json) for folder, order in tx.jobs.made_for(sha256))


def _asked(order_json: str) -> Order:
    return replace(from_json(order_json), label=None)


def _read(ports: Ports, path: bytes, hand: Hand) -> Fingerprint:
    found = ports.files.fingerprint(path, hand.meter("hashing"))
    if not found.before.same_file(found.after) or found.size != found.after.size:
        raise FileChanged("the file changed while it was read")
    return found


async def _duration(ports: Ports, path: bytes, kind: MediaKind) -> float | None:
    if kind not in {MediaKind.VIDEO, MediaKind.AUDIO}:
        return None
    return (await ports.blocking(ports.media.facts, path)).duration


def again(stat: Stat, now: float, rules: Rules) -> Outcome:
    """Back to waiting, with the file as it is now."""
    fields = {"size": stat.size, "mtime_ns": stat.mtime_ns, "inode": stat.inode, "changed_at": now, "sha256": None}
    return Done(DropState.WAITING, "it changed while it was read", fields, due=rules.settle_seconds)
