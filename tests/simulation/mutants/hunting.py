"""How a defect is hunted: life after life is lived under it until one fails, and that one again without it, which has to go well."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tests.simulation.choices import Taped
from tests.simulation.invariants import NO_DEFECTS
from tests.simulation.living import live
from tests.simulation.mutants import MUTANTS
from tests.simulation.outcomes import law, lived
from tests.simulation.shrinking import shrink
from tests.simulation.wrong import Violation

if TYPE_CHECKING:
    from tests.simulation.choices import Choices, Tape
    from tests.simulation.mutants.planting import Mutant
    from tests.simulation.outcomes import Ended

MOST_TRIES = 500
"""So many lives at most are lived to make one small: it is only to be looked at."""


@dataclass(frozen=True)
class Found:
    """The first life that failed under a defect. `number` counts lives from 1; `without` is what the same life fails with when nothing is
    planted, None where it goes well. `seconds`: of this processor, for all of the hunt.
    """

    number: int
    failure: str
    without: str | None
    seconds: float
    tape: Tape

    @property
    def law(self) -> str:
        """The law that was broken; "" where the life failed otherwise, or fails without the defect too, or where what is planted raises:
        then the code has moved on, and nothing of the defect was seen.
        """
        kind, _, says = law(self.failure).partition(": ")
        return says if kind == Violation.__name__ and self.without is None and says != NO_DEFECTS else ""


def hunt(mutant: Mutant, most: int | None = None) -> Found | None:
    """Live the lives among which it has to be found; None where all of them go well. `most`: so many, instead of those `within` which."""
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for number, choices in enumerate(islice(mutant.among.lives(), most or mutant.within), 1):
            with mutant.planted():
                ended = _lived(choices, folder)
            if ended.failure is not None:
                without = _lived(life(mutant, number), folder).failure
                return Found(number, ended.failure, without, time.process_time() - began, ended.tape)
    return None


def hunt_named(name: str, most: int | None = None) -> Found | None:
    """The same of a mutant by its name, which another process can be told."""
    return hunt(next(mutant for mutant in MUTANTS if mutant.name == name), most)


def life(mutant: Mutant, number: int) -> Choices:
    """The choices of the life of this number, as if nothing had been decided yet."""
    return next(islice(mutant.among.lives(), number - 1, None))


def made_small(mutant: Mutant, found: Found) -> Ended:
    """The life that found it, with the fewest decisions that still break the same law, and its story. NotFailing: there are none."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:

        def fails(tape: Tape) -> bool:
            with mutant.planted():
                ended = _lived(Taped(tape), folder)
            return ended.failure is not None and law(ended.failure) == law(found.failure)

        tape = shrink(found.tape, fails, MOST_TRIES)
        with mutant.planted():
            return _lived(Taped(tape), folder, story=True)


def _lived(choices: Choices, folder: str, *, story: bool = False) -> Ended:
    """The few lives that keep their state in a real file have one of their own."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        return lived(live, choices, story=story, state_file=os.path.join(own, "state.db"))
