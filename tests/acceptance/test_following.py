"""Following many tasks costs pages of List Tasks, not one call a task."""

from __future__ import annotations

import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.support.service import Home, at_home, wait_for

TASKS = 1000
MOST_CALLS = 12


def rounds(home: Home) -> int:
    """How often a round of following was begun, 0 while one is under way."""
    rows = home.query("SELECT fence, owner FROM duties WHERE name = 'follow'")
    return 0 if not rows or rows[0][1] is not None else rows[0][0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_round_over_a_thousand_open_tasks_takes_at_most_twelve_list_calls(tmp_path):
    """1,000 tasks in processing: ⌈1000/100⌉ + 2 pages, and no Get Task."""
    endless = SandboxOptions(speed=0.0001, requests_per_minute=1_000_000, queries_per_second=10_000, credits=10**9)
    with running(endless) as box, at_home(tmp_path, box, follow={"poll_min": 2, "poll_max": 4}) as home:
        home.start()
        for number in range(TASKS):
            home.drop("tts en voice=Ava", f"{number}.txt", f"Sentence number {number}.".encode())
        wait_for(
            lambda: home.query("SELECT count(*) FROM jobs WHERE state = 'processing'") == [(TASKS,)], 200, "all tasks to be submitted"
        )
        before = wait_for(lambda: rounds(home), what="the end of a round")
        box.control("requests", method="DELETE")
        wait_for(lambda: rounds(home) > before, what="the next round")
        calls = box.control("requests")["counts"]
        assert 0 < calls["list_tasks"] <= MOST_CALLS
        assert "get_task" not in calls
