"""One life from its first decision to its last."""

from __future__ import annotations

import gc
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.loop import Endless, Outside, Stuck, Unhandled
from tests.simulation.outside import watched
from tests.simulation.world import World
from tests.simulation.wrong import Violation

if TYPE_CHECKING:
    from tests.simulation.choices import Choices, Tape
    from tests.simulation.counters import Counters
    from tests.simulation.story import Line

FAILURES = (Violation, Stuck, Endless, Outside, Unhandled)


@dataclass(frozen=True)
class Life:
    """What became of it. `seconds` are the world's own; `failure` names the law that was broken, None where all held."""

    steps: int
    deaths: int
    seconds: float
    trace: str
    counters: Counters
    failure: str | None
    tape: Tape
    story: list[Line] = field(default_factory=list)


def live(choices: Choices, *, story: bool = False, state_file: str | None = None) -> Life:
    """Live these choices through. `story`: tell what happens; `state_file`: where a life on a real file may keep its state."""
    lines: list[Line] | None = [] if story else None
    was_collecting = gc.isenabled()
    gc.disable()  # it ends generators when it likes
    try:
        world = World(choices, lines, state_file)
        failure = through(world)
        tape = choices.tape(failure or "")
        life = Life(world.loop.steps, world.deaths, world.loop.time(), world.trace(), world.counters, failure, tape, lines or [])
        world.state.close()
        return life
    finally:
        if was_collecting:
            gc.enable()


def through(world: World) -> str | None:
    """Live a world to its end; gives what failed, None where nothing did."""
    try:
        with watched(world.wrong, world.state_folder):
            world.loop.run_until_complete(world.live())
    except FAILURES as failure:
        return f"{type(failure).__name__}: {failure}"
    except Exception as error:  # noqa: BLE001 - a world with a defect of its own fails too, and its story says when
        return f"{type(error).__name__}: {error}\n{''.join(traceback.format_tb(error.__traceback__)[-6:])}"
    finally:
        world.loop.close()
    return None
