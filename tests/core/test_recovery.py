"""Which tasks of the service's list are work of ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.identity import mark, task_name
from qavix_watch.core.records import ListedTask
from qavix_watch.core.recovery import AHEAD, agrees, best, by_generation, failed_last, marked
from qavix_watch.core.service import Task

KEY = "qx1-" + "a" * 60


def listed(task_id: str = "1", status: str = "completed", created_at: float | None = 5.0, **more: Any) -> ListedTask:
    given = {"mark": mark(KEY), "task_type": "video_translation", "source": "en", "language": "es", "progress": 0, "credits_used": None}
    return ListedTask(**{**given, "task_id": task_id, "status": status, "created_at": created_at, **more})


@pytest.mark.parametrize("name", [None, "", "clip", "qx-short", f"{mark(KEY)} and more", mark(KEY).upper(), "clip qx-" + "1" * 16])
def test_a_task_whose_name_does_not_end_with_a_mark_is_not_ours(name: str | None) -> None:
    assert marked(Task("1", "video_translation", "completed", name=name)) is None


@given(st.text(max_size=300))
def test_whatever_the_file_was_called_its_task_is_recognised(stem: str) -> None:
    found = marked(Task("7", "video_translation", "processing", 40, task_name(stem, KEY), "en", "es", None, 9, 3.0))
    assert found == listed("7", "processing", 3.0, progress=40, credits_used=9)


@pytest.mark.parametrize(
    ("task", "same"),
    [
        (listed(), True),
        (listed(source=None, language=None), True),   # the list may not say
        (listed(source="EN", language="es"), True),
        (listed(language="es_419"), False),
        (listed(language="de"), False),
        (listed(source="fr"), False),
        (listed(task_type="subtitle_translation"), False),
    ],
)  # fmt: skip
def test_type_and_languages_have_to_agree(task: ListedTask, same: bool) -> None:
    assert agrees(task, "video_translation", "en", "es") is same


def test_work_without_languages_agrees_with_none() -> None:
    task = listed(task_type="smart_erasure", source=None, language=None)
    assert agrees(task, "smart_erasure", None, None)
    assert not agrees(listed(task_type="smart_erasure"), "smart_erasure", None, None)


def test_of_several_tasks_the_newest_good_one_counts() -> None:
    assert best([]) is None
    old, new, failed, undated = listed("old", created_at=1), listed("new"), listed("failed", "failed", 9), listed("x", created_at=None)
    assert best([old, failed, new, undated]) == new
    assert best([failed]) == failed


def test_generations_are_looked_for_a_little_beyond_the_last_one_that_is_there() -> None:
    there = {2: listed("2"), 2 + AHEAD: listed("far"), 3 + 2 * AHEAD: listed("too far")}
    asked: list[int] = []

    def of(generation: int) -> ListedTask | None:
        asked.append(generation)
        return there.get(generation)

    assert by_generation(1, of) == {2: there[2], 2 + AHEAD: there[2 + AHEAD]}
    assert asked == list(range(1, 3 + 2 * AHEAD))
    assert by_generation(5, lambda _: None) == {}


def test_failures_count_back_to_the_last_task_that_did_not_fail() -> None:
    found = {1: listed("1", "failed"), 2: listed("2"), 3: listed("3", "failed"), 5: listed("5", "failed")}
    assert list(failed_last(found, 6)) == [5, 3]
    assert list(failed_last(found, 5)) == [3]
    assert failed_last(found, 3) == {}
    assert list(failed_last(found, 2)) == [1]
