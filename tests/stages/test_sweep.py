"""At a start the folder of parts is cleared of what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.layout import PARTS, Layout, join
from qavix_watch.core.lifecycle import DeliveryState, JobState
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.sweep import left_behind, needless, sweep
from tests.store.conftest import NOW, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state in which job 1 is being fetched and job 2 is done."""
    made = State(tmp_path / "state.db")
    made.job("one", JobState.FETCHING)
    made.job("two", JobState.DONE)
    yield made
    made.store.close()


def layout_in(base: Path) -> Layout:
    return Layout("place", *(bytes(base / name) for name in ("inbox", "outbox", "archive", "failed")))


def swept(base: Path, state: State, names: list[str], *, same_boot: bool = True) -> list[str]:
    """What is left of files with these names in the folder of parts."""
    layout = layout_in(base)
    parts = base / "outbox" / PARTS.decode()
    parts.mkdir(parents=True)
    for name in names:
        (parts / name).write_bytes(b"x")
    found = left_behind(Disk(), layout)
    sweep(Disk(), layout, state.act(lambda tx: needless(tx, found, same_boot=same_boot)))
    return sorted(path.name for path in parts.iterdir()) if parts.exists() else []


def test_downloads_that_can_go_on_and_results_that_wait_for_their_name_stay(tmp_path: Path, state: State) -> None:
    state.want(2, state.drop())
    state.act(lambda tx: tx.jobs.add_result(2, "video", "mp4", "aa", 1, join(PARTS, b"2.video.1.whole"), None))
    names = ["1.video.3.part", "1.video.3.head", "1.video.2.whole", "2.video.1.whole"]
    assert swept(tmp_path, state, names) == ["1.video.3.head", "1.video.3.part", "2.video.1.whole"]


def test_a_result_whose_delivery_was_called_off_goes(tmp_path: Path, state: State) -> None:
    drop = state.drop()
    state.want(2, drop)
    state.act(lambda tx: tx.jobs.add_result(2, "video", "mp4", "aa", 1, join(PARTS, b"2.video.1.whole"), None))
    state.act(lambda tx: tx.jobs.give_up(2, NOW, "cancelled", DeliveryState.CANCELLED))
    assert swept(tmp_path, state, ["2.video.1.whole"]) == []
    assert state.row("results", 1)["staged"] is None, "where it is wanted again, it is fetched again"


def test_the_download_of_a_job_that_has_ended_goes_and_with_it_the_folder(tmp_path: Path, state: State) -> None:
    names = ["2.video.3.part", "2.video.3.head", "d7.1.2.copy", "1.video.3.head.new", "11.video.1.part", "what.is.this"]
    assert swept(tmp_path, state, names) == []


def test_after_a_power_loss_no_download_goes_on(tmp_path: Path, state: State) -> None:
    """Its end may not be what was written."""
    assert swept(tmp_path, state, ["1.video.3.part", "1.video.3.head"], same_boot=False) == []


def test_what_another_host_has_in_hand_stays_whatever_became_of_this_one(tmp_path: Path, state: State) -> None:
    """It fetches job 1 and delivers the results of job 2, which it copies."""
    drop = state.drop()
    state.want(2, drop)
    (job,) = state.take("job", [JobState.FETCHING], owner="other:1")
    (delivery,) = state.take("delivery", DeliveryState, owner="other:1")
    held = [f"1.video.{job.row.fence}.part", f"1.video.{job.row.fence}.whole", f"d{delivery.id}.1.{delivery.row.fence}.copy"]
    assert swept(tmp_path, state, [*held, "2.video.9.part"], same_boot=False) == held


def test_what_a_host_had_in_hand_whose_lease_is_over_goes(tmp_path: Path, state: State) -> None:
    state.take("job", [JobState.FETCHING], owner="other:1")
    state.present = NOW + 61
    assert swept(tmp_path, state, ["1.video.1.part", "1.video.1.whole"], same_boot=False) == []


def test_what_is_made_while_the_state_is_asked_is_not_touched(tmp_path: Path, state: State) -> None:
    """Another host takes a job over and begins, after the names were read."""
    layout = layout_in(tmp_path)
    (tmp_path / "outbox" / PARTS.decode()).mkdir(parents=True)
    found = left_behind(Disk(), layout)
    later = tmp_path / "outbox" / PARTS.decode() / "2.video.1.part"
    later.write_bytes(b"x")
    sweep(Disk(), layout, state.act(lambda tx: needless(tx, found, same_boot=False)))
    assert later.exists()


def test_where_nothing_was_ever_fetched_nothing_is_made(tmp_path: Path, state: State) -> None:
    (tmp_path / "outbox").mkdir()
    assert left_behind(Disk(), layout_in(tmp_path)) == []
    sweep(Disk(), layout_in(tmp_path), [])
    assert [path.name for path in (tmp_path / "outbox").rglob("*")] == []
