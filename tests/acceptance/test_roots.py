"""Roots that go away: an unmounted share looks like an empty folder, and means nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"
MEGABYTES = 64


def offline(here: Home) -> bool:
    return bool(here.query("SELECT 1 FROM brakes WHERE name = 'root' AND state = 'on'"))


def states(here: Home) -> list[str]:
    return [state for (state,) in here.query("SELECT state FROM drops ORDER BY id")]


@pytest.fixture
def slow_tasks(box: Running) -> Callable[[], None]:
    """Tasks do not end until what it gives is called."""
    box.faults({"operation": "list_tasks", "kind": "status", "status": 429, "retry_after": 1})

    def over() -> None:
        box.faults()

    return over


def comes_back(here: Home, results: list[str]) -> None:
    wait_for(lambda: not offline(here), what="the root to be online again")
    here.rest(2)
    assert here.results() == results
    assert states(here) == ["archived", "archived"]


def with_two_drops(here: Home, clip: Callable[[], bytes]) -> None:
    """One that is submitted, and one that waits for more bytes."""
    here.drop(ORDER, "one.mp4", clip())
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'processing'"), what="the task to be made")
    data = clip()
    here.drop(ORDER, "two.mp4", data[:-10_000])
    wait_for(lambda: "cut short" in str(here.query("SELECT reason FROM drops")), what="the second one to wait")


def more(here: Home, clip: Callable[[], bytes]) -> None:
    """What the second one waits for: another file in its place, as an upload that is begun again."""
    here.drop(ORDER, "two.mp4", clip())


def test_a_root_that_is_away_is_not_an_empty_one(
    home: Callable[..., Home], clip: Callable[[], bytes], slow_tasks: Callable[[], None]
) -> None:
    """Nothing is written into the folder in its place, no drop is given up, `status` says so, and it comes back by itself."""
    here = home()
    with_two_drops(here, clip)
    os.rename(here.root, here.base / "elsewhere")
    here.root.mkdir()
    wait_for(lambda: offline(here), what="the root to be offline")
    slow_tasks()
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state IN ('fetching', 'done')"), what="the task to be found finished")
    time.sleep(1.5)
    assert list(here.root.iterdir()) == []
    assert len(here.open_work()) == 3
    said = json.loads(here.command("status", "--json").stdout)
    assert any(brake["name"] == "root" and "offline" in brake["why"] for brake in said["brakes"])
    here.root.rmdir()
    os.rename(here.base / "elsewhere", here.root)
    more(here, clip)
    comes_back(here, [f"{ORDER}/one.es.mp4", f"{ORDER}/two.es.mp4"])


def test_files_dropped_while_the_root_was_away_are_found_when_it_is_back(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """And what comes after that is noticed by its events."""
    here = home(watch={"rescan": 60})
    os.rename(here.root, here.base / "elsewhere")
    here.command("status")
    (here.base / "elsewhere" / "inbox" / ORDER).mkdir()
    (here.base / "elsewhere" / "inbox" / ORDER / "one.mp4").write_bytes(clip())
    os.rename(here.base / "elsewhere", here.root)
    here.rest(1, 70)
    here.drop(ORDER, "two.mp4", clip())
    here.rest(2)
    assert here.results() == [f"{ORDER}/one.es.mp4", f"{ORDER}/two.es.mp4"]


def test_a_root_that_is_only_away_for_a_moment_does_not_stay_braked(
    home: Callable[..., Home], clip: Callable[[], bytes], slow_tasks: Callable[[], None]
) -> None:
    """Work that meets it says so; the next look lets go."""
    here = home(watch={"rescan": 60})
    for number in range(8):
        here.drop(ORDER, f"clip {number}.mp4", clip())
    wait_for(lambda: len(here.query("SELECT 1 FROM jobs WHERE state = 'processing'")) == 8, what="the tasks to be made")
    slow_tasks()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        os.rename(here.root / ".qavix-watch", here.root / ".gone")
        time.sleep(0.02)
        os.rename(here.root / ".gone", here.root / ".qavix-watch")
        time.sleep(0.02)
    here.rest(8)
    wait_for(lambda: not offline(here), 10, "the brake to let go")
    assert len(here.results()) == 8


def test_a_brake_that_a_killed_service_left_is_let_go(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """The root may have come back while nobody looked."""
    here = home(watch={"rescan": 60})
    os.rename(here.root / ".qavix-watch", here.base / "marker")
    here.drop(ORDER, "one.mp4", clip())
    wait_for(lambda: offline(here), what="the root to be offline")
    here.kill()
    os.rename(here.base / "marker", here.root / ".qavix-watch")
    here.start()
    here.rest(1)
    assert here.results() == [f"{ORDER}/one.es.mp4"]


def test_a_root_with_another_marker_is_offline(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Another disk at the same place is not the one that is meant."""
    here, other = home(), home()
    os.rename(here.root, here.base / "elsewhere")
    shutil.copytree(other.root, here.root)
    (here.root / "inbox" / ORDER).mkdir()
    (here.root / "inbox" / ORDER / "clip.mp4").write_bytes(clip())
    wait_for(lambda: offline(here), what="the root to be offline")
    time.sleep(1)
    assert states(here) == []
    assert here.results() == []


def test_folders_that_a_person_removes_are_made_again(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """The inbox, the outbox and the archive, with the service running."""
    here = home()
    for number, name in enumerate(["inbox", "outbox", "archive", "failed"], start=1):
        shutil.rmtree(here.root / name)
        wait_for((here.root / "inbox").is_dir, what="the inbox to be there")
        here.drop(ORDER, f"clip {number}.mp4", clip())
        here.rest(number)
        assert f"{ORDER}/clip {number}.es.mp4" in here.results()
        assert (here.root / "archive" / ORDER / f"clip {number}.mp4").exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path], Any]]:
    """A disk of its own: gives what mounts it at a folder, again and again, and what takes it away as a lost share goes."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only the superuser may mount, and mkfs.ext4 makes the disk")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    loop = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if loop.returncode:
        pytest.skip(f"no loop device is to be had here: {loop.stderr}")
    device = loop.stdout.strip()
    places: set[Path] = set()

    def mount(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", device, place], check=True)
        places.add(place)

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    subprocess.run(["losetup", "--detach", device], check=False)


def test_a_disk_that_is_unmounted_and_mounted_again_goes_on(
    disk: Callable[[Path], Any], home: Callable[..., Home], clip: Callable[[], bytes], slow_tasks: Callable[[], None], tmp_path: Path
) -> None:
    """For the kernel, not by renaming: the folder below the mount stays empty."""
    base = tmp_path / "with a disk"
    disk(base / "root")
    here = home(base=base, watch={"rescan": 1})
    with_two_drops(here, clip)
    subprocess.run(["umount", "--lazy", here.root], check=True)
    wait_for(lambda: offline(here), what="the root to be offline")
    slow_tasks()
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state IN ('fetching', 'done')"), what="the task to be found finished")
    time.sleep(1.5)
    assert list(here.root.iterdir()) == []
    assert len(here.open_work()) == 3
    disk(here.root)
    more(here, clip)
    comes_back(here, [f"{ORDER}/one.es.mp4", f"{ORDER}/two.es.mp4"])
