"""Entries for systemd's journal: fields, priorities, tracebacks in one piece, and a way out where no journal takes them."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

import pytest
import structlog

from qavix_watch import logs
from qavix_watch.journal import Journal, entry, field_name, is_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """A journal's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stream that systemd says goes to the journal; the log is as before afterwards."""
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        stat = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        monkeypatch.setattr(logs, "Journal", lambda: Journal(str(tmp_path / "journal")))
        logs.configure("debug", "auto", stream)
        yield path
    for handler in [one for one in logging.getLogger().handlers if isinstance(one, logs.LogHandler)]:
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.captureWarnings(False)
    structlog.reset_defaults()


def read(data: bytes) -> dict[str, str]:
    """An entry's fields, as the journal reads them."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        fields[name.decode()], data = value.decode(), rest
    return fields


def test_a_record_is_one_entry_with_its_keys_as_fields(heard: socket.socket, stderr: Path) -> None:
    logs.protect("qx-very-secret")
    structlog.get_logger("qavix_watch.test").warning("brake on", brake="auth", job=7, why="the key qx-very-secret is refused")
    fields = read(heard.recv(65536))
    assert fields["MESSAGE"] == 'brake on brake=auth job=7 why="the key ••• is refused"'
    assert (fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"]) == ("4", "qavix-watch")
    assert (fields["QAVIX_BRAKE"], fields["QAVIX_JOB"], fields["QAVIX_LOGGER"]) == ("auth", "7", "qavix_watch.test")
    assert stderr.read_text() == ""


def test_a_traceback_stays_in_its_entry(heard: socket.socket, stderr: Path) -> None:
    try:
        int("no such thing")
    except ValueError:
        structlog.get_logger("qavix_watch.test").exception("unexpected error")
    message = read(heard.recv(65536))["MESSAGE"]
    assert message.startswith("unexpected error\n")
    assert "ValueError: invalid literal" in message


def test_where_no_journal_listens_lines_go_to_the_stream_with_their_priority(stderr: Path) -> None:
    """Every line of it: the journal reads the stream line by line."""
    try:
        int("no such thing")
    except ValueError:
        structlog.get_logger("qavix_watch.test").exception("unexpected error")
    lines = stderr.read_text().splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<3>") for line in lines)


def test_a_stream_that_is_not_the_journal_is_told_from_one_that_is(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        stat = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino + 1}"})
        assert not is_journal(stream, {})


def test_names_and_values_are_as_the_protocol_wants_them() -> None:
    assert field_name("task_id") == "QAVIX_TASK_ID"
    assert field_name("größe-x" + "y" * 80).startswith("QAVIX_GR")
    assert len(field_name("x" * 200)) == 64
    fields = read(entry("info", "one\ntwo=three", {"QAVIX_PATH": "a=b"}))
    assert (fields["MESSAGE"], fields["QAVIX_PATH"]) == ("one\ntwo=three", "a=b")
