"""Renames never replace, in each of the three ways, and a name that is taken says so."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileGone, FileUnreadable, NameTaken
from qavix_watch.fs import rename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAYS = ["renameat2", "link", "placeholder"]


def refuse(code: int) -> Callable[..., None]:
    def refused(*args: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    return refused


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A filesystem that offers no better way: what FUSE answers (EINVAL to flags, EPERM to links)."""
    if request.param != "renameat2":
        monkeypatch.setattr(rename, "_in_one_step", refuse(errno.EINVAL))
    if request.param == "placeholder":
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path, way: str) -> bytes:
    return os.fsencode(tmp_path)


def put(path: bytes, data: bytes) -> bytes:
    with open(path, "wb") as file:
        file.write(data)
    return path


def read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def test_a_free_name_is_given(root: bytes) -> None:
    os.mkdir(root + b"/d")
    rename.rename_new(put(root + b"/f", b"x"), root + b"/d/\xff new")
    assert read(root + b"/d/\xff new") == b"x"
    assert os.listdir(root) == [b"d"]


def test_a_taken_name_stays_as_it_is_and_so_does_the_source(root: bytes) -> None:
    put(root + b"/f", b"mine")
    put(root + b"/taken", b"theirs")
    os.symlink(b"/nowhere", root + b"/dangling")
    os.mkdir(root + b"/folder")
    for name in (b"/taken", b"/dangling", b"/folder"):
        with pytest.raises(NameTaken, match="exists already"):
            rename.rename_new(root + b"/f", root + name)
    assert (read(root + b"/f"), read(root + b"/taken")) == (b"mine", b"theirs")
    assert os.readlink(root + b"/dangling") == b"/nowhere"
    assert sorted(os.listdir(root)) == [b"dangling", b"f", b"folder", b"taken"]


def test_a_folder_is_renamed_too(root: bytes) -> None:
    os.mkdir(root + b"/d")
    put(root + b"/d/f", b"x")
    rename.rename_new(root + b"/d", root + b"/e")
    assert read(root + b"/e/f") == b"x"
    os.mkdir(root + b"/d")
    with pytest.raises(NameTaken):
        rename.rename_new(root + b"/d", root + b"/e")


def test_what_is_not_there_is_gone_and_leaves_no_name_behind(root: bytes) -> None:
    with pytest.raises(FileGone, match="/f is not there"):
        rename.rename_new(root + b"/f", root + b"/g")
    with pytest.raises(FileGone, match="/nowhere/g"):
        rename.rename_new(put(root + b"/f", b"x"), root + b"/nowhere/g")
    assert os.listdir(root) == [b"f"]


def test_of_many_who_want_one_name_one_gets_it_and_nothing_is_lost(root: bytes, way: str) -> None:
    sources = [put(root + b"/%d" % number, b"%d" % number) for number in range(20)]
    start, outcomes = threading.Barrier(len(sources)), list[str]()

    def run(source: bytes) -> None:
        start.wait()
        try:
            rename.rename_new(source, root + b"/name")
        except NameTaken:
            outcomes.append("taken")
        else:
            outcomes.append("got it")

    threads = [threading.Thread(target=run, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["got it"] + ["taken"] * 19
    assert sorted(read(root + b"/" + name) for name in os.listdir(root)) == sorted(b"%d" % n for n in range(20))


@pytest.mark.parametrize("way", ["link"], indirect=True)
def test_a_rename_that_was_killed_between_link_and_unlink_is_completed(root: bytes, way: str) -> None:
    os.link(put(root + b"/f", b"x"), root + b"/g")
    rename.rename_new(root + b"/f", root + b"/g")
    assert os.listdir(root) == [b"g"]


def test_another_filesystem_is_refused_in_words(root: bytes) -> None:
    other = b"/dev/shm"
    if os.stat(other).st_dev == os.stat(root).st_dev:
        pytest.skip("no second filesystem here")
    with pytest.raises(FileUnreadable, match="another filesystem"):
        rename.rename_new(put(root + b"/f", b"x"), other + b"/qavix-test-%d" % os.getpid())
    assert read(root + b"/f") == b"x"
    assert not os.path.lexists(other + b"/qavix-test-%d" % os.getpid())
