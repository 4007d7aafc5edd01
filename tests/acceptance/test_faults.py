"""What goes wrong between us and the service costs time and nothing else: everything comes through, and once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kinds import ORDERS, Wares, drop_each, drop_one, results_of
from tests.support.pair import QUICK_SANDBOX, SUBMITTING, assert_nothing_twice, counts, paired, states, totals
from tests.support.service import Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Pair = tuple[Home, Running]

TASKS = ("video_translation", "subtitle_translation", "smart_eraser", "face_swap", "lip_sync", "text_to_speech")
CALLS = ("get_balance", "list_tasks", "get_task", "list_voices", "get_upload_url", "confirm_upload", "refresh_url", *TASKS)
"""Every operation that the service uses, but Voice Clone, which has no key and tests of its own."""

MISHAPS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "429": {"kind": "status", "status": 429},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 1},
    "reset": {"kind": "reset"},
    "closed": {"kind": "drop"},
    "lost answer": {"kind": "lost_answer"},
    "too slow": {"kind": "slow", "delay": 2.5},
    "html 502": {"kind": "html"},
    "garbage": {"kind": "garbage"},
    "redirect": {"kind": "redirect"},
}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home", api={"timeout": 2}) as found:
        yield found


@pytest.fixture(scope="module")
def wares(tmp_path_factory: pytest.TempPathFactory) -> Wares:
    return Wares(tmp_path_factory.mktemp("wares"))


def all_done(home: Home, drops: int, seconds: float = 60) -> None:
    home.rest(drops, seconds)
    assert states(home, "drops") == {"archived": drops}
    assert set(states(home, "jobs")) == {"done"}


def every_fault_happened(sandbox: Running) -> None:
    missed = [rule for rule in sandbox.control("faults") if rule["hits"] < rule["times"]]
    assert not missed, f"these faults never happened, so nothing was shown: {missed}"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("mishap", MISHAPS)
def test_each_call_may_fail_in_any_way_and_everything_comes_through_once(tmp_path: Path, wares: Wares, mishap: str) -> None:
    """Links that are short-lived make the service ask for new ones too."""
    options = replace(QUICK_SANDBOX, link_seconds=200)
    with paired(tmp_path / "home", options, api={"timeout": 2}) as (home, sandbox):
        sandbox.faults(*({"operation": operation, "times": 1, **MISHAPS[mishap]} for operation in CALLS))
        home.start()
        drop_each(home, wares)
        all_done(home, len(ORDERS), 120)
        every_fault_happened(sandbox)
        assert (totals(sandbox)["tasks"], totals(sandbox)["clones"]) == (6, 1)
        assert_nothing_twice(sandbox)
        assert home.results() == sorted(name for number, order in enumerate(ORDERS, 1) for name in results_of(order, number))


def test_a_lost_answer_to_work_that_was_accepted_bills_once(pair: Pair, wares: Wares) -> None:
    """The repetition has the same key, and the service gives the same task."""
    home, sandbox = pair
    sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 2})
    home.start()
    drop_one(home, wares, "dub en to es", 1)
    all_done(home, 1)
    every_fault_happened(sandbox)
    assert (totals(sandbox)["tasks"], totals(sandbox)["posts"]) == (1, 3)


def test_work_whose_answer_was_lost_is_delivered_though_the_next_try_is_refused_and_the_file_taken_out(
    pair: Pair, wares: Wares
) -> None:
    """It may have been billed: from the first unclear answer on, taking the file out undoes nothing."""
    home, sandbox = pair
    sandbox.faults(
        {"operation": "video_translation", "kind": "lost_answer", "times": 1},
        {"operation": "video_translation", "kind": "status", "status": 429, "retry_after": 2, "times": 1},
    )
    home.start()
    dropped = home.drop("dub en to es", "clip.mp4", wares.video(1))
    wait_for(lambda: sandbox.control("faults")[1]["hits"], 30, "the second try")
    dropped.unlink()
    wait_for(lambda: home.results() == ["dub en to es/clip.es.mp4"], 60, "its result")
    assert totals(sandbox)["tasks"] == 1


STORAGE_MISHAPS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 503},
    {"kind": "reset"},
    {"kind": "lost_answer"},
    {"kind": "html", "status": 502},
    {"kind": "redirect"},
)


def test_storage_may_refuse_uploads_in_every_way_and_is_asked_again_with_new_grants(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    sandbox.faults(*({"operation": "storage_put", "times": 1, **fault} for fault in STORAGE_MISHAPS))
    home.start()
    for number in range(len(STORAGE_MISHAPS)):
        drop_one(home, wares, "erase", number)
    all_done(home, len(STORAGE_MISHAPS))
    every_fault_happened(sandbox)
    assert totals(sandbox)["tasks"] == len(STORAGE_MISHAPS)
    assert counts(sandbox)["get_upload_url"] == 2 * len(STORAGE_MISHAPS)


def test_a_grant_that_expires_before_it_is_used_is_replaced(tmp_path: Path, wares: Wares) -> None:
    """Storage says that the request has expired; the next grant comes in time."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "storage_put", "kind": "status", "status": 500, "times": 1})
        home.start()
        drop_one(home, wares, "erase", 1)
        wait_for(lambda: sandbox.control("faults")[0]["hits"], 30, "the first try")
        sandbox.control("expire-links", {"purpose": "grant"})
        all_done(home, 1)
        assert totals(sandbox)["tasks"] == 1


RESULT_MISHAPS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 503},
    {"kind": "short"},
    {"kind": "html", "status": 200},
    {"kind": "redirect", "location": "http://127.0.0.1:9/"},
)


def test_results_that_do_not_come_as_they_should_are_fetched_again(pair: Pair, wares: Wares) -> None:
    """Expired, busy, cut short, a page of HTML, a redirect to nowhere: nothing but the whole result ever bears its name."""
    home, sandbox = pair
    sandbox.faults(*({"operation": "result_get", "times": 1, **fault} for fault in RESULT_MISHAPS))
    home.start()
    for number in range(len(RESULT_MISHAPS)):
        drop_one(home, wares, "dub en to es", number)
    all_done(home, len(RESULT_MISHAPS))
    every_fault_happened(sandbox)
    assert_whole(home, sandbox)


def assert_whole(home: Home, sandbox: Running) -> None:
    """Every result is there, with the content that the sandbox's books say."""
    made = [made for task in sandbox.ledger()["tasks"] for made in task["results"].values()]
    here = [hashlib.sha256((home.outbox / name).read_bytes()).hexdigest() for name in home.results()]
    assert sorted(here) == sorted(result["sha256"] for result in made)


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_result_that_is_cut_in_the_middle_is_gone_on_with(pair: Pair, wares: Wares, kind: str) -> None:
    """What has come is not fetched a second time: the next request asks for the rest."""
    home, sandbox = pair
    sandbox.faults({"operation": "result_get", "kind": kind, "times": 1})
    home.start()
    drop_one(home, wares, "erase", 1)
    all_done(home, 1)
    every_fault_happened(sandbox)
    assert_whole(home, sandbox)
    statuses = [visit["status"] for visit in sandbox.control("requests")["recent"] if visit["operation"] == "result_get"]
    assert statuses == [200, 206]


def test_results_whose_links_expired_before_they_were_fetched_get_new_ones(tmp_path: Path, wares: Wares) -> None:
    """Get Task gives them."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "result_get", "kind": "status", "status": 503, "times": 1})
        home.start()
        drop_one(home, wares, "dub en to es", 1)
        wait_for(lambda: sandbox.control("faults")[0]["hits"], 30, "the first try")
        sandbox.control("expire-links", {"purpose": "result"})
        all_done(home, 1)
        assert_whole(home, sandbox)


def test_a_task_that_fails_moves_its_file_to_failed_with_the_reason(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    sandbox.faults({"operation": "task", "kind": "fail_task", "message": "no face in this video", "times": 1})
    home.start()
    dropped = home.drop("face swap", "clip.mp4", wares.video(1))
    home.drop("face swap", "clip.jpg", wares.picture(1))
    home.rest(1)
    assert states(home, "drops") == {"failed": 1}
    assert not dropped.exists()
    failed = home.root / "failed" / "face swap"
    assert (failed / "clip.mp4").read_bytes() == wares.video(1)
    assert "no face in this video" in (failed / "clip.mp4.why.txt").read_text()
    assert not home.results()


def test_of_several_targets_one_may_fail_and_the_others_are_delivered(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    sandbox.faults({"operation": "video_translation", "kind": "fail_task", "times": 1})
    home.start()
    home.drop("dub en to es,fr,de", "clip.mp4", wares.video(1))
    home.rest(1)
    assert states(home, "jobs") == {"done": 2, "failed": 1}
    assert len(home.results()) == 2
    assert (home.root / "failed" / "dub en to es,fr,de" / "clip.mp4.why.txt").exists()


def test_a_lost_answer_to_voice_clone_makes_one_voice(pair: Pair, wares: Wares) -> None:
    """It has no key: List Voices tells that the voice is there."""
    home, sandbox = pair
    sandbox.faults({"operation": "voice_clone", "kind": "lost_answer", "times": 1})
    home.start()
    drop_one(home, wares, "clone voice", 1)
    all_done(home, 1)
    every_fault_happened(sandbox)
    assert totals(sandbox)["clones"] == 1
    assert sandbox.ledger()["clones"][0]["voice_id"] in (home.outbox / "clone voice" / "work 1.voice.json").read_text()


@pytest.mark.parametrize("mishap", ["429", "429 with Retry-After", "redirect"])
def test_voice_clone_is_asked_again_where_it_was_clearly_not_done(pair: Pair, wares: Wares, mishap: str) -> None:
    home, sandbox = pair
    sandbox.faults({"operation": "voice_clone", "times": 1, **MISHAPS[mishap]})
    home.start()
    drop_one(home, wares, "clone voice", 1)
    all_done(home, 1)
    every_fault_happened(sandbox)
    assert totals(sandbox)["clones"] == 1


def test_voice_clone_is_not_asked_again_where_it_may_have_been_done(pair: Pair, wares: Wares) -> None:
    """List Voices is asked instead; nothing is billed by a guess."""
    home, sandbox = pair
    unclear = ("500", "html 502", "garbage", "closed")
    sandbox.faults(*({"operation": "voice_clone", "times": 1, **MISHAPS[mishap]} for mishap in unclear))
    home.start()
    for number in range(len(unclear)):
        drop_one(home, wares, "clone voice", number)
    wait_for(lambda: counts(sandbox)["voice_clone"] == len(unclear), 60, "four POSTs")
    before = counts(sandbox)["list_voices"]
    wait_for(lambda: counts(sandbox)["list_voices"] >= before + len(unclear), 60, "List Voices to be asked for each")
    assert counts(sandbox)["voice_clone"] == len(unclear)
    jobs = home.query("SELECT state, reason FROM jobs")
    assert {state for state, _ in jobs} == {"submitting"}
    assert all("List Voices" in reason for _, reason in jobs)


def test_an_expired_input_link_is_renewed_at_the_submit(tmp_path: Path, wares: Wares) -> None:
    """For each kind of work that has one: the service refuses the link, Refresh URL gives another, nothing is sent twice."""
    with paired(tmp_path / "home") as (home, sandbox):
        with_inputs = [name for name in SUBMITTING if name != "text_to_speech"]
        sandbox.faults(*({"operation": name, "kind": "redirect", "times": 2} for name in with_inputs))
        home.start()
        drop_each(home, wares)
        wait_for(lambda: all(rule["hits"] for rule in sandbox.control("faults")), 30, "a first try of each")
        sandbox.control("expire-links", {"purpose": "file"})
        all_done(home, len(ORDERS))
        assert counts(sandbox)["refresh_url"] >= 6
        assert totals(sandbox)["puts"] == totals(sandbox)["contents"]
        assert_nothing_twice(sandbox)
