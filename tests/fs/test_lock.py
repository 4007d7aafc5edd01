"""One service per state: who comes second is told who came first."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileGone, FileUnreadable, StateLocked
from qavix_watch.fs.lock import hold

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from qavix_watch.fs.lock import hold
held = hold(sys.argv[1].encode())
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_told_the_process_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "lock")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLDER, os.fsdecode(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(StateLocked, match=rf"Another service \(process {first.pid} on .*\) runs on the state in {tmp_path}"):
            hold(path)
        first.kill()
    with hold(path) as held:
        assert f"process {os.getpid()} on" in (tmp_path / "lock").read_text()
        with pytest.raises(StateLocked, match=f"process {os.getpid()} "):
            hold(path)
        held.release()
        hold(path).release()


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "lock")
    held = hold(path)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        held.release()
        hold(path).release()
        child.kill()


def test_where_no_lock_can_be_the_error_is_ours(tmp_path: Path) -> None:
    with pytest.raises(FileGone):
        hold(os.fsencode(tmp_path / "gone" / "lock"))
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(FileUnreadable, match="symbolic link"):
        hold(os.fsencode(tmp_path / "link"))
