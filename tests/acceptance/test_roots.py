"""Roots that go away: an unmounted share looks like an empty folder, and means nothing."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.brakes import told
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


def test_a_marker_that_was_deleted_is_made_anew_by_init(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """It has another id then: the brake of the folder that was there before holds nothing up. Both are told in the log, once."""
    here = home()
    (here.root / ".qavix-watch").unlink()
    here.drop(ORDER, "one.mp4", clip())
    wait_for(lambda: offline(here), what="the root to be offline")
    wait_for(lambda: told(here, "root") == 1, what="the log to say so")
    assert "Where its marker was deleted: `qavix-watch init`, then restart the service." in here.command("status").stdout
    here.stop()
    here.command("init")
    here.start()
    here.rest(1)
    assert here.results() == [f"{ORDER}/one.es.mp4"]
    assert not offline(here)
    assert (told(here, "root"), told(here, "root", "brake off")) == (1, 1)


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


def is_locked(here: Home) -> bool:
    """Whether somebody holds the marker of the root, as another program sees it."""
    with (here.root / ".qavix-watch").open("rb") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def marker_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / ".qavix-watch").read_text())
    return found


def refused(here: Home) -> str:
    """`run`, which ends at once; what it says."""
    done = here.command("run", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_root_has_one_service_and_one_owner(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Another state's service is refused with who has the root, also by `init`; a second one on the same state, too. What waits is
    untouched. Once nobody holds it `init` adopts it, the first one is refused, and each start was counted.
    """
    here, other = home(), home(start=False)
    assert here.process is not None
    text = other.config.read_text().replace(f'root = "{other.root}"', f'root = "{here.root}"')
    other.config.write_text(text)
    pid = f"process {here.process.pid} on {socket.gethostname()}"
    assert marker_of(here.root)["starts"] == 1
    assert pid in refused(other)
    done = other.command("init", str(here.root), check=False)
    assert done.returncode == 1
    assert pid in done.stderr
    assert pid in refused(here)
    assert marker_of(here.root)["owner_name"] == str(here.state)
    here.drop(ORDER, "one.mp4", clip())
    here.rest(1)
    here.stop()

    said = refused(other)
    assert f"belongs to another state ({here.state})" in said
    assert f"qavix-watch init {here.root}" in said
    assert str(here.state) in other.command("init", str(here.root)).stderr
    before = marker_of(here.root)
    other.start()
    assert other.process is not None
    after = marker_of(here.root)
    assert (after["id"], after["starts"]) == (before["id"], before["starts"] + 1)
    assert after["holder"] == f"process {other.process.pid} on {socket.gethostname()}"
    assert f"process {other.process.pid} on" in refused(here)
    other.stop()
    assert "belongs to another state" in refused(here)


def test_a_root_without_a_marker_is_refused_with_what_to_type(home: Callable[..., Home]) -> None:
    here = home(start=False)
    (here.root / ".qavix-watch").unlink()
    assert f"qavix-watch init {here.root}" in refused(here)
    shutil.rmtree(here.root)
    assert f"qavix-watch init {here.root}" in refused(here)
    assert not here.root.exists()


def test_a_damaged_marker_is_mended_by_init_and_what_waits_goes_on(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Refused while it runs, as a service works in it; the folder keeps its id, so that its drops are known again."""
    here = home()
    here.drop(ORDER, "one.mp4", clip()[:-10_000])
    wait_for(lambda: "cut short" in str(here.query("SELECT reason FROM drops")), what="the drop to wait")
    before, marker = marker_of(here.root), here.root / ".qavix-watch"
    here.stop()
    marker.write_bytes(b"\0" * 512)
    assert "Run `qavix-watch init` on the folder." in refused(here)
    with marker.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = here.command("init", check=False)
        assert "Stop that service first" in done.stderr
    assert "anew" in here.command("init").stderr
    assert marker_of(here.root)["id"] == before["id"]
    here.start()
    here.drop(ORDER, "one.mp4", clip())
    here.rest(1)
    assert here.results() == [f"{ORDER}/one.es.mp4"]
    assert here.query("SELECT count(*) FROM drops") == [(1,)]


def test_a_root_that_was_away_is_locked_again_when_it_is_back(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """While it is away the lock is let go of. Locked by somebody meanwhile, it stays offline, says so, and is back when that one ends;
    adopted by another state meanwhile, it stays offline.
    """
    here, other = home(), home(start=False)
    assert is_locked(here)
    os.rename(here.root, here.base / "elsewhere")
    wait_for(lambda: offline(here), what="the root to be offline")
    os.rename(here.base / "elsewhere", here.root)
    wait_for(lambda: not offline(here), what="the root to be back")
    assert is_locked(here)

    os.rename(here.root / ".qavix-watch", here.base / "marker")
    wait_for(lambda: offline(here), what="the root to be offline")
    with (here.base / "marker").open("rb+") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(here.base / "marker", here.root / ".qavix-watch")
        wait_for(lambda: "back and cannot be used yet" in brake(here), what="the brake to say who has it")
    wait_for(lambda: not offline(here), what="the root to be back")
    assert is_locked(here)

    elsewhere = here.base / "elsewhere"
    other.config.write_text(other.config.read_text().replace(f'root = "{other.root}"', f'root = "{elsewhere}"'))
    os.rename(here.root, elsewhere)
    wait_for(lambda: offline(here), what="the root to be offline")
    other.command("init", str(elsewhere))
    os.rename(elsewhere, here.root)
    here.drop(ORDER, "one.mp4", clip())
    wait_for(lambda: "belongs to another" in brake(here), what="the brake to say whose it is")
    assert states(here) == []
    assert not is_locked(here)


def brake(here: Home) -> str:
    """Why the root stands still, "" where it does not."""
    return "".join(why for (why,) in here.query("SELECT why FROM brakes WHERE name = 'root' AND state = 'on'"))


def test_an_outbox_elsewhere_that_goes_away_under_load_loses_nothing(
    home: Callable[..., Home], clip: Callable[[], bytes], tmp_path: Path
) -> None:
    """Twenty films, and the outbox's marker and folder come and go while they are fetched and delivered."""
    outlet, elsewhere = tmp_path / "outlet", tmp_path / "outlet away"
    outlet.mkdir()
    here = home(start=False, folders={"outbox": str(outlet)})
    here.start()
    for number in range(20):
        here.drop(ORDER, f"clip {number:02}.mp4", clip())
    for _ in range(6):
        wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state IN ('processing', 'fetching')") or here.at_rest(20), what="work")
        os.rename(outlet, elsewhere)
        outlet.mkdir()
        time.sleep(0.3)
        assert list(outlet.iterdir()) == [], "something was written into the folder in its place"
        outlet.rmdir()
        os.rename(elsewhere, outlet)
        time.sleep(0.3)
    here.rest(20, 90)
    assert sorted(path.name for path in (outlet / ORDER).iterdir()) == [f"clip {number:02}.es.mp4" for number in range(20)]
    assert states(here) == ["archived"] * 20
    assert here.query("SELECT count(DISTINCT task_id), count(*) FROM jobs") == [(20, 20)]


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

    mount.device = device  # type: ignore[attr-defined]
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


def test_a_disk_that_is_unmounted_lazily_is_let_go_of_at_once(
    disk: Callable[[Path], Any], home: Callable[..., Home], tmp_path: Path
) -> None:
    """The service keeps the marker open, so that a plain umount says that the disk is busy; a lazy one is noticed long before the next
    look, and then nothing uses the disk any more. Mounted again, it is locked again.
    """
    base = tmp_path / "with a disk"
    disk(base / "root")
    here = home(base=base, watch={"rescan": 3600})
    busy = subprocess.run(["umount", here.root], capture_output=True, text=True, check=False)
    assert busy.returncode != 0
    assert "busy" in busy.stderr
    subprocess.run(["umount", "--lazy", here.root], check=True)
    wait_for(lambda: offline(here), 10, "the root to be offline")
    wait_for(lambda: not in_use(disk.device), 10, "the disk to be free")  # type: ignore[attr-defined]
    disk(here.root)
    wait_for(lambda: not offline(here), 10, "the root to be online again")
    assert is_locked(here)


def in_use(device: str) -> bool:
    """Whether the kernel still has a filesystem on a disk (open(2): O_EXCL of a block device)."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False
