"""The lives among which a defect has to be found: any that seeds bring, those of one kind, or a sweep."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.simulation import commands
from tests.simulation.choices import Pinned, Tape, Taped
from tests.simulation.living import live
from tests.simulation.loop import ORDER
from tests.simulation.outcomes import choices_of
from tests.simulation.people import MOST_ACTS
from tests.simulation.person import BREATHS
from tests.simulation.quiet import FAR, FAR_AWAY, LONG_ENOUGH, MEANWHILE, QUIET_LIVES, SHARED, decided, does
from tests.simulation.sweeps import disturbed, points

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tests.simulation.choices import Choices, Place
    from tests.simulation.people import Act

SEED = 6
"""Of all that are drawn. A defect is found with it or not, the same in every run."""


@dataclass(frozen=True)
class Among:
    """`lives` gives the choices of one after the other, in each run the same; `says` which they are."""

    says: str
    lives: Callable[[], Iterator[Choices]]


def _any() -> Iterator[Choices]:
    return (choices_of(SEED, number) for number in itertools.count())


ANY = Among("any lives", _any)


def lives_with(says: str, often: Collection[str] = (), **streams: Sequence[int]) -> Among:
    """Lives in which these streams begin with these values, and things go wrong `often` in those; all else is drawn."""
    fixed = decided(streams)
    return Among(says, lambda: (Pinned(choices_of(SEED, number).seed, fixed, often) for number in itertools.count()))


class Sheltered(Pinned):
    """All is quiet but what is fixed, and the streams that are `drawn`."""

    def __init__(self, seed: int, fixed: Mapping[Place, int], drawn: Collection[str], often: Collection[str]) -> None:
        super().__init__(seed, fixed, often)
        self._drawn = drawn

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        return super().fault(stream, every, kinds) if self._is_open(stream, self.asked(stream)) else self._take(stream, 0)

    def _picked(self, stream: str, ordinal: int, count: int) -> int:
        return super()._picked(stream, ordinal, count) if self._is_open(stream, ordinal) else 0

    def _is_open(self, stream: str, ordinal: int) -> bool:
        return stream in self._drawn or (stream, ordinal) in self._fixed


def calm(says: str, *acts: Act, drawn: Collection[str] = (), often: Collection[str] = (), **streams: Sequence[int]) -> Among:
    """Lives in which Ann does one thing after the other, each when the one before must be done, and looks on if she has time for that.
    What runs first is drawn, and so is what is `drawn` or goes wrong `often`; all else is quiet, but for what these `streams` say.
    """
    looks_on = (commands.scan,) if len(acts) < MOST_ACTS else ()
    pause = FAR_AWAY if streams.keys() & {*FAR, *SHARED} else LONG_ENOUGH
    fixed = decided({**does(*acts, *looks_on), "Ann: waits": [BREATHS.index(pause)] * MOST_ACTS, **streams})
    is_drawn = {ORDER, *drawn, *often}
    return Among(says, lambda: (Sheltered(choices_of(SEED, number).seed, fixed, is_drawn, often) for number in itertools.count()))


def _undisturbed() -> Iterator[Choices]:
    return (Taped(Tape(quiet.decisions)) for quiet in QUIET_LIVES)


QUIET = Among("the quiet lives", _undisturbed)


def each(how: str, name: str, *, machine: str = "A", since: float = 0.0, every: bool = False, **streams: Sequence[int]) -> Among:
    """The lives of a sweep: a quiet life of which a machine is disturbed at one of its points after the other, from `since` on; in all of
    them `streams` say what else is otherwise.
    """

    def lives() -> Iterator[Choices]:
        quiet = next(quiet for quiet in (*QUIET_LIVES, *MEANWHILE) if quiet.name == name)
        quiet = replace(quiet, machines=machine, since=since, decisions={**quiet.decisions, **decided(streams)})
        tapes = disturbed(quiet, how, points(quiet), every=every)
        return (Taped(tape) for tape in tapes)

    besides = "".join(f", with “{stream}” {', '.join(map(str, values))}" for stream, values in streams.items())
    return Among(f"a {how} at each point of “{name}” from {since:g} s on{besides}", lives)


def each_time(name: str, stream: str, value: int) -> Among:
    """A quiet life in which the same goes wrong at each of its chances, one after the other."""

    def lives() -> Iterator[Choices]:
        quiet = next(quiet for quiet in QUIET_LIVES if quiet.name == name)
        undisturbed = Taped(Tape(quiet.decisions))
        live(undisturbed)
        return (Taped(Tape({**quiet.decisions, (stream, at): value})) for at in range(undisturbed.asked(stream)))

    return Among(f"“{name}”, with “{stream}” once at each of its chances", lives)
