"""Folders are tried with files of our own: what is refused is named, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.files import Writer
from qavix_watch.errors import FileGone, FileUnreadable, RootOffline
from qavix_watch.fs import trial as trial_of
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.lock import holder, is_flocked, try_flock
from qavix_watch.fs.probe import ignore_sigio
from qavix_watch.fs.rename import LINK, ONE_STEP, PLACEHOLDER
from qavix_watch.fs.trial import try_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_sigio() -> None:
    ignore_sigio()


def test_a_folder_of_this_host_can_do_everything(tmp_path: Path) -> None:
    found = try_folder(os.fsencode(tmp_path), Disk(mode=0o640).adopt)
    assert (found.way, found.lease, found.holes, found.mode) == (ONE_STEP, True, True, 0o640)
    assert found.group == tmp_path.stat().st_gid
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileGone):
        try_folder(os.fsencode(tmp_path / "nowhere"), Disk().adopt)


def test_whatever_happens_in_between_nothing_is_left(tmp_path: Path) -> None:
    def interrupted(_: bytes, __: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_folder(os.fsencode(tmp_path), interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_files_and_gives_none_back_is_named(tmp_path: Path) -> None:
    """An append-only folder (chattr +a), as some shares are: what was made cannot be renamed or deleted."""
    if os.geteuid() != 0 or subprocess.run(["chattr", "+a", tmp_path], capture_output=True, check=False).returncode:
        pytest.skip("no append-only folders here")
    try:
        with pytest.raises(FileUnreadable, match="Operation not permitted"):
            try_folder(os.fsencode(tmp_path), Disk().adopt)
    finally:
        subprocess.run(["chattr", "-a", tmp_path], check=True)


@pytest.mark.parametrize(("way", "errno"), [(LINK, "EINVAL"), (PLACEHOLDER, "EINVAL")])
def test_filesystems_that_can_do_less_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, errno: str) -> None:
    """Neither RENAME_NOREPLACE nor, the second time, hard links; no leases; no holes. (No filesystem here is so poor.)"""
    import errno as codes

    def refused(*_: object) -> None:
        raise OSError(getattr(codes, errno), "no")

    monkeypatch.setattr("qavix_watch.fs.rename._in_one_step", refused)
    if way == PLACEHOLDER:
        monkeypatch.setattr("qavix_watch.fs.rename._by_link", refused)
    monkeypatch.setattr(trial_of, "writer_of", lambda _: Writer.UNKNOWN)
    monkeypatch.setattr(trial_of, "has_hole", lambda _: False)
    found = try_folder(os.fsencode(tmp_path), Disk().adopt)
    assert (found.way, found.in_one_step, found.lease, found.holes) == (way, False, False, False)


def test_a_lock_can_be_looked_at_without_being_taken(tmp_path: Path) -> None:
    """And whoever takes it in that very instant waits for the look to end."""
    path = os.fsencode(tmp_path / "lock")
    assert not is_flocked(path)
    assert holder(path) == ""
    with open(path, "w+b") as file:
        assert not is_flocked(path)
        assert try_flock(file.fileno())
        assert is_flocked(path)
        assert holder(path) == "one that does not give its name"
        file.write(b"process 7 on nas\n")
        file.flush()
        assert holder(path) == "process 7 on nas"
    assert holder(path) == ""


def test_a_share_that_goes_while_folders_are_made_keeps_none_of_them(tmp_path: Path) -> None:
    """The guard says so before the first, or after the last; only what this call made is taken away again."""
    looks: list[bytes] = []

    def guard(path: bytes) -> None:
        looks.append(path)
        if len(looks) > 1:
            raise RootOffline("it is away")

    (tmp_path / "there").mkdir()
    disk, wanted = Disk(guard=guard), tmp_path / "there" / "a" / "b"
    with pytest.raises(RootOffline):
        disk.make_folder(os.fsencode(wanted))
    assert looks == [os.fsencode(wanted)] * 2
    with pytest.raises(RootOffline):
        disk.make_folder(os.fsencode(wanted))
    assert os.listdir(tmp_path / "there") == []
    disk.make_folder(os.fsencode(tmp_path / "there"))
