"""A budget is never overspent, what is dear or much waits for a person, and an empty account is left in peace."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kinds import Wares, drop_one
from tests.support.pair import QUICK_SANDBOX, assert_nothing_twice, counts, paired, states, totals
from tests.support.service import toml, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"
PRICE = 60


@pytest.fixture
def wares(tmp_path: Path) -> Wares:
    return Wares(tmp_path)


def brake(home: Home, name: str) -> tuple[str, str, str] | None:
    """Scope, reason and mend of a brake that is on."""
    found = home.query("SELECT scope, why, hint FROM brakes WHERE name = ? AND state = 'on'", name)
    return found[0] if found else None


def wait_for_brake(home: Home, name: str, condition: Callable[[tuple[str, str, str]], bool] = lambda _: True) -> tuple[str, str, str]:
    found: tuple[str, str, str] = wait_for(
        lambda: (seen := brake(home, name)) is not None and condition(seen) and seen, 30, f"the brake {name}"
    )
    return found


def status(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(home.command("status", "--json").stdout)
    return found


def restart_with(home: Home, **budget: float) -> None:
    """Change the configuration, and start the service anew."""
    home.stop()
    configure(home, **budget)
    home.start()


def reload_with(home: Home, **budget: float) -> None:
    """Change the configuration under the running service."""
    configure(home, **budget)
    assert home.process is not None
    home.process.send_signal(signal.SIGHUP)


def configure(home: Home, **budget: float) -> None:
    kept = {"api": {"base_url": home.base_url}, "folders": {"root": str(home.root)}, "state": {"path": str(home.state)}}
    quick = {"watch": {"settle": 0.2, "settle_folder": 0.3, "rescan": 1}, "follow": {"poll_min": 0.2, "poll_max": 1}}
    home.config.write_text(toml({**kept, **quick, "deliver": {"min_free": "1 MB"}, "budget": budget}))


def billed(sandbox: Running) -> int:
    return totals(sandbox)["credits_billed"]


def reserved(home: Home) -> float:
    return float(home.query("SELECT coalesce(sum(reserved), 0) FROM jobs")[0][0])


def all_waiting(home: Home, amount: int) -> None:
    wait_for(lambda: states(home, "jobs")["submitting"] == amount, 30, f"{amount} jobs that wait to be submitted")


def test_a_budget_is_never_overspent_however_many_are_submitted_at_once(tmp_path: Path, wares: Wares) -> None:
    """Neither a day's nor a month's; what does not fit goes on by itself when the limit is raised, or a person allows it."""
    with paired(tmp_path / "home", budget={"per_day": 200}) as (home, sandbox):
        home.start()
        for number in range(8):
            drop_one(home, wares, ORDER, number)
        scope, why, hint = wait_for_brake(home, "budget")
        assert scope == "day"
        assert why == (
            "`budget.per_day` is 200 credits: 180 credits are spent or set aside today, and the next job needs about 60 credits"
        )
        assert "qavix-watch approve budget" in hint
        all_waiting(home, 5)
        wait_for(lambda: states(home, "jobs")["done"] == 3, 30, "what was submitted to be done")
        assert (billed(sandbox), reserved(home)) == (3 * PRICE, 3 * PRICE)
        told = status(home)["budget"]
        assert (told["per_day"], told["spent_today"], told["spent_this_month"]) == (200, 180, 180)
        assert "180 credits today of 200 credits" in home.command("status").stdout

        restart_with(home, per_day=1000, per_month=300)
        scope, why, _ = wait_for_brake(home, "budget", lambda seen: seen[0] == "month")
        assert "300 credits are spent or set aside this month" in why
        wait_for(lambda: brake(home, "budget") and states(home, "jobs")["done"] == 5, 30, "two more")
        assert billed(sandbox) == 300
        assert "the budget does not count until" in home.command("approve", "budget").stdout
        home.rest(8)
        assert billed(sandbox) == 480
        assert_nothing_twice(sandbox)


def test_a_job_that_is_dear_waits_for_a_person_or_for_a_higher_limit(tmp_path: Path, wares: Wares) -> None:
    """With the amount, the limit and what to type; others go by."""
    with paired(tmp_path / "home", budget={"per_job": 65}) as (home, sandbox):
        home.start()
        for number, order in enumerate((ORDER, "dub en to ja", "dub en to ar")):
            home.drop(order, f"work {number}.mp4", wares.video(number))
        wait_for(lambda: states(home, "jobs")["held"] == 2 and states(home, "jobs")["done"] == 1, 30, "two that are held")
        held = {job["target"]: job for job in home.jobs() if job["state"] == "held"}
        assert (held["ja"]["credits_estimated"], held["ar"]["credits_estimated"]) == (72, 80)
        number = held["ja"]["id"]
        assert held["ja"]["error"] == (
            f"it costs about 72 credits, and `budget.per_job` is 65 credits: `qavix-watch approve {number}` lets it go on,"
            " or raise the limit"
        )
        assert "about 72 credits" in home.command("show", number).stdout
        assert "~72" in home.command("jobs").stdout
        home.command("approve", number)
        wait_for(lambda: states(home, "jobs")["done"] == 2, 30, "the one that was approved")
        assert billed(sandbox) == 132
        reload_with(home, approve_above=79)
        wait_for(lambda: "budget.approve_above" in str(home.jobs()), 30, "the other limit")
        assert billed(sandbox) == 132
        reload_with(home, approve_above=80)
        home.rest(3)
        assert billed(sandbox) == 212
        assert "80 credits (estimated: 80 credits)" in home.command("show", held["ar"]["id"]).stdout


def test_many_files_at_once_wait_as_one_batch(tmp_path: Path, wares: Wares) -> None:
    """42 of them, more than a fifth of the balance; nothing of it is uploaded or paid for until a person says so."""
    with paired(tmp_path / "home", replace(QUICK_SANDBOX, credits=10_000)) as (home, sandbox):
        home.start()
        wait_for(lambda: home.query("SELECT 1 FROM facts WHERE name = 'pricing'"), 30, "prices")
        for number in range(42):
            drop_one(home, wares, ORDER, number)
        wait_for(lambda: states(home, "jobs")["held"] == 42, 40, "all of them to be held")
        (batch,) = status(home)["batches"]
        assert (batch["id"], batch["files"], batch["credits"]) == ("batch-1", 42, 2520)
        sentence = "42 files, about 2,520 credits, wait for you: `qavix-watch approve batch-1`, or take them out."
        assert batch["said"] == sentence
        assert sentence in home.command("status").stdout
        assert sentence in home.command("jobs").stdout
        assert {(job["batch"], job["error"]) for job in home.jobs()} == {("batch-1", sentence)}
        assert billed(sandbox) == 0
        (home.inbox / ORDER / "work 0.mp4").unlink()
        wait_for(lambda: "41 files, about 2,460 credits" in home.command("status").stdout, 20, "the file that was taken out")
        home.command("approve", "batch-1")
        home.rest(42, 90)
        assert totals(sandbox)["tasks"] == 41
        assert_nothing_twice(sandbox)


def test_an_empty_account_is_not_hammered_whatever_was_estimated(tmp_path: Path, wares: Wares) -> None:
    """The balance is asked for at once, and said; all goes on when there is more."""
    with paired(tmp_path / "home") as (home, sandbox):
        home.start()
        wait_for(lambda: home.query("SELECT 1 FROM facts WHERE name = 'pricing'"), 30, "prices")
        sandbox.control("credits", {"credits": 50})  # which the program cannot know yet
        for number in range(8):
            drop_one(home, wares, ORDER, number)
        _, why, hint = wait_for_brake(home, "credits")
        assert "50 credits remain" in why
        assert "Add credits" in hint
        all_waiting(home, 8)
        posts = counts(sandbox)["video_translation"]
        assert 1 <= posts <= 4, "at most those that were under way together"
        assert home.query("SELECT level FROM brakes WHERE name = 'credits'") == [(50.0,)]
        assert (billed(sandbox), reserved(home)) == (0, 0)
        wait_for(lambda: totals(sandbox)["puts"] == 8, 30, "uploads, which go on")
        assert counts(sandbox)["video_translation"] == posts
        sandbox.control("credits", {"credits": 1000})
        home.stop()
        home.start()
        home.rest(8)
        assert billed(sandbox) == 8 * PRICE


@pytest.mark.parametrize("fault", ["slow", "drop"])
def test_a_kill_between_the_reservation_and_the_answer_leaves_the_books_right(tmp_path: Path, wares: Wares, fault: str) -> None:
    """Whether the POST had been carried out or not: it is repeated with its own credits, and no other takes them."""
    with paired(tmp_path / "home", budget={"per_day": 130}) as (home, sandbox):
        sandbox.faults({"operation": "video_translation", "kind": fault, "delay": 30})
        home.start()
        for number in range(4):
            drop_one(home, wares, ORDER, number)
        wait_for(lambda: counts(sandbox)["video_translation"] >= 2 and reserved(home) == 120, 30, "two that are under way")
        home.kill()
        sandbox.faults()
        assert reserved(home) == 120
        home.start()
        wait_for(lambda: states(home, "jobs")["done"] == 2, 40, "the two to be done")
        wait_for_brake(home, "budget")
        all_waiting(home, 2)
        assert (billed(sandbox), reserved(home), totals(sandbox)["tasks"]) == (120, 120, 2)
        assert_nothing_twice(sandbox)
