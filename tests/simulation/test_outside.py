"""A life cannot reach the real world without being caught."""

from __future__ import annotations

import contextlib
import importlib
import linecache
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import wsgiref.util
from typing import TYPE_CHECKING

import pytest

from tests.simulation.loop import Outside
from tests.simulation.outside import watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def opens() -> None:
    open("/etc/hostname", "rb").close()


def asks_a_name_server() -> None:
    socket.getaddrinfo("localhost", 80)


def makes_a_folder() -> None:
    os.mkdir("/tmp/never")


REACHING: list[Callable[[], object]] = [
    opens, asks_a_name_server, makes_a_folder, socket.socket, tempfile.mkstemp, lambda: sqlite3.connect("/tmp/never.db"),
    lambda: subprocess.run(["true"], check=True), lambda: os.listdir("/tmp"), lambda: shutil.copyfile("/etc/hostname", "/tmp/never"),
    lambda: os.rename("/tmp/never", "/tmp/ever"), lambda: os.open(__file__, os.O_WRONLY), lambda: os.remove(os.__file__ + "x"),
]  # fmt: skip


@pytest.mark.parametrize("act", REACHING)
def test_what_reaches_out_is_stopped_and_told_with_its_place(act: Callable[[], object]) -> None:
    told: list[str] = []
    with watched(told.append), pytest.raises(Outside, match=r"test_outside\.py"):
        act()
    assert len(told) == 1


def test_what_is_caught_by_the_code_under_test_is_told_all_the_same() -> None:
    told: list[str] = []
    with watched(told.append), contextlib.suppress(Exception):
        opens()
    assert told


def test_after_the_life_all_is_as_ever(tmp_path: Path) -> None:
    with watched(pytest.fail):
        pass
    (tmp_path / "file").write_bytes(b"")
    sqlite3.connect(tmp_path / "state.db").close()


def test_other_threads_are_none_of_its_business() -> None:
    """The one that runs the tests has some."""
    go = threading.Event()
    ended: list[None] = []

    def other() -> None:
        go.wait(10)
        opens()
        ended.append(None)

    thread = threading.Thread(target=other)
    thread.start()
    with watched(pytest.fail):
        go.set()
        thread.join(10)
    assert ended


def test_a_database_in_memory_and_modules_that_are_imported_late_are_allowed() -> None:
    with watched(pytest.fail):
        sqlite3.connect(":memory:").close()
        importlib.reload(wsgiref.util)
        importlib.import_module("tests.simulation.lives")
        linecache.getlines(__file__)


def test_a_life_on_a_real_file_has_a_folder_of_its_own(tmp_path: Path) -> None:
    told: list[str] = []
    with watched(told.append, str(tmp_path)):
        sqlite3.connect(tmp_path / "state.db").close()
        shutil.copyfile(tmp_path / "state.db", tmp_path / "image")
        with pytest.raises(Outside):
            opens()
    assert len(told) == 1
