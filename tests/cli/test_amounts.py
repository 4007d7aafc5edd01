"""Sizes, rates, times and money in words."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.cli import amounts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _in_tokyo() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (999_960, "1.0 MB"), (123.4e9, "123 GB"), (5e18, "5000 PB")],
)
def test_sizes_go_in_steps_of_a_thousand(amount: float, words: str) -> None:
    assert amounts.size(amount) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (3785, "1 h 3 min"), (187_200, "2 d 4 h")],
)
def test_durations_have_their_two_largest_units(seconds: float, words: str) -> None:
    assert amounts.duration(seconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [(0.2, "just now"), (12, "12 s ago"), (185, "3 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"), (-90, "in 1 min")],
)
def test_times_ago_have_one_unit(passed: float, words: str) -> None:
    assert amounts.ago(1_000_000 - passed, 1_000_000) == words


def test_moments_are_local_and_without_the_date_of_today() -> None:
    at = 1_764_000_000.0  # 2025-11-24 16:00 UTC
    assert amounts.moment(at) == "2025-11-25 01:00:00"
    assert amounts.moment(at, now=at + 3600) == "01:00:00"
    assert amounts.moment(at, now=at + 86_400) == "2025-11-25 01:00:00"


@pytest.mark.parametrize(
    ("amount", "words"), [(None, "–"), (0, "0 credits"), (1, "1 credit"), (12.5, "12.5 credits"), (1_234_567, "1,234,567 credits")]
)
def test_money_is_in_credits(amount: float | None, words: str) -> None:
    assert amounts.money(amount) == words


def test_rates_are_sizes_a_second() -> None:
    assert amounts.rate(3_400_000) == "3.4 MB/s"
