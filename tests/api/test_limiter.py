"""api.limiter: under the account's limits, in order, and never stuck."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.api.limiter import LONGEST_PAUSE, Limiter
from qavix_watch.errors import RateLimited
from tests.api.virtual import run_virtually

if TYPE_CHECKING:
    from collections.abc import Callable

Clock = "Callable[[], float]"


def most_within(times: list[float], seconds: float) -> int:
    """The most that passed in any span [t, t + seconds)."""
    return max((sum(begin <= time < begin + seconds for time in times) for begin in times), default=0)


async def storm(clock: Callable[[], float], limiter: Limiter, arrivals: list[float], duration: float = 0.0) -> list[float]:
    """Calls that arrive at these seconds; gives when each passed, refused ones left out."""
    passed: list[float] = []
    start = clock()

    async def call(after: float) -> None:
        await asyncio.sleep(start + after - clock())
        try:
            async with limiter.turn("get_task"):
                passed.append(clock())
                await asyncio.sleep(duration)
        except RateLimited:
            pass

    await asyncio.gather(*(call(after) for after in arrivals))
    return passed


@given(
    minute=st.integers(1, 200), second=st.integers(1, 30),
    arrivals=st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=150), patience=st.sampled_from([0.0, 5.0, 1e6]),
)
@settings(max_examples=60, deadline=None)
def test_no_span_of_time_ever_sees_more_than_the_limits(minute: int, second: int, arrivals: list[float], patience: float) -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        limiter = Limiter(clock, patience=patience)
        limiter.set_rates(minute, second)
        return await storm(clock, limiter, arrivals)

    passed = run_virtually(main)
    assert passed
    assert most_within(passed, 60.0) <= minute
    assert most_within(passed, 1.0) <= second


def test_a_steady_stream_gets_nearly_all_that_the_limit_allows() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        limiter = Limiter(clock, patience=1e6)
        limiter.set_rates(600, 10)
        return await storm(clock, limiter, [0.0] * 3000)

    passed = run_virtually(main)
    assert len(passed) == 3000
    assert 3000 / (passed[-1] - passed[0]) > 0.8 * 10


def test_eight_workers_under_600_a_minute_are_slowed_and_never_refused() -> None:
    async def main(clock: Callable[[], float]) -> int:
        limiter = Limiter(clock)
        limiter.set_rates(600, 10)

        async def work() -> None:
            for _ in range(100):
                async with limiter.turn("get_task"):
                    await asyncio.sleep(0.05)

        await asyncio.gather(*(work() for _ in range(8)))
        return 800

    assert run_virtually(main) == 800


def test_without_known_limits_only_the_number_in_flight_is_bounded() -> None:
    async def main(clock: Callable[[], float]) -> tuple[int, float]:
        limiter = Limiter(clock)
        now, most = 0, 0

        async def call() -> None:
            nonlocal now, most
            async with limiter.turn("get_task"):
                now += 1
                most = max(most, now)
                await asyncio.sleep(1)
                now -= 1

        begin = clock()
        await asyncio.gather(*(call() for _ in range(100)))
        return most, clock() - begin

    most, took = run_virtually(main)
    assert most == 8
    assert took == pytest.approx(13)


def test_calls_pass_in_the_order_they_came() -> None:
    async def main(clock: Callable[[], float]) -> list[int]:
        limiter = Limiter(clock, patience=1e6)
        limiter.set_rates(None, 2)
        order: list[int] = []

        async def call(number: int) -> None:
            async with limiter.turn("get_task"):
                order.append(number)
                await asyncio.sleep(0.3 * (number % 3))

        await asyncio.gather(*(call(number) for number in range(40)))
        return order

    assert run_virtually(main) == list(range(40))


def test_a_call_that_would_wait_longer_than_the_patience_is_told_how_long_at_once() -> None:
    async def main(clock: Callable[[], float]) -> tuple[float, RateLimited]:
        limiter = Limiter(clock)
        limiter.set_rates(1, None)
        async with limiter.turn("get_task"):
            pass
        begin = clock()
        with pytest.raises(RateLimited) as caught:
            async with limiter.turn("list_tasks"):
                raise AssertionError("it passed")
        return clock() - begin, caught.value

    waited, error = run_virtually(main)
    assert waited == 0
    assert error.operation == "list_tasks"
    assert error.retry_after == pytest.approx(61, abs=1)


def test_a_429_stops_everything_for_as_long_as_it_says_and_at_most_15_minutes() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        limiter = Limiter(clock, patience=1e6)
        begin = clock()
        limiter.refused(120.0)
        limiter.refused(5.0)
        waits = []
        for asked in (None, 1e9, -1.0):
            async with limiter.turn("get_task"):
                waits.append(clock() - begin)
            limiter.refused(asked)
            begin = clock()
        async with limiter.turn("get_task"):
            waits.append(clock() - begin)
        return waits

    assert run_virtually(main) == [pytest.approx(120), 0, pytest.approx(LONGEST_PAUSE), 0]


def test_a_429_without_a_time_ends_the_burst_all_the_same() -> None:
    async def main(clock: Callable[[], float]) -> float:
        limiter = Limiter(clock)
        limiter.set_rates(100, None)
        limiter.refused(None)
        begin = clock()
        async with limiter.turn("get_task"):
            return clock() - begin

    assert run_virtually(main) == pytest.approx(61 / 91)


def test_a_429_while_a_call_waits_its_turn_sends_it_back_instead_of_keeping_it() -> None:
    async def main(clock: Callable[[], float]) -> tuple[float, float | None]:
        limiter = Limiter(clock)
        limiter.set_rates(None, 1)
        async with limiter.turn("get_task"):
            pass

        async def call() -> tuple[float, float | None]:
            with pytest.raises(RateLimited) as caught:
                async with limiter.turn("get_task"):
                    raise AssertionError("it passed")
            return clock(), caught.value.retry_after

        begin = clock()
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0.5)
        limiter.refused(60)
        ended, wait = await waiting
        return ended - begin, wait

    ended, wait = run_virtually(main)
    assert ended == pytest.approx(1.05, abs=0.01)
    assert wait == pytest.approx(59.45, abs=0.01)


@given(cancelled=st.sets(st.integers(0, 19)), at=st.floats(0, 4))
@settings(max_examples=40, deadline=None)
def test_cancelled_calls_take_nothing_from_those_that_stay(cancelled: set[int], at: float) -> None:
    async def main(clock: Callable[[], float]) -> tuple[int, float]:
        limiter = Limiter(clock, patience=1e6)
        limiter.set_rates(None, 4)
        done = 0

        async def call() -> None:
            nonlocal done
            async with limiter.turn("get_task"):
                await asyncio.sleep(0.2)
                done += 1

        tasks = [asyncio.create_task(call()) for _ in range(20)]
        await asyncio.sleep(at)
        for number in cancelled:
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        alive = sum(not task.cancelled() for task in tasks)
        assert alive == done
        begin = clock()
        async with asyncio.timeout(10):  # nothing is stuck behind those that went
            for _ in range(9):
                async with limiter.turn("get_task"):
                    pass
        assert limiter._ahead == 0
        return done, clock() - begin

    done, took = run_virtually(main)
    assert done >= 20 - len(cancelled)
    assert took < 3


def test_an_error_in_a_turn_ends_the_turn() -> None:
    async def main(clock: Callable[[], float]) -> None:
        limiter = Limiter(clock, in_flight=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with limiter.turn("get_task"):
                    raise ZeroDivisionError

    run_virtually(main)


@pytest.mark.parametrize("nonsense", [0, -5, 10**12])
def test_limits_that_cannot_be_are_no_limits(nonsense: int) -> None:
    async def main(clock: Callable[[], float]) -> float:
        limiter = Limiter(clock)
        limiter.set_rates(5, 5)
        limiter.set_rates(nonsense, nonsense)
        begin = clock()
        for _ in range(50):
            async with limiter.turn("get_task"):
                pass
        return clock() - begin

    assert run_virtually(main) == 0


def test_calls_from_before_the_limits_were_known_count_as_well() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        limiter = Limiter(clock, patience=1e6)
        times = []
        for number in range(60):
            if number == 7:
                limiter.set_rates(100, 10)
            if number == 40:
                limiter.set_rates(50, 5)
            async with limiter.turn("get_balance"):
                times.append(clock())
                await asyncio.sleep(0.001)
        return times

    times = run_virtually(main)
    assert most_within(times[:40], 1) <= 10
    assert most_within(times[40:], 1) <= 5
    assert times[40] - times[0] > 3


def test_the_same_limits_again_give_no_new_burst() -> None:
    async def main(clock: Callable[[], float]) -> list[float]:
        limiter = Limiter(clock, patience=1e6)
        times = []
        for _ in range(40):
            limiter.set_rates(10, None)
            async with limiter.turn("get_balance"):
                times.append(clock())
        return times

    assert most_within(run_virtually(main), 60) <= 10
