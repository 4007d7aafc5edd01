"""What is wrong with the world stops the work that it concerns, says what to do, loses nothing, and lets go by itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import running
from tests.support.kinds import Wares, drop_one
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


def brake(home: Home, name: str) -> tuple[str, str] | None:
    """What a brake says, and what to do, while it is on."""
    found = home.query("SELECT why, hint FROM brakes WHERE name = ? AND state = 'on'", name)
    return found[0] if found else None


def wait_for_brake(home: Home, name: str, seconds: float = 30) -> tuple[str, str]:
    found: tuple[str, str] = wait_for(lambda: brake(home, name), seconds, f"the brake {name}")
    return found


def told(home: Home, name: str) -> int:
    """How often the log says that a brake went on."""
    rows = [json.loads(line) for line in home.log.read_text().splitlines() if line.startswith("{")]
    return sum(row["event"] == "brake on" and row["brake"] == name for row in rows)


def restarted_with(home: Home, key: str) -> None:
    home.stop()
    home.key = key
    home.start()


def all_archived(home: Home, drops: int, seconds: float = 60) -> None:
    home.rest(drops, seconds)
    assert states(home, "drops") == {"archived": drops}


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
    wait_for(lambda: counts(sandbox)["get_upload_url"] >= 2, 30, "two tries")
    assert (home.inbox / ORDER / "work 1.mp4").exists()
    [(reason,)] = home.query("SELECT reason FROM contents")
    assert "only read" in reason
    assert "what this account and key may do" in home.log.read_text()
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
