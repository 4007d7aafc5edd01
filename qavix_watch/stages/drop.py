"""The inbox as it is, against what the state knows of it: where drops come from.

A scan is the truth; hints (file events) only make a part of it be looked at sooner. New files become drops, changed ones begin
again, vanished ones are undone where nothing was submitted for them. While a root is offline absence means nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.errors import FileError, FileGone, NoSpace, OrderError, RootOffline, StoreError
from qavix_watch.stages.arriving import Arriving
from qavix_watch.stages.inventory import Inventory
from qavix_watch.stages.notes import NAME, Look, Notes
from qavix_watch.stages.order import OPTION_NAMES
from qavix_watch.stages.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.scan import Seen

GATHER_SECONDS = 0.05
REST = 4.0
LONGEST_REST_SECONDS = 5.0
"""Looking at crowded folders is work: between two looks lie so many times the seconds that the last one took."""
OFFLINE_SECONDS = 2.0
TROUBLE_SECONDS = 1.0
BACK = "it is back"
AWAY_HINT = (
    "Mount or plug it in again; everything goes on by itself."
    " Where its marker was deleted: `qavix-watch init`, then restart the service."
)


class Intake:
    """Keeps the state's drops in step with the inbox."""

    def __init__(self, ports: Ports, rules: Rules, *, wake: Callable[[], None], log: Callable[..., None] = lambda *_, **__: None) -> None:
        """`wake` is called when there may be new work; `log` takes a level, an event, and values."""
        self._ports = ports
        self._log = log
        self._rules = rules
        self._layout = rules.layout
        self._wake = wake
        self._watched: Callable[[bool], None] = lambda _: None
        self._arriving = Arriving(rules)
        self._inventory = Inventory(ports, rules, self._arriving)
        self._hints: dict[bytes, bool] = {}
        self._closed: set[bytes] = set()
        self._hinted = asyncio.Event()
        self._notes = Notes(ports, rules)
        self._revisits: dict[bytes, float] = {}
        self._said: dict[bytes, tuple[str | None, str | None, str | None]] | None = None
        self.offline = False
        self._rest = 0.0
        self._troubled = False
        self._braked = False

    def before_scans(self, watched: Callable[[bool], None]) -> None:
        """`watched` is called before each scan of the whole inbox: watch first, then scan. True: a root that was offline is back."""
        self._watched = watched

    def go_by(self, rules: Rules) -> None:
        """Go by other rules from now on, in the same folders, and look at all of them anew."""
        self._rules = rules
        self._layout = rules.layout
        self._arriving.go_by(rules)
        self._inventory.go_by(rules)
        self._notes = Notes(self._ports, rules)
        self.hint(rules.layout.inbox, folder=True)

    def hint(self, path: bytes, *, closed: bool = False, folder: bool = False) -> None:
        """Something happened at an absolute path: look at its folder soon; `folder`: at all that is below it."""
        inside = self._layout.relative(path)
        if inside is None:
            return
        if folder or self._arriving.is_folder(inside):
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

    def questioned(self, folder: bytes) -> None:
        """What is to be mended in an order's folder has changed: its note is to say so."""
        self.hint(self._layout.in_inbox(join(folder, NAME)))

    def put_away(self, path: bytes, drop: int) -> None:
        """A drop has come to rest: what lies at its path from now on is new, even if it looks the same to the last bit."""
        if self._inventory.put_away(path, drop):
            self.hint(self._layout.in_inbox(path))

    async def load(self) -> None:
        """Read what the state knows of the inbox."""
        await self._inventory.load()

    async def run(self) -> None:
        """Look at the whole inbox every `rescan` seconds, however many hints come, and at parts of it when they do."""
        whole_at = self._ports.clock.now() + self._rules.rescan_seconds
        while True:
            next_at = min([whole_at, *self._revisits.values()])
            wait = OFFLINE_SECONDS if self.offline else max(0.0, next_at - self._ports.clock.now())
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
        """What hints name, gathered for a moment; after so many seconds what is to be looked at again, or the whole inbox."""
        try:
            async with asyncio.timeout(seconds):
                await self._hinted.wait()
        except TimeoutError:
            now = self._ports.clock.now()
            return {folder: False for folder, at in self._revisits.items() if at <= now} or {b"": True}
        await asyncio.sleep(max(GATHER_SECONDS, self._rest))
        self._hinted.clear()
        hints, self._hints = self._hints, {}
        return hints

    async def look(self, places: dict[bytes, bool]) -> None:
        """Bring the state into step with these folders; True: with all that is below. Answers those who asked for a whole look."""
        asked = await self._asked() if places.get(b"") else []
        trouble = await self._looked(places)
        if asked:
            await self._answer(asked, trouble)

    async def _asked(self) -> list[int]:
        """The commands that wait for a look at the whole inbox, which has to begin after them."""
        waiting = await self._ports.store.transaction("scans", lambda tx: tx.commands.waiting())
        return [command.id for command in waiting if command.verb == "scan"]

    async def _answer(self, asked: list[int], trouble: str | None) -> None:
        text = "the whole inbox was looked at" if trouble is None else f"the inbox could not be looked at: {trouble.rstrip('.')}"

        def answer(tx: Tx) -> None:
            for number in asked:
                tx.commands.answer(number, trouble is None, text, self._ports.clock.now())

        await self._ports.store.transaction("scanned", answer)

    async def _looked(self, places: dict[bytes, bool]) -> str | None:
        """Look; gives what was in the way, None where nothing was."""
        try:
            if places.get(b""):
                await self._ports.blocking(self._have_inbox)
                self._watched(self.offline)
            seen = await self._ports.blocking(self._scanned, places)
        except RootOffline as error:
            await self._gone_offline(str(error))
            return str(error)
        except FileError as error:
            said = str(error)
            await self._tell_trouble(said)
            return said
        await self._take_in(seen)
        if self._troubled:
            await self._tell_trouble(None)
        if self.offline or self._braked or places.get(b""):  # the brake may be another host's, or an earlier process's
            await self._back_online()
        return None

    def _have_inbox(self) -> None:
        """Make the inbox where it is not there. Nothing is touched where it is: a look shall wake no disk."""
        self._ports.roots.check()
        try:
            self._ports.files.stat(self._layout.inbox)
        except FileGone:
            self._ports.files.make_folder(self._layout.inbox, self._layout.like_whom(self._layout.inbox))

    def _scanned(self, places: dict[bytes, bool]) -> Seen:
        """What lies there, on a root that was there before and after."""
        self._ports.roots.check()
        seen = scan(self._ports, self._rules, places)
        self._ports.roots.check()
        return seen

    async def _tell_trouble(self, said: str | None) -> None:
        await self._ports.store.transaction("trouble", lambda tx: tx.house.trouble("scan", said, self._ports.clock.now()))
        self._troubled = said is not None

    async def _gone_offline(self, why: str) -> None:
        self.offline = True
        now = self._ports.clock.now()
        place, hint = self._layout.place, AWAY_HINT
        if await self._ports.store.transaction("root offline", lambda tx: tx.brakes.pull("root", place, why, hint, now, now)):
            self._log("warning", "brake on", brake="root", scope=place, why=why, hint=hint)

    async def _back_online(self) -> None:
        was_away = self.offline or self._braked
        self.offline = self._braked = False
        back = await self._ports.store.transaction("root online", self._let_go)
        for place in back:
            self._log("info", "brake off", brake="root", scope=place, why=BACK)
        if back or was_away:
            self._wake()

    def _let_go(self, tx: Tx) -> list[str]:
        """Of any folder: one that was served here before another configuration, or before a new marker, is waited for no more."""
        places = [brake.scope for brake in tx.brakes.on() if brake.name == "root"]
        for place in places:
            tx.brakes.let_go("root", place, self._ports.clock.now(), BACK)
        return places

    async def _take_in(self, seen: Seen) -> None:
        closed, self._closed = self._closed, set()
        news = await self._inventory.reconcile(seen, closed)
        await self._write_notes(seen)
        await self._say_folders(seen)
        if news:
            self._wake()

    async def _write_notes(self, seen: Seen) -> None:
        questions = await self._ports.store.transaction("questions", lambda tx: tx.drops.questions(self._layout.place))
        look = Look(seen.files, seen.folders, seen.orders, seen.places, questions)
        again = await self._ports.blocking(self._notes.apply, look, self._ports.clock.now())
        kept = {} if seen.places.get(b"") else {folder: at for folder, at in self._revisits.items() if folder not in seen.places}
        self._revisits = kept | again

    async def _say_folders(self, seen: Seen) -> None:
        if not seen.places.get(b""):
            return
        said: dict[bytes, tuple[str | None, str | None, str | None]] = {}
        for path, asked in seen.orders.items():
            if isinstance(asked, OrderError):
                said[path] = (None, None, str(asked))
            elif path.count(b"/") + 1 == self._layout.depth:
                said[path] = (asked.canonical(), asked.describe(), None)
        if said != self._said:  # a state that is written once a minute lets no disk come to rest
            await self._ports.store.transaction("folders", lambda tx: tx.house.folders(self._layout.place, said))
            self._said = said
