"""The simulated loop: the same seed lives the same life, time costs nothing, and asyncio means what it always does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulation.choices import Taped
from tests.simulation.hosts import Host
from tests.simulation.lives import SEEDS, life, run
from tests.simulation.loop import Endless, Loop, Outside, Stuck, Unhandled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ROOT = Path(__file__).parents[2]


async def busy(told: list[str]) -> None:
    """Tasks in sets, groups that cancel, timers that tie, and jobs: all that could follow a memory address."""

    async def work(name: str, pause: float) -> str:
        try:
            for _ in range(3):
                await asyncio.sleep(pause)
                told.append(name)
        except asyncio.CancelledError:
            told.append(f"{name} cancelled")
            raise
        return name

    async def fail() -> None:
        await asyncio.sleep(2.5)
        raise ValueError

    loop: Any = asyncio.get_running_loop()

    def job(name: str) -> None:
        for _ in range(3):
            loop.at_port()
            told.append(name)

    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(f"group {number}", 1.0)) for number in range(12)]
            group.create_task(fail())
            tasks.append(group.create_task(work("group last", 1.0)))
    jobs = [loop.blocking(job, f"job {number}") for number in range(3)]
    finished, _ = await asyncio.wait([asyncio.create_task(work(f"wait {number}", 0.5)) for number in range(12)])
    told.extend(task.result() for task in finished)
    done, _ = await asyncio.wait(jobs)  # a set of futures
    told.extend(str(future.number) for future in done)


def lived(seed: int) -> tuple[list[str], str]:
    """What happened in one busy life, and its trace."""
    told: list[str] = []
    with life(seed) as loop:
        loop.run_until_complete(busy(told))
        return told, loop.trace


def test_the_same_seed_lives_the_same_life() -> None:
    assert lived(5) == lived(5)


def test_different_seeds_live_in_different_orders() -> None:
    lives = [lived(seed) for seed in SEEDS]
    assert len({tuple(told) for told, _ in lives}) == len(SEEDS)
    assert len({trace for _, trace in lives}) == len(SEEDS)


def test_a_tape_lives_the_life_that_it_was_taken_from() -> None:
    told: list[str] = []
    with life(7) as loop:
        loop.run_until_complete(busy([]))
        tape, trace = loop.choices.tape(), loop.trace
    replay = Loop(Taped(tape))
    replay.run_until_complete(busy(told))
    replay.close()
    assert replay.trace == trace


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_neither_hash_seed_nor_memory_addresses_change_a_life(hash_seed: str) -> None:
    """The other process also has another allocator, and has allocated other things before."""
    code = "from tests.simulation.test_loop import lived; junk = [object() for _ in range(99_991)]; print(lived(5))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONMALLOC": "malloc"}
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(lived(5))


def test_contents_are_in_the_trace() -> None:
    def trace(content: str) -> str:
        with life() as loop:
            loop.run_until_complete(asyncio.sleep(1.0))
            loop.tell(content)
            return loop.trace

    assert trace("key 1") == trace("key 1") != trace("key 2")


def test_a_quiet_life_runs_first_come_first_served() -> None:
    told: list[int] = []

    async def say(number: int) -> None:
        told.append(number)
        await asyncio.sleep(5.0)
        told.append(number)

    async def all_of_them() -> None:
        await asyncio.gather(*(say(number) for number in range(20)))

    run(all_of_them, seed=None)
    assert told == [*range(20), *range(20)]


def test_time_jumps_to_what_is_due_and_no_further() -> None:
    async def sleep() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        far = loop.call_later(1_000_000.0, print)
        await asyncio.sleep(86_400.0)
        far.cancel()
        one = loop.time()
        await asyncio.sleep(0.25)
        return one, loop.time()

    assert run(sleep) == (86_400.0, 86_400.25)


@pytest.mark.parametrize("seed", SEEDS)
def test_asyncio_means_what_it_always_does_in_every_order(seed: int) -> None:
    async def use() -> list[object]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        event, got = asyncio.Event(), list[int]()

        async def produce() -> None:
            for number in range(6):
                await queue.put(number)
            event.set()

        async def consume() -> None:
            for _ in range(6):
                got.append(await queue.get())

        async with asyncio.TaskGroup() as group:
            group.create_task(consume())
            group.create_task(produce())
            async with asyncio.timeout(1.0):
                await event.wait()
        late = False
        try:
            async with asyncio.timeout(1.0):
                await asyncio.Event().wait()
        except TimeoutError:
            late = True
        slow, quick = asyncio.create_task(asyncio.sleep(9.0)), asyncio.create_task(asyncio.sleep(1.0))
        done, pending = await asyncio.wait({slow, quick}, return_when=asyncio.FIRST_COMPLETED)
        slow.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(9.0), 1.0)
        return [got, late, done == {quick}, pending == {slow}, asyncio.get_running_loop().time()]

    assert run(use, seed) == [[0, 1, 2, 3, 4, 5], True, True, True, 3.0]


def test_a_loop_in_which_all_wait_for_each_other_says_who_and_where() -> None:
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    with life() as loop:
        dead = Host("bert")
        loop.on(dead, asyncio.sleep(100.0), "submit 4")
        loop.on(Host("anna"), wait_for_ever(), "submit 3")
        loop.call_later(1.0, loop.kill, dead)
        waits = r"(?s)due at 1\.000 s\nanna: submit 3 waits at test_loop\.py:\d+ in wait_for_ever.*the world: main"
        with pytest.raises(Stuck, match=waits):
            loop.run_until_complete(loop.create_task(wait_for_ever(), name="main"))


def test_a_life_that_does_not_end_is_ended() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - it is the very defect that is to be found
            await asyncio.sleep(0)

    with pytest.raises(Endless, match=r"(?s)500 steps.*spin"):
        run(spin, most_steps=500)


def test_a_callback_that_raises_ends_the_life() -> None:
    async def call() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1.0)

    with pytest.raises(Unhandled, match="ZeroDivisionError"):
        run(call)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: asyncio.to_thread(print),
        lambda: asyncio.get_running_loop().getaddrinfo("localhost", 80),
        lambda: asyncio.open_connection("localhost", 80),
    ],
)
def test_nothing_reaches_the_real_world(reach: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    async def leave() -> None:
        with pytest.raises(Outside, match="Ports"):
            await reach()

    run(leave)


def test_a_thread_that_calls_the_loop_is_found_out() -> None:
    found: list[str] = []

    async def begin() -> None:
        loop = asyncio.get_running_loop()

        def call() -> None:
            with pytest.raises(Outside) as caught:
                loop.call_soon_threadsafe(print)
            found.append(str(caught.value))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    with pytest.raises(Unhandled, match="a thread called"):
        run(begin)
    assert len(found) == 1
