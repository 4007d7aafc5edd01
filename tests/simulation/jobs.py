"""Blocking code in greenlets: a job of the thread pool that lets others run at each call of a port, as a thread might."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation.hosts import HOST, name_of
from tests.simulation.tasks import MOST_GOODBYES

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tests.simulation.loop import Loop


class Job(greenlet):
    """One call of blocking code. `answer` is its future: cancelled or not, the job goes on to its end, as a thread does."""

    def __init__(self, loop: Loop, number: int, act: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().__init__()
        self.number = number
        self.host = HOST.get()
        self.name = f"job-{number} {getattr(act, '__qualname__', type(act).__qualname__)}"
        self.label = f"{name_of(self.host)}: {self.name}"
        self.answer: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._act = act
        self._arguments = arguments
        self._pause = 0.0
        self.gr_context = copy_context()  # as a thread is given one: the job's host is its caller's

    def __hash__(self) -> int:
        return self.number

    def __str__(self) -> str:
        return self.name

    def run(self) -> None:
        """The whole job; begun by the first `step`."""
        try:
            result = self._act(*self._arguments)
        except GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer, as a thread pool has it
            self._answer(self.answer.set_exception, error)
        else:
            self._answer(self.answer.set_result, result)

    def _answer(self, say: Callable[[Any], None], what: object) -> None:
        if not self.answer.done() and not self._loop.is_closed():
            say(what)

    def step(self) -> None:
        """Run on until the next call of a port, or the end."""
        self.parent = getcurrent()
        self.switch()
        if self.dead:
            self._loop.ended(self)
        elif self._pause > 0:
            self._loop.call_later(self._pause, self.step)
        else:
            self._loop.call_soon(self.step)

    def rest(self, seconds: float) -> None:
        """Called by the job itself at a port: let others run, for so long at least."""
        self._pause = seconds
        self.parent.switch()

    def lay_to_rest(self) -> None:
        """End it where it stands. Its `finally` runs, but reaches nothing: the life is over."""
        for _ in range(MOST_GOODBYES):
            if self.dead or not self:
                return
            self.parent = getcurrent()
            self.throw(GreenletExit)
