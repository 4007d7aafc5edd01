"""Short lives for the tests of the loop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.simulation.choices import Seeded, Tape, Taped
from tests.simulation.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

SEEDS = range(30)


@contextmanager
def life(seed: int | None = 0, **how: Any) -> Iterator[Loop]:
    """A loop of this seed, or a quiet one; it is closed after."""
    loop = Loop(Taped(Tape()) if seed is None else Seeded(seed), **how)
    try:
        yield loop
    finally:
        loop.close()


def run(act: Callable[[], Coroutine[Any, Any, Any]], seed: int | None = 0, **how: Any) -> Any:
    with life(seed, **how) as loop:
        return loop.run_until_complete(act())
