"""What systemd is told, over real datagrams; nothing where nobody asked, and nothing in our children's hands."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.supervision import LONGEST_STATUS, Supervisor, summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def supervisor(tmp_path: Path, **others: str) -> Supervisor:
    return Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), **others}, os.getpid())


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_each_word_is_told_as_the_protocol_has_it(tmp_path: Path, manager: socket.socket) -> None:
    told = supervisor(tmp_path)
    told.ready()
    assert heard(manager) == ["READY=1"]
    told.extend(1.5)
    assert heard(manager) == ["EXTEND_TIMEOUT_USEC=1500000"]
    told.alive()
    assert heard(manager) == ["WATCHDOG=1"]
    told.stopping()
    assert heard(manager)[0] == "STOPPING=1"


def test_a_reload_says_when_it_began(tmp_path: Path, manager: socket.socket) -> None:
    """By the monotonic clock, as Type=notify-reload of newer versions wants it."""
    before = time.monotonic_ns() // 1000
    supervisor(tmp_path).reloading()
    word, when = heard(manager)
    assert word == "RELOADING=1"
    assert before <= int(when.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_a_status_is_one_line_and_said_once(tmp_path: Path, manager: socket.socket) -> None:
    told = supervisor(tmp_path)
    told.status("one\nREADY=1 " + "x" * 1000)
    [line] = heard(manager)
    assert line.startswith("STATUS=one READY=1 x")
    assert len(line) == LONGEST_STATUS + len("STATUS=")
    told.status("one\nREADY=1 " + "x" * 1000)
    told.alive()
    assert heard(manager) == ["WATCHDOG=1"]


def test_an_abstract_socket_is_spoken_to_as_well() -> None:
    name = f"qavix-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}, os.getpid()).ready()
        assert heard(listening) == ["READY=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]) -> None:
    told = Supervisor(environ, os.getpid())
    told.ready()
    told.status("fine")
    told.reloading()
    told.alive()
    told.stopping()


def test_children_do_not_inherit_the_right_to_speak(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Supervisor(environ, 1)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 3.0), ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None), ({"WATCHDOG_USEC": "0"}, None), ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_signs_of_life_are_for_the_process_that_they_were_asked_of(tmp_path: Path, asked: dict[str, str], seconds: float | None) -> None:
    assert supervisor(tmp_path, **asked).watchdog_seconds == seconds


def test_the_status_says_what_is_open_and_what_stops_it() -> None:
    assert summary({}, []) == "Nothing to do."
    assert summary({"files": 1}, []) == "1 file in work."
    counts = {"files": 1200, "uploading": 2, "processing": 0, "held": 3}
    assert summary(counts, [("auth", "the key was refused.")]) == (
        "1,200 files in work (2 uploading); 3 held for you; stopped by auth (the key was refused)."
    )
