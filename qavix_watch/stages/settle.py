"""waiting → settled: a drop is complete, and so is its partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core import pairing, stability
from qavix_watch.core.layout import folders_down, name_of, parent
from qavix_watch.core.lifecycle import CUT_SHORT, DropState
from qavix_watch.core.naming import split_name
from qavix_watch.core.outcomes import Done, Later, Outcome
from qavix_watch.core.stability import Look
from qavix_watch.core.tasks import TASKS, MediaKind, TaskType
from qavix_watch.errors import FileGone, FileUnreadable, OrderError
from qavix_watch.stages.order import order_of

if TYPE_CHECKING:
    from qavix_watch.core.files import Facts, Stat
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports

NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Seen:
    """A candidate as it is now."""

    stat: Stat
    look: Look


async def settle(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Look at a waiting drop; Done where it can be read."""
    drop: Drop = hand.row
    now = ports.clock.now()
    if now < drop.not_before:
        return Later(drop.not_before - now, "its folder is still arriving")
    path = rules.layout.original(drop)
    try:
        await ports.blocking(order_of, ports.files, rules, drop)
        seen = await ports.blocking(_look, ports, path, now - drop.changed_at)
    except OrderError as error:
        return Later(rules.rescan_seconds, f"its order is not understood: {error}")
    except FileGone:
        return await _gone(ports, rules, drop)
    if not drop.stat_is(seen.stat):
        return _changed(seen.stat, now, rules)
    if seen.stat.size == 0:
        return Later(stability.patience(seen.look.quiet, rules.settle_seconds), "it is empty")
    spec = TASKS[TaskType(drop.task)]
    wait = await _main_wait(ports, rules, drop, path, seen, spec.main)
    if wait is not None:
        return wait
    if spec.partner is not None:
        return await _with_partner(ports, rules, drop, spec.partner, now)
    return Done(DropState.SETTLED, "complete", _settled(drop, rules))


def _settled(drop: Drop, rules: Rules) -> dict[str, object]:
    """What is fixed now: what becomes of the original in the end, whatever the configuration says later."""
    return {"reason": "", "after": drop.after or rules.layout.after}


def _look(ports: Ports, path: bytes, quiet: float) -> Seen:
    stat = ports.files.stat(path)
    look = Look(quiet=quiet, writer=ports.files.writer(path), hole=ports.files.has_hole(path), local=ports.files.is_local(path))
    return Seen(stat, look)


async def _gone(ports: Ports, rules: Rules, drop: Drop) -> Outcome:
    """The inbox is looked at as a whole elsewhere; only that look says what an absence means. Elsewhere nobody looks but we."""
    if drop.outlet is None:
        await ports.blocking(ports.roots.check)
    why = "the file was taken away before anything was submitted for it"
    if drop.origin is not None:  # it may have been told beside it why it failed
        return Done(DropState.ARCHIVING, why, {"verdict": "cancelled", "detached": 1, "reason": why})
    if drop.outlet is not None:
        return Done(DropState.GONE, why, {"ended_at": ports.clock.now()}, due=None)
    return Later(rules.rescan_seconds, "it is not there any more")


def _changed(stat: Stat, now: float, rules: Rules) -> Outcome:
    fields = {"size": stat.size, "mtime_ns": stat.mtime_ns, "inode": stat.inode, "changed_at": now}
    return Later(rules.settle_seconds, "it is still being written", fields)


async def _main_wait(ports: Ports, rules: Rules, drop: Drop, path: bytes, seen: Seen, kind: MediaKind) -> Outcome | None:
    wait = stability.judge(seen.look, rules.settle_seconds, rules.settle_remote_seconds)
    if wait is not None and not (seen.look.hole and drop.accepted):
        held = seen.look.hole and seen.look.quiet >= rules.truncated_after_seconds
        return Later(None if held else wait.seconds, wait.why, {"held": wait.why} if held else {})
    if kind is MediaKind.TEXT:
        return None
    facts = await ports.blocking(ports.media.facts, path)
    if facts.cut and not drop.accepted:
        back = await ports.store.transaction("dragged back", lambda tx: tx.drops.was_refused_cut(drop, rules.layout.inbox))
        if not back:
            return _cut(facts.cut, seen.look.quiet, rules)
    if not facts.cut and not fits(facts, kind):
        return _refused(f"this is not {_NOUN[kind]}" + (f" (it is {_FOUND[facts.kind]})" if facts.kind else ""))
    return None


def _cut(why: str, quiet: float, rules: Rules) -> Outcome:
    if quiet >= rules.truncated_after_seconds:
        return _refused(f"{CUT_SHORT}: {why}")
    seconds = min(stability.patience(quiet, rules.settle_seconds), rules.truncated_after_seconds - quiet + 1)
    return Later(seconds, f"it looks cut short: {why}")


def _refused(why: str) -> Outcome:
    return Done(DropState.ARCHIVING, why, {"verdict": "failed", "reason": why})


_NOUN = {MediaKind.VIDEO: "a video", MediaKind.AUDIO: "a sound file", MediaKind.IMAGE: "a picture"}
_FOUND = {"video": "a video", "audio": "sound without a picture", "image": "a picture"}


def fits(facts: Facts, kind: MediaKind) -> bool:
    """Whether what a container holds can be the `kind` that an order takes; a sound file may carry its cover as a picture."""
    return facts.kind == kind.value or (kind is MediaKind.AUDIO and facts.kind == "video" and facts.has_audio)


async def _with_partner(ports: Ports, rules: Rules, drop: Drop, kind: MediaKind, now: float) -> Outcome:
    found = await ports.blocking(_find, ports, rules, drop, kind)
    if isinstance(found, pairing.NoPartner):
        return Later(rules.rescan_seconds, found.why, {"partner": None})
    path = rules.layout.in_inbox(found.path)
    try:
        seen = await ports.blocking(_look, ports, path, now - drop.partner_since)
    except FileGone:
        return Later(rules.settle_seconds, "its partner was taken away", {"partner": None})
    if found.path != drop.partner or not drop.partner_is(seen.stat):
        return Later(rules.settle_seconds, f"“{_shown(found.path)}” arrived a moment ago", _partner_fields(found.path, seen.stat, now))
    wait = stability.judge(seen.look, rules.settle_seconds, rules.settle_remote_seconds)
    if wait is not None:
        return Later(wait.seconds, f"its partner “{_shown(found.path)}”: {wait.why}")
    if found.shared:
        calm = await ports.blocking(_restless, ports, rules, drop, now)
        if calm > 0:
            return Later(calm, "its folder changed a moment ago, and a file of its own name may still come")
    return await _partner_media(ports, rules, drop, path, found.path, kind)


async def _partner_media(ports: Ports, rules: Rules, drop: Drop, path: bytes, shown: bytes, kind: MediaKind) -> Outcome:
    facts = await ports.blocking(ports.media.facts, path)
    if facts.cut:
        return Later(rules.rescan_seconds, f"its partner “{_shown(shown)}” looks cut short: {facts.cut}")
    if not fits(facts, kind):
        return Later(rules.rescan_seconds, f"its partner “{_shown(shown)}” is not {_NOUN[kind]}; replace it")
    return Done(DropState.SETTLED, "complete, with its partner", _settled(drop, rules))


def _find(ports: Ports, rules: Rules, drop: Drop, kind: MediaKind) -> pairing.Partner | pairing.NoPartner:
    if drop.given is not None:
        return pairing.Partner(drop.given, shared=False)
    folders = reversed(folders_down(drop.folder, drop.path))
    levels = [(folder, _names(ports, rules.layout.in_inbox(folder))) for folder in folders]
    stem = split_name(name_of(drop.path))[0]
    found = pairing.find(stem, kind, levels, rules.extensions)
    if drop.origin is None:
        return found
    beside = (parent(drop.origin), _names(ports, parent(drop.origin)))  # what was put away with it
    away = pairing.find(stem, kind, [beside, *levels], rules.extensions)
    return found if _its_own(found) and not _its_own(away) else away


def _its_own(found: pairing.Partner | pairing.NoPartner) -> bool:
    return isinstance(found, pairing.Partner) and not found.shared


def _names(ports: Ports, folder: bytes) -> list[bytes]:
    try:
        return ports.files.listdir(folder)
    except (FileGone, FileUnreadable):
        return []


def _restless(ports: Ports, rules: Rules, drop: Drop, now: float) -> float:
    """Seconds until the drop's folder has been quiet long enough for a shared partner."""
    stat = ports.files.stat(rules.layout.in_inbox(parent(drop.path)))
    age = ports.clock.wall() - stat.mtime_ns / NANOSECONDS
    since = min(now - drop.created_at, age if age >= 0 else rules.settle_folder_seconds)
    return rules.settle_folder_seconds - since


def _partner_fields(path: bytes, stat: Stat, now: float) -> dict[str, object]:
    return {
        "partner": path,
        "partner_size": stat.size,
        "partner_mtime_ns": stat.mtime_ns,
        "partner_inode": stat.inode,
        "partner_since": now,
    }


def _shown(path: bytes) -> str:
    return name_of(path).decode("utf-8", "replace")
