"""api.wire: what the service may send, and what becomes of it."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.api import fields, wire
from qavix_watch.api.fields import MisreadError
from qavix_watch.api.texts import fit_to_show

TASK = {"task_id": "551", "task_type": "video_translation", "status": "completed"}


@pytest.mark.parametrize(("given_time", "seconds"), [
    ("2026-11-22T10:00:00Z", 1795341600.0),
    ("2026-11-22T10:00:00z", 1795341600.0),
    ("2026-11-22T12:00:00+02:00", 1795341600.0),
    ("2026-11-22T12:00:00.250+0200", 1795341600.25),
    ("2026-11-22T10:00:00.123456789Z", 1795341600.123456),
    ("2026-11-22 10:00:00", 1795341600.0),
    ("2026-11-22", 1795305600.0),
    (1795341600, 1795341600.0),
    (1795341600.5, 1795341600.5),
    (1795341600250, 1795341600.25),
    ("1795341600", 1795341600.0),
    ("1795341600250", 1795341600.25),
    (None, None), ("", None), ("soon", None), (True, None), (-5, None), ([], None), (math.nan, None), (1e300, None),
    ("0001-01-01T00:00:00+23:59", None), ("9999-12-31T23:59:59-23:59", None),
])
def test_times_are_seconds_since_1970_in_whatever_form_they_come(given_time: object, seconds: float | None) -> None:
    assert fields.time(given_time) == seconds


@pytest.mark.parametrize(("given_number", "number"), [
    (5, 5), (5.0, 5), (4.2, 5), ("60", 60), (" 60 ", 60), ("4.2", 5), (True, None), ("sixty", None), (math.inf, None), (math.nan, None),
    (10**400, None), ("9" * 400, None), ("٣", None), (None, None), ({}, None),
])
def test_whole_numbers_may_be_strings_and_are_never_understated(given_number: object, number: int | None) -> None:
    assert fields.whole(given_number) == number


@pytest.mark.parametrize(("given_id", "identifier"), [
    ("551", "551"), (551, "551"), (" 551 ", "551"), ("x" * 200, "x" * 200), ("x" * 201, None), ("", None), ("a\nb", None), ("a\x00", None),
    (True, None), (5.5, None), (None, None), (10**400, None), ("\udcff", None),
])
def test_ids_are_printable_and_bounded_and_may_be_integers(given_id: object, identifier: str | None) -> None:
    assert fields.identifier(given_id) == identifier


def test_a_task_needs_its_three_fields_alone() -> None:
    task = wire.task({**TASK, "task_id": 551, "output": None, "name": None, "progress": None, "future_field": [1, {"x": 2}]})
    assert (task.task_id, task.task_type, task.status) == ("551", "video_translation", "completed")
    assert (task.output, task.name, task.progress, task.created_at) == (None, None, None, None)


@pytest.mark.parametrize("missing", TASK)
def test_a_task_without_what_is_always_there_is_misread_by_its_name(missing: str) -> None:
    with pytest.raises(MisreadError, match=missing):
        wire.task({key: value for key, value in TASK.items() if key != missing})


def test_every_address_of_the_output_is_kept_by_its_kind_and_null_ones_are_not() -> None:
    output = {
        "video_url": "https://cdn.test/v.mp4?sig=1", "subtitle_url": None, "audio_url": "", "poster_url": "https://cdn.test/p.jpg",
        "expires_at": "2026-11-22T10:00:00Z", "url": "https://cdn.test/x", "size": 5,
    }
    found = wire.task({**TASK, "output": output}).output
    assert found is not None
    assert found.urls == {"video": "https://cdn.test/v.mp4?sig=1", "poster": "https://cdn.test/p.jpg"}
    assert found.expires_at == 1795341600.0


@pytest.mark.parametrize("bad", [
    "ftp://cdn.test/v", "javascript:alert(1)", "https://", "https:///x", "https://h/" + "x" * 8192, "https://h/\na", 5, ["x"],
])
def test_an_address_that_cannot_be_used_is_misread_rather_than_passed_over(bad: object) -> None:
    with pytest.raises(MisreadError, match=r"output\.video_url"):
        wire.task({**TASK, "output": {"video_url": bad}})


def test_progress_stays_between_0_and_100_and_long_names_are_cut() -> None:
    task = wire.task({**TASK, "progress": "250", "name": "n" * 9999, "status": " Completed "})
    assert task.progress == 100
    assert task.name is not None
    assert len(task.name) == fields.LONGEST_NAME
    assert task.status == "completed"
    assert wire.task({**TASK, "progress": -3}).progress == 0


def test_a_reason_of_failure_is_one_line_without_addresses() -> None:
    task = wire.task({**TASK, "error_message": "Cannot read\nhttps://user:pw@cdn.test:8443/v.mp4?X-Sig=topsecret \x1b[31m!"})
    assert task.error_message == "Cannot read https://cdn.test:8443/… [31m!"


def test_a_row_that_cannot_be_read_is_passed_over_unless_none_can() -> None:
    page = wire.task_page({"tasks": [None, TASK, {"task_id": "1"}], "has_more": False})
    assert [task.task_id for task in page.tasks] == ["551"]
    with pytest.raises(MisreadError):
        wire.task_page({"tasks": [{}], "has_more": False})
    assert wire.task_page({"tasks": []}).tasks == ()


@pytest.mark.parametrize(("page", "cursor"), [
    ({"has_more": True, "next_cursor": "c2"}, "c2"),
    ({"has_more": True, "next_cursor": 17}, "17"),
    ({"has_more": False, "next_cursor": "c2"}, None),
    ({"next_cursor": "c2"}, "c2"),
    ({"next_cursor": None}, None),
    ({"has_more": False}, None),
])
def test_the_next_page_is_named_until_there_is_none(page: dict[str, object], cursor: str | None) -> None:
    assert wire.task_page({"tasks": [], **page}).next_cursor == cursor
    assert wire.usage_page({"records": [], **page}).next_cursor == cursor


@pytest.mark.parametrize("page", [
    {"has_more": True}, {"has_more": True, "next_cursor": ""}, {"next_cursor": "c" * 4000}, {"next_cursor": []},
])
def test_a_page_that_cannot_be_followed_is_misread(page: dict[str, object]) -> None:
    """A list that ends early unnoticed would make a known task look unknown."""
    with pytest.raises(MisreadError):
        wire.task_page({"tasks": [], **page})


def test_balance_bears_missing_limits_and_never_overstates_credits() -> None:
    found = wire.balance({"credits_remaining": 99.9, "plan": "pro", "rate_limits": {"requests_per_minute": "60"}})
    assert (found.credits_remaining, found.plan, found.requests_per_minute, found.queries_per_second) == (99, "pro", 60, None)
    assert wire.balance({"credits_remaining": "10", "rate_limits": None}).credits_remaining == 10
    with pytest.raises(MisreadError, match="credits_remaining"):
        wire.balance({"plan": "pro"})


def test_prices_and_usage_are_read_row_by_row() -> None:
    prices = wire.prices({"pricing": [
        {"task_type": "lip_sync", "credits_per_minute": "12.5", "description": None},
        {"task_type": "lip_sync", "credits_per_minute": 9, "language": "es", "description": "Lip sync"},
    ]})
    assert [(row.credits_per_minute, row.language, row.description) for row in prices] == [(12.5, None, ""), (9.0, "es", "Lip sync")]
    page = wire.usage_page({"records": [{"task_id": 1, "task_type": "lip_sync", "credits_used": 3}], "total_credits_used": 3})
    assert (page.records[0].task_id, page.records[0].created_at, page.total_credits_used) == ("1", None, 3)


def test_a_created_task_tells_what_the_envelope_says_it_used() -> None:
    made = wire.created({**TASK, "estimated_credits": 60}, {"credits_used": 60, "credits_remaining": 10})
    assert (made.task_id, made.estimated_credits, made.credits_used) == ("551", 60, 60)
    assert wire.created(TASK, {}).credits_used is None


def test_a_cloned_voice_without_a_name_has_the_one_it_was_given() -> None:
    assert wire.voice({"voice_id": 9}, "Ana").name == "Ana"
    with pytest.raises(MisreadError, match="voice_id"):
        wire.voice({"name": "Ana"}, "Ana")


def test_a_voice_whose_preview_is_no_address_is_still_a_voice() -> None:
    found = wire.voices([{"voice_id": "v", "name": "V", "preview_url": "nope", "language": "zh-CN", "type": "system"}])
    assert (found[0].preview_url, found[0].language, found[0].type) == (None, "zh-CN", "system")


def test_a_grant_says_where_to_send_or_that_nothing_needs_to_be_sent() -> None:
    headers = {"x-a": 1, "x-b": None}
    sent = wire.grant({"file_id": 5, "upload_url": "https://s3.test/p?sig", "upload_method": "PUT", "upload_headers": headers})
    assert (sent.file_id, sent.upload_headers, sent.url) == ("5", {"x-a": "1"}, None)
    held = wire.grant({"file_id": "5", "upload_url": None, "upload_headers": None, "url": "https://cdn.test/f"})
    assert (held.upload_url, held.url) == (None, "https://cdn.test/f")


@pytest.mark.parametrize("data", [
    {"file_id": "5"}, {"upload_url": "https://s3.test/p"},
    {"file_id": "5", "upload_url": "https://s3.test/p", "upload_headers": {"x": "y" * 5000}},
    {"file_id": "5", "upload_url": "https://s3.test/p", "upload_headers": {f"x-{i}": "y" for i in range(40)}}, None, [],
])
def test_a_grant_that_cannot_be_used_is_misread(data: object) -> None:
    with pytest.raises(MisreadError):
        wire.grant(data)


def test_a_link_is_of_the_file_that_was_asked_for() -> None:
    assert wire.link({"url": "https://cdn.test/f"}, "77").file_id == "77"
    with pytest.raises(MisreadError, match="url"):
        wire.link({"file_id": "77", "url": None}, "77")


def test_no_work_gives_credits() -> None:
    """A budget that a task fills up again would be none."""
    assert wire.task({**TASK, "credits_used": -5}).credits_used is None
    made = wire.created({**TASK, "estimated_credits": -1}, {"credits_used": -3, "credits_remaining": -3})
    assert (made.estimated_credits, made.credits_used, made.credits_remaining) == (None, None, -3)
    assert wire.voice({"voice_id": "v"}, "Ana", {"credits_used": "-7"}).credits_used is None
    with pytest.raises(MisreadError, match="credits_per_minute"):
        wire.prices({"pricing": [{"task_type": "lip_sync", "credits_per_minute": -0.5}]})


def test_a_list_with_more_rows_than_any_answer_is_misread_at_once() -> None:
    with pytest.raises(MisreadError, match="20000 rows"):
        wire.voices([{}] * 20_000)


NAMES = [*TASK, "output", "video_url", "tasks", "records", "url", "file_id", "has_more", "rate_limits"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(data=JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_read_or_misread_and_nothing_else(data: object) -> None:
    readers = [wire.balance, wire.usage_page, wire.prices, wire.task, wire.task_page, wire.voices, wire.voice, wire.grant]
    for read in [*readers, lambda value: wire.created(value, {}), lambda value: wire.link(value, "1")]:
        with contextlib.suppress(MisreadError):
            read(data)


@given(text=st.text(max_size=300))
def test_a_foreign_text_is_shown_on_one_bounded_line(text: str) -> None:
    shown = fit_to_show(text, 40)
    assert len(shown) <= 40
    assert shown.isprintable()
