"""The inbox as it is, against what the state knows of it: where drops come from.

A scan is the truth; hints (file events) only make a part of it be looked at sooner. New files become drops, changed ones begin
again, vanished ones are undone where nothing was submitted for them. While a root is offline absence means nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qavix_watch.core.grammar import is_order_shaped
from qavix_watch.core.ignore import media_kind, rule_against, shadowed
from qavix_watch.core.layout import folders_down, join, name_of, parent
from qavix_watch.core.lifecycle import DROP_AT_REST, DropState
from qavix_watch.core.naming import display
from qavix_watch.core.order import Order, to_json
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import FileError, NestedOrder, NoSpace, OrderError, RootOffline, StoreError
from qavix_watch.stages.asides import aside_of, find_again
from qavix_watch.stages.notes import Notes
from qavix_watch.stages.order import OPTION_NAMES, order_fields, read_folder_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qavix_watch.core.files import Stat
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx

GATHER_SECONDS = 0.05
REST = 4.0
LONGEST_REST_SECONDS = 5.0
"""Looking at crowded folders is work: between two looks lie so many times the seconds that the last one took."""
OFFLINE_SECONDS = 2.0
TROUBLE_SECONDS = 1.0
NANOSECONDS = 1e9


@dataclass(slots=True)
class Known:
    """What was last recorded of a path. `away`: its file was put away, or was not there while it was about to be."""

    drop: int
    stat: tuple[int, int, int]
    order_json: str
    away: bool = False


@dataclass(slots=True)
class Seen:
    """What one look at a part of the inbox found: files and folders by their path relative to it."""

    files: dict[bytes, Stat] = field(default_factory=dict)
    folders: dict[bytes, Stat] = field(default_factory=dict)
    unread: list[bytes] = field(default_factory=list)

    def looked_at(self, path: bytes) -> bool:
        """Whether every folder on the way to `path` could be read: only then does its absence mean anything."""
        return not any(not folder or path == folder or path.startswith(folder + b"/") for folder in self.unread)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is to be a drop."""

    path: bytes
    stat: Stat
    folder: bytes
    order: Order


class Intake:
    """Keeps the state's drops in step with the inbox."""

    def __init__(self, ports: Ports, rules: Rules, *, wake: Callable[[], None]) -> None:
        """`wake` is called when there may be new work."""
        self._ports = ports
        self._rules = rules
        self._layout = rules.layout
        self._wake = wake
        self._watched: Callable[[bool], None] = lambda _: None
        self._known: dict[bytes, Known] = {}
        self._arriving: dict[bytes, float] = {}
        self._strangers: dict[bytes, tuple[int, int, int]] = {}
        self._folders: set[bytes] = set()
        self._hints: dict[bytes, bool] = {}
        self._closed: set[bytes] = set()
        self._hinted = asyncio.Event()
        self._texts: dict[Order, str] = {}
        self._orders: dict[bytes, Order | OrderError] = {}
        self._notes = Notes(ports, rules)
        self.offline = False
        self._rest = 0.0
        self._troubled = False
        self._braked = True  # an earlier process may have left the brake on

    def before_scans(self, watched: Callable[[bool], None]) -> None:
        """`watched` is called before each scan of the whole inbox: watch first, then scan. True: a root that was offline is back."""
        self._watched = watched

    def hint(self, path: bytes, *, closed: bool = False, folder: bool = False) -> None:
        """Something happened at an absolute path: look at its folder soon; `folder`: at all that is below it."""
        inside = self._layout.relative(path)
        if inside is None:
            return
        if folder or inside in self._folders:
            self._hints[inside] = True
        if not folder:
            place = parent(inside)
            self._hints[place] = self._hints.get(place, False) or name_of(inside) in OPTION_NAMES
        if closed:
            self._closed.add(inside)
        self._hinted.set()

    def root_lost(self) -> None:
        """Somebody has met a root that is offline: look whether it is."""
        self._braked = True
        self._hints[b""] = True
        self._hinted.set()

    def put_away(self, path: bytes, drop: int) -> None:
        """A drop has come to rest: what lies at its path from now on is new, even if it looks the same to the last bit."""
        known = self._known.get(path)
        if known is not None and known.drop == drop:
            known.away = True
            self.hint(self._layout.in_inbox(path))

    async def load(self) -> None:
        """Read what the state knows of the inbox."""
        rows: list[Drop] = await self._ports.store.transaction("known drops", lambda tx: list(tx.drops.known(self._layout.place)))
        self._known = {
            row.path: Known(row.id, (row.size, row.mtime_ns, row.inode), row.order_json)
            for row in rows
            if row.state not in DROP_AT_REST or self._stays(row)
        }

    def _stays(self, row: Drop) -> bool:
        """Whether the file of a drop at rest was left where it is."""
        at_rest_there = row.state in {DropState.KEPT, DropState.IGNORED, DropState.FAILED} and not row.detached
        return at_rest_there and row.target in {None, self._layout.in_inbox(row.path)}

    async def run(self) -> None:
        """Look at the whole inbox every `rescan` seconds, however many hints come, and at parts of it when they do."""
        whole_at = self._ports.clock.now() + self._rules.rescan_seconds
        while True:
            wait = OFFLINE_SECONDS if self.offline else max(0.0, whole_at - self._ports.clock.now())
            places = await self._next_places(wait)
            if places.get(b"") or self.offline:
                places = {b"": True}
                whole_at = self._ports.clock.now() + self._rules.rescan_seconds
            began = self._ports.clock.now()
            try:
                await self.look(places)
            except (StoreError, NoSpace):
                self._hints[b""] = True  # what was seen could not be written down: it is looked at again
                self._hinted.set()
                await asyncio.sleep(TROUBLE_SECONDS)
            self._rest = min(LONGEST_REST_SECONDS, REST * (self._ports.clock.now() - began))

    async def _next_places(self, seconds: float) -> dict[bytes, bool]:
        """What hints name, gathered for a moment; the whole inbox after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._hinted.wait()
        except TimeoutError:
            return {b"": True}
        await asyncio.sleep(max(GATHER_SECONDS, self._rest))
        self._hinted.clear()
        hints, self._hints = self._hints, {}
        return hints

    async def look(self, places: dict[bytes, bool]) -> None:
        """Bring the state into step with these folders; True: with all that is below."""
        try:
            await self._ports.blocking(self._ports.roots.check)
            if places.get(b""):
                await self._ports.blocking(self._ports.files.make_folder, self._layout.inbox)
                self._watched(self.offline)
            seen = await self._ports.blocking(self._scan, places)
            await self._ports.blocking(self._ports.roots.check)
        except RootOffline as error:
            await self._gone_offline(str(error))
            return
        except FileError as error:
            said = str(error)
            await self._tell_trouble(said)
            return
        await self._reconcile(places, seen)
        if self._troubled:
            await self._tell_trouble(None)
        if self.offline or self._braked:
            await self._back_online()

    async def _tell_trouble(self, said: str | None) -> None:
        await self._ports.store.transaction("trouble", lambda tx: tx.house.trouble("scan", said, self._ports.clock.now()))
        self._troubled = said is not None

    async def _gone_offline(self, why: str) -> None:
        self.offline = True
        now = self._ports.clock.now()
        hint = "Mount or plug it in again; everything goes on by itself."
        await self._ports.store.transaction("root offline", lambda tx: tx.brakes.pull("root", self._layout.place, why, hint, now, now))

    async def _back_online(self) -> None:
        self.offline = self._braked = False
        now = self._ports.clock.now()
        await self._ports.store.transaction("root online", lambda tx: tx.brakes.let_go("root", self._layout.place, now, "it is back"))
        self._wake()

    def _scan(self, places: dict[bytes, bool]) -> Seen:
        seen = Seen()
        for place, whole in places.items():
            self._note_folder(place, seen)
            def unread(path: bytes) -> None:
                seen.unread.append(self._layout.relative(path) or b"")

            for entry in self._ports.files.scan(self._layout.in_inbox(place), self._skip if whole else _only_files, unread):
                inside = self._layout.relative(entry.path) or b""
                (seen.folders if entry.stat.is_dir else seen.files)[inside] = entry.stat
        self._read_orders(seen)
        return seen

    def _note_folder(self, place: bytes, seen: Seen) -> None:
        """A folder that a hint names may be new itself; a scan gives only what is below it."""
        with suppress(FileError):
            stat = self._ports.files.stat(self._layout.in_inbox(place)) if place else None
            if stat is not None and stat.is_dir:
                seen.folders[place] = stat

    def _skip(self, name: bytes, is_dir: bool) -> bool:
        return is_dir and rule_against(name, is_dir=True, patterns=self._rules.ignore) is not None

    def _read_orders(self, seen: Seen) -> None:
        """What each folder asks for, or why it asks for nothing."""
        self._orders = {}
        looked_at = {*seen.folders, *(parent(path) for path in seen.files)}
        for path in looked_at.union(*map(_above, looked_at)):
            folder = self._layout.order_folder(join(path, b"x")) if path else None
            if folder is not None:
                self._orders[path] = self._order_of(folder, path)

    def _order_of(self, folder: bytes, place: bytes) -> Order | OrderError:
        try:
            for level in folders_down(folder, join(place, b"x"))[1:]:
                if is_order_shaped(name_of(level).decode("utf-8", "surrogateescape"), self._rules.words):
                    return NestedOrder(display(name_of(level)), display(name_of(folder)))
            return read_folder_order(self._ports.files, self._rules, folder, join(place, b"x"))
        except OrderError as error:
            return error

    async def _find_asides(self, seen: Seen) -> None:
        """Originals that are being put away, and whose folder was renamed meanwhile."""
        paths = [path for path in seen.files if aside_of(path) is not None]
        for drop, path in await find_again(self._ports, self._rules, paths):
            self._known.pop(drop.path, None)
            self._known[path] = Known(drop.id, (drop.size, drop.mtime_ns, drop.inode), drop.order_json, away=True)

    async def _reconcile(self, places: dict[bytes, bool], seen: Seen) -> None:
        now = self._ports.clock.now()
        await self._find_asides(seen)
        self._notice_folders(seen, now)
        candidates = {found.path: found for found in self._candidates(seen)}
        stopped = [path for path in seen.files if self._stopped(path)]
        missing = [path for path in self._known if path not in seen.files and _covers(places, path) and seen.looked_at(path)]
        closed, self._closed = self._closed, set()
        fresh = [found for path, found in candidates.items() if self._differs(path, found)]
        closed_known = [self._known[path].drop for path in closed if path in candidates and not self._differs(path, candidates[path])]
        if fresh or missing or closed_known or stopped or self._arriving or self._pairs():
            await self._record(places, seen, fresh, missing, closed_known, stopped, now)
        await self._ports.blocking(self._notes.apply, places, seen.files, seen.folders, self._orders, now)
        await self._say_folders(places)
        if fresh or missing or closed_known or stopped:
            self._wake()

    def _stopped(self, path: bytes) -> bool:
        """Whether a drop's folder is no longer understood, and that is news."""
        known = self._known.get(path)
        return known is not None and known.order_json != "" and isinstance(self._orders.get(parent(path)), OrderError)

    def _pairs(self) -> bool:
        """Whether an order was seen that takes two inputs."""
        return any(isinstance(asked, Order) and asked.spec.partner is not None for asked in self._orders.values())

    def _differs(self, path: bytes, found: Candidate) -> bool:
        known = self._known.get(path)
        return known is None or known.away or known.stat != _stat(found.stat) or known.order_json != self._json(found.order)

    def _json(self, asked: Order) -> str:
        text = self._texts.get(asked)
        if text is None:
            text = self._texts[asked] = to_json(asked)
        return text

    def _candidates(self, seen: Seen) -> Iterable[Candidate]:
        for path, stat in seen.files.items():
            folder, asked = self._layout.order_folder(path), self._orders.get(parent(path))
            if folder is None or asked is None or isinstance(asked, OrderError):
                continue
            if stat.size and media_kind(name_of(path), self._rules.extensions) is asked.spec.main and self._taken(path, seen):
                yield Candidate(path, stat, folder, asked)

    def _taken(self, path: bytes, seen: Seen) -> bool:
        names = path.split(b"/")
        if any(rule_against(name, is_dir=True, patterns=self._rules.ignore) for name in names[:-1]):
            return False
        if rule_against(names[-1], patterns=self._rules.ignore) is not None:
            return False
        return shadowed(path, seen.files) is None

    def _notice_folders(self, seen: Seen, now: float) -> None:
        """Folders that came while we looked on, or shortly before we began, are still arriving; a change in one keeps it so."""
        calm = self._rules.settle_folder_seconds
        wall = self._ports.clock.wall()
        for path, stat in seen.folders.items():
            if path not in self._folders:
                self._folders.add(path)
                if wall - stat.mtime_ns / NANOSECONDS < calm:
                    self._arriving[path] = now
        if self._arriving:
            self._notice_changes(seen, now)
        self._arriving = {path: at for path, at in self._arriving.items() if 0 <= now - at < calm}
        if not self._arriving:
            self._strangers.clear()

    def _notice_changes(self, seen: Seen, now: float) -> None:
        for path, stat in seen.files.items():
            known, there = self._known.get(path), _stat(stat)
            if there == (self._strangers.get(path) if known is None else known.stat):
                continue
            self._strangers[path] = there
            for level in _above(path):
                if level in self._arriving:
                    self._arriving[level] = now

    def _not_before(self, path: bytes) -> float:
        calm = self._rules.settle_folder_seconds
        return max((self._arriving[level] + calm for level in _above(path) if level in self._arriving), default=0.0)

    async def _record(
        self, places: dict[bytes, bool], seen: Seen, fresh: list[Candidate], missing: list[bytes], closed: list[int],
        stopped: list[bytes], now: float,
    ) -> None:
        due = now + self._rules.settle_seconds

        def act(tx: Tx) -> dict[bytes, Known | None]:
            changes: dict[bytes, Known | None] = {}
            gone = {path: tx.work.get("drop", self._known[path].drop) for path in missing}
            newcomers = self._newcomers(seen) if gone else {}
            for path, row in gone.items():
                changes[path] = self._vanished(tx, row, newcomers.get((row.size, row.mtime_ns, row.inode), []), changes, now)
            for found in fresh:
                if found.path not in changes:
                    changes[found.path] = self._arrived(tx, found, now, due)
            for drop in closed:
                tx.drops.touch(drop, now, due)
            for path in stopped:
                changes[path] = self._stop(tx, path, now)
            for folder in {level for path in seen.files for level in _above(path) if level in self._arriving}:
                tx.drops.still_arriving(self._layout.place, folder, self._arriving[folder] + self._rules.settle_folder_seconds)
            self._wake_pairs(tx, places, seen, now)
            return changes

        changes = await self._ports.store.transaction("the inbox", act)
        for path, known in changes.items():
            if known is None:
                self._known.pop(path, None)
            else:
                self._known[path] = known

    def _newcomers(self, seen: Seen) -> dict[tuple[int, int, int], list[bytes]]:
        """Paths that were not known, by what lies there."""
        found: dict[tuple[int, int, int], list[bytes]] = {}
        for path, stat in seen.files.items():
            if path not in self._known:
                found.setdefault(_stat(stat), []).append(path)
        return found

    def _vanished(
        self, tx: Tx, row: Drop, newcomers: list[bytes], changes: dict[bytes, Known | None], now: float
    ) -> Known | None:
        """What the state knows of a path whose file is gone: None, unless it is only being put away just now.

        `newcomers`: where that very file lies now, if it was moved within the inbox, or its folder renamed.
        """
        if row.state in DROP_AT_REST or row.detached:
            return None
        if row.state is DropState.ARCHIVING:
            return replace(self._known[row.path], away=True)
        newcomer = _moved_to(row, newcomers)
        folder = None if newcomer is None else self._layout.order_folder(newcomer)
        if newcomer is not None and folder is not None and tx.drops.was_submitted(row.id):
            tx.drops.moved(row.id, newcomer, folder, now)
            changes[newcomer] = Known(row.id, (row.size, row.mtime_ns, row.inode), row.order_json)
            newcomers.remove(newcomer)
            return None
        tx.drops.vanished(row.id, now)
        return None

    def _arrived(self, tx: Tx, found: Candidate, now: float, due: float) -> Known:
        """Make a new or changed file a drop, or begin again with the one it is."""
        known = self._known.get(found.path)
        fields = order_fields(found.folder, found.order)
        fresh = Known(known.drop if known else 0, _stat(found.stat), to_json(found.order))
        if known is not None:
            row: Drop = tx.work.get("drop", known.drop)
            same = known.stat == fresh.stat or row.stat_is(found.stat)
            if row.state in DROP_AT_REST:
                if same and self._stays(row):
                    return fresh
            elif same:
                if known.order_json != fresh.order_json:
                    tx.drops.reordered(known.drop, fields, now)
                fresh.away = known.away
                return fresh
            elif tx.drops.changed(known.drop, found.stat, now, due, "it changed"):
                return fresh
            elif not row.detached:
                tx.drops.detach(known.drop, now, "a newer file has taken its place")
        not_before = self._not_before(found.path)
        fresh.drop = tx.drops.add(self._layout.place, found.path, found.stat, fields, now, max(due, not_before), not_before)
        return fresh

    def _stop(self, tx: Tx, path: bytes, now: float) -> Known:
        """Its folder is not understood any more: what was not submitted begins again when it is."""
        known = self._known[path]
        tx.drops.stopped(known.drop, now, f"its order is not understood: {self._orders[parent(path)]}")
        return replace(known, order_json="")

    def _wake_pairs(self, tx: Tx, places: dict[bytes, bool], seen: Seen, now: float) -> None:
        """A picture or sound that arrives may be what videos in its folder wait for; one that changed was not what they were read with."""
        if not self._pairs():
            return
        for drop in tx.drops.paired(self._layout.place):
            assert drop.partner is not None
            stat = seen.files.get(drop.partner)
            if (stat is None and _covers(places, drop.partner) and seen.looked_at(drop.partner)) or (stat and not drop.partner_is(stat)):
                tx.drops.partner_changed(drop.id, now)
        for place in self._seconds(seen):
            tx.drops.wake_pairs(self._layout.place, place, now)

    def _seconds(self, seen: Seen) -> set[bytes]:
        """The folders in which a video may find its second input."""
        second = {MediaKind.IMAGE, MediaKind.AUDIO}
        return {parent(path) for path in seen.files if media_kind(name_of(path), self._rules.extensions) in second}

    async def _say_folders(self, places: dict[bytes, bool]) -> None:
        if not places.get(b""):
            return
        said: dict[bytes, tuple[str | None, str | None, str | None]] = {}
        for path, asked in self._orders.items():
            if isinstance(asked, OrderError):
                said[path] = (None, None, str(asked))
            elif path.count(b"/") + 1 == self._layout.depth:
                said[path] = (asked.canonical(), asked.describe(), None)
        await self._ports.store.transaction("folders", lambda tx: tx.house.folders(self._layout.place, said))


def _moved_to(row: Drop, newcomers: list[bytes]) -> bytes | None:
    """Which of these is the drop's file; hard links are told apart by their names."""
    return min(newcomers, key=lambda path: name_of(path) != name_of(row.path), default=None)


def _stat(stat: Stat) -> tuple[int, int, int]:
    return (stat.size, stat.mtime_ns, stat.inode)


def _only_files(_name: bytes, is_dir: bool) -> bool:
    return is_dir


def _above(path: bytes) -> list[bytes]:
    """Every folder that a path lies in, below the inbox."""
    found = []
    while path := parent(path):
        found.append(path)
    return found


def _covers(places: dict[bytes, bool], path: bytes) -> bool:
    """Whether a look at `places` would have seen the file `path`."""
    if parent(path) in places:
        return True
    return any(whole and (not place or path.startswith(place + b"/")) for place, whole in places.items())
