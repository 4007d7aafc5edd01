"""The brake `api`: an operation that is not where it was asked for stands still, alone, and nothing is lost by it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.brakes import all_archived, brake, history, shown, told, wait_for_brake
from tests.support.kinds import SPEECH, Wares, drop_one
from tests.support.pair import counts, paired, states, totals
from tests.support.service import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Home

ORDER = "dub en to es"
DROPS = 6


@pytest.fixture
def wares(tmp_path: Path) -> Wares:
    return Wares(tmp_path)


def mended(home: Home) -> None:
    """Every path is the default again, from the next start on."""
    home.stop()
    home.config.write_text(re.sub(r"\[api\.paths\]\n(?:[^\[].*\n)*", "", home.config.read_text()))
    home.start()


@pytest.mark.parametrize(
    ("operation", "path", "order"),
    [
        ("video_translation", "/nowhere", ORDER),
        ("video_translation", "/videos/lip-sync", ORDER),
        ("get_upload_url", "/files/nowhere", ORDER),
        ("confirm_upload", "/files/nowhere", ORDER),
        ("list_voices", "/voice", SPEECH),
    ],
    ids=["nowhere", "another operation", "upload", "confirm", "voices"],
)
def test_a_wrong_path_leaves_every_original_in_the_inbox_and_all_go_through_once_it_is_mended(
    tmp_path: Path, wares: Wares, operation: str, path: str, order: str
) -> None:
    """Few calls, one line, one sentence that names the key; what needs the operation waits, and the rest goes on."""
    with paired(tmp_path / "home", **{"api.paths": {operation: path}}) as (home, sandbox):
        for number in range(DROPS):
            if order == ORDER:
                drop_one(home, wares, order, number)
            else:
                home.drop(order, f"work {number}.txt", f"Words to be spoken, number {number}.".encode())
        home.start()
        _, hint = wait_for_brake(home, "api", operation)
        assert f"[api.paths] {operation}" in hint
        assert "After a change reload or restart the service" in hint
        wait_for(lambda: not states(home, "drops")["waiting"], what="the drops to be read")
        assert len(list((home.inbox / order).iterdir())) == DROPS
        assert totals(sandbox)["tasks"] == 0
        assert told(home, "api") == 1
        text, row = shown(home, "api", operation)
        assert f"({operation})" in text
        assert f"[api.paths] {operation}" in text
        assert operation in row["stops"]
        assert sum(counts(sandbox).values()) < 45
        mended(home)
        all_archived(home, DROPS)
        assert totals(sandbox)["tasks"] == DROPS
        assert told(home, "api", "brake off") == 1
        assert history(home, "api") == [("off", "on"), ("on", "off")]


def test_one_operation_that_stands_still_stops_no_other(tmp_path: Path, wares: Wares) -> None:
    """Paths of the account, of listing and of asking are wrong as well: each stands still by itself, and loses nothing."""
    wrong = {"smart_eraser": "/nowhere", "get_balance": "/account/nowhere", "pricing": "/account/none", "get_task": "/none/{task_id}"}
    with paired(tmp_path / "home", **{"api.paths": wrong}) as (home, sandbox):
        drop_one(home, wares, "erase", 1)
        drop_one(home, wares, ORDER, 2)
        home.start()
        for operation in ("smart_eraser", "get_balance", "get_task"):
            wait_for_brake(home, "api", operation)
        assert totals(sandbox)["tasks"] == 1
        assert (home.inbox / "erase" / "work 1.mp4").exists()
        assert brake(home, "auth") is None
        mended(home)
        all_archived(home, 2)
        assert home.query("SELECT name FROM brakes WHERE state = 'on'") == []


def test_five_identical_refusals_are_no_matter_of_the_files_and_one_that_succeeds_shows_it(tmp_path: Path, wares: Wares) -> None:
    """Not even the first of them is put into `failed`; nobody has to start anything again."""
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400})
        for number in range(DROPS + 2):
            drop_one(home, wares, ORDER, number)
        home.start()
        why, _ = wait_for_brake(home, "api", "video_translation")
        assert "in the same words" in why
        wait_for(lambda: states(home, "jobs") == {"submitting": DROPS + 2}, what="every job to wait")
        assert len(list((home.inbox / ORDER).iterdir())) == DROPS + 2
        assert counts(sandbox)["video_translation"] < 12
        sandbox.faults()
        all_archived(home, DROPS + 2)
        assert not list((home.root / "failed").rglob("*.mp4"))
        assert told(home, "api") == told(home, "api", "brake off") == 1
        assert history(home, "api") == [("off", "on"), ("on", "off")]


def test_a_refusal_of_one_file_is_its_own_as_soon_as_another_goes_through(tmp_path: Path, wares: Wares) -> None:
    with paired(tmp_path / "home") as (home, sandbox):
        sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400, "times": 2})
        for number in range(4):
            drop_one(home, wares, ORDER, number)
        home.start()
        home.rest(4)
        assert states(home, "drops") == {"archived": 2, "failed": 2}
        assert told(home, "api") == 0
