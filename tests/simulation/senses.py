"""Clock and chance of a simulated program."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.machines import Machine
    from tests.simulation.world import World

_GRAIN = 64


class SimulatedClock:
    """`Clock`: the world's time, off by the machine's skew; `wall` also jumps."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def now(self) -> float:
        world = self._machine.world
        return world.epoch + world.loop.clock + self._machine.skew

    def wall(self) -> float:
        return self._machine.world.now() + self._machine.wall_ahead

    def local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC)


class SimulatedChance:
    """`Chance`: decisions of the life, and words that nobody can guess who does not count."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._stream = f"jitter {name}"

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._world.pick(self._stream, _GRAIN) / _GRAIN

    def token(self) -> str:
        return hashlib.sha256(b"token %d" % self._world.loop.number()).hexdigest()[:43]
