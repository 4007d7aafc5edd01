"""Fingerprints: right for every size, honest about files that change meanwhile, and no thread left behind."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileChanged, FileGone, Stopped
from qavix_watch.fs.fingerprint import fingerprint
from tests.support.meters import Count

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20


class Meddler(Count):
    """Does something to the file when the first part has been read."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def advance(self, amount: int) -> None:
        if not self.done:
            self._act()
        super().advance(amount)


def put(path: Path, size: int) -> tuple[bytes, bytes]:
    data = os.urandom(size)
    path.write_bytes(data)
    return os.fsencode(path), data


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, MIB - 1, MIB, MIB + 1, 5 * MIB + 12_345])
def test_both_digests_are_right_for_every_size(tmp_path: Path, size: int) -> None:
    path, data = put(tmp_path / "f", size)
    meter = Count()
    found = fingerprint(path, meter)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.md5 == hashlib.md5(data).hexdigest()
    assert (found.size, meter.total, meter.done) == (size, size, size)
    assert found.before == found.after
    assert found.before.size == size


@pytest.mark.parametrize("size", [300_000, 3 * MIB])
def test_a_file_that_changes_while_it_is_read_has_two_different_stats(tmp_path: Path, size: int) -> None:
    path, _ = put(tmp_path / "f", size)

    def grow() -> None:
        with open(path, "ab") as file:
            file.write(b"x" * 10)

    found = fingerprint(path, Meddler(grow))
    assert not found.before.same_file(found.after)


@pytest.mark.parametrize("size", [300_000, 2 * MIB])
def test_a_writer_that_is_faster_than_the_reader_does_not_keep_it_for_ever(tmp_path: Path, size: int) -> None:
    path, _ = put(tmp_path / "f", size)

    class Endless(Count):
        def advance(self, amount: int) -> None:
            super().advance(amount)
            assert self.done < 10 * MIB
            with open(path, "ab") as file:
                file.write(b"x" * amount)

    assert size < fingerprint(path, Endless()).size < size + MIB


@pytest.mark.parametrize("size", [300_000, 3 * MIB])
def test_a_path_that_names_another_file_by_then_is_changed(tmp_path: Path, size: int) -> None:
    path, _ = put(tmp_path / "f", size)
    put(tmp_path / "g", size)
    with pytest.raises(FileChanged, match="replaced"):
        fingerprint(path, Meddler(lambda: os.rename(tmp_path / "g", path)))


def test_a_path_that_names_nothing_by_then_is_gone(tmp_path: Path) -> None:
    path, _ = put(tmp_path / "f", 3 * MIB)
    with pytest.raises(FileGone):
        fingerprint(path, Meddler(lambda: os.unlink(path)))


def test_a_stop_ends_it_at_once_and_leaves_no_thread_and_no_descriptor(tmp_path: Path) -> None:
    path, _ = put(tmp_path / "f", 20 * MIB)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    meter = Count(limit=MIB)
    with pytest.raises(Stopped):
        fingerprint(path, meter)
    assert meter.done == MIB
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)
