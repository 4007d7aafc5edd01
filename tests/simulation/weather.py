"""What goes wrong between the service and those who call it: single requests and answers that are lost, late or spoilt, and storms.

A storm is what is wrong for a while: a key that is revoked, a path that has moved, an account that is another, no service at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.refusals import Lost, Refusal

if TYPE_CHECKING:
    from tests.simulation.world import World

TRAVELS = (0.02, 0.005, 0.15)
STORMS = (20.0, 5.0, 90.0, 400.0)
"""Seconds; the first is the quiet one."""
LONG_STORMS = (60.0, 20.0, 300.0)
SLOW = (3.0, 14.0)
RETRY_AFTER = (None, 1.0, 20.0, 120.0)
POSTS_THAT_COST = frozenset({
    "video_translation", "smart_eraser", "subtitle_translation", "face_swap", "lip_sync", "text_to_speech", "voice_clone",
})  # fmt: skip
_COST_LOSES = 4.0
"""A request that costs money is so much oftener met by what leaves its end unclear."""


@dataclass(slots=True)
class Fate:
    """What becomes of one request. `travel` and `back`: seconds there and back. `lost`: what its caller gets in place of any answer.

    `arrives` or not; `refusal`: what it is told without anything being done; `spoilt`: what it is told although it was done.
    """

    travel: float
    back: float
    arrives: bool = True
    lost: Lost | None = None
    refusal: Refusal | None = None
    spoilt: Refusal | None = None


@dataclass(slots=True)
class Storm:
    """Something that is wrong for a while. `lasts`: for how many seconds; `how`: which kind of it, 0 for none.

    `where`: the operation that it came with.
    """

    name: str
    every: float
    kinds: int
    lasts: tuple[float, ...] = STORMS
    how: int = 0
    where: str = ""
    until: float = 0.0


class Weather:
    """Decides what becomes of each request."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = Storm("the key", 300.0, 2)
        self._path = Storm("the path", 200.0, 3)
        self._down = Storm("no service", 250.0, 1)
        self._account = Storm("the account", 400.0, 1)
        self._form = Storm("the form", 10.0, 1, LONG_STORMS)
        self._storms = (self._key, self._path, self._down, self._account)
        self._streams: dict[str, dict[str, str]] = {}

    def fate(self, operation: str, patience: float) -> Fate:
        """What becomes of a request whose caller waits for `patience` seconds."""
        self._blow(operation)
        fate = Fate(self._world.one_of("travel there", TRAVELS), self._world.one_of("travel back", TRAVELS))
        if self._down.how:
            self._lose(fate, "it refuses connections", maybe_done=False, arrives=False)
        else:
            self._network(fate, operation, patience)
            fate.refusal = self._refused(operation)
            fate.spoilt = self._spoilt(operation)
        if fate.travel + fate.back > patience and fate.lost is None:
            self._lose(fate, "it took too long to answer", maybe_done=True, after=patience)
        return fate

    @property
    def account_is_another(self) -> bool:
        """Whether the key is another account's just now."""
        return bool(self._account.how)

    def calm(self) -> None:
        """Every storm is over."""
        for storm in (*self._storms, self._form):
            self._end(storm)

    def new_form(self, operation: str) -> Refusal | None:
        """What an operation says, for a while, to every request for new work: that it wants another form, which nobody has told of."""
        now = self._world.now()
        if self._form.how and now >= self._form.until:
            self._end(self._form)
        if not self._form.how:
            self._begin(self._form, operation, now)
        is_meant = self._form.how and self._form.where == operation
        return Refusal(400, "invalid_parameter", "Unknown parameter", "name") if is_meant else None

    # Storms

    def _blow(self, operation: str) -> None:
        now = self._world.now()
        for storm in self._storms:
            if storm.how and now >= storm.until:
                self._end(storm)
            if not storm.how:
                self._begin(storm, operation, now)

    def _begin(self, storm: Storm, operation: str, now: float) -> None:
        storm.how = self._world.fault(storm.name, storm.every, storm.kinds)
        if storm.how:
            seconds = self._world.one_of(f"{storm.name} for", storm.lasts)
            storm.where, storm.until = operation, now + seconds
            self._world.tell("service", "%s (kind %d) is wrong from %s on, for %s s", storm.name, storm.how, operation, seconds)
            self._world.counters.count(f"storm: {storm.name}")

    def _end(self, storm: Storm) -> None:
        if storm.how:
            storm.how = 0
            self._world.tell("service", "%s is as it was", storm.name)

    # Requests

    def _asks(self, kind: str, operation: str, every: float, kinds: int) -> int:
        """Which of so many kinds goes wrong with this request."""
        of_kind = self._streams.setdefault(kind, {})
        stream = of_kind.get(operation)
        if stream is None:
            stream = of_kind[operation] = f"{kind}: {operation}"
        return self._world.fault(stream, every, kinds)

    def _network(self, fate: Fate, operation: str, patience: float) -> None:
        oftener = _COST_LOSES if operation in POSTS_THAT_COST else 1.0
        if how := self._asks("lost request", operation, 80.0, 2):
            self._lose(fate, ("its name is not known", "the connection was cut")[how - 1], maybe_done=how == 2, arrives=False)
            self._world.counters.count("lost request")
        elif how := self._asks("lost answer", operation, 50.0 / oftener, 3):
            self._lose_answer(fate, how, patience)
            self._world.counters.count("lost answer")
        elif how := self._asks("slow answer", operation, 50.0, 2):
            fate.back += SLOW[how - 1]
            self._world.counters.count("slow answer")

    def _lose_answer(self, fate: Fate, how: int, patience: float) -> None:
        """The connection is cut; or the caller gives up before the answer comes; or even before the request does."""
        if how == 1:
            self._lose(fate, "the connection was cut", maybe_done=True, after=fate.travel + fate.back)
        elif how == 2:
            fate.back += patience
        else:
            fate.travel += patience + self._world.one_of("request late", STORMS)
            self._world.counters.count("late request")

    def _lose(self, fate: Fate, why: str, *, maybe_done: bool, arrives: bool = True, after: float = 0.01) -> None:
        fate.lost, fate.arrives = Lost(why, maybe_done, after), arrives

    def _refused(self, operation: str) -> Refusal | None:
        """What it is told although nothing is wrong with it."""
        if self._key.how:
            return self._key_refused()
        if self._path.how and self._path.where == operation:
            self._world.counters.count("404 path")
            return (Refusal(404), Refusal(405), Refusal(404, "route_not_found", "No such path"))[self._path.how - 1]
        if how := self._asks("429", operation, 80.0, len(RETRY_AFTER)):
            return self.too_many(RETRY_AFTER[how - 1])
        if how := self._asks("5xx", operation, 80.0, 2):
            self._world.counters.count("5xx")
            return (Refusal(503), Refusal(500, "internal", "Something went wrong"))[how - 1]
        return None

    def too_many(self, retry_after: float | None) -> Refusal:
        """429."""
        self._world.counters.count("429")
        return Refusal(429, "rate_limited", "Too many requests", retry_after=retry_after)

    def _key_refused(self) -> Refusal:
        if self._key.how == 1:
            self._world.counters.count("401")
            return Refusal(401, "invalid_api_key", "API key disabled")
        self._world.counters.count("403")
        return Refusal(403, "forbidden", "Insufficient permissions")

    def _spoilt(self, operation: str) -> Refusal | None:
        """What it is told although it was done."""
        if self._asks("5xx after the work", operation, 150.0, 1):
            self._world.counters.count("5xx after the work")
            return Refusal(500, "internal", "Something went wrong")
        if self._asks("wrong shape", operation, 200.0, 1):
            self._world.counters.count("wrong shape")
            return Refusal(200)
        return None
