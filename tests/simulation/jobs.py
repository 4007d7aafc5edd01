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


class Carrier(greenlet):
    """What jobs run on, one after the other: each new one would have the kernel map frames for it."""

    job: Job | None = None

    def run(self) -> None:
        """Every job that it is given; between two it waits in IDLE."""
        while self.job is not None:
            self.job.run()
            self.job = None
            self.parent.switch()


IDLE: list[Carrier] = []


def current_job() -> Job | None:
    """The job that runs; None where none does."""
    carrier = getcurrent()
    return carrier.job if isinstance(carrier, Carrier) else None


class Job:
    """One call of blocking code. `answer` is its future: cancelled or not, the job goes on to its end, as a thread does."""

    def __init__(self, loop: Loop, number: int, act: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.number = number
        self.host = HOST.get()
        self.name = f"job-{number} {getattr(act, '__qualname__', type(act).__qualname__)}"
        self.label = f"{name_of(self.host)}: {self.name}"
        self.answer: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._act = act
        self._arguments = arguments
        self._pause = 0.0
        self._context = copy_context()  # as a thread is given one: the job's host is its caller's
        self._carrier: Carrier | None = None

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
        carrier = self._carrier
        if carrier is None:
            carrier = self._carrier = IDLE.pop() if IDLE else Carrier()
            carrier.job, carrier.gr_context = self, self._context
        carrier.parent = getcurrent()
        carrier.switch()
        if carrier.job is not self:
            carrier.gr_context = None  # it would keep the life
            IDLE.append(carrier)
            self._loop.ended(self)
        elif self._pause > 0:
            self._loop.call_later(self._pause, self.step)
        else:
            self._loop.call_soon(self.step)

    def rest(self, seconds: float) -> None:
        """Called by the job itself at a port: let others run, for so long at least."""
        self._pause = seconds
        assert self._carrier is not None
        self._carrier.parent.switch()

    def lay_to_rest(self) -> None:
        """End it where it stands, and what it runs on. Its `finally` runs, but reaches nothing: the life is over."""
        for _ in range(MOST_GOODBYES):
            if self._carrier is None or self._carrier.job is not self or self._carrier.dead:
                return
            self._carrier.parent = getcurrent()
            self._carrier.throw(GreenletExit)
