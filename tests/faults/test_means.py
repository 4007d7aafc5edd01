"""The means of the faults do what they say: a row about a power cut would prove nothing if nothing were ever lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from qavix_watch.fs.rename import PLACEHOLDER, rename_new
from tests.support.failing import failing
from tests.support.faultfs import faulty
from tests.support.loops import mounted
from tests.support.powercut import Keeps, cut
from tests.support.service import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("keeps", list(Keeps), ids=lambda keeps: keeps.name)
@pytest.mark.parametrize("shared", [False, True], ids=["ours alone", "mounted in a container too"])
def test_a_power_cut_takes_what_was_not_made_durable(tmp_path: Path, keeps: Keeps, *, shared: bool) -> None:
    with mounted(tmp_path / "disk", "ext4", megabytes=32) as disk:
        (disk.at / "durable").write_bytes(b"x" * 1000)
        disk.sync()
        container = subprocess.Popen(["unshare", "--mount", "sleep", "60"]) if shared else None
        if container is not None:
            host = os.readlink("/proc/self/ns/mnt")
            wait_for(lambda: os.readlink(f"/proc/{container.pid}/ns/mnt") != host, what="the container")
        (disk.at / "fresh").write_bytes(b"x" * 1000)
        cut(disk.at, keeps)
        disk.unmount()
        disk.mount()
        left = {path.name: path.stat().st_size for path in disk.at.iterdir() if path.is_file()}
        (disk.at / "afterwards").write_bytes(b"it takes files again")
        if container is not None:
            container.kill()
            container.wait()
    assert left == {"durable": 1000} | ({"fresh": 0} if keeps is Keeps.NAMES else {})


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_is_filled_to_the_last_byte_and_the_last_inode(tmp_path: Path, kind: str) -> None:
    with mounted(tmp_path / "disk", kind, megabytes=16, inodes=100) as disk:
        for fill in (disk.fill, disk.fill_inodes):
            fill()
            with pytest.raises(OSError, match="No space left"):
                (disk.at / "more").write_bytes(b"x" * 5000)
            disk.empty()
            (disk.at / "more").unlink(missing_ok=True)
        (disk.at / "more").write_bytes(b"x" * 5000)


ASKS = """
import os, time
while True:
    time.sleep(0.01)
    try:
        os.fsync(1)
    except OSError as error:
        print(error.errno, flush=True)
"""


def test_calls_of_a_running_process_fail_and_are_counted(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen([sys.executable, "-c", ASKS], stdout=said)
    try:
        with failing(process.pid, "fsync", "EIO", when="1+2") as failed:
            wait_for(lambda: failed() >= 3, what="three calls to fail")
    finally:
        process.kill()
        process.wait()
    assert set((tmp_path / "said").read_text().split()) == {str(errno.EIO)}


def test_a_bad_nas_is_bad_as_it_is_told_to_be(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    with faulty(tmp_path / "real", tmp_path / "view") as switch:
        path = tmp_path / "view" / "file"
        path.write_bytes(b"x" * 100_000)
        assert rename_new(os.fsencode(path), os.fsencode(path) + b"2") == PLACEHOLDER
        path = tmp_path / "view" / "file2"
        switch.set("read", errno="EIO")
        with pytest.raises(OSError, match="Input/output error"):
            path.read_bytes()
        switch.set("*", errno="ESTALE")
        with pytest.raises(OSError, match="Stale"):
            os.listdir(path.parent)
        switch.set("read", short=True)
        with path.open("rb", buffering=0) as file:
            assert sum(len(file.read(100_000)) == 100_000 for _ in range(20) if file.seek(0) == 0) < 20
        switch.set("getattr", delay=0.3)
        began = time.monotonic()
        with suppress(OSError):
            path.stat()
        assert time.monotonic() - began >= 0.3
        switch.heal()
        assert path.read_bytes() == b"x" * 100_000


@pytest.mark.parametrize("name", ["failing", "faultfs", "loops", "powercut"])
def test_each_can_be_had_by_hand(name: str) -> None:
    done = subprocess.run([sys.executable, "-m", f"tests.support.{name}", "--help"], capture_output=True, text=True, check=True)
    assert f"python -m tests.support.{name}" in done.stdout
