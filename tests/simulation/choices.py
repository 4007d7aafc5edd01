"""Every decision of a simulated life: drawn from a seed or read from a tape, recorded, and shrunk to the few that matter.

A decision has a place, the name of its stream and its number within it, and a value of which 0 is always harmless: the oldest first,
no fault, no delay. So what is left out of a tape is a quiet decision, and a tape of four lines is a whole life.
"""

from __future__ import annotations

import json
import math
import random
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")
Place = tuple[str, int]
"""A stream's name, and how many decisions it had before."""
SILENT_STREAMS = 0.25
"""The part of the kinds of faults that a seed leaves out altogether: two that mask each other are then met one at a time."""
RATE_SPREAD = 4.0
"""A seed has a kind of fault up to so many times as often, or as rarely, as is typical."""

OFTEN = 10.0
"""So many times as often as else."""


@dataclass(frozen=True)
class Tape:
    """The decisions of a life that were not 0, and in `about` what they show."""

    decisions: Mapping[Place, int] = field(default_factory=dict)
    about: str = ""

    def __len__(self) -> int:
        return len(self.decisions)

    def keeping(self, decisions: Iterable[tuple[Place, int]]) -> Tape:
        """The same life with these decisions alone."""
        return replace(self, decisions=dict(decisions))

    def write(self, path: Path) -> None:
        """As JSON, one stream a line, so that two tapes can be compared by eye."""
        streams: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (stream, ordinal), value in sorted(self.decisions.items()):
            streams[stream][str(ordinal)] = value
        lines = ",\n".join(f"    {json.dumps(stream)}: {json.dumps(values)}" for stream, values in streams.items())
        path.write_text(f'{{\n  "about": {json.dumps(self.about)},\n  "streams": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Tape:
        """What `write` wrote. ValueError or KeyError where it is none."""
        told = json.loads(path.read_text(encoding="utf-8"))
        streams = told["streams"].items()
        return cls({(stream, int(ordinal)): int(value) for stream, values in streams for ordinal, value in values.items()}, told["about"])


class Choices(ABC):
    """What a life asks at each crossroads. `taken` holds each answer that was not 0."""

    def __init__(self) -> None:
        self.taken: dict[Place, int] = {}
        self._asked: defaultdict[str, int] = defaultdict(int)

    def pick(self, stream: str, count: int) -> int:
        """A number from 0 to `count` - 1, each as likely as the others."""
        return self._take(stream, self._picked(stream, self._asked[stream], count))

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        """0 for none, or which of so many kinds goes wrong here: about once in `every` asks, oftener or never as the seed has it."""
        return self._take(stream, self._fault(stream, self._asked[stream], every, kinds))

    def one_of(self, stream: str, things: Sequence[T]) -> T:
        """One of these, of which the first is the harmless one."""
        return things[self.pick(stream, len(things))]

    def asked(self, stream: str) -> int:
        """How many decisions of a stream there were until now."""
        return self._asked.get(stream, 0)

    def tape(self, about: str = "") -> Tape:
        """What was decided until now."""
        return Tape(dict(self.taken), about)

    def _take(self, stream: str, value: int) -> int:
        ordinal = self._asked[stream]
        self._asked[stream] = ordinal + 1
        if value:
            self.taken[stream, ordinal] = value
        return value

    @abstractmethod
    def _picked(self, stream: str, ordinal: int, count: int) -> int: ...
    @abstractmethod
    def _fault(self, stream: str, ordinal: int, every: float, kinds: int) -> int: ...


class Seeded(Choices):
    """Decisions from a seed. Each stream has random numbers of its own, so that one more ask in one shifts none of the others."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._random: dict[str, random.Random] = {}
        self._gaps: dict[str, Gaps] = {}

    def pick(self, stream: str, count: int) -> int:
        numbers = self._random.get(stream)
        if numbers is None:
            numbers = self._of(stream)
        ordinal = self._asked[stream]
        self._asked[stream] = ordinal + 1
        value = int(numbers.random() * count)
        if value:
            self.taken[stream, ordinal] = value
        return value

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        gaps = self._gaps.get(stream)
        if gaps is None or gaps.left <= 0:
            return super().fault(stream, every, kinds)
        gaps.left -= 1
        self._asked[stream] += 1
        return 0

    def _picked(self, stream: str, ordinal: int, count: int) -> int:
        return int(self._of(stream).random() * count)

    def _fault(self, stream: str, ordinal: int, every: float, kinds: int) -> int:
        gaps = self._gaps.get(stream)
        if gaps is None:
            gaps = self._gaps[stream] = Gaps(self._of(stream), every)
        return 1 + self._picked(stream, ordinal, kinds) if gaps.over() else 0

    def _of(self, stream: str) -> random.Random:
        found = self._random.get(stream)
        if found is None:
            found = self._random[stream] = random.Random(f"{self.seed}:{stream}")  # a text is hashed by SHA-512, not by `hash`
        return found


class Pinned(Seeded):
    """Decisions from a seed, but for some that are `fixed`, and for streams that go wrong `often`: lives of one kind among all others."""

    def __init__(self, seed: int, fixed: Mapping[Place, int], often: Collection[str] = ()) -> None:
        super().__init__(seed)
        self._fixed = fixed
        self._often = often

    def pick(self, stream: str, count: int) -> int:
        return Choices.pick(self, stream, count)

    def _picked(self, stream: str, ordinal: int, count: int) -> int:
        drawn = super()._picked(stream, ordinal, count)
        return min(self._fixed.get((stream, ordinal), drawn), count - 1)

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        fixed = self._fixed.get((stream, self.asked(stream)))
        return super().fault(stream, every, kinds) if fixed is None else self._take(stream, min(fixed, kinds))

    def _fault(self, stream: str, ordinal: int, every: float, kinds: int) -> int:
        return super()._fault(stream, ordinal, every / OFTEN if stream in self._often else every, kinds)


class Gaps:
    """How many asks come between two faults: one draw a fault instead of one an ask. `left`: those that are still to come."""

    def __init__(self, numbers: random.Random, every: float) -> None:
        self._numbers = numbers
        silent = numbers.random() < SILENT_STREAMS
        self.rate = 0.0 if silent else min(1.0, RATE_SPREAD ** numbers.uniform(-1.0, 1.0) / every)
        self.left = self._draw()

    def over(self) -> bool:
        """Whether the gap ends with this ask."""
        if self.left > 0:
            self.left -= 1
            return False
        self.left = self._draw()
        return True

    def _draw(self) -> float:
        if self.rate in {0.0, 1.0}:
            return 0.0 if self.rate else math.inf
        return math.floor(math.log(1.0 - self._numbers.random()) / math.log(1.0 - self.rate))


class Taped(Choices):
    """Decisions from a tape. What it does not say is 0; what is out of range, since the code has changed, is the nearest that is not."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape.decisions

    def _picked(self, stream: str, ordinal: int, count: int) -> int:
        return min(self._tape.get((stream, ordinal), 0), count - 1)

    def _fault(self, stream: str, ordinal: int, every: float, kinds: int) -> int:
        return min(self._tape.get((stream, ordinal), 0), kinds)
