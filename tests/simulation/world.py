"""The simulated world of one life: its machines, its service, its people, and the laws that hold in it."""

from __future__ import annotations

import asyncio
import os
import re
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from qavix_watch.core.money import Budget
from qavix_watch.core.rules import Rules
from tests.simulation.counters import Counters
from tests.simulation.ground import COLD, ROOT, Ground, layout_of
from tests.simulation.invariants import Invariants
from tests.simulation.loop import Loop
from tests.simulation.machines import Machine
from tests.simulation.people import People
from tests.simulation.service import Service
from tests.simulation.state import State
from tests.simulation.story import Line, Said, shown
from tests.simulation.volumes import Volume
from tests.simulation.wrong import Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.choices import Choices

T = TypeVar("T")
EPOCH = 1_788_000_000.0
TURN = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
"""When a day and a month begin."""
BEFORE_THE_TURN = (None, 60.0, 300.0, 150.0)
BASE_URL = "https://api.qavix.example"
CALLBACKS = "https://here.example"
LOOK_SECONDS = 20.0
QUIET_LOOKS = 4
"""So many looks in which every machine was up and nothing has changed are rest: longer than a rescan and every settling time together."""
MOST_QUIET_SECONDS = 2 * 3600.0
WEATHER_SECONDS = 10.0
STOPS_EVERY, CLOCKS_EVERY = 60.0, 100.0
LAGS_EVERY = 3.0
CLOCKS = (0.0, 5.0, -5.0, 7200.0, -7200.0)
_CALLBACK = re.compile(re.escape(CALLBACKS) + r"/callback/([0-9]{1,18})/(.{1,128})")


@dataclass(frozen=True)
class Shape:
    """What kind of world it is; the plainest is one host with a local disk."""

    hosts: int = 1
    remote: bool = False
    cold_archive: bool = False
    after: str = "archive"
    callbacks: bool = False
    real_file: bool = False
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def drawn(cls, choices: Choices) -> Shape:
        hosts = 1 + (choices.pick("shape: two hosts", 4) == 3)
        return cls(
            hosts=hosts,
            remote=hosts > 1 or choices.pick("shape: remote", 3) == 2,
            cold_archive=choices.pick("shape: cold archive", 4) == 3,
            after=choices.one_of("shape: after", ("archive", "archive", "archive", "keep", "delete")),
            callbacks=choices.pick("shape: callbacks", 2) == 1,
            real_file=choices.pick("shape: real file", 100) == 99,
            budget=choices.one_of("shape: budget", BUDGETS),
        )


def display(path: bytes) -> str:
    """A path for the story."""
    return path.decode("utf-8", "backslashreplace")


BUDGETS = (
    Budget(), Budget(), Budget(), Budget(per_job=40), Budget(per_day=120), Budget(per_month=150), Budget(approve_above=25),
    Budget(per_day=40), Budget(per_month=40), Budget(per_month=40),
)  # fmt: skip


class World:
    """Everything of one life. `story` gets a line for each thing that is told."""

    lease_seconds = 20.0

    def __init__(self, choices: Choices, story: list[Line] | None = None, state_file: str | None = None) -> None:
        self.choices = choices
        self.loop = Loop(choices)
        self.story = story
        self.quiet = False
        self.deaths = 0
        self.disk_errors: set[bytes] = set()
        self.marked_starts = 0
        self.counters = Counters()
        self.shape = Shape.drawn(choices)
        before = choices.one_of("shape: when", BEFORE_THE_TURN)
        self.epoch, self.turn = (EPOCH, EPOCH) if before is None else (TURN - before, TURN)
        self.layout = layout_of(cold_archive=self.shape.cold_archive, after=self.shape.after)
        self.rules = self._rules()
        self.state_folder = os.path.dirname(state_file) if state_file else None
        self.state = State(self, real_file=state_file if self.shape.real_file else None)
        self.service = Service(self)
        self.service.callback = self._called_back
        self.ground = Ground(self, remote=self.shape.remote)
        names = "AB"[: self.shape.hosts]
        self.machines = [Machine(self, name, Volume(f"{name}'s own", 20 + at), looks=at == 0) for at, name in enumerate(names)]
        for machine in self.machines:
            self.ground.join(machine)
        self.ground.prepare()
        self.invariants = Invariants(self)
        self.people = People(self)

    def _rules(self) -> Rules:
        return Rules(
            self.layout, account=f"{BASE_URL} ", settle_seconds=1.0, settle_remote_seconds=6.0, settle_folder_seconds=2.0,
            rescan_seconds=15.0, truncated_after_seconds=120.0, poll_min_seconds=2.0, poll_max_seconds=20.0,
            give_up_after_seconds=self.choices.one_of("shape: patience", (3600.0, 3600.0, 3600.0, 60.0)), min_free_bytes=4096,
            callback_url=CALLBACKS if self.shape.callbacks else None, first_retry_seconds=1.0, longest_retry_seconds=60.0,
            budget=self.shape.budget,
        )

    # What everybody in it may ask and tell

    def now(self) -> float:
        """Seconds since 1970."""
        return self.epoch + self.loop.clock

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        """Which of so many kinds goes wrong here, 0 for none; nothing does in the quiet phase."""
        return 0 if self.quiet else self.choices.fault(stream, every, kinds)

    def pick(self, stream: str, count: int) -> int:
        """A number below `count`; 0 in the quiet phase."""
        return 0 if self.quiet else self.choices.pick(stream, count)

    def one_of(self, stream: str, things: Sequence[T]) -> T:
        """One of these; the first in the quiet phase."""
        return things[self.pick(stream, len(things))]

    def tell(self, who: str, what: str, *values: object) -> None:
        """A line of the story, and of the trace."""
        self.loop.tell(who, what, values)
        if self.story is not None:
            self.story.append(Line(self.loop.time(), who, what % tuple(map(shown, values)) if values else what))

    def wrong(self, text: str) -> None:
        """A law was broken: the life ends with this step."""
        self.tell("the law", "%s", text)
        self.loop.fail(Violation(text))

    def acted(self, machine: Machine, act: str, *paths: bytes) -> None:
        """A machine's service has changed its disk."""
        self.tell(machine.name, "%s %s", act, " → ".join(map(display, paths)))
        self.invariants.after_act(machine, act, *paths)

    def log(self, machine: Machine, level: str, event: str, values: dict[str, Any]) -> None:
        """A line of a machine's log."""
        if values.pop("exc_info", False):
            values["error"] = traceback.format_exc()
        self.tell(f"{machine.name}'s log", "%s: %s", event, Said(values))
        self.counters.from_log(level, event, values)
        self.invariants.logged(level, event, values)

    def _called_back(self, url: str, _body: bytes) -> None:
        """Somebody posts to the callback receiver. The receiver itself is the real one's business; here is what it lets in."""
        found = _CALLBACK.fullmatch(url)
        up = [machine for machine in self.machines if machine.serves]
        if found is None or not up:
            self.counters.count("callback to nobody")
            return
        self.one_of("callback to", up).called_back(int(found[1]), found[2])

    def trace(self) -> str:
        """Equal in two lives that went the same way and left the same: on the disks, in the state, and with the service."""
        for path, inode in chain(self.invariants.sight.files(ROOT), self.invariants.sight.files(COLD)):
            self.loop.tell(path, bytes(inode.now.data))
        self.loop.tell(dict(self.service.calls), dict(self.service.uploads), list(self.service.tasks.values()))
        for table in self.state.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
            self.loop.tell(*(tuple(row) for row in self.state.rows(f'SELECT * FROM "{table["name"]}"')))
        return self.loop.trace

    def next_start(self) -> int:
        """The number that a start of the service finds in the markers. Now and then it is more than the state knows of, as if that had
        been restored from a backup.
        """
        return self.marked_starts + 1 + self.fault("the folders have seen more starts", LAGS_EVERY)

    def unplug(self) -> None:
        """The media go away."""
        for machine in self.machines:
            self.ground.unplug(machine)

    def plug_in(self) -> None:
        """The media are back everywhere."""
        for machine in self.machines:
            self.ground.plug_in(machine)
        self.people.see_what_is_left()

    # The life

    async def live(self) -> None:
        """Machines and people live; then nothing goes wrong any more, and everything must come to rest as it should."""
        keeping = [asyncio.create_task(machine.keep(), name=f"keeper of {machine.name}") for machine in self.machines]
        weather = asyncio.create_task(self._weather(), name="the weather")
        await self.people.live()
        self.quiet = True
        await weather
        self.tell("the world", "is quiet from here on")
        self.service.mend()
        self.plug_in()
        for machine in self.machines:
            machine.thaw()
        await self._come_to_rest()
        self.invariants.at_rest()
        for machine, task in zip(self.machines, keeping, strict=True):
            machine.stop()
            task.cancel()

    async def _weather(self) -> None:
        """What happens to machines besides deaths: updates that restart the service, clocks that are set."""
        while not self.quiet:
            await asyncio.sleep(WEATHER_SECONDS)
            for machine in self.machines:
                if self.fault(f"stop {machine.name}", STOPS_EVERY):
                    await machine.end_well()
                if self.fault(f"clock {machine.name}", CLOCKS_EVERY):
                    machine.wall_ahead = self.one_of(f"clock {machine.name} by", CLOCKS)
                    self.counters.count("the clock was set")
                    self.tell(machine.name, "clock is %s s ahead", machine.wall_ahead)

    async def _come_to_rest(self) -> None:
        until, still, before = self.loop.time() + MOST_QUIET_SECONDS, 0, self._events()
        while still < QUIET_LOOKS:
            if self.loop.time() > until:
                self.wrong(f"it did not come to rest: {self.invariants.unrest()}")
            await asyncio.sleep(LOOK_SECONDS)
            await self.people.settle()
            events = self._events()
            is_still = events == before and all(machine.serves for machine in self.machines) and not self.invariants.unrest()
            still = still + 1 if is_still else 0
            before = events

    def _events(self) -> int:
        """How many rows the history has."""
        count: int = self.state.rows("SELECT count(*) AS n FROM events")[0]["n"]
        return count
