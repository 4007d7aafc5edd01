"""The host's clock, chance and threads."""

from __future__ import annotations

import asyncio
import re
import threading
import time

import pytest

from qavix_watch.errors import FileGone
from qavix_watch.system import SystemChance, SystemClock, Threads


def test_the_clock_runs_evenly_whatever_the_hosts_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400)
    assert clock.now() - before < 5
    assert clock.wall() - before > 86000


@pytest.mark.parametrize("off", [-86400.0, 3600.0])
def test_a_clock_that_is_far_off_goes_by_the_services_date(off: float) -> None:
    told: list[float] = []
    clock = SystemClock(told.append)
    clock.set_right(clock.now() + off)
    assert clock.now() - time.time() == pytest.approx(off, abs=1)
    assert told == [pytest.approx(off, abs=1)]


def test_a_clock_that_is_nearly_right_is_left_alone() -> None:
    told: list[float] = []
    clock = SystemClock(told.append)
    clock.set_right(clock.now() + 30)
    assert clock.now() == pytest.approx(time.time(), abs=1)
    assert told == []


def test_only_the_first_date_counts() -> None:
    clock = SystemClock()
    clock.set_right(clock.now() + 3600)
    clock.set_right(clock.now() + 3600)
    assert clock.now() - time.time() == pytest.approx(3600, abs=1)


def test_chance_draws_numbers_in_bounds_and_words_that_nobody_guesses() -> None:
    chance = SystemChance()
    assert all(2 <= chance.uniform(2, 3) <= 3 for _ in range(100))
    words = {chance.token() for _ in range(100)}
    assert len(words) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", word) for word in words)


def test_what_may_block_runs_beside_the_loop_and_its_errors_come_back() -> None:
    async def both() -> tuple[str, int]:
        threads = Threads(2)
        entered = threading.Barrier(2, timeout=10)
        names = await asyncio.gather(*(threads(lambda: (entered.wait(), threading.current_thread().name)[1]) for _ in range(2)))
        with pytest.raises(FileGone):
            await threads(_gone, "clip.mp4")
        threads.close()
        return names[0], len(set(names))

    name, different = asyncio.run(both())
    assert name.startswith("blocking")
    assert different == 2


def _gone(name: str) -> None:
    raise FileGone(name)


def test_a_close_waits_for_what_still_runs() -> None:
    done = []

    async def begin() -> None:
        threads = Threads(1)
        task = asyncio.ensure_future(threads(lambda: (time.sleep(0.1), done.append(1))))
        await asyncio.sleep(0.02)
        threads.close()
        assert done == [1]
        await task

    asyncio.run(begin())
