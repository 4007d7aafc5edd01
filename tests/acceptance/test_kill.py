"""`kill -9` at any moment costs time and nothing else."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import SandboxOptions
from tests.support.kinds import ORDERS, Wares, drop_one, results_of
from tests.support.pair import assert_nothing_twice, paired, states, totals
from tests.support.service import Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running

KILLS = 200
DROPS = 50
SEED = 20_261_122
MARKER = ".qavix-watch"


@dataclass(frozen=True)
class Work:
    """The drops of the whole run: number and order."""

    wares: Wares
    orders: tuple[str, ...] = tuple(ORDERS[number % len(ORDERS)] for number in range(DROPS))

    def drop(self, home: Home, number: int) -> None:
        drop_one(home, self.wares, self.orders[number], number)


def killed_at_random(home: Home, dice: random.Random) -> None:
    """Start the service, and kill it: one time in three while it starts, else soon after it is ready."""
    home.start(ready=False)
    if dice.random() < 1 / 3:
        time.sleep(dice.uniform(0.05, 0.8))
    else:
        wait_for(home.is_ready, 30, "the service to be ready")
        time.sleep(dice.uniform(0.0, 1.3))
    home.kill()


def clones_that_wait_for_a_person(home: Home) -> set[str]:
    """Voices whose POST may or may not have gone out when the service died: List Voices is asked for them, for ten minutes."""
    rows = home.query(
        "SELECT drops.path FROM jobs JOIN deliveries ON deliveries.job = jobs.id JOIN drops ON drops.id = deliveries.drop_id"
        " WHERE jobs.task = 'voice_clone' AND jobs.posted AND jobs.state IN ('submitting', 'held')"
    )
    return {bytes(path).decode() for (path,) in rows}


def at_rest(home: Home) -> bool:
    """Whether everything is done, but for voices of an unclear fate."""
    waiting = len(clones_that_wait_for_a_person(home))
    return states(home, "drops") == states_wanted(waiting)


def wait_for_rest(home: Home) -> None:
    try:
        wait_for(lambda: at_rest(home), 120, "everything to be at rest")
    except AssertionError as error:
        raise AssertionError(f"{error}\nopen: {home.open_work()}\n{home.log.read_text()[-3000:]}") from None


def states_wanted(waiting: int) -> dict[str, int]:
    return {"archived": DROPS - waiting} | ({"delivering": waiting} if waiting else {})


def private_files(home: Home) -> list[str]:
    """What we make under names of our own, and must not leave behind."""
    return [str(path) for path in home.base.rglob("*") if path.name.startswith(".qavix-") and path.name != MARKER]


def assert_every_drop_is_done_and_whole(home: Home, work: Work, unclear: set[str]) -> None:
    """Each original lies in the archive, and each of its results in the outbox; nothing else is there."""
    orders = [(number, order) for number, order in enumerate(work.orders) if f"{order}/work {number}.wav" not in unclear]
    assert home.results() == sorted(name for number, order in orders for name in results_of(order, number))
    left = {str(path.relative_to(home.inbox)) for path in home.inbox.rglob("*") if path.is_file()}
    assert left == unclear
    assert not [path for path in (home.root / "failed").rglob("*") if path.is_file()]


def assert_billed_once(home: Home, sandbox: Running, unclear: set[str]) -> None:
    """One task for each piece of work. A voice of an unclear fate was really not made: what was made, List Voices has told."""
    assert_nothing_twice(sandbox)
    clones = [clone["name"] for clone in sandbox.ledger()["clones"]]
    wanted = [f"work {number}" for number in range(DROPS) if ORDERS[number % len(ORDERS)] == "clone voice"]
    lost = {path.rsplit("/", 1)[1].removesuffix(".wav") for path in unclear}
    assert sorted(clones) == sorted(set(wanted) - lost)
    assert totals(sandbox)["tasks"] == DROPS - len(wanted)


def assert_sound(home: Home) -> None:
    connection = sqlite3.connect(home.state)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_kills_while_fifty_drops_go_through_lose_nothing_and_bill_nothing_twice(tmp_path: Path) -> None:
    """All seven kinds of work; the drops come one by one, so that every kill finds something in hand."""
    dice = random.Random(SEED)
    work = Work(Wares(tmp_path))
    options = SandboxOptions(speed=3, credits=10**9)
    with paired(tmp_path / "home", options) as (home, sandbox):
        home.command("init")
        for kill in range(KILLS):
            if kill % (KILLS // DROPS) == 0:
                work.drop(home, kill // (KILLS // DROPS))
            killed_at_random(home, dice)
        assert states(home, "drops")["archived"] > DROPS // 2, "work went on between the kills"
        home.start()
        wait_for_rest(home)
        unclear = clones_that_wait_for_a_person(home)
        assert_every_drop_is_done_and_whole(home, work, unclear)
        assert_billed_once(home, sandbox, unclear)
        home.stop()
        assert_sound(home)
        assert private_files(home) == []
