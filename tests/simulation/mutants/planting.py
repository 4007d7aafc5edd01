"""How a defect is planted in production code for the length of a life, and taken out again."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.mutants.among import ANY, Among

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOMS = ("qavix_watch", "tests.simulation")
HERE = "tests.simulation.mutants"
"""What is looked up here is meant as it was."""


class Soil:
    """Where defects are planted. `dig_up` puts back what was replaced, the last first."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, other: Any) -> None:
        """Replace what a class or a module calls `name` by itself. KeyError where there is no such thing: the code has moved on."""
        self.before.append((owner, name, vars(owner)[name]))
        setattr(owner, name, other)

    def everywhere(self, function: Any, other: Any) -> None:
        """Replace a function in its own module and in all that have imported it by name."""
        places = [(module, name) for module in _modules() for name, value in vars(module).items() if value is function]
        for module, name in places:
            self.put(module, name, other)

    def dig_up(self) -> None:
        """Leave no trace."""
        while self.before:
            setattr(*self.before.pop())


def _modules() -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(ROOMS) and not name.startswith(HERE)]


@dataclass(frozen=True)
class Mutant:
    """A defect, and the number of lives in which it has to be found; `plant` puts it into the soil."""

    name: str
    defect: str
    within: int
    among: Among
    plant: Callable[[Soil], None]

    @contextmanager
    def planted(self) -> Iterator[Soil]:
        """Production code has this defect until the end of the block. What it remembers begins anew with each block."""
        soil = Soil()
        try:
            self.plant(soil)
            yield soil
        finally:
            soil.dig_up()


def mutant(name: str, *, within: int, among: Among = ANY) -> Callable[[Callable[[Soil], None]], Mutant]:
    """Make a function that plants a defect a Mutant; its docstring says what is wrong."""

    def made(plant: Callable[[Soil], None]) -> Mutant:
        return Mutant(name, plant.__doc__ or "", within, among, plant)

    return made
