"""What people do to files and folders while work is under way: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.media import make_image
from tests.support.service import wait_for
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"
HOLD_BACK = {"operation": "get_upload_url", "kind": "status", "status": 503}
"""While it is in force everything is ready, and nothing is uploaded or submitted."""


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(top: Path) -> dict[str, bytes]:
    """What lies below a folder, by relative path."""
    return {str(path.relative_to(top)): path.read_bytes() for path in files_below(top)}


def archived(here: Home) -> dict[str, bytes]:
    return files(here.root / "archive")


def states(here: Home) -> list[str]:
    return [state for (state,) in here.query("SELECT state FROM drops ORDER BY id")]


@pytest.fixture
def made(box: Running) -> Callable[..., list[tuple[str, str]]]:
    """Gives task type and target of each task with one of these contents."""

    def of(*contents: bytes) -> list[tuple[str, str]]:
        wanted = {sha256_of(data) for data in contents}
        tasks = [task for task in box.ledger()["tasks"] if wanted & {given["sha256"] for given in task["inputs"].values()}]
        return [(task["task_type"], task["target_language"]) for task in tasks]

    return of


@pytest.fixture
def slow_tasks(box: Running) -> Callable[[], None]:
    """Tasks do not end until what it gives is called."""
    box.faults({"operation": "list_tasks", "kind": "status", "status": 429, "retry_after": 1})

    def over() -> None:
        box.faults()

    return over


def submitted(here: Home) -> bool:
    return bool(here.query("SELECT 1 FROM jobs WHERE state = 'processing'"))


def waits_for_upload(here: Home) -> bool:
    return bool(here.query("SELECT 1 FROM jobs WHERE state = 'uploading'"))


# An original that changes while its job runs


@pytest.mark.parametrize("after", ["archive", "delete", "keep"])
@pytest.mark.parametrize("how", ["renamed over", "written over"])
def test_an_original_replaced_while_its_job_runs_is_a_drop_of_its_own(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]], slow_tasks: Callable[[], None],
    after: str, how: str,
) -> None:
    """The newer one is neither put away as the older nor lost; both come out."""
    here, first, second = home(folders={"after": after}), clip(), clip(5)
    path = here.drop(ORDER, "clip.mp4", first)
    wait_for(lambda: submitted(here), what="the task to be made")
    if how == "renamed over":
        (here.base / "newer").write_bytes(second)
        os.rename(here.base / "newer", path)
    else:
        path.write_bytes(second)
    slow_tasks()
    here.rest(2)
    assert made(first) == made(second) == [("video_translation", "es")]
    assert here.results() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]
    assert archived(here) == ({f"{ORDER}/clip.mp4": second} if after == "archive" else {})
    assert files(here.inbox) == ({f"{ORDER}/clip.mp4": second} if after == "keep" else {})


def test_an_original_taken_away_while_its_job_runs_is_still_delivered(
    home: Callable[..., Home], clip: Callable[..., bytes], slow_tasks: Callable[[], None]
) -> None:
    """It is billed, so it is delivered."""
    here = home()
    path = here.drop(ORDER, "clip.mp4", clip())
    wait_for(lambda: submitted(here), what="the task to be made")
    path.unlink()
    slow_tasks()
    here.rest(1)
    assert here.results() == [f"{ORDER}/clip.es.mp4"]
    assert archived(here) == {}


def test_an_original_that_is_open_for_writing_is_put_away_when_it_is_closed(
    home: Callable[..., Home], clip: Callable[..., bytes], slow_tasks: Callable[[], None]
) -> None:
    """Archiving never fails a job; it waits."""
    here, data = home(), clip()
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: submitted(here), what="the task to be made")
    with path.open("r+b"):
        slow_tasks()
        wait_for(lambda: here.query("SELECT 1 FROM drops WHERE state = 'archiving' AND reason LIKE '%open for writing%'"))
        assert path.exists()
    here.rest(1)
    assert archived(here) == {f"{ORDER}/clip.mp4": data}


# Where originals go


def test_after_keep_leaves_the_original_and_does_it_once(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]]
) -> None:
    """Also over a restart."""
    here, data = home(folders={"after": "keep"}), clip()
    here.drop(ORDER, "clip.mp4", data)
    here.rest(1)
    here.stop()
    here.start()
    here.drop(ORDER, "other.mp4", clip())
    here.rest(2)
    assert states(here) == ["kept", "kept"]
    assert f"{ORDER}/clip.mp4" in files(here.inbox)
    assert len(made(data)) == 1


def test_after_delete_removes_the_original(home: Callable[..., Home], clip: Callable[..., bytes]) -> None:
    """Once its result is on disk."""
    here = home(folders={"after": "delete"})
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1)
    assert here.results() == [f"{ORDER}/clip.es.mp4"]
    assert files(here.inbox) == archived(here) == {}


@pytest.mark.parametrize("after", ["archive", "delete", "keep"])
def test_what_failed_lies_with_its_reason(home: Callable[..., Home], box: Running, clip: Callable[..., bytes], after: str) -> None:
    """In `failed/`, whatever becomes of those that succeed; with `keep` the reason comes to it."""
    here, data = home(folders={"after": after}), clip()
    box.faults({"operation": "task", "kind": "fail_task", "message": "no speech was found"})
    here.drop(f"{ORDER}", "sub clip.mp4", data)
    here.rest(1)
    place = here.inbox if after == "keep" else here.root / "failed"
    found = files(place)
    assert found.keys() == {f"{ORDER}/sub clip.mp4", f"{ORDER}/sub clip.mp4.why.txt"}
    assert found[f"{ORDER}/sub clip.mp4"] == data
    assert b"no speech was found" in found[f"{ORDER}/sub clip.mp4.why.txt"]
    assert b"a new task, about" in found[f"{ORDER}/sub clip.mp4.why.txt"]


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_failed_original_that_is_dragged_back_is_tried_again(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], made: Callable[..., list[Any]], running: bool
) -> None:
    """By a rename, so that it is the same file to the last bit of its stat; with the service running or not."""
    here, data = home(watch={"rescan": 60}), clip()
    box.faults({"operation": "task", "kind": "fail_task", "times": 1})
    path = here.drop(ORDER, "clip.mp4", data)
    here.rest(1)
    if not running:
        here.stop()
    os.rename(here.root / "failed" / ORDER / "clip.mp4", path)
    if not running:
        here.start()
    here.rest(2)
    assert states(here) == ["failed", "archived"]
    assert archived(here) == {f"{ORDER}/clip.mp4": data}
    assert len(made(data)) == 2


def test_an_archived_original_that_is_dragged_back_is_delivered_again(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]]
) -> None:
    """Without a second task."""
    here, data = home(watch={"rescan": 60}), clip()
    path = here.drop(ORDER, "clip.mp4", data)
    here.rest(1)
    (here.outbox / ORDER / "clip.es.mp4").unlink()
    os.rename(here.root / "archive" / ORDER / "clip.mp4", path)
    here.rest(2)
    assert here.results() == [f"{ORDER}/clip.es.mp4"]
    assert archived(here) == {f"{ORDER}/clip.mp4": data}
    assert len(made(data)) == 1


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another filesystem than the rest."""
    memory = "/dev/shm"
    if not os.path.isdir(memory) or os.stat(memory).st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"{memory} is no filesystem of its own")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_an_archive_on_another_filesystem_takes_whole_originals(
    home: Callable[..., Home], clip: Callable[..., bytes], elsewhere: Path
) -> None:
    """With their content and their time; nothing else is left lying there."""
    here, data = home(folders={"archive": str(elsewhere)}), clip()
    path = here.drop(ORDER, "clip.mp4", data)
    os.utime(path, (1e9, 1e9))
    here.rest(1)
    assert files(elsewhere / ORDER) == {"clip.mp4": data}
    assert (elsewhere / ORDER / "clip.mp4").stat().st_mtime == 1e9
    assert files(here.inbox) == {}


@pytest.mark.parametrize("after", ["archive", "delete"])
def test_an_original_that_changed_under_a_kept_time_is_not_lost(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]], slow_tasks: Callable[[], None],
    elsewhere: Path, after: str,
) -> None:
    """Before a delete, and before a move to another filesystem, its content is compared too; it counts as a new drop."""
    here, data = home(folders={"archive": str(elsewhere), "after": after}, watch={"rescan": 60}), clip()
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: submitted(here), what="the task to be made")
    before, changed = path.stat(), data[:-1] + b"y"
    with path.open("r+b", buffering=0) as file:
        file.write(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    slow_tasks()
    here.rest(2)
    assert made(data) == made(changed) == [("video_translation", "es")]
    assert here.results() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]
    assert files(here.inbox) == {}
    assert files(elsewhere).get(f"{ORDER}/clip.mp4") == (changed if after == "archive" else None)


# Undo


@pytest.mark.parametrize("when", ["waiting", "uploading"])
def test_taking_a_file_out_before_it_is_submitted_undoes_it(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], made: Callable[..., list[Any]], when: str
) -> None:
    """No task is made, and nothing is left of it; putting it back does it."""
    here, data = home(watch={"settle": 0.2 if when == "uploading" else 5, "rescan": 60}), clip()
    box.faults(HOLD_BACK)
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here) if when == "uploading" else states(here) == ["waiting"])
    os.rename(path, here.base / "aside.mp4")
    wait_for(lambda: states(here) == ["gone"], what="the drop to be undone")
    box.faults()
    assert not here.open_work()
    assert made(data) == []
    os.rename(here.base / "aside.mp4", path)
    here.rest(2)
    assert made(data) == [("video_translation", "es")]
    assert here.results() == [f"{ORDER}/clip.es.mp4"]


def test_a_file_taken_out_and_put_back_at_once_is_worked_on(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], made: Callable[..., list[Any]]
) -> None:
    """However often, and whatever stage looks at it in that moment."""
    here, data = home(), clip()
    path, aside = here.drop(ORDER, "clip.mp4", data), here.base / "aside.mp4"
    until = time.monotonic() + 2
    while time.monotonic() < until and path.exists():
        os.rename(path, aside)
        time.sleep(0.01)
        os.rename(aside, path)
        time.sleep(0.06)
    wait_for(lambda: here.results() == [f"{ORDER}/clip.es.mp4"], what="it to come out")
    here.rest(1)
    assert made(data) == [("video_translation", "es")]


# Folders


def test_a_folder_renamed_before_submitting_changes_the_order(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], made: Callable[..., list[Any]]
) -> None:
    """The old order is not made any more."""
    here, data = home(watch={"rescan": 60}), clip()
    box.faults(HOLD_BACK)
    here.drop(f"{ORDER}/sub", "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here), what="the job to be ready")
    os.rename(here.inbox / ORDER, here.inbox / "dub en to fr")
    wait_for(lambda: states(here)[0] == "gone", what="the old order to be given up")
    box.faults()
    here.rest(2)
    assert made(data) == [("video_translation", "fr")]
    assert here.results() == ["dub en to fr/sub/clip.fr.mp4"]


def test_a_folder_renamed_after_submitting_is_delivered_under_its_new_name(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]], slow_tasks: Callable[[], None]
) -> None:
    """Even though the new order does not ask for that."""
    here, data = home(watch={"rescan": 60}), clip()
    here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: submitted(here), what="the task to be made")
    os.rename(here.inbox / ORDER, here.inbox / "dub en to fr (later)")
    wait_for(lambda: b"later" in here.query("SELECT path FROM drops")[0][0], what="the drop to be followed")
    slow_tasks()
    here.rest(1)
    assert made(data) == [("video_translation", "es")]
    assert here.results() == ["dub en to fr (later)/clip.es.mp4"]
    assert archived(here) == {"dub en to fr (later)/clip.mp4": data}


def test_a_label_that_is_added_after_submitting_changes_nothing_but_the_place(
    home: Callable[..., Home], clip: Callable[..., bytes], made: Callable[..., list[Any]], slow_tasks: Callable[[], None]
) -> None:
    """The same task, delivered once."""
    here, data = home(), clip()
    here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: submitted(here), what="the task to be made")
    os.rename(here.inbox / ORDER, here.inbox / f"{ORDER} (mine)")
    wait_for(lambda: b"mine" in here.query("SELECT path FROM drops")[0][0], what="the drop to be followed")
    slow_tasks()
    here.rest(1)
    assert made(data) == [("video_translation", "es")]
    assert here.results() == [f"{ORDER} (mine)/clip.es.mp4"]


def _tree(top: Path, clip: Callable[..., bytes]) -> dict[str, bytes]:
    """Three orders, with sub-folders and an options file."""
    wanted = {"dub en to es/a.mp4": clip(), "dub en to es/deep/er/b.mp4": clip(), "subs en to fr/c.mp4": clip(), "erase/d.mp4": clip()}
    for path, data in wanted.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)
    (top / "subs en to fr/qavix.toml").write_text("embed = true\n")
    (top / "erase/notes.nfo").write_text("a companion")
    return wanted


TREE_RESULTS = [
    "dub en to es/a.es.mp4", "dub en to es/deep/er/b.es.mp4", "erase/d.erased.mp4",
    "subs en to fr/c.fr.srt", "subs en to fr/c.fr.subbed.mp4",
]


@pytest.mark.parametrize("how", ["moved", "copied", "rsync", "there before"])
def test_a_tree_comes_through_whole(home: Callable[..., Home], clip: Callable[..., bytes], tmp_path: Path, how: str) -> None:
    """Each file under its own order; the options file counts although it may be copied last."""
    if how == "rsync" and shutil.which("rsync") is None:
        pytest.skip("rsync is not here")
    here = home(start=False, watch={"rescan": 60})
    source = tmp_path / "tree"
    wanted = _tree(source, clip)
    if how != "there before":
        here.start()
    if how == "rsync":
        subprocess.run(["rsync", "-a", f"{source}/", f"{here.inbox}/"], check=True)
    for order in sorted(source.iterdir()) if how != "rsync" else []:
        if how == "moved":
            os.rename(order, here.inbox / order.name)
        else:
            subprocess.run(["cp", "-r", order, here.inbox], check=True)
    if how == "there before":
        here.start()
    here.rest(4)
    assert here.results() == TREE_RESULTS
    assert archived(here) == wanted


def test_a_companion_that_lies_in_a_folder_does_not_hold_it_up(home: Callable[..., Home], clip: Callable[..., bytes]) -> None:
    """A folder is still arriving while something in it changes, not while it holds what is no drop."""
    here = home(watch={"settle_folder": 3, "rescan": 1})
    folder = here.inbox / ORDER
    folder.mkdir()
    (folder / "poster.jpg").write_bytes(b"a companion")
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1, 15)
    assert here.results() == [f"{ORDER}/clip.es.mp4"]


# Options


def test_options_that_change_before_submitting_count(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes]
) -> None:
    """The nearest qavix.toml is read again whenever it changes."""
    here, data = home(watch={"rescan": 60}), clip()
    box.faults(HOLD_BACK)
    here.drop("subs en to es", "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here), what="the job to be ready")
    (here.inbox / "subs en to es" / "qavix.toml").write_text("embed = true\n")
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'uploading' AND params_json LIKE '%true%'"), what="the options to count")
    box.faults()
    here.rest(1)
    assert here.results() == ["subs en to es/clip.es.srt", "subs en to es/clip.es.subbed.mp4"]


def test_broken_options_stop_what_is_not_submitted_until_they_are_mended(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], made: Callable[..., list[Any]]
) -> None:
    """What lies below waits, says why, and is not read again and again meanwhile."""
    here, data = home(watch={"rescan": 1}), clip()
    box.faults(HOLD_BACK)
    here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here), what="the job to be ready")
    options = here.inbox / ORDER / "qavix.toml"
    options.write_text("priority = = high\n")
    wait_for(lambda: "qavix.toml" in str(here.query("SELECT reason FROM drops")), what="the drop to say so")
    box.faults()
    events = here.query("SELECT count(*) FROM events")
    time.sleep(2.5)
    assert here.query("SELECT count(*) FROM events") == events
    assert made(data) == []
    options.write_text('priority = "high"\n')
    here.rest(1)
    assert made(data) == [("video_translation", "es")]


# Two inputs


@pytest.fixture
def face(tmp_path: Path) -> Callable[[int], bytes]:
    """Gives pictures, one for each number."""
    return lambda number: make_image(tmp_path / f"face{number}.jpg", seed=number).read_bytes()


def partners(box: Running, data: bytes) -> list[str]:
    """The SHA-256 of the second input of each task on this video."""
    tasks = [task for task in box.ledger()["tasks"] if task["inputs"].get("video_url", {}).get("sha256") == sha256_of(data)]
    return [task["inputs"]["image_url"]["sha256"] for task in tasks]


def test_a_video_waits_for_its_partner_and_says_so(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], face: Callable[[int], bytes]
) -> None:
    """The partner follows its video to the archive."""
    here, data = home(watch={"rescan": 60}), clip()
    here.drop("face swap", "clip.mp4", data)
    wait_for(lambda: "clip.jpg" in str(here.query("SELECT reason FROM drops")), what="the drop to say what it waits for")
    here.drop("face swap", "clip.jpg", face(1))
    here.rest(1)
    assert partners(box, data) == [sha256_of(face(1))]
    assert here.results() == ["face swap/clip.swapped.mp4"]
    assert archived(here) == {"face swap/clip.mp4": data, "face swap/clip.jpg": face(1)}


def test_a_shared_partner_serves_all_and_stays(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], face: Callable[[int], bytes]
) -> None:
    """`face.jpg` in the order's folder, for what lies below it too; a picture of the same stem comes first."""
    here, one, two, own = home(), clip(), clip(), clip()
    here.drop("face swap", "face.jpg", face(1))
    here.drop("face swap", "one.mp4", one)
    here.drop("face swap/sub", "two.mp4", two)
    here.drop("face swap", "own.jpg", face(2))
    here.drop("face swap", "own.mp4", own)
    here.rest(3)
    assert partners(box, one) == partners(box, two) == [sha256_of(face(1))]
    assert partners(box, own) == [sha256_of(face(2))]
    assert files(here.inbox) == {"face swap/face.jpg": face(1)}


def test_two_partners_of_one_stem_are_asked_about(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], face: Callable[[int], bytes], tmp_path: Path
) -> None:
    """Both are named; taking one away answers."""
    here, data = home(watch={"rescan": 60}), clip()
    here.drop("face swap", "clip.jpg", face(1))
    other = here.drop("face swap", "clip.png", make_image(tmp_path / "other.png"))
    here.drop("face swap", "clip.mp4", data)
    wait_for(lambda: all(name in str(here.query("SELECT reason FROM drops")) for name in ("clip.jpg", "clip.png")))
    other.unlink()
    here.rest(1)
    assert partners(box, data) == [sha256_of(face(1))]


def test_a_partner_replaced_before_submitting_counts(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], face: Callable[[int], bytes]
) -> None:
    """The task has the newer picture, and the older one is in none."""
    here, data = home(watch={"rescan": 60}), clip()
    box.faults(HOLD_BACK)
    here.drop("face swap", "clip.jpg", face(1))
    here.drop("face swap", "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here), what="the job to be ready")
    here.drop("face swap", "clip.jpg", face(2))
    wait_for(lambda: not waits_for_upload(here), what="the older picture to be given up")
    box.faults()
    here.rest(1)
    assert partners(box, data) == [sha256_of(face(2))]
    assert archived(here) == {"face swap/clip.mp4": data, "face swap/clip.jpg": face(2)}


def test_a_partner_taken_away_before_submitting_is_waited_for(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], face: Callable[[int], bytes]
) -> None:
    """Without it nothing is submitted."""
    here, data = home(watch={"rescan": 60}), clip()
    box.faults(HOLD_BACK)
    partner = here.drop("face swap", "clip.jpg", face(1))
    here.drop("face swap", "clip.mp4", data)
    wait_for(lambda: waits_for_upload(here), what="the job to be ready")
    partner.unlink()
    wait_for(lambda: states(here) == ["waiting"], what="the drop to wait for a partner")
    box.faults()
    wait_for(lambda: "clip.jpg" in str(here.query("SELECT reason FROM drops")), what="the drop to say what it waits for")
    assert partners(box, data) == []
    here.drop("face swap", "clip.jpg", face(2))
    here.rest(1)
    assert partners(box, data) == [sha256_of(face(2))]
