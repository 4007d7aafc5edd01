"""What the state knows of the inbox, path by path, and how a look at it changes that: files come, change, move and go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qavix_watch.core.ignore import media_kind
from qavix_watch.core.layout import name_of, parent
from qavix_watch.core.lifecycle import DROP_AT_REST, DropState
from qavix_watch.core.order import to_json
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import OrderError
from qavix_watch.stages.asides import aside_of, find_again
from qavix_watch.stages.order import order_fields
from qavix_watch.stages.scan import candidates, is_media
from qavix_watch.stages.whys import clear_strays

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.arriving import Arriving
    from qavix_watch.stages.scan import Candidate, Seen


@dataclass(slots=True)
class Known:
    """What was last recorded of a path. `away`: its file was put away, or was not there while it was about to be."""

    drop: int
    stat: tuple[int, int, int]
    order_json: str
    away: bool = False

    @classmethod
    def of(cls, drop: Drop, *, away: bool = False) -> Known:
        """As the state has it."""
        return cls(drop.id, drop.version, drop.order_json, away)


@dataclass(frozen=True, slots=True)
class News:
    """How a look differs from what is known. `closed`: drops that a writer has just let go of; `stopped`: no order holds any more."""

    fresh: list[Candidate]
    missing: list[bytes]
    closed: list[int]
    stopped: list[bytes]

    def __bool__(self) -> bool:
        return bool(self.fresh or self.missing or self.closed or self.stopped)


class Inventory:
    """Keeps the state's drops in step with what was seen."""

    def __init__(self, ports: Ports, rules: Rules, arriving: Arriving) -> None:
        self._ports = ports
        self._arriving = arriving
        self._known: dict[bytes, Known] = {}
        self.go_by(rules)

    def go_by(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self._rules = rules
        self._layout = rules.layout

    async def load(self) -> None:
        """Read what the state knows of the inbox."""
        rows: list[Drop] = await self._ports.store.transaction("known drops", lambda tx: list(tx.drops.known(self._layout.place)))
        self._known = {
            row.path: Known.of(row)
            for row in rows
            if (row.state not in DROP_AT_REST and row.origin is None) or self._stays(row)
        }

    def _stays(self, row: Drop) -> bool:
        """Whether the file of a drop at rest was left where it is."""
        at_rest_there = row.state in {DropState.KEPT, DropState.IGNORED, DropState.FAILED} and not row.detached
        return at_rest_there and row.target in {None, self._layout.in_inbox(row.path)}

    def put_away(self, path: bytes, drop: int) -> bool:
        """What lies at the path of this drop from now on is new, even if it looks the same to the last bit. False: another lies there."""
        known = self._known.get(path)
        if known is None or known.drop != drop:
            return False
        known.away = True
        return True

    async def reconcile(self, seen: Seen, closed: set[bytes]) -> bool:
        """Bring the state into step with a look; True where there is news. `closed`: files that a writer has let go of since."""
        now = self._ports.clock.now()
        await self._find_asides(seen)
        await clear_strays(self._ports, self._rules, seen.files)
        self._arriving.notice(seen, self._recorded, now, self._ports.clock.wall())
        news = self._news(seen, closed)
        if news or self._arriving or seen.asks_for_pairs:
            await self._record(seen, news, now)
        return bool(news)

    async def _find_asides(self, seen: Seen) -> None:
        """Originals that are being put away, and whose folder was renamed meanwhile."""
        paths = [path for path in seen.files if aside_of(path) is not None]
        for drop, path in await find_again(self._ports, self._rules, paths):
            self._known.pop(drop.path, None)
            self._known[path] = Known.of(drop, away=True)

    def _recorded(self, path: bytes) -> tuple[int, int, int] | None:
        known = self._known.get(path)
        return None if known is None else known.stat

    def _news(self, seen: Seen, closed: set[bytes]) -> News:
        found = {candidate.path: candidate for candidate in candidates(self._rules, seen)}
        fresh = {path: candidate for path, candidate in found.items() if self._differs(path, candidate)}
        return News(
            fresh=list(fresh.values()),
            missing=[path for path in self._known if seen.misses(path) or (path not in found and self._replaced(path, seen))],
            closed=[self._known[path].drop for path in closed if path in found and path not in fresh],
            stopped=[path for path in seen.files if self._stopped(path, seen)],
        )

    def _differs(self, path: bytes, found: Candidate) -> bool:
        known = self._known.get(path)
        return known is None or known.away or known.stat != found.stat.version or known.order_json != to_json(found.order)

    def _replaced(self, path: bytes, seen: Seen) -> bool:
        """Whether something else lies there now: where no drop is made of it, as of an empty file, that is as if nothing did."""
        known, stat = self._known[path], seen.files.get(path)
        return stat is not None and stat.version != known.stat and not known.away and not _is_unclear(path, seen)

    def _stopped(self, path: bytes, seen: Seen) -> bool:
        """Whether a drop's folder is no longer understood, and that is news."""
        known = self._known.get(path)
        return known is not None and known.order_json != "" and _is_unclear(path, seen)

    async def _record(self, seen: Seen, news: News, now: float) -> None:
        due = now + self._rules.settle_seconds

        def act(tx: Tx) -> dict[bytes, Known | None]:
            changes = self._gone(tx, seen, news.missing, now)
            for found in news.fresh:
                if found.path not in changes:
                    changes[found.path] = self._arrived(tx, found, now, due)
            for drop in news.closed:
                tx.drops.touch(drop, now, due)
            for path in news.stopped:
                changes[path] = self._stop(tx, path, seen, now)
            for folder in self._arriving.above(seen):
                tx.drops.still_arriving(self._layout.place, folder, self._arriving.until(folder))
            self._wake_pairs(tx, seen, now)
            return changes

        changes = await self._ports.store.transaction("the inbox", act)
        for path, known in changes.items():
            if known is None:
                self._known.pop(path, None)
            else:
                self._known[path] = known

    def _gone(self, tx: Tx, seen: Seen, missing: list[bytes], now: float) -> dict[bytes, Known | None]:
        """What the state knows of these paths from now on, and of those to which their files were moved."""
        changes: dict[bytes, Known | None] = {}
        gone = {path: tx.work.get("drop", self._known[path].drop) for path in missing}
        newcomers = self._newcomers(seen) if gone else {}
        for path, row in gone.items():
            changes[path] = self._vanished(tx, row, newcomers.get(Known.of(row).stat, []), changes, now)
        return changes

    def _newcomers(self, seen: Seen) -> dict[tuple[int, int, int], list[bytes]]:
        """Paths that were not known, by what lies there. What bears a name that is passed over was put out of our hands."""
        found: dict[tuple[int, int, int], list[bytes]] = {}
        for path, stat in seen.files.items():
            if path not in self._known and is_media(self._rules, path):
                found.setdefault(stat.version, []).append(path)
        return found

    def _vanished(
        self, tx: Tx, row: Drop, newcomers: list[bytes], changes: dict[bytes, Known | None], now: float
    ) -> Known | None:
        """What the state knows of a path whose file is gone: None, unless it is only being put away just now.

        `newcomers`: where that very file lies now, if it was moved within the inbox, or its folder renamed.
        """
        if row.state in DROP_AT_REST or row.detached or row.origin is not None:
            return None
        goes_away, in_hand = row.state is DropState.ARCHIVING, tx.work.is_held("drop", row.id)
        if goes_away and not in_hand:
            tx.work.wake("drop", row.id, now)
        newcomer = None if goes_away and in_hand else _moved_to(row, newcomers)  # it is we who have just moved it
        folder = None if newcomer is None else self._layout.order_folder(newcomer)
        if newcomer is not None and folder is not None and tx.drops.was_submitted(row.id):
            tx.drops.moved(row.id, newcomer, folder, now)
            changes[newcomer] = Known.of(row, away=goes_away)
            newcomers.remove(newcomer)
            return None
        if goes_away:
            return replace(self._known[row.path], away=True)
        tx.drops.vanished(row.id, now)
        return None

    def _arrived(self, tx: Tx, found: Candidate, now: float, due: float) -> Known:
        """Make a new or changed file a drop, or begin again with the one it is."""
        known = self._known.get(found.path)
        fields = order_fields(found.folder, found.order)
        fresh = Known(known.drop if known else 0, found.stat.version, to_json(found.order))
        if known is not None:
            row: Drop = tx.work.get("drop", known.drop)
            same = found.stat.version in {known.stat, row.version}
            if row.state in DROP_AT_REST or row.origin is not None:
                if same and self._stays(row):
                    return fresh
            elif same:
                if known.order_json != fresh.order_json:
                    tx.drops.reordered(known.drop, fields, now)
                fresh.away = known.away
                return fresh
            elif tx.drops.changed(known.drop, found.stat, now, due, "it changed"):
                return fresh
            else:
                tx.drops.vanished(known.drop, now, "a newer file has taken its place")
        not_before = self._arriving.not_before(found.path)
        fresh.drop = tx.drops.add(self._layout.place, found.path, found.stat, fields, now, max(due, not_before), not_before)
        return fresh

    def _stop(self, tx: Tx, path: bytes, seen: Seen, now: float) -> Known:
        """Its folder is not understood any more: what was not submitted begins again when it is."""
        known = self._known[path]
        tx.drops.stopped(known.drop, now, f"its order is not understood: {seen.orders[parent(path)]}")
        return replace(known, order_json="")

    def _wake_pairs(self, tx: Tx, seen: Seen, now: float) -> None:
        """A picture or sound that arrives may be what videos in its folder wait for; one that changed was not what they were read with."""
        if not seen.asks_for_pairs:
            return
        for drop in tx.drops.paired(self._layout.place):
            assert drop.partner is not None
            stat = seen.files.get(drop.partner)
            if seen.misses(drop.partner) or (stat and not drop.partner_is(stat)):
                tx.drops.partner_changed(drop.id, now)
        for place in self._seconds(seen):
            tx.drops.wake_pairs(self._layout.place, place, now)

    def _seconds(self, seen: Seen) -> set[bytes]:
        """The folders in which a video may find its second input."""
        second = {MediaKind.IMAGE, MediaKind.AUDIO}
        return {parent(path) for path in seen.files if media_kind(name_of(path), self._rules.extensions) in second}


def _is_unclear(path: bytes, seen: Seen) -> bool:
    """Whether the order that a file lies in is not understood."""
    return isinstance(seen.orders.get(parent(path)), OrderError)


def _moved_to(row: Drop, newcomers: list[bytes]) -> bytes | None:
    """Which of these is the drop's file; hard links are told apart by their names."""
    return min(newcomers, key=lambda path: name_of(path) != name_of(row.path), default=None)
