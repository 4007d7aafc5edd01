"""A disk that is mounted or unmounted where a watched folder lies is noticed at once; what happens elsewhere is not told."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from qavix_watch.fs.mountwatch import MountWatch
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount")


@contextmanager
def mounted(place: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_it_tells_of_the_mounts_of_its_folders_alone(tmp_path: Path) -> None:
    """Above the folder counts, beside it does not; a folder that is not there yet counts as its parent."""
    share, beside = tmp_path / "share", tmp_path / "beside"
    share.mkdir()
    beside.mkdir()
    told: list[int] = []
    watch = MountWatch([os.fsencode(share / "inbox")], lambda: told.append(1))
    try:
        with mounted(beside), mounted(share):
            wait_for(lambda: len(told) == 1, 5, "the mount to be told")
        wait_for(lambda: len(told) == 2, 5, "the unmount to be told")
    finally:
        watch.stop()
        watch.stop()
    with mounted(share):
        assert not [thread for thread in threading.enumerate() if thread.name == "mounts"]
    assert len(told) == 2


def test_it_gives_back_what_it_opened(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with closing(Stopped(tmp_path)):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


class Stopped(MountWatch):
    def __init__(self, folder: Path) -> None:
        super().__init__([os.fsencode(folder)], lambda: None)

    close = MountWatch.stop
