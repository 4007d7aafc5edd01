"""Tasks that come to no end, that vanish, and that are not completed any more: on the real program."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import SandboxOptions
from tests.support.kinds import Wares, drop_one
from tests.support.pair import counts, forget_requests, paired, states, totals
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

    Pair = tuple[Home, Running]

ORDER = "dub en to es"
QUICK = SandboxOptions(speed=50, requests_per_minute=100_000, queries_per_second=2000, credits=10**6)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home", QUICK) as found:
        yield found


@pytest.fixture
def wares(tmp_path: Path) -> Wares:
    return Wares(tmp_path)


def days_ago(home: Home, days: int) -> None:
    """What is at the service was submitted so long ago."""
    with closing(sqlite3.connect(home.state)) as connection, connection:
        connection.execute("UPDATE jobs SET submitted_at = submitted_at - ? * 86400 WHERE state = 'processing'", (days,))


def overdue_lines(home: Home) -> list[str]:
    lines = [json.loads(line) for line in home.log.read_text().splitlines() if line.startswith("{")]
    return [line["why"] for line in lines if line["event"] == "look" and "longer than such a task should" in line.get("why", "")]


def test_a_task_that_stays_at_99_per_cent_is_reported_and_its_result_is_taken_when_it_comes(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    sandbox.faults({"operation": "task", "kind": "stuck_task"})
    home.start()
    path = home.inbox / ORDER / "work 1.mp4"
    drop_one(home, wares, ORDER, 1)
    wait_for(lambda: states(home, "jobs") == {"processing": 1}, what="the task")
    home.stop()
    days_ago(home, 9)
    forget_requests(sandbox)
    home.start()
    wait_for(lambda: overdue_lines(home), what="the line in the log")
    wait_for(lambda: counts(sandbox)["list_tasks"] >= 6, what="some rounds more")
    assert (states(home, "jobs"), counts(sandbox)["get_task"]) == ({"processing": 1}, 1)
    (job,) = home.jobs()
    assert (job["state"], job["error"]) == ("processing", overdue_lines(home)[0])
    assert job["error"] in " ".join(home.command("why", str(path)).stdout.split())
    (waits,) = json.loads(home.command("status", "--json").stdout)["waiting_for"]
    assert waits["why"] == job["error"]
    told = [event for event in json.loads(home.command("show", "1", "--json").stdout)["history"] if event["why"] == job["error"]]
    assert len(told) == len(overdue_lines(home)) == 1
    sandbox.faults()
    sandbox.control(f"tasks/{job['task_id']}", {"status": "completed"})
    home.rest(1)
    assert home.results() == [f"{ORDER}/work 1.es.mp4"]
    assert (totals(sandbox)["tasks"], totals(sandbox)["posts"]) == (1, 1)


def test_a_task_that_vanishes_fails_in_the_end_and_is_never_submitted_again_by_itself(pair: Pair, wares: Wares) -> None:
    """Others are known, so that it is no matter of the account; `retry` makes a new task, and says so before."""
    home, sandbox = pair
    with home.config.open("a") as file:
        file.write("[retry]\ngive_up_after = 30\n")
    home.start()
    drop_one(home, wares, ORDER, 1)
    home.rest(1)
    sandbox.faults({"operation": "task", "kind": "stuck_task"})
    drop_one(home, wares, ORDER, 2)
    wait_for(lambda: states(home, "jobs")["processing"] == 1, what="the task")
    ((task,),) = home.query("SELECT task_id FROM jobs WHERE state = 'processing'")
    sandbox.control(f"tasks/{task}", {"status": "gone"})
    sandbox.faults()
    home.rest(2)
    failed = home.root / "failed" / ORDER
    why = (failed / "work 2.mp4.why.txt").read_text()
    assert f"the service does not know task {task} any more" in why
    assert "a new task, about" in why
    assert home.query("SELECT 1 FROM brakes WHERE name = 'account'") == []
    assert totals(sandbox)["tasks"] == 1
    home.command("retry", "--failed")
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE generation = 2"), what="the new generation")
    home.rest(2)
    assert home.results() == [f"{ORDER}/work 1.es.mp4", f"{ORDER}/work 2.es.mp4"]


def test_a_task_that_goes_back_from_completed_to_processing_is_followed_to_its_end(pair: Pair, wares: Wares) -> None:
    """Its links lead nowhere by then, and nothing is submitted again."""
    home, sandbox = pair
    sandbox.faults({"operation": "result_get", "kind": "status", "status": 503})
    home.start()
    drop_one(home, wares, ORDER, 1)
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE state = 'fetching' AND tries > 0"), what="the result to be asked for")
    ((task,),) = home.query("SELECT task_id FROM jobs")
    sandbox.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    sandbox.control(f"tasks/{task}", {"status": "processing"})
    sandbox.control("expire-links", {"purpose": "result"})
    wait_for(lambda: states(home, "jobs") == {"processing": 1}, what="it to be followed again")
    wait_for(lambda: sandbox.control("faults")[0]["hits"], what="the task to be stuck")
    sandbox.control(f"tasks/{task}", {"status": "completed"})
    home.rest(1)
    assert home.results() == [f"{ORDER}/work 1.es.mp4"]
    assert (totals(sandbox)["tasks"], totals(sandbox)["posts"]) == (1, 1)
