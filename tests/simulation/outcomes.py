"""What comes of a life, whether it ends well, breaks a law, or raises what nobody expected."""

from __future__ import annotations

import re
import signal
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.simulation.choices import Seeded, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.simulation.choices import Choices
    from tests.simulation.counters import Counters
    from tests.simulation.living import Life
    from tests.simulation.story import Line

LIVES_OF_A_SEED = 10**9
"""The seeds of the lives of two runs do not meet."""


class Live(Protocol):
    """`living.live`, or what stands in for it."""

    def __call__(self, choices: Choices, *, story: bool = False, state_file: str | None = None) -> Life: ...


@dataclass(frozen=True)
class Ended:
    """A life that is over. `failure` is None where it went well; the tape and the story are only kept where it did not."""

    steps: int
    deaths: int
    seconds: float
    trace: str
    counters: Counters | None
    failure: str | None
    tape: Tape
    story: Sequence[Line] = ()


def choices_of(seed: int, number: int) -> Seeded:
    """The choices of one life of a run: whichever process it is lived in, whatever was lived before."""
    return Seeded(seed * LIVES_OF_A_SEED + number)


def lived(live: Live, choices: Choices, *, story: bool = False, state_file: str | None = None) -> Ended:
    """Live a life. What it raises is its failure, too."""
    try:
        life = live(choices, story=story, state_file=state_file)
    except Exception as error:  # noqa: BLE001 - a life that cannot be lived fails, whatever the reason
        return failed(f"{type(error).__name__}: {error}\n{_last_lines(error)}", choices)
    tape = choices.tape(law(life.failure)) if life.failure else Tape()
    return Ended(life.steps, life.deaths, life.seconds, life.trace, life.counters, life.failure, tape, life.story)


def failed(why: str, choices: Choices) -> Ended:
    """A life that did not get far enough to say anything of itself."""
    return Ended(0, 0, 0.0, "", None, why, choices.tape(law(why)))


def law(failure: str) -> str:
    """Which law was broken: the first line without its figures and values. Two lives that fail by the same law fail in the same way."""
    words = re.split(r"[\[({“\"']", failure.partition("\n")[0])[0]
    return re.sub(r"\d+(\.\d+)?", "#", words).strip(" :")


def _last_lines(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)[-6:])


@contextmanager
def bounded(seconds: float, over: Callable[[str], Any]) -> Iterator[None]:
    """Let a life take so long of real time. After that `over` is told where it is; it should not come back, since nothing would end
    a life that neither waits nor listens.
    """

    def ring(_signal: int, frame: Any) -> None:
        over(f"a life did not end within {seconds:g} s of real time\n{''.join(traceback.format_stack(frame)[-8:])}")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
