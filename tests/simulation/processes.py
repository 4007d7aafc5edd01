"""Processes that live lives, one at a time: a life that hangs or takes its process down is told of by the one that asked for it."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import shutil
import signal
import time
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple, Self

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
        self._idle: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.end()

    def grow(self, count: int) -> None:
        """Start so many more."""
        more = [self._start() for _ in range(count)]
        self._all += more
        self._idle += more

    def answers(self, asks: Iterator[Ask]) -> Iterator[tuple[Ask, Ended]]:
        """What comes of each, as it comes. They are given out in order: those before one that has ended are over or under way."""
        busy: dict[Any, tuple[Process, Ask]] = {}
        while True:
            while self._idle and (ask := next(asks, None)) is not None:
                process = self._idle.pop()
                process.begin(ask)
                busy[process.connection] = process, ask
            if not busy:
                return
            for connection in wait(list(busy)):
                process, ask = busy.pop(connection)
                ended = process.answer()
                if process.is_well:
                    self._idle.append(process)
                else:
                    self.grow(1)
                yield ask, ended


class Process:
    """A process, as seen by the one that asks. `is_well` until a life has ended it.

    `folder` is for the few lives that keep their state in a real file.
    """

    def __init__(self, live: Live, seed: int, folder: str, life_seconds: float) -> None:
        self.connection, theirs = SPAWN.Pipe()
        self.is_well = True
        self._number = 0
        self._seed = seed
        self._process = SPAWN.Process(target=serve, args=(theirs, live, seed, folder, life_seconds), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, ask: Ask) -> None:
        """Ask; when its `connection` is ready there is an answer."""
        self._number = ask.number
        self.connection.send(ask)

    def answer(self) -> Ended:
        """What came of it."""
        try:
            ended, self.is_well = self.connection.recv()
        except (EOFError, ConnectionError):
            self.is_well = False
            self._process.join()
            why = f"a life ended its whole process, with exit code {self._process.exitcode}"
            return failed(why, choices_of(self._seed, self._number))
        return ended  # type: ignore[no-any-return]

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
