"""The lives among which a defect has to be found: any that seeds bring, those of one kind, or a sweep."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.simulation.choices import Pinned, Tape, Taped
from tests.simulation.living import live
from tests.simulation.outcomes import choices_of
from tests.simulation.quiet import MEANWHILE, QUIET_LIVES, decided
from tests.simulation.sweeps import disturbed, points

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tests.simulation.choices import Choices

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


def _undisturbed() -> Iterator[Choices]:
    return (Taped(Tape(quiet.decisions)) for quiet in QUIET_LIVES)


QUIET = Among("the quiet lives", _undisturbed)


def each(how: str, name: str, *, machine: str = "A", since: float = 0.0, every: bool = False) -> Among:
    """The lives of a sweep: a quiet life of which a machine is disturbed at one of its points after the other, from `since` on."""

    def lives() -> Iterator[Choices]:
        quiet = next(quiet for quiet in (*QUIET_LIVES, *MEANWHILE) if quiet.name == name)
        tapes = disturbed(replace(quiet, machines=machine, since=since), how, points(quiet), every=every)
        return (Taped(tape) for tape in tapes)

    return Among(f"a {how} at each point of “{name}” from {since:g} s on", lives)


def each_time(name: str, stream: str, value: int) -> Among:
    """A quiet life in which the same goes wrong at each of its chances, one after the other."""

    def lives() -> Iterator[Choices]:
        quiet = next(quiet for quiet in QUIET_LIVES if quiet.name == name)
        undisturbed = Taped(Tape(quiet.decisions))
        live(undisturbed)
        return (Taped(Tape({**quiet.decisions, (stream, at): value})) for at in range(undisturbed.asked(stream)))

    return Among(f"“{name}”, with “{stream}” once at each of its chances", lives)
