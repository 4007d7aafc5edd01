"""Markers tell a folder from an empty mount point, survive what is done to them, and are held by one service at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileError, FileGone, FileUnreadable, NameTaken, RootOffline, StateLocked
from qavix_watch.fs.marker import (
    MarkedRoots,
    Marker,
    RootState,
    create_marker,
    hold_marker,
    marker_state,
    read_marker,
)

if TYPE_CHECKING:
    from pathlib import Path

    from qavix_watch.ports import Roots

MINE = Marker("place-1", "state-1", "nas:/var/lib/qavix-watch")


@pytest.fixture
def folder(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path)


def test_what_is_created_is_read_again(folder: bytes) -> None:
    create_marker(folder, MINE)
    assert read_marker(folder) == MINE
    assert os.listdir(folder) == [b".qavix-watch"]


def test_an_existing_marker_is_never_replaced(folder: bytes) -> None:
    create_marker(folder, MINE)
    with pytest.raises(NameTaken):
        create_marker(folder, Marker("other", "other"))
    assert read_marker(folder) == MINE
    assert os.listdir(folder) == [b".qavix-watch"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff" * 100,
        b"[" * 100_000,
        b'{"id": 1, "owner": "x", "starts": 0}',
        b'{"id": "x", "owner": "y", "starts": -1}',
        b'{"id": "x", "owner": "y", "starts": true}',
        b'{"id": "x", "owner": "y", "starts": 1e999}',
        b'{"id": "x", "owner": "' + b"y" * 500 + b'", "starts": 1}',
        b'{"id": "", "owner": "y", "starts": 1}',
    ],
)
def test_what_is_no_marker_is_damaged_and_the_folder_offline(folder: bytes, text: bytes) -> None:
    with open(folder + b"/.qavix-watch", "wb") as file:
        file.write(text)
    with pytest.raises(FileUnreadable, match="is damaged"):
        read_marker(folder)
    with pytest.raises(FileUnreadable, match="is damaged"):
        hold_marker(folder)
    assert marker_state(folder, "x", "y") is RootState.OFFLINE


def test_a_pipe_in_place_of_a_marker_hangs_nobody(folder: bytes) -> None:
    os.mkfifo(folder + b"/.qavix-watch")
    assert marker_state(folder, "x", "y") is RootState.OFFLINE
    with pytest.raises(FileError):
        hold_marker(folder)


def test_a_folder_is_online_offline_or_foreign(folder: bytes) -> None:
    assert marker_state(folder, "place-1", "state-1") is RootState.OFFLINE
    create_marker(folder, MINE)
    assert marker_state(folder, "place-1", "state-1") is RootState.ONLINE
    assert marker_state(folder, "place-2", "state-1") is RootState.OFFLINE
    assert marker_state(folder, "place-1", "state-2") is RootState.FOREIGN
    assert marker_state(folder + b"/gone", "place-1", "state-1") is RootState.OFFLINE


def test_a_held_marker_counts_starts_in_the_file_that_is_locked(folder: bytes) -> None:
    create_marker(folder, MINE)
    inode = os.stat(folder + b"/.qavix-watch").st_ino
    for number in (1, 2, 3):
        with hold_marker(folder) as held:
            assert held.locked
            assert held.count_start() == number
            with pytest.raises(StateLocked, match=rf"process {os.getpid()} on .*, state nas:/var/lib/qavix-watch"):
                hold_marker(folder)
        assert read_marker(folder).starts == number
    assert f"process {os.getpid()} on " in read_marker(folder).holder
    assert os.stat(folder + b"/.qavix-watch").st_ino == inode


def test_a_marker_can_be_given_to_another_state(folder: bytes) -> None:
    create_marker(folder, MINE)
    with hold_marker(folder) as held:
        held.count_start()
        held.change_owner("state-2", "x" * 1000 + "\udcff")
    assert marker_state(folder, "place-1", "state-2") is RootState.ONLINE
    assert read_marker(folder).starts == 1


def test_a_marker_that_was_replaced_while_it_was_opened_is_not_held(
    folder: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_marker(folder, MINE)
    os.mkdir(folder + b"/other")
    create_marker(folder + b"/other", MINE)
    lock = fcntl.flock

    def replace_and_lock(fd: int, how: int) -> None:
        os.replace(folder + b"/other/.qavix-watch", folder + b"/.qavix-watch")
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", replace_and_lock)
    with pytest.raises(StateLocked):
        hold_marker(folder)


def test_names_are_shortened_and_ids_never(folder: bytes) -> None:
    create_marker(folder, Marker("p" * 43, "s" * 43, "日" * 500, 9_007_199_254_740_991, "日" * 500))
    found = read_marker(folder)
    assert (found.id, found.owner, found.starts) == ("p" * 43, "s" * 43, 9_007_199_254_740_991)
    assert found.owner_name
    with pytest.raises(FileError, match="may not be as long"):
        create_marker(folder + b"/x", Marker("p" * 600, "s"))


def test_a_folder_without_a_marker_cannot_be_held(folder: bytes) -> None:
    with pytest.raises(FileGone):
        hold_marker(folder)


def test_roots_say_which_folder_is_away(folder: bytes) -> None:
    create_marker(folder, MINE)
    roots: Roots = MarkedRoots({folder: "place-1"}, "state-1")
    roots.check()
    with pytest.raises(RootOffline, match="belongs to another"):
        MarkedRoots({folder: "place-1"}, "state-2").check()
    with pytest.raises(RootOffline, match=r"its marker \.qavix-watch is another folder's"):
        MarkedRoots({folder: "place-2"}, "state-1").check()
    os.unlink(folder + b"/.qavix-watch")
    with pytest.raises(RootOffline, match=r"is offline: its marker \.qavix-watch is not there"):
        roots.check()


def test_a_marker_that_cannot_be_read_is_not_said_to_be_missing(folder: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the process has no file descriptor left for it."""
    create_marker(folder, MINE)
    roots: Roots = MarkedRoots({folder: "place-1"}, "state-1")

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RootOffline, match=r"cannot be read\. .*Too many open files"):
        roots.check()
