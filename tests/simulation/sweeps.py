"""Sweeps: a quiet life, and then the same life with a kill, a power cut or a freeze at every single point of it.

They find at once what seeds find late, a death between two acts that follow each other closely, and miss what needs two things to go
wrong: so both are run. A quiet life is made this one and no other by the few decisions that are not 0 in it.

A death forgets what the program knew. Between two points where neither disk nor state nor anything on the network has changed it is the
same death: of those only the first is lived. So it is with a freeze where nothing happens meanwhile; but where another machine or people
go on it comes at `every` point, since what is frozen forgets nothing, and acts by what it knew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.choices import Tape, Taped
from tests.simulation.living import live, through
from tests.simulation.machines import FREEZE, KILL, POWER_CUT
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.choices import Place
    from tests.simulation.story import Line

ENDS: Mapping[str, int] = {"kill": KILL, "power cut": POWER_CUT, "freeze": FREEZE}
"""How a life is disturbed, by name."""
LONGER_THAN_A_LEASE = 2
"""The freeze that others outlive: what is frozen is taken over, and wakes as a zombie."""
DEATH = "death "
SHOWN = 3
REQUESTS = "travel there"
"""The stream that every request to the service asks when it leaves."""


@dataclass(frozen=True)
class QuietLife:
    """Its decisions that are not 0, and the names of the `machines` whose points are swept, from `since` on, in seconds."""

    name: str
    decisions: Mapping[Place, int] = field(default_factory=dict)
    machines: str = "A"
    since: float = 0.0


@dataclass(frozen=True)
class Fallen:
    """A life that broke a law. `about` says where it was disturbed."""

    about: str
    failure: str
    tape: Tape


class Observed(Taped):
    """The choices of a quiet life, and its points: when they came, and how much had happened by then."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.lines: list[Line] = []
        self.points: defaultdict[str, list[Point]] = defaultdict(list)

    def _fault(self, stream: str, ordinal: int, every: float, kinds: int) -> int:
        if stream.startswith(DEATH):
            time = self.lines[-1].time if self.lines else 0.0
            self.points[stream.removeprefix(DEATH)].append(Point(ordinal, time, len(self.lines) + self.asked(REQUESTS)))
        return super()._fault(stream, ordinal, every, kinds)


class Point(NamedTuple):
    """One point of a machine: its number, the time of what was last told, and the count of all that has happened."""

    number: int
    time: float
    happened: int


Points = Mapping[str, Sequence[Point]]
"""Of each machine."""


def points(quiet: QuietLife) -> Points:
    """Live it once, undisturbed. AssertionError where it fails by itself."""
    choices = Observed(Tape(quiet.decisions))
    world = World(choices, choices.lines)
    failure = through(world)
    world.state.close()
    assert failure is None, f"{quiet.name}: the quiet life fails by itself: {failure}"
    return choices.points


def swept(passed: Sequence[Point], since: float, *, every: bool) -> Iterator[int]:
    """The numbers of the points at which a machine is disturbed."""
    before = -1
    for number, time, happened in passed:
        if time >= since and (every or happened > before):
            yield number
        before = happened


def disturbed(quiet: QuietLife, how: str, passed: Points, *, every: bool = False) -> Iterator[Tape]:
    """The tape of each life of a sweep: `how` it is disturbed, at one of the points after the other."""
    for machine in quiet.machines:
        for at in swept(passed[machine], quiet.since, every=every):
            decisions = {**quiet.decisions, (f"{DEATH}{machine}", at): ENDS[how]}
            if how == "freeze":
                decisions[f"freeze {machine}", 0] = LONGER_THAN_A_LEASE
            yield Tape(decisions, f"{quiet.name}: {how} at point {at} of {machine}")


def sweep(quiet: QuietLife, how: str, *, every: bool = False) -> list[Fallen]:
    """Live it with this disturbance at every point, or at all that differ; gives the lives that broke a law."""
    fallen = []
    for tape in disturbed(quiet, how, points(quiet), every=every):
        failure = live(Taped(tape)).failure
        if failure is not None:
            fallen.append(Fallen(tape.about, failure, tape))
    return fallen


def told(fallen: Sequence[Fallen]) -> str:
    """For whoever looks into them: the first few, with their tapes."""
    return "\n\n".join(f"{one.about}: {one.failure}\n{dict(one.tape.decisions)}" for one in fallen[:SHOWN])
