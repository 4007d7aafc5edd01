"""A server that does on its socket exactly what a test says, and remembers what it saw there."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

TIMEOUT = 20.0


@dataclass
class Seen:
    """One request: its first line, its header lines as they came, and its body."""

    line: str
    lines: list[str]
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in self.lines)}


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.sock = sock
        self.server = server
        self._held = b""

    def head(self) -> Seen | None:
        """The next request's head; None where the client has closed."""
        while b"\r\n\r\n" not in self._held:
            got = self.sock.recv(65536)
            if not got:
                return None
            self._held += got
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        seen = Seen(first, lines)
        self.server.seen.append(seen)
        return seen

    def body(self, seen: Seen, size: int | None = None) -> bytes:
        """Read `size` bytes of the body, or as many as Content-Length says; fewer where the client closes."""
        left = int(seen.headers.get("content-length", 0)) if size is None else size
        parts = []
        while left:
            got, self._held = self._held[:left], self._held[left:]
            try:
                got = got or self.sock.recv(min(left, 1 << 18))
            except ConnectionError:
                break
            if not got:
                break
            parts.append(got)
            left -= len(got)
        seen.body += b"".join(parts)
        return seen.body

    def request(self) -> Seen | None:
        seen = self.head()
        if seen is not None:
            self.body(seen)
        return seen

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close so that the other side gets a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def gone(self) -> bool:
        """Whether the client closes its end, and sends nothing before."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True


@dataclass
class RawServer:
    """Serves each connection in a thread of its own, until it is closed."""

    handler: Callable[[Peer], None]
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    troubles: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(TIMEOUT)
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self.handler(Peer(sock, self))
        except OSError:
            pass  # a client that goes away is what some tests are about
        except Exception as error:  # noqa: BLE001 - told at close, where the test sees it
            self.troubles.append(error)
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(TIMEOUT)
        assert not self.troubles, self.troubles


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole HTTP answer; `length` is what it says of itself where that is to be a lie."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def always(*answers: bytes) -> Callable[[Peer], None]:
    """Answers request after request, the last answer again and again, on as many connections as come."""
    left = list(answers)
    lock = threading.Lock()

    def handler(peer: Peer) -> None:
        while peer.request() is not None:
            with lock:
                data = left.pop(0) if len(left) > 1 else left[0]
            peer.send(data)

    return handler
