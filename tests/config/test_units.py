"""Durations, sizes, rates, credits, the upload window and file modes, as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.config import units
from qavix_watch.config.wrong import EnvText


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        (0, 0), (1, 1), (0.5, 0.5), ("0.5", 0.5), ("90", 90), ("500 ms", 0.5), ("90 s", 90), ("5min", 300), ("1 H", 3600),
        ("3 days", 259200), ("2 weeks", 1209600), ("1 h 30 min", 5400), ("1d, 2h", 93600), (EnvText("3 days"), 259200),
    ],
)  # fmt: skip
def test_durations_are_seconds_or_text_with_a_unit(given_, seconds):
    assert units.duration(given_) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "given_",
    [
        "3 dys", "soon", "", " ", "-1 s", -1, "1h -30min", math.inf, math.nan, "1e999", True, [], {}, None,
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused(given_):
    with pytest.raises(ValueError, match=r"must|no duration"):
        units.duration(given_)


@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "min", "h", "days", "weeks"]))
def test_a_duration_with_its_unit_is_the_number_times_the_unit(number, unit):
    assert units.duration(f"{number} {unit}") == pytest.approx(number * units.duration(f"1 {unit}"))


@given(st.text(max_size=30))
def test_any_text_is_a_finite_duration_or_refused(text):
    try:
        seconds = units.duration(text)
    except ValueError:
        return
    assert math.isfinite(seconds)
    assert seconds >= 0


@pytest.mark.parametrize(
    ("given_", "size"),
    [
        (0, 0), (1234, 1234), ("20 MB", 20_000_000), ("20mb", 20_000_000), ("1 GiB", 2**30), ("1.5 kB", 1500), ("7 B", 7),
        ("2 TB", 2 * 10**12),
    ],
)
def test_sizes_are_decimal_or_binary_as_their_unit_says(given_, size):
    assert units.size(given_) == size


@pytest.mark.parametrize("given_", ["20 Mb", "20 M", "big", -1, "-1 MB", True, math.inf, 10**400])
def test_what_is_no_size_is_refused(given_):
    with pytest.raises(ValueError, match=r"must|no size|reads as bits"):
        units.size(given_)


@pytest.mark.parametrize(
    ("given_", "rate"), [(1000, 1000), ("20 MB/s", 20_000_000), ("1 MiB/s", 2**20), ("100 Mbit/s", 12_500_000), ("64 kbit/s", 8000)]
)
def test_rates_are_bytes_a_second(given_, rate):
    assert units.rate(given_) == rate


@pytest.mark.parametrize("given_", ["20 MB", "20 Mb/s", "fast", 0, "0 MB/s", "20 MB/h"])
def test_what_is_no_rate_is_refused(given_):
    with pytest.raises(ValueError, match=r"must|no rate|reads as bits"):
        units.rate(given_)


def test_credits_are_a_number_or_text():
    assert [units.credits(value) for value in (0, 12.5, "500", "500 credits", "1 credit")] == [0, 12.5, 500, 500, 1]
    with pytest.raises(ValueError, match="no number of credits"):
        units.credits("many")


def test_the_window_is_minutes_after_midnight():
    assert units.window("22:00-06:30") == units.Window(1320, 390)
    assert units.window(" 8:05 \N{EN DASH} 9:00 ") == units.Window(485, 540)


@pytest.mark.parametrize("given_", ["22:00", "22:00-24:00", "22-06", "08:00-08:00", "a-b", 5, "1:00-2:00-3:00"])
def test_what_is_no_window_is_refused(given_):
    with pytest.raises(ValueError, match=r"must|no part of the day|begins when it ends"):
        units.window(given_)


@pytest.mark.parametrize("given_", ["0664", "664", "0o664", 0o664])
def test_modes_are_octal(given_):
    assert units.mode(given_) == 0o664


@pytest.mark.parametrize("given_", [664, 644, 660, 600, 777, "888", "0066", "u+rw", -1, True, 1.5, "0444"])
def test_a_mode_in_decimal_or_one_that_locks_the_owner_out_is_refused(given_):
    with pytest.raises(ValueError, match=r"file mode|must be|would keep the owner"):
        units.mode(given_)


def test_text_stands_for_numbers_and_truth_only_where_it_comes_from_the_environment():
    assert units.whole(EnvText("4")) == 4
    assert [units.yes_no(EnvText(word)) for word in ("true", "YES", "0", "off")] == [True, True, False, False]
    for reader, text in ((units.whole, "4"), (units.yes_no, "yes"), (units.whole, EnvText("four")), (units.yes_no, EnvText("si"))):
        with pytest.raises(ValueError, match="must be"):
            reader(text)
