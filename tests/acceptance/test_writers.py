"""Files that are still being written, replaced, taken away or damaged: only whole ones are ever submitted."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import service
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"
SLOW_UPLOAD = {"rate": "400 kB/s"}
BIG = 1_500_000


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def submitted(box: Running) -> Callable[[], list[str]]:
    """Gives the SHA-256 of the video of each task that was made since the test began."""
    before = {task["task_id"] for task in box.ledger()["tasks"]}

    def since() -> list[str]:
        tasks = [task for task in box.ledger()["tasks"] if task["task_id"] not in before]
        return [task["inputs"]["video_url"]["sha256"] for task in tasks]

    return since


def folder(here: Home, order: str = ORDER) -> Path:
    made = here.inbox / order
    made.mkdir(exist_ok=True)
    return made


def says(here: Home, words: str) -> Callable[[], bool]:
    """Whether a drop waits for a reason with these words."""
    return lambda: any(words in reason for (reason,) in here.query("SELECT reason FROM drops"))


def uploading(here: Home) -> bool:
    """Whether some, and not all, of a file has been sent."""
    return bool(here.query("SELECT 1 FROM progress WHERE act = 'uploading' AND done > 0 AND done < total"))


def states(here: Home) -> list[str]:
    return [state for (state,) in here.query("SELECT state FROM drops ORDER BY id")]


def comes_out_once(here: Home, submitted: Callable[[], list[str]], data: bytes, name: str = "clip") -> None:
    """The one task that was made has this content, and the original is in the archive."""
    assert submitted() == [sha256_of(data)]
    assert here.results() == [f"{ORDER}/{name}.es.mp4"]
    assert (here.root / "archive" / ORDER / f"{name}.mp4").read_bytes() == data


def test_a_slow_writer_is_waited_for(home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]) -> None:
    """Pauses longer than `settle` mean nothing while the file is open for writing."""
    here, data = home(), clip()
    with (folder(here) / "clip.mp4").open("wb", buffering=0) as file:
        step = len(data) // 4
        for start in range(0, len(data), step):
            file.write(data[start : start + step])
            time.sleep(0.7)
            assert "settled" not in states(here)
        wait_for(says(here, "open for writing"), what="the drop to wait for its writer")
        assert submitted() == []
    here.rest(1)
    comes_out_once(here, submitted, data)


def test_a_whole_file_that_a_program_keeps_open_is_not_taken(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """It may look complete, and its writer may have more to say."""
    here, first, second = home(), clip(), clip()
    with (folder(here) / "clip.mp4").open("wb", buffering=0) as file:
        file.write(first)
        wait_for(says(here, "open for writing"), what="the drop to wait for its writer")
        file.seek(0)
        file.write(second)
        file.truncate()
    here.rest(1)
    comes_out_once(here, submitted, second)


@pytest.mark.parametrize("reserve", ["fallocate", "truncate"])
def test_a_preallocated_file_is_taken_when_it_is_filled(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]], reserve: str
) -> None:
    """As Explorer does: the full size at once, the content later, here over two openings."""
    here, data = home(), clip(padding=300_000)
    path, half = folder(here) / "clip.mp4", 16 * 4096
    with path.open("wb", buffering=0) as file:
        if reserve == "fallocate":
            os.posix_fallocate(file.fileno(), 0, len(data))
        else:
            file.truncate(len(data))
        file.write(data[:half])
    wait_for(says(here, "hole"), what="the drop to wait for the rest")
    with path.open("r+b", buffering=0) as file:
        file.seek(half)
        file.write(data[half:])
    here.rest(1)
    comes_out_once(here, submitted, data)


def test_a_file_that_is_opened_and_closed_many_times_is_taken_after_the_last(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """Finder, FTP resumes and torrent clients come back several times within a moment."""
    here, data = home(watch={"settle": 1.0}), clip()
    step = len(data) // 8
    for start in range(0, len(data), step):
        with (folder(here) / "clip.mp4").open("ab") as file:
            file.write(data[start : start + step])
        time.sleep(0.2)
    here.rest(1)
    comes_out_once(here, submitted, data)


def test_a_file_cut_short_waits_and_says_so_and_comes_through_when_it_is_whole(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """An upload that broke off looks complete to the filesystem; the container shows that it is not."""
    here, data = home(), clip()
    path = here.drop(ORDER, "clip.mp4", data[: len(data) // 2])
    wait_for(says(here, "cut short"), what="the drop to say that it is cut")
    assert submitted() == []
    with path.open("ab") as file:
        file.write(data[len(data) // 2 :])
    here.rest(1)
    comes_out_once(here, submitted, data)


def test_a_file_that_stays_cut_short_goes_to_failed(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """After `truncated_after` nobody is going to send the rest."""
    here, data = home(watch={"truncated_after": 1}), clip()
    here.drop(ORDER, "clip.mp4", data[: len(data) // 2])
    here.rest(1)
    assert states(here) == ["failed"]
    failed = here.root / "failed" / ORDER
    assert (failed / "clip.mp4").read_bytes() == data[: len(data) // 2]
    assert "cut short" in (failed / "clip.mp4.why.txt").read_text()
    assert submitted() == []


def test_a_file_that_is_replaced_after_it_was_read_is_submitted_as_the_newer_one(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], submitted: Callable[[], list[str]], tmp_path: Path
) -> None:
    """Atomic savers rename over it between hashing and uploading."""
    here, first, second = home(), clip(), clip()
    box.faults({"operation": "get_upload_url", "kind": "slow", "delay": 1.5, "times": 1})
    path = here.drop(ORDER, "clip.mp4", first)
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'uploading'"), what="the job to wait for its upload")
    newer = here.inbox / ".newer"
    newer.write_bytes(second)
    os.rename(newer, path)
    here.rest(1)
    comes_out_once(here, submitted, second)


def test_a_file_deleted_during_its_upload_is_not_submitted(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """Taking it out is the undo, even then."""
    here = home(upload=SLOW_UPLOAD)
    path = here.drop(ORDER, "clip.mp4", clip(padding=BIG))
    wait_for(lambda: uploading(here), what="the upload to be under way")
    path.unlink()
    here.rest(1)
    assert states(here) == ["gone"]
    assert here.query("SELECT state FROM jobs") == [("cancelled",)]
    assert submitted() == []
    assert here.results() == []


def test_a_file_moved_to_another_order_during_its_upload_is_worked_on_there(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], tmp_path: Path
) -> None:
    """What counts is where it lies when it is submitted."""
    here, data = home(upload=SLOW_UPLOAD), clip(padding=BIG)
    target = folder(here, "dub en to fr")
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: uploading(here), what="the upload to be under way")
    os.rename(path, target / "clip.mp4")
    here.rest(2)
    tasks = [task for task in box.ledger()["tasks"] if sha256_of(data) in str(task["inputs"])]
    assert [task["target_language"] for task in tasks] == ["fr"]
    assert here.results() == ["dub en to fr/clip.fr.mp4"]


def test_a_file_truncated_during_its_upload_settles_again(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """It waits as long as it is cut, and comes through when somebody mends it."""
    here, data = home(upload=SLOW_UPLOAD), clip(padding=BIG)
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: uploading(here), what="the upload to be under way")
    os.truncate(path, 5000)
    wait_for(says(here, "cut short"), what="the drop to say that it is cut")
    assert submitted() == []
    path.write_bytes(data)
    here.rest(1)
    comes_out_once(here, submitted, data)


def test_bytes_that_change_under_a_kept_time_during_the_upload_are_noticed(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """The upload hashes what it sends: a mixture of old and new is never submitted."""
    here, data = home(upload=SLOW_UPLOAD), clip(padding=BIG)
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: uploading(here), what="the upload to be under way")
    changed = _changed_secretly(path, data)
    here.rest(1)
    comes_out_once(here, submitted, changed)


def test_bytes_that_change_under_a_kept_time_before_the_upload_are_noticed(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], submitted: Callable[[], list[str]]
) -> None:
    """Storage refuses what has another digest than was announced; the drop is read again, and comes through."""
    here, data = home(), clip()
    box.faults({"operation": "get_upload_url", "kind": "slow", "delay": 1.5, "times": 1})
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'uploading'"), what="the job to wait for its upload")
    changed = _changed_secretly(path, data)
    here.rest(1)
    comes_out_once(here, submitted, changed)


def _changed_secretly(path: Path, data: bytes) -> bytes:
    """The last byte is another one now, and the file's times are what they were."""
    before = path.stat()
    with path.open("r+b", buffering=0) as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return data[:-1] + b"y"


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is bound by the rights of files, also where the superuser runs the tests."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("the superuser may read everything, and setpriv, which gives that up, is not here")
        bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
        monkeypatch.setattr(service, "PROGRAM", [*bound, *service.PROGRAM])


def test_a_file_without_the_right_to_read_it_waits_and_comes_through_with_it(
    home: Callable[..., Home], clip: Callable[..., bytes], submitted: Callable[[], list[str]], unprivileged: None
) -> None:
    """It says so; nothing else stands still for it."""
    here, data, other = home(start=False), clip(), clip()
    closed = here.drop(ORDER, "clip.mp4", data)
    closed.chmod(0)
    here.start()
    wait_for(says(here, "Could not read"), what="the drop to say that it cannot be read")
    here.drop(ORDER, "other.mp4", other)
    wait_for(lambda: here.results() == [f"{ORDER}/other.es.mp4"], what="the other one to come out")
    assert submitted() == [sha256_of(other)]
    closed.chmod(0o644)
    here.rest(2)
    assert sorted(submitted()) == sorted([sha256_of(data), sha256_of(other)])
    assert here.results() == [f"{ORDER}/clip.es.mp4", f"{ORDER}/other.es.mp4"]


def test_a_file_that_becomes_unreadable_during_its_upload_is_sent_when_it_may_be(
    home: Callable[..., Home], box: Running, clip: Callable[..., bytes], submitted: Callable[[], list[str]], unprivileged: None
) -> None:
    """The upload that broke off is begun again."""
    here, data = home(), clip()
    box.faults({"operation": "get_upload_url", "kind": "slow", "delay": 1.5, "times": 1})
    path = here.drop(ORDER, "clip.mp4", data)
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'uploading'"), what="the job to wait for its upload")
    path.chmod(0)
    wait_for(lambda: "Could not read" in str(here.query("SELECT reason FROM contents")), what="the upload to say so")
    path.chmod(0o644)
    here.rest(1)
    comes_out_once(here, submitted, data)
