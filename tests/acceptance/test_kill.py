"""What was in hand at a `kill -9` goes on, at once and where it was; tests/faults kills at random moments."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.support.kinds import Wares, drop_one, results_of
from tests.support.pair import paired, totals
from tests.support.service import Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running


def killed_once(home: Home, moment: Callable[[], object], what: str) -> None:
    """Kill the service at a moment, and start it again."""
    wait_for(moment, 30, what)
    home.kill()
    home.start()


def hits(sandbox: Running) -> int:
    return int(sandbox.control("faults")[0]["hits"])


def test_what_was_in_hand_at_a_kill_goes_on_at_once(tmp_path: Path) -> None:
    """Nobody waits for the end of a dead process's lease."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "storage_put", "kind": "slow", "delay": 60, "times": 1})
        home.start()
        drop_one(home, Wares(tmp_path), "erase", 1)
        killed_once(home, lambda: hits(sandbox), "the upload")
        home.rest(1, 20)
        assert totals(sandbox)["tasks"] == 1


def test_a_voice_whose_cloning_was_under_way_at_a_kill_is_found_again(tmp_path: Path) -> None:
    """There is no key that would tell: List Voices does."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "voice_clone", "kind": "slow", "delay": 60, "times": 1})
        home.start()
        drop_one(home, Wares(tmp_path), "clone voice", 1)
        killed_once(home, lambda: totals(sandbox)["clones"], "the voice")
        home.rest(1, 20)
        assert totals(sandbox)["clones"] == 1
        assert home.results() == results_of("clone voice", 1)


def test_a_download_that_was_under_way_at_a_kill_is_gone_on_with(tmp_path: Path) -> None:
    """What has come stays; the rest is asked for."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "result_get", "kind": "trickle", "rate": 2000, "times": 1})
        home.start()
        drop_one(home, Wares(tmp_path), "erase", 1)
        killed_once(home, lambda: any(path.stat().st_size for path in home.outbox.rglob("*.part")), "a part of the result")
        home.rest(1, 20)
        statuses = [visit["status"] for visit in sandbox.control("requests")["recent"] if visit["operation"] == "result_get"]
        assert statuses[-1] == 206
        assert len(statuses) == 2
        [made] = [made for task in sandbox.ledger()["tasks"] for made in task["results"].values()]
        assert hashlib.sha256((home.outbox / "erase" / "work 1.erased.mp4").read_bytes()).hexdigest() == made["sha256"]
