"""The journal of systemd, for a log whose entries can be asked for by what they are about: `journalctl QAVIX_JOB=7`.

Its native protocol (a datagram of fields) keeps a traceback in one entry; what is written to standard error is one entry a line.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "qavix-watch"
PRIORITIES: Mapping[str, int] = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Levels as syslog(3) counts them."""
LONGEST_NAME = 64


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written to `stream` goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def field_name(key: str) -> str:
    """The name of a field of ours: capitals, digits and underscores are what the journal takes."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key.upper())
    return f"QAVIX_{plain}"[:LONGEST_NAME]


def entry(level: str, message: str, fields: Mapping[str, str]) -> bytes:
    """One entry as the protocol has it; a value of several lines goes with its length before it."""
    whole = {"MESSAGE": message, "PRIORITY": str(PRIORITIES.get(level, 6)), "SYSLOG_IDENTIFIER": IDENTIFIER, **fields}
    return b"".join(_field(name, value.encode("utf-8", "replace")) for name, value in whole.items())


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


class Journal:
    """The way there, opened once."""

    def __init__(self, address: str = SOCKET) -> None:
        self._address = address
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, data: bytes) -> None:
        """Hand over one entry. OSError where it is not taken: nobody listens, or it is too large for a datagram."""
        self._link.sendto(data, self._address)

    def close(self) -> None:
        """Close it."""
        self._link.close()
