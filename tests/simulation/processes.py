"""Processes that live lives, one at a time: a life that hangs or takes its process down is told of by the one that asked for it."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import shutil
import signal
import time
from collections import deque
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.simulation.choices import Taped
from tests.simulation.outcomes import bounded, choices_of, failed, law, lived
from tests.simulation.shrinking import NotFailing, OutOfTries, shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from tests.simulation.choices import Choices, Tape
    from tests.simulation.outcomes import Ended, Live

MOST_SHRINKING_SECONDS = 90.0
LIVES_A_COLLECTION = 10
ASKED_AHEAD = 2
"""So many lives each process has before it: it need not wait for who asks between two of them."""
SPAWN = multiprocessing.get_context("spawn")
"""Nothing is inherited, neither memory nor the seed of hashes: what a life makes of them would show."""


class Ask(NamedTuple):
    """What a process is asked for: the life of this number, or, where it failed, its tape made small, and its story."""

    number: int
    tape: Tape | None = None


class Pool:
    """Processes that share what is to be lived."""

    def __init__(self, start: Callable[[], Process]) -> None:
        self._start = start
        self._all: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.end()

    def grow(self, count: int) -> None:
        """Start so many more."""
        self._all += [self._start() for _ in range(count)]

    def answers(self, asks: Iterator[Ask]) -> Iterator[tuple[Ask, Ended]]:
        """What comes of each, as it comes. They are given out in order: those before one that has ended are over or under way."""
        again: deque[Ask] = deque()
        while True:
            for asked in range(ASKED_AHEAD):
                for process in self._all:
                    if len(process.asked) == asked and (ask := again.popleft() if again else next(asks, None)) is not None:
                        process.begin(ask)
            busy = {process.connection: process for process in self._all if process.asked}
            if not busy:
                return
            for connection in wait(list(busy)):
                process = busy[connection]  # type: ignore[index]
                answer = process.answer()
                if not process.is_well:
                    again += process.asked
                    self._all.remove(process)
                    process.end()
                    self.grow(1)
                yield answer


class Process:
    """A process, as seen by the one that asks. `asked`: what it has not answered, the one first that it is at. `is_well` until a life has
    ended it. `folder` is for the few lives that keep their state in a real file.
    """

    def __init__(self, live: Live, seed: int, folder: str, life_seconds: float) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self.asked: deque[Ask] = deque()
        self.is_well = True
        self._seed = seed
        self._process = SPAWN.Process(target=serve, args=(theirs, live, seed, folder, life_seconds), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, ask: Ask) -> None:
        """Ask; when its `connection` is ready there is an answer to the first of what it was asked."""
        self.asked.append(ask)
        with suppress(ConnectionError):  # it has just died: its answer tells
            self.connection.send(ask)

    def answer(self) -> tuple[Ask, Ended]:
        """What came of it."""
        ask = self.asked.popleft()
        try:
            ended, self.is_well = self.connection.recv()
        except (EOFError, ConnectionError):
            self.is_well = False
            self._process.join()
            why = f"a life ended its whole process, with exit code {self._process.exitcode}"
            return ask, failed(why, choices_of(self._seed, ask.number))
        return ask, ended

    def end(self) -> None:
        """At once, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def serve(connection: Connection, live: Live, seed: int, folder: str, life_seconds: float) -> None:
    """The process itself, until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    gc.disable()  # a collection ends generators, when it likes
    gc.freeze()
    attempts = Attempts(connection, live, os.path.join(folder, str(os.getpid())), life_seconds)
    for answered in count():
        number, tape = connection.recv()
        connection.send((attempts.one(choices_of(seed, number)) if tape is None else attempts.shrunk(tape), True))
        if answered % LIVES_A_COLLECTION == 0:
            gc.collect()
        if not answered:
            gc.freeze()  # what the first life has left stays: modules, caches, statements


class Attempts:
    """Lives of which none takes longer than `life_seconds`: that one is told of, and its process ends."""

    def __init__(self, connection: Connection, live: Live, folder: str, life_seconds: float) -> None:
        self._connection = connection
        self._live = live
        self._folder = folder
        self._life_seconds = life_seconds

    def one(self, choices: Choices, *, story: bool = False) -> Ended:
        """One life."""

        def over(why: str) -> None:
            self._connection.send((failed(why, choices), False))
            os._exit(os.EX_SOFTWARE)

        faulthandler.dump_traceback_later(2 * self._life_seconds, exit=True)  # C code that hangs does not listen to a signal
        try:
            with bounded(self._life_seconds, over), fresh(self._folder):
                return lived(self._live, choices, story=story, state_file=os.path.join(self._folder, "state.db"))
        finally:
            faulthandler.cancel_dump_traceback_later()

    def shrunk(self, tape: Tape) -> Ended:
        """The smallest tape that fails by the same law, lived through with its story."""
        until = time.monotonic() + MOST_SHRINKING_SECONDS

        def fails(tried: Tape) -> bool:
            if time.monotonic() > until:
                raise OutOfTries
            failure = self.one(Taped(tried)).failure
            gc.collect()
            return failure is not None and law(failure) == tape.about

        try:
            small = shrink(tape, fails)
        except NotFailing as error:
            return failed(str(error), Taped(tape))
        return self.one(Taped(small), story=True)


@contextmanager
def fresh(folder: str) -> Iterator[None]:
    """A folder of this name while it lasts."""
    os.mkdir(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder)
