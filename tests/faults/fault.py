"""What goes wrong, and what is asserted of it. One function a fault, with the decorator `fault`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.trial import Trial

ALWAYS = "every original put away whole, every result whole under its name, one task for each piece of work"
"""Asserted of each fault, by `verdict`."""


@dataclass(frozen=True)
class Fault:
    """One row of the table. `play` makes it happen `times` times in a full run, `few` times in the tests; `besides`: what it asserts
    beyond ALWAYS.
    """

    group: str
    name: str
    besides: str
    times: int
    few: int
    play: Callable[[Trial], None]

    @property
    def full_name(self) -> str:
        return f"{self.group}: {self.name}"


FAULTS: list[Fault] = []
"""Those of every room that was imported, in the order of their rooms."""


def fault(name: str, *, times: int, few: int = 1, besides: str = "") -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Make a function a Fault of the room that it stands in; it has `trial.times` of them happen, and says when each was survived."""

    def made(play: Callable[[Trial], None]) -> Callable[[Trial], None]:
        FAULTS.append(Fault(play.__module__.rpartition(".")[2], name, besides, times, few, play))
        return play

    return made
