"""What goes wrong between us and the service costs time and nothing else: everything comes through, and once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kinds import Wares, drop_one
from tests.support.pair import counts, paired, states, totals
from tests.support.service import Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Pair = tuple[Home, Running]

UNCLEAR: tuple[dict[str, Any], ...] = ({"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "garbage"}, {"kind": "drop"})


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


def test_voice_clone_is_not_asked_again_where_it_may_have_been_done(pair: Pair, wares: Wares) -> None:
    """List Voices is asked instead; nothing is billed by a guess."""
    home, sandbox = pair
    sandbox.faults(*({"operation": "voice_clone", "times": 1, **mishap} for mishap in UNCLEAR))
    home.start()
    for number in range(len(UNCLEAR)):
        drop_one(home, wares, "clone voice", number)
    wait_for(lambda: counts(sandbox)["voice_clone"] == len(UNCLEAR), 60, "four POSTs")
    before = counts(sandbox)["list_voices"]
    wait_for(lambda: counts(sandbox)["list_voices"] >= before + len(UNCLEAR), 60, "List Voices to be asked for each")
    assert counts(sandbox)["voice_clone"] == len(UNCLEAR)
    jobs = home.query("SELECT state, reason FROM jobs")
    assert {state for state, _ in jobs} == {"submitting"}
    assert all("List Voices" in reason for _, reason in jobs)
