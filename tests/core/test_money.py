"""Credits: prices by minute and language, days and months as the calendar has them, and what is too much at once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qavix_watch.core.money import (
    MASS_SECONDS,
    SPANS,
    Budget,
    Filed,
    began,
    crowd,
    estimate,
    held_said,
    in_words,
    is_mass,
    mass_limit,
    mass_said,
    over_limit,
    rate,
    speech_seconds,
    total,
    turns,
    used_up,
)
from qavix_watch.core.service import Price

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
MOMENTS = st.floats(min_value=978_307_200, max_value=2_208_988_800)  # from 2001 to 2040
SPAN = st.sampled_from(SPANS)


def local_in(zone: str):
    there = ZoneInfo(zone)
    return lambda at: datetime.fromtimestamp(at, there)


# Prices

PRICES = (
    Price("video_translation", 60), Price("video_translation", 80, language="pt"), Price("video_translation", 90, language="pt-BR"),
    Price("lip_sync", 45), Price("voice_clone", 100),
)  # fmt: skip


@pytest.mark.parametrize(
    ("language", "cost"), [("es", 60), (None, 60), ("pt", 80), ("pt-PT", 80), ("pt-BR", 90), ("pt_br", 90), ("PT", 80)]
)
def test_the_price_of_the_exact_language_goes_before_that_of_its_bare_one_and_that_of_all(language, cost) -> None:
    assert rate(PRICES, "video_translation", language) == cost


def test_what_the_service_names_no_price_for_has_none() -> None:
    assert rate(PRICES, "face_swap", None) is None
    assert rate((Price("video_translation", 80, language="pt"),), "video_translation", "es") is None


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e4))
def test_every_started_minute_counts_and_at_least_one(seconds: float, per_minute: float) -> None:
    cost = estimate("video_translation", per_minute, seconds)
    assert cost is not None
    assert cost >= per_minute
    assert cost >= per_minute * seconds / 60 * (1 - 1e-9)
    assert cost <= per_minute * (seconds / 60 + 1) * (1 + 1e-9)


@pytest.mark.parametrize(("seconds", "cost"), [(0, 60), (1, 60), (60, 60), (60.01, 120), (3600, 3600)])
def test_minutes_are_counted_as_the_service_does(seconds, cost) -> None:
    assert estimate("video_translation", 60, seconds) == cost


def test_a_voice_costs_the_same_for_any_length_even_one_that_is_not_known() -> None:
    assert estimate("voice_clone", 100, None) == estimate("voice_clone", 100, 4000) == 100


def test_without_a_price_or_a_length_there_is_no_estimate() -> None:
    assert estimate("lip_sync", None, 60) is estimate("lip_sync", 60, None) is estimate("voice_clone", None, 1) is None


def test_speech_is_as_long_as_its_text_and_a_wide_character_counts_for_more() -> None:
    assert speech_seconds("x" * 900) == 60
    assert speech_seconds("  x\n") == pytest.approx(1 / 15)
    assert speech_seconds("日本") == speech_seconds("abcdef")


@pytest.mark.parametrize(("amount", "words"), [(1, "1 credit"), (0, "0 credits"), (1234.5, "1,234.5 credits"), (100, "100 credits")])
def test_credits_are_written_as_people_read_them(amount, words) -> None:
    assert in_words(amount) == words


# Days and months


@given(MOMENTS, SPAN, st.sampled_from(ZONES))
@example(2208988799.9999995, "day", "UTC")  # which datetime takes for the next day
def test_a_day_and_a_month_hold_the_moment_and_nothing_of_another(at: float, span, zone: str) -> None:
    local = local_in(zone)
    start, end = began(local, at, span), turns(local, at, span)

    def mark(moment: float) -> tuple[int, ...]:
        there = local(moment)
        return (there.year, there.month) if span == "month" else (there.year, there.month, there.day)

    assert start <= at < end
    assert mark(start) == mark(math.floor(at)) == mark(end - 1)
    assert mark(start - 1) < mark(start) < mark(end)


@given(MOMENTS, SPAN, st.sampled_from(ZONES))
def test_the_next_day_begins_where_this_one_turns(at: float, span, zone: str) -> None:
    local = local_in(zone)
    assert began(local, turns(local, at, span), span) == turns(local, at, span)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_the_days_on_which_clocks_are_changed_have_their_own_length(day, hours) -> None:
    local = local_in("Europe/Berlin")
    noon = datetime(*day, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert turns(local, noon, "day") - began(local, noon, "day") == hours * 3600


def test_a_day_that_begins_at_one_o_clock_begins_there() -> None:
    local = local_in("America/Sao_Paulo")
    noon = datetime(2018, 11, 4, 12, tzinfo=ZoneInfo("America/Sao_Paulo")).timestamp()
    assert local(began(local, noon, "day")).hour == 1


def test_a_clock_that_gives_fixed_offsets_is_read_the_same_way() -> None:
    """As `datetime.astimezone()` does: the offset of that moment, and no zone."""

    def local(at: float) -> datetime:
        there = datetime.fromtimestamp(at, ZoneInfo("Europe/Berlin"))
        return there.replace(tzinfo=timezone(there.utcoffset() or timedelta()))

    noon = datetime(2026, 3, 29, 10, tzinfo=UTC).timestamp()
    assert turns(local, noon, "day") - began(local, noon, "day") == 23 * 3600


# Masses


def files(count: int, cost: float | None = 60.0, apart: float = 1.0, **values) -> list[Filed]:
    return [Filed(number * apart, cost, **values) for number in range(count)]


@given(st.lists(st.floats(min_value=0, max_value=5000), max_size=40))
def test_a_crowd_is_the_fullest_ten_minutes(times: list[float]) -> None:
    found = [file.at for file in crowd([Filed(at, 1.0) for at in times])]
    assert all(at - found[0] <= MASS_SECONDS for at in found)
    assert len(found) == max((sum(first <= at <= first + MASS_SECONDS for at in times) for first in times), default=0)


@given(st.lists(st.floats(min_value=0, max_value=5000), min_size=1, max_size=40), st.data())
def test_the_crowd_around_a_file_holds_it(times: list[float], data: st.DataObject) -> None:
    around = data.draw(st.sampled_from(times))
    assert around in [file.at for file in crowd([Filed(at, 1.0) for at in times], around)]


def test_a_file_whose_price_is_not_known_counts_as_much_as_the_others() -> None:
    assert total([*files(2, 60.0), *files(1, 30.0), *files(3, None)]) == 300
    assert total(files(3, None)) is total([]) is None


@pytest.mark.parametrize(("count", "cost", "held"), [(10, 1000.0, False), (11, 1000.0, True), (11, 1.0, False), (42, 93.0, True)])
def test_more_than_ten_files_that_pass_a_fifth_of_the_balance_are_a_mass(count, cost, held) -> None:
    assert is_mass(files(count, cost), Budget(), 10_000) is held


def test_what_was_paid_already_does_not_make_the_balance_smaller_that_they_are_measured_by() -> None:
    many = [*files(5, 100.0, paid=100.0, waits=False), *files(6, 100.0)]
    assert not is_mass(many, Budget(), 5_000)
    assert is_mass(many, Budget(), 4_999)


def test_a_mass_is_measured_by_the_configuration_where_that_says_so() -> None:
    assert is_mass(files(11, 1.0), Budget(approve_mass=10), 10**9)
    assert not is_mass(files(11, 1.0), Budget(approve_mass=11), 0)
    assert not is_mass(files(1000, None), Budget(approve_mass=0), None)
    assert mass_limit(Budget(approve_mass=0), 5) == math.inf


def test_whether_it_is_a_mass_cannot_be_said_without_prices_or_balance() -> None:
    assert is_mass(files(11, None), Budget(), 10**9) is None
    assert is_mass(files(11, 1.0), Budget(), None) is None
    assert is_mass(files(10, None), Budget(), None) is False


def test_a_mass_says_how_many_files_of_it_wait_and_what_they_cost() -> None:
    assert mass_said([*files(42, 93.0), *files(3, 93.0, waits=False)], 3) == (
        "42 files, about 3,906 credits, wait for you: `qavix-watch approve batch-3`, or take them out."
    )
    assert mass_said(files(1, None), 1).startswith("1 file, the price of which is not known, waits for you:")


# Limits


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6))
def test_a_job_is_held_by_a_limit_that_it_passes_and_by_no_other(price: float, limit: float) -> None:
    for name in ("per_job", "per_day", "per_month", "approve_above"):
        assert over_limit(Budget(**{name: limit}), price) == ((name, limit) if price > limit else None)


def test_a_price_that_is_not_known_passes_no_budget() -> None:
    assert over_limit(Budget(), None) is None
    assert over_limit(Budget(approve_mass=5), None) is None
    assert over_limit(Budget(per_month=5), None) == ("price", 0.0)


def test_a_held_job_says_amount_limit_and_what_lets_it_go() -> None:
    assert held_said(180, "per_job", 100, 12) == (
        "it costs about 180 credits, and `budget.per_job` is 100 credits: `qavix-watch approve 12` lets it go on, or raise the limit"
    )
    assert held_said(None, "price", 0, 12) == "its price is not known, and there is a budget: `qavix-watch approve 12` lets it go on"


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6))
def test_a_budget_is_used_up_where_the_next_job_does_not_fit(limit: float, spent: float, price: float) -> None:
    assert (used_up("day", limit, spent, price) is None) == (spent + price <= limit)


def test_a_used_up_budget_says_what_was_spent_and_what_the_next_job_needs() -> None:
    assert used_up("day", 2000, 1980, 60) == (
        "`budget.per_day` is 2,000 credits: 1,980 credits are spent or set aside today, and the next job needs about 60 credits"
    )
    assert used_up("month", 2000, 1980, None) is None
    assert "this month" in str(used_up("month", 2000, 2000, None))
