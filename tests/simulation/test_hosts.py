"""Hosts die, freeze and wake at any moment, and their blocking code is interrupted wherever it calls a port."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation.choices import Seeded
from tests.simulation.hosts import HOST, Host
from tests.simulation.lives import SEEDS, life, run
from tests.simulation.loop import Loop
from tests.simulation.tasks import Over


async def log(told: list[float], every: float) -> None:
    """Says each time at which it lives; a death must not even let it say goodbye."""
    try:
        while True:
            await asyncio.sleep(every)
            told.append(asyncio.get_running_loop().time())
    finally:
        told.append(-1.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dead_host_runs_nothing_more_not_even_its_farewells(seed: int) -> None:
    dead, alive, jobs = list[float](), list[float](), list[float]()
    with life(seed) as loop:
        host, other, inbox = Host("anna"), Host("bert"), asyncio.Queue[int]()

        def write() -> None:
            try:
                while True:
                    loop.at_port(1.0)
                    jobs.append(loop.time())
            finally:
                jobs.append(-1.0)

        async def read() -> None:
            await inbox.get()
            dead.append(-2.0)

        async def work() -> None:
            reading = asyncio.create_task(read())
            await asyncio.gather(log(dead, 1.0), loop.blocking(write), reading)

        async def world() -> None:
            loop.on(host, work())
            loop.on(other, log(alive, 1.0))
            await asyncio.sleep(5.5)
            loop.kill(host)
            inbox.put_nowait(1)  # an answer that comes to a dead host
            await asyncio.sleep(5.0)

        loop.run_until_complete(world())
        assert dead == jobs == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert alive == [float(second) for second in range(1, 11)]


@pytest.mark.parametrize("inline", [False, True])
def test_a_job_that_dies_at_a_port_does_not_go_on_from_there(inline: bool) -> None:
    told: list[str] = []
    with life(inline=inline) as loop:
        host = Host("anna")

        def write() -> None:
            told.append("written")
            loop.kill(host)
            loop.at_port()
            told.append("renamed")

        async def work() -> None:
            await loop.blocking(write)
            told.append("answered")

        async def world() -> None:
            loop.on(host, work())
            await asyncio.sleep(5.0)

        loop.run_until_complete(world())
        assert told == ["written"]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_ready_when_its_host_died_or_froze_does_not_run_then(seed: int) -> None:
    told: list[tuple[str, float]] = []
    with life(seed) as loop:

        async def say(name: str) -> None:
            told.append((name, loop.time()))

        async def world() -> None:
            dead, frozen = Host("anna"), Host("bert")
            for number in range(3):
                loop.on(dead, say(f"dead {number}"))
                loop.on(frozen, say(f"frozen {number}"))
            loop.freeze(frozen, 7.0)
            loop.kill(dead)
            loop.on(dead, say("begun by the dead"))
            await asyncio.sleep(10.0)

        loop.run_until_complete(world())
    assert sorted(told) == [("frozen 0", 7.0), ("frozen 1", 7.0), ("frozen 2", 7.0)]


def test_a_host_that_dies_in_its_frost_does_not_thaw() -> None:
    told: list[float] = []
    with life() as loop:

        async def world() -> None:
            host = Host("anna")
            loop.on(host, log(told, 1.0))
            await asyncio.sleep(2.5)
            loop.freeze(host, 5.0)
            await asyncio.sleep(2.0)
            loop.kill(host)
            await asyncio.sleep(10.0)

        loop.run_until_complete(world())
        assert told == [1.0, 2.0]


def test_memory_that_is_cleared_up_says_no_farewells_of_the_dead() -> None:
    told: list[float] = []
    with life() as loop:

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                told.append(loop.time())

        async def world() -> None:
            host = Host("anna")
            loop.on(host, wait())
            await asyncio.sleep(1.0)
            loop.kill(host)
            gc.collect()
            await asyncio.sleep(1.0)

        loop.run_until_complete(world())
        assert told == []


def test_an_async_port_at_which_its_host_dies_never_answers() -> None:
    told: list[str] = []
    with life() as loop:
        host = Host("anna")

        async def post() -> None:
            loop.kill(host)
            await loop.never()

        async def work() -> None:
            try:
                await post()
            finally:
                told.append("farewell")

        async def world() -> None:
            loop.on(host, work())
            await asyncio.sleep(5.0)
            assert told == []

        loop.run_until_complete(world())


def test_a_host_that_freezes_itself_at_a_port_thaws_there() -> None:
    with life() as loop:
        host = Host("anna")

        def write() -> float:
            loop.freeze(host, 20.0)
            loop.at_port()
            return loop.time()

        async def work() -> float:
            return await loop.blocking(write)

        assert loop.run_until_complete(loop.on(host, work())) == 20.0


def test_a_job_belongs_to_its_callers_host() -> None:
    with life() as loop:
        host = Host("anna")

        async def work() -> Host | None:
            return await loop.blocking(HOST.get)

        assert loop.run_until_complete(loop.on(host, work())) is host


def test_a_call_that_is_cancelled_when_it_is_ready_is_not_made() -> None:
    told: list[int] = []

    async def call() -> None:
        asyncio.get_running_loop().call_soon(told.append, 1).cancel()
        asyncio.get_running_loop().call_later(1.0, told.append, 2).cancel()
        await asyncio.sleep(5.0)

    run(call)
    assert told == []


def test_after_the_end_no_farewell_reaches_a_port() -> None:
    told: list[str] = []
    loop = Loop(Seeded(1))

    def write() -> None:
        try:
            loop.at_port(1.0)
        finally:
            told.append("job")
            loop.at_port()
            told.append("litter of a job")

    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.append("task")
            with contextlib.suppress(Exception):
                loop.at_port()
            told.append("litter of a task")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hold())
            await loop.blocking(write)

    async def world() -> None:
        host = Host("anna")
        loop.on(host, work())
        await asyncio.sleep(0.5)
        loop.kill(host)

    loop.run_until_complete(world())
    loop.close()
    assert sorted(told) == ["job", "task"]
    with pytest.raises(Over):
        loop.at_port()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frozen_host_wakes_later_than_its_lease_and_believes_that_it_still_has_it(seed: int) -> None:
    told: list[tuple[str, float]] = []
    with life(seed) as loop:
        lease = SimpleNamespace(owner="", until=0.0)

        async def hold(name: str) -> None:
            while loop.time() < lease.until:  # noqa: ASYNC110 - so does the worker: the other host cannot set an event here
                await asyncio.sleep(1.0)
            lease.owner, lease.until = name, loop.time() + 10.0
            told.append((f"{name} claims", loop.time()))
            await asyncio.sleep(4.0)
            told.append((f"{name} saves under {lease.owner}", loop.time()))

        async def world() -> None:
            anna, bert = Host("anna"), Host("bert")
            first = loop.on(anna, hold("anna"))
            await asyncio.sleep(2.0)
            loop.freeze(anna, 5.0)
            loop.freeze(anna, 30.0)
            await asyncio.gather(first, loop.on(bert, hold("bert")))

        loop.run_until_complete(world())
    assert told == [("anna claims", 0.0), ("bert claims", 10.0), ("bert saves under bert", 14.0), ("anna saves under bert", 32.0)]


def test_a_job_of_a_frozen_host_waits_too_and_one_that_is_killed_in_its_sleep_never_wakes() -> None:
    told: list[float] = []
    with life() as loop:

        def write() -> None:
            for _ in range(4):
                loop.at_port(1.0)
                told.append(loop.time())

        async def work() -> None:
            await loop.blocking(write)

        async def world() -> None:
            host = Host("anna")
            loop.on(host, work())
            await asyncio.sleep(1.5)
            loop.freeze(host, 10.0)
            await asyncio.sleep(10.75)
            loop.freeze(host, 10.0)
            await asyncio.sleep(1.0)
            loop.kill(host)
            await asyncio.sleep(100.0)

        loop.run_until_complete(world())
    assert told == [1.0, 11.5]


def shared_name(seed: int, *, inline: bool) -> str:
    """Two writers use one temporary name; gives what the first published."""
    files: dict[str, str] = {}
    with life(seed, inline=inline) as loop:

        def write(text: str) -> None:
            loop.at_port()
            files["part"] = text
            loop.at_port()
            files[f"out {text}"] = files.pop("part", "nothing")

        async def world() -> None:
            await asyncio.gather(loop.blocking(write, "one"), loop.blocking(write, "two"))

        loop.run_until_complete(world())
    return files["out one"]


def test_a_race_between_two_jobs_is_found_within_twenty_seeds_and_never_where_they_run_whole() -> None:
    assert {shared_name(seed, inline=False) for seed in range(20)} == {"one", "two", "nothing"}
    assert {shared_name(seed, inline=True) for seed in range(200)} == {"one"}


def test_a_job_answers_with_its_result_or_its_error_and_goes_on_when_nobody_waits() -> None:
    told: list[str] = []

    async def world() -> None:
        loop: Any = asyncio.get_running_loop()

        def write() -> str:
            loop.at_port(5.0)
            told.append("written")
            return "done"

        def fail() -> None:
            loop.at_port()
            raise FileNotFoundError("gone")

        assert await loop.blocking(write) == "done"
        with pytest.raises(FileNotFoundError, match="gone"):
            await loop.blocking(fail)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.blocking(write), 1.0)
        await asyncio.sleep(10.0)

    run(world)
    assert told == ["written", "written"]
