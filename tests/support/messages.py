"""HTTP as bytes on sockets: as much of it as a proxy has to understand that does not want to be polite."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 64 * 1024
LONGEST_HEAD = 64 * 1024


class CutError(Exception):
    """A connection is to end here."""


@dataclass(frozen=True)
class Message:
    """A request as it came: its operation, its head, and how long its body is."""

    operation: str
    head: bytes
    length: int

    @property
    def target(self) -> str:
        """The path that it asks for, with its query."""
        return self.head.split(b" ", 2)[1].decode("latin-1")

    def header(self, name: str) -> str | None:
        """What a header says."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole answer; `length` is what it says of itself where that is to be a lie."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def with_body(whole: bytes, body: bytes) -> bytes:
    """An answer with another body, of whatever length that has."""
    head = whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    return with_header(head, "Content-Length", str(len(body))) + body


PAGE = answer("502 Bad Gateway", b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>", "Content-Type: text/html")


def head_of(sock: socket.socket) -> bytes:
    """All up to the empty line, byte for byte no further; b"" where it ends before. What is no HTTP comes as far as it has come."""
    held = b""
    while len(held) < LONGEST_HEAD:
        ahead = sock.recv(4096, socket.MSG_PEEK) if not isinstance(sock, ssl.SSLSocket) else b""
        some = sock.recv(_upto(held, ahead)) if ahead else sock.recv(1)
        if not some:
            return b""
        held += some
        if held.endswith(b"\r\n\r\n"):
            return held
        if held[:1] and not held[:1].isalpha():
            return held
    return held


def _upto(held: bytes, ahead: bytes) -> int:
    """How many of the bytes that lie ahead belong to the head."""
    for back in range(min(3, len(held)), -1, -1):
        joined = held[len(held) - back :] + ahead
        at = joined.find(b"\r\n\r\n")
        if at >= 0:
            return at + 4 - back
    return len(ahead)


def pieces(sock: socket.socket) -> Iterator[bytes]:
    while piece := sock.recv(PIECE):
        yield piece


def skip(sock: socket.socket, size: int) -> None:
    while size > 0:
        piece = sock.recv(min(size, PIECE))
        if not piece:
            raise CutError
        size -= len(piece)


def with_header(head: bytes, name: str, value: str) -> bytes:
    lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(name.lower().encode() + b":")]
    return b"\r\n".join([*lines, f"{name}: {value}".encode(), b"", b""])


def kept_alive(head: bytes) -> tuple[bytes, bool]:
    """An answer's head without `Connection: close`, where its end can be seen without that."""
    lines = head.split(b"\r\n")[:-2]
    names = {line.partition(b":")[0].lower() for line in lines[1:]}
    if not names & {b"content-length", b"transfer-encoding"}:
        return head, False
    return b"\r\n".join([*(line for line in lines if not line.lower().startswith(b"connection:")), b"", b""]), True


def closing(whole: bytes) -> bytes:
    """An answer after which its connection ends, and which says so: who is not told sends the next request into the end."""
    head, _, body = whole.partition(b"\r\n\r\n")
    return with_header(head + b"\r\n\r\n", "Connection", "close") + body


def make_it_a_reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
