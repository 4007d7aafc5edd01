"""What is counted is what production writes for people: each name can be reached by the words that are looked for."""

from __future__ import annotations

import pathlib
from functools import cache

import pytest

from qavix_watch.worker import lanes
from tests.simulation.counters import BRAKES, HELD, HISTORY, STEPS, Counters
from tests.simulation.sight import Act
from tests.simulation.volumes import Inode

PACKAGE = pathlib.Path(__file__).parents[2] / "qavix_watch"


@cache
def production() -> str:
    """All of its code."""
    return "\n".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))


@pytest.mark.parametrize("words", [*HISTORY, *HELD])
def test_the_words_of_the_history_are_those_that_production_writes(words: str) -> None:
    """A text that is put better one day would leave its counter at 0 for ever."""
    begun = {"it was begun 5 times": "{BEGUN_IN_VAIN} {MOST_CLAIMS} times"}
    shown = {"it failed 3 times already": "it failed {failures} times already", **begun}
    assert f'"{shown.get(words, words)}' in production()


def test_every_step_is_one_of_a_lane() -> None:
    names = {lane.name for lane in lanes()}
    assert {step.partition(":")[0] for step in STEPS} <= names


def test_brakes_are_counted_by_name_and_those_of_a_kind_by_their_scope() -> None:
    counters = Counters()
    for name, scope in (("rate", ""), ("budget", "day"), ("api", "get_task"), ("disk", "results")):
        for way in ("on", "off"):
            counters.from_log("warning", f"brake {way}", {"brake": name, "scope": scope, "why": "w"})
    counted = {f"brake {brake} {way}" for brake in ("rate", "budget:day", "api", "disk:results") for way in ("on", "off")}
    assert set(counters.counts) == counted
    assert {"rate", "budget:day", "api", "disk:results"} <= set(BRAKES)


def test_what_came_of_work_is_counted_by_its_lane() -> None:
    counters = Counters()
    counters.from_log("info", "submit approved", {"new": "processing", "why": ""})
    counters.from_log("debug", "work was taken over", {"stage": "submit", "why": ""})
    counters.from_log("info", "something else", {})
    assert counters.counts == {"submit: processing": 1, "work taken over": 1}


def test_the_history_tells_of_ways_back() -> None:
    counters = Counters()
    told = [("job", "given up after 7 tries: no answer"), ("job", "tried again by Ann"), ("brake paused", "Ann has")]
    counters.from_events([{"item": item, "new": "on", "why": why} for item, why in told])  # type: ignore[misc]
    assert counters.counts == {"given up": 1, "retried": 1, "brake paused on": 1}


def test_acts_tell_of_copies_numbers_and_what_is_swept() -> None:
    counters, inode = Counters(), Inode(1, is_dir=False)
    counters.from_act(Act(inode, b"/cold/archive/.qavix-copy-1-2", b"/cold/archive/film.mp4"))
    counters.from_act(Act(inode, b"/media/outbox/.qavix-parts/1", b"/media/outbox/dub/film (2).es.mp4"))
    counters.from_act(Act(inode, b"/media/outbox/.qavix-parts/1.video.1.part", None))
    counters.from_act(Act(inode, None, b"/media/inbox/dub (2)/.qavix-read-me"))
    assert counters.counts == {"copied to another disk": 1, "numbered, the name being taken": 1, "private file swept": 1}


def test_counts_of_many_lives_are_put_together_and_what_never_happened_is_named() -> None:
    all_of_them, one = Counters(), Counters()
    one.count("killed")
    one.from_choices([("power media data", 0), ("order", 3)])
    all_of_them.merge(one)
    all_of_them.merge(one)
    assert all_of_them["killed"] == 2
    assert all_of_them["data lost with the power"] == 2
    assert all_of_them.missing(["killed", "frozen"]) == ["frozen"]
    assert set(all_of_them.missing()) == Counters.NAMES - {"killed", "data lost with the power"}
