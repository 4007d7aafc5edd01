"""What is wrong with the world stops the work that it concerns, says what to do, loses nothing, and lets go by itself."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import running
from tests.acceptance.brakes import all_archived, brake, history, shown, told, wait_for_brake
from tests.support.kinds import SPEECH, Wares, drop_one
from tests.support.pair import QUICK_SANDBOX, counts, paired, states, totals
from tests.support.service import KEY, Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Pair = tuple[Home, Running]

ORDER = "dub en to es"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home") as found:
        yield found


@pytest.fixture
def wares(tmp_path: Path) -> Wares:
    return Wares(tmp_path)


def restarted_with(home: Home, key: str) -> None:
    home.stop()
    home.key = key
    home.start()


@pytest.mark.parametrize("key", [None, "not-the-key", f"{KEY}-disabled"], ids=["no key", "a wrong key", "a disabled key"])
def test_without_a_good_key_the_service_runs_says_where_to_put_it_and_does_the_work_once_it_is_there(
    pair: Pair, wares: Wares, key: str | None
) -> None:
    """The brake is on before there is any work; what is dropped meanwhile is not lost."""
    home, sandbox = pair
    home.key = key
    home.start()
    why, hint = wait_for_brake(home, "auth")
    assert "key" in why
    assert "QAVIX_API_KEY" in hint
    assert hint.endswith("The service takes up a new key when it is reloaded or restarted.")
    drop_one(home, wares, ORDER, 1)
    wait_for(lambda: states(home, "drops")["fingerprinted"] == 1, 30, "the drop to be read")
    assert (home.inbox / ORDER / "work 1.mp4").exists()
    assert told(home, "auth") == 1
    shown = home.command("status").stdout
    assert "QAVIX_API_KEY" in shown
    restarted_with(home, KEY)
    all_archived(home, 1)
    assert totals(sandbox)["tasks"] == 1
    assert brake(home, "auth") is None


def test_a_key_that_may_only_read_loses_nothing_and_says_what_the_service_said(pair: Pair, wares: Wares) -> None:
    """403 for every POST: the file stays where it is, and goes its way once the key is right."""
    home, sandbox = pair
    home.key = f"{KEY}-readonly"
    home.start()
    drop_one(home, wares, ORDER, 1)
    why, hint = wait_for_brake(home, "api", "get_upload_url")
    assert "only read" in why
    assert "what this account and key may do" in hint
    wait_for(lambda: counts(sandbox)["get_upload_url"] >= 2, 30, "two tries")
    assert (home.inbox / ORDER / "work 1.mp4").exists()
    assert told(home, "api") == 1
    restarted_with(home, KEY)
    all_archived(home, 1)
    assert totals(sandbox)["tasks"] == 1


def test_an_account_that_may_not_ask_for_its_balance_is_a_matter_of_the_key(pair: Pair) -> None:
    """403 on an account call."""
    home, sandbox = pair
    sandbox.faults({"operation": "get_balance", "kind": "status", "status": 403})
    home.start()
    wait_for_brake(home, "auth")


def test_a_service_that_cannot_be_reached_is_waited_for(tmp_path: Path, wares: Wares) -> None:
    """Nothing is tried against it in a hurry, and nothing needs to be done when it is back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    home = Home(tmp_path / "home", f"http://127.0.0.1:{port}/qavix")
    home.start()
    try:
        why, hint = wait_for_brake(home, "offline")
        assert "127.0.0.1" in why
        assert "goes on by itself" in hint
        drop_one(home, wares, ORDER, 1)
        wait_for(lambda: states(home, "drops")["fingerprinted"] == 1, 30, "the drop to be read")
        with running(replace(QUICK_SANDBOX, port=port)) as sandbox:
            all_archived(home, 1)
            assert totals(sandbox)["tasks"] == 1
            assert brake(home, "offline") is None
        assert told(home, "offline") == 1
    finally:
        home.stop()


def test_calls_that_are_refused_together_are_one_refusal(pair: Pair, wares: Wares) -> None:
    """Eight 429s at once do not double the pause eight times."""
    home, sandbox = pair
    sandbox.faults({"operation": "get_upload_url", "kind": "status", "status": 429, "times": 2})
    home.start()
    for number in range(4):
        drop_one(home, wares, "erase", number)
    all_archived(home, 4, 30)


def test_an_empty_account_stops_submitting_and_nothing_else(pair: Pair, wares: Wares) -> None:
    """What is dropped is uploaded, waits, and is submitted once there are credits."""
    home, sandbox = pair
    sandbox.control("credits", {"credits": 0})
    home.start()
    drop_one(home, wares, ORDER, 1)
    _, hint = wait_for_brake(home, "credits")
    assert "credits" in hint
    drop_one(home, wares, ORDER, 2)
    wait_for(lambda: totals(sandbox)["puts"] == 2, 30, "the other upload")
    assert totals(sandbox)["tasks"] == 0
    sandbox.control("credits", {"credits": 1000})
    home.stop()
    home.start()
    all_archived(home, 2)
    assert totals(sandbox)["tasks"] == 2


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_after_a_402_nothing_is_hammered_whatever_the_estimates_say(tmp_path: Path) -> None:
    """Fifty jobs wait, the balance looks rich, and one of them alone tries now and then; more credits let all of them go."""
    with paired(tmp_path / "home", budget={"approve_mass": 0}) as (home, sandbox):
        sandbox.control("credits", {"credits": 100_000})
        sandbox.faults({"operation": "text_to_speech", "kind": "status", "status": 402})
        for number in range(50):
            home.drop(SPEECH, f"work {number}.txt", f"Words to be spoken, number {number}.".encode())
        home.start()
        wait_for_brake(home, "credits")
        wait_for(lambda: states(home, "jobs") == {"submitting": 50}, 60, "every job to wait")
        posts = counts(sandbox)["text_to_speech"]
        assert posts <= 4, "no more than were under way together"
        home.stop()
        home.start()
        wait_for(lambda: counts(sandbox)["text_to_speech"] > posts, what="one job to try")
        wait_for(lambda: home.query("SELECT 1 FROM brakes WHERE name = 'credits' AND probing = 0 AND count = 2"), what="the doubled pause")
        assert counts(sandbox)["text_to_speech"] == posts + 1
        assert told(home, "credits") == 1
        assert "credits" in shown(home, "credits")[1]["stops"]
        sandbox.faults()
        sandbox.control("credits", {"credits": 200_000})
        wait_for(lambda: brake(home, "credits") is None, 60, "the brake to let go by itself")
        all_archived(home, 50)
        assert history(home, "credits") == [("off", "on"), ("on", "off")]
        assert told(home, "credits", "brake off") == 1


def test_an_account_that_knows_none_of_our_tasks_is_given_nothing_until_a_person_says_so(pair: Pair, wares: Wares) -> None:
    """One lost task among good ones is only lost; where all are, the key is probably another account's."""
    home, sandbox = pair
    sandbox.faults({"operation": "task", "kind": "stuck_task", "skip": 1, "times": 2})
    home.start()
    drop_one(home, wares, ORDER, 1)
    home.rest(1)
    for number in (2, 3):
        drop_one(home, wares, ORDER, number)
    wait_for(lambda: totals(sandbox)["tasks"] == 3, what="three tasks")
    done, *stuck = [row["task_id"] for row in sandbox.ledger()["tasks"]]
    sandbox.control(f"tasks/{stuck[0]}", {"status": "gone"})
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE task_id = ? AND tries = 1", stuck[0]), what="one task to be missed")
    assert brake(home, "account") is None
    for task in (done, stuck[1]):
        sandbox.control(f"tasks/{task}", {"status": "gone"})
    _, hint = wait_for_brake(home, "account")
    assert "approve account" in hint
    sandbox.faults()  # a stuck task that was gone before it was begun has left its turn to the next
    drop_one(home, wares, ORDER, 4)
    wait_for(lambda: states(home, "jobs")["submitting"] == 1, what="the new job to wait")
    assert totals(sandbox)["tasks"] <= 3
    assert shown(home, "account")[1]["stops"] == "nothing is submitted: the account"
    home.command("approve", "account")
    wait_for(lambda: states(home, "drops")["archived"] == 2, what="the new drop to go through")
    assert brake(home, "account") is None
    assert history(home, "account") == [("off", "on"), ("on", "off")]
    assert told(home, "account") == 1


def test_a_pause_begins_no_new_work_and_ends_what_the_service_has(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    home.start()
    drop_one(home, wares, ORDER, 1)
    wait_for(lambda: totals(sandbox)["tasks"] == 1, what="the task")
    home.command("pause")
    drop_one(home, wares, ORDER, 2)
    wait_for(lambda: states(home, "drops") == {"archived": 1, "waiting": 1}, what="the first to be done, the second to wait")
    assert totals(sandbox)["puts"] == 1
    assert shown(home, "paused")[1]["stops"] == "no new work is begun: paused"
    home.stop()
    home.start()
    wait_for_brake(home, "paused")
    home.command("resume")
    all_archived(home, 2)
    assert history(home, "paused") == [("off", "on"), ("on", "off")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of six megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_fetching_until_there_is_room(small_disk: Path, tmp_path: Path, wares: Wares) -> None:
    """The work itself goes on; its result waits at the service."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(5_500_000))
    with paired(tmp_path / "home", folders={"outbox": str(small_disk)}) as (home, sandbox):
        home.start()
        drop_one(home, wares, ORDER, 1)
        why, hint = wait_for_brake(home, "disk")
        assert "free space" in why
        assert "Make room" in hint
        assert totals(sandbox)["tasks"] == 1
        assert counts(sandbox)["result_get"] == 0
        assert (home.inbox / ORDER / "work 1.mp4").exists()
        filler.unlink()
        all_archived(home, 1)
        assert (small_disk / ORDER / "work 1.es.mp4").stat().st_size > 0
        home.stop()


@pytest.mark.parametrize("room", ["archive", "failed"])
def test_a_full_disk_stops_what_would_be_put_there_and_nothing_else(small_disk: Path, tmp_path: Path, wares: Wares, room: str) -> None:
    """The original stays where it is, whole, until there is room; results are delivered all the same."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(5_500_000))
    with paired(tmp_path / "home", folders={room: str(small_disk)}) as (home, sandbox):
        drop_one(home, wares, ORDER, 1)
        home.drop(ORDER, "no film.mp4", b"this is not a film" * 100)
        home.start()
        why, hint = wait_for_brake(home, "disk", room)
        assert str(small_disk) in why
        assert "Make room" in hint
        goes_on, waits = ("failed", "work 1.mp4") if room == "archive" else ("archived", "no film.mp4")
        wait_for(lambda: states(home, "drops")[goes_on] == 1, what="the other original to be put away")
        wait_for((home.outbox / ORDER / "work 1.es.mp4").exists, what="the result")
        assert [path.name for path in (home.inbox / ORDER).iterdir()] == [waits]
        assert {path.name for path in small_disk.rglob("*") if path.is_file()} <= {"filler", ".qavix-watch"}
        assert "its disk is full" in shown(home, "disk", room)[0]
        assert totals(sandbox)["tasks"] == 1
        filler.unlink()
        home.rest(2)
        assert states(home, "drops") == {"archived": 1, "failed": 1}
        wait_for(lambda: told(home, "disk", "brake off"), what="the line in the log, which is written when the state has it")
        assert told(home, "disk") == told(home, "disk", "brake off") == 1
        assert history(home, "disk") == [("off", "on"), ("on", "off")]
        home.stop()
