"""Lives that only pretend, for the tests of the runner: a few decisions, a story, and failures where a test wants them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.simulation.choices import Seeded, Tape
from tests.simulation.story import Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.choices import Choices

STREAMS = ("order", "death A", "network", "people")


@dataclass
class Sometimes:
    """Counts that merge, as the real ones do."""

    NAMES = frozenset({"lost answer", "lease taken over"})
    counts: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Sometimes) -> None:
        self.counts.update(other.counts)

    def missing(self) -> Iterable[str]:
        return self.NAMES - self.counts.keys()


@dataclass(frozen=True)
class Pretended:
    """What `living.Life` has."""

    steps: int
    deaths: int
    seconds: float
    trace: str
    counters: Sometimes
    failure: str | None
    tape: Tape
    story: list[Line]


def life(choices: Choices, never: str = "") -> Pretended:
    """A hundred decisions of each stream, and all that is counted but `never`."""
    drawn = [(stream, choices.pick(stream, 10)) for _ in range(100) for stream in STREAMS]
    told = [Line(float(at), who, f"decides {value}") for at, (who, value) in enumerate(drawn) if value]
    counters = Sometimes(Counter({"lost answer": 2, "lease taken over": 1}) - Counter({never: 2}))
    return Pretended(len(drawn), 1, 80.0, repr(drawn), counters, None, Tape(), told)


def well(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    return life(choices)


def lucky(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    """No lease is ever taken over."""
    return life(choices, never="lease taken over")


def rarely(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    """One life in ten fails: by the worst of deaths at one point, whatever else happens."""
    lived = life(choices)
    death, network = choices.taken.get(("death A", 40), 0), choices.taken.get(("network", 7), 0)
    return replace(lived, failure=f"Violation: a file was lost: clip-{network}.mp4\nand more of it") if death == 9 else lived


def in_two_ways(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    """Half of the lives fail by one law, a few by another."""
    lived = life(choices)
    kind = choices.taken.get(("people", 3), 0)
    return replace(lived, failure=f"Violation: law {'abc'[kind % 2]}\nof {kind}") if kind in {1, 2, 3, 5, 7} else lived


def raises(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    if choices.pick("people", 4) == 3:
        raise ZeroDivisionError("in the middle of a life")
    return life(choices)


def hangs(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    if choices.pick("people", 4) == 3:
        while True:
            pass
    return life(choices)


def crashes(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    if choices.pick("people", 4) == 3:
        os._exit(17)
    return life(choices)


def forgets(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    """It depends on something that is not on the tape."""
    return replace(life(choices), failure="Violation: not on the tape" if isinstance(choices, Seeded) else None)


def keeps_a_state(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Pretended:
    """A state on a real file, in a folder of its own."""
    assert state_file is not None
    assert os.listdir(os.path.dirname(state_file)) == []
    with open(state_file, "wb"):
        return life(choices)
