"""Lives by the thousand, on all processors, and what they come to. The same seed gives the same run, however many processes share it."""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from tests.simulation.counters import SELDOM
from tests.simulation.outcomes import law
from tests.simulation.processes import Ask, Pool, Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.choices import Tape
    from tests.simulation.counters import Counters
    from tests.simulation.outcomes import Ended, Live

LIFE_SECONDS = 60.0
"""Real time; a life takes a tenth of a second."""
FEWEST_FOR_COUNTERS = 500
"""In fewer lives something may well never happen."""
FEWEST_FOR_ALL = 5000
"""In fewer lives what happens seldom may not."""


@dataclass(frozen=True)
class Failing:
    """The first life that broke a law. `small` is one with fewer decisions that breaks it too; None where none can be had."""

    number: int
    first: Ended
    small: Ended | None
    why_not_small: str = ""

    @property
    def failure(self) -> str:
        return (self.small or self.first).failure or ""

    @property
    def tape(self) -> Tape:
        return (self.small or self.first).tape


@dataclass
class Tally:
    """What a run has come to. `traces` has the trace of each life, by its number; `broken` how many lives failed by which law."""

    seed: int
    began: float = field(default_factory=time.monotonic)
    lives: int = 0
    steps: int = 0
    deaths: int = 0
    seconds: float = 0.0
    real_seconds: float = 0.0
    counters: Counters | None = None
    traces: dict[int, str] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    failing: list[Failing] = field(default_factory=list)

    def add(self, number: int, ended: Ended) -> None:
        """One more life."""
        self.lives += 1
        self.steps += ended.steps
        self.deaths += ended.deaths
        self.seconds += ended.seconds
        self.real_seconds = time.monotonic() - self.began
        self.traces[number] = ended.trace
        if ended.failure:
            self.broken[law(ended.failure)] += 1
        if self.counters is None:
            self.counters = ended.counters
        elif ended.counters is not None:
            self.counters.merge(ended.counters)

    @property
    def trace(self) -> str:
        """Equal in two runs all of whose lives went the same way."""
        return hashlib.blake2b(repr(sorted(self.traces.items())).encode(), digest_size=8).hexdigest()

    @property
    def missing(self) -> list[str]:
        """What never happened in a run that is long enough for it."""
        if not self.counters or self.lives < FEWEST_FOR_COUNTERS:
            return []
        never = self.counters.missing()
        return never if self.lives >= FEWEST_FOR_ALL else [name for name in never if name not in SELDOM]

    @property
    def is_well(self) -> bool:
        return not self.broken and not self.missing


def run(
    live: Live, lives: int, seed: int, processes: int = 2, *, go_on: bool = False,
    life_seconds: float = LIFE_SECONDS, until: float = math.inf, seen: Callable[[Tally], object] = lambda _tally: None,
) -> Tally:  # fmt: skip
    """Live so many lives. None begins after `until` (of the monotonic clock), nor after one that failed, unless they `go_on`. The first
    that failed, by its number and not by the clock, is shrunk; of those that `go_on` the first for each law that was broken.

    `live` is a function of a module, by the name of which other processes find it. `seen` is called after each life.
    """
    tally = Tally(seed)
    failing: dict[int, Ended] = {}
    with tempfile.TemporaryDirectory(prefix="lives-") as folder, Pool(lambda: Process(live, seed, folder, life_seconds)) as pool:
        pool.grow(min(processes, lives))
        going_on = takewhile(lambda _: time.monotonic() < until and (go_on or not failing), range(lives))
        for ask, ended in pool.answers(Ask(number) for number in going_on):
            tally.add(ask.number, ended)
            if ended.failure:
                failing[ask.number] = ended
            seen(tally)
        firsts = _first_of_each(failing) if go_on else sorted(failing)[:1]
        shrunk = pool.answers(Ask(number, failing[number].tape) for number in firsts)
        tally.failing = sorted((_failing(ask.number, failing[ask.number], small) for ask, small in shrunk), key=lambda one: one.number)
    return tally


def _first_of_each(failing: dict[int, Ended]) -> list[int]:
    firsts: dict[str, int] = {}
    for number in sorted(failing):
        firsts.setdefault(failing[number].tape.about, number)
    return sorted(firsts.values())


def _failing(number: int, first: Ended, small: Ended) -> Failing:
    if small.failure and law(small.failure) == first.tape.about:
        return Failing(number, first, small)
    return Failing(number, first, None, small.failure or "its smallest tape does not fail")
