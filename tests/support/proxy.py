"""A proxy of our own that goes wrong as it is told: at the level of connections, and for single requests.

By hand, between the service and a sandbox:

    python -m tests.support.proxy --to http://127.0.0.1:8430 --listen 8440

and then, line by line at its standard input, while it runs:

    refuse | reset | silent | slow | pass           what every connection meets from now on
    get_balance cut_request                         the next Get Balance is cut in its middle
    storage_put cut_unanswered 3                    the next three uploads are cut when all was sent
    * answer 502                                    the next request of any kind gets a page instead of an answer
    clear                                           no request meets anything special
    seen                                            what has come through

What can be said of a request (`*`, or the sandbox's name for it: an operationId, storage_put, storage_get, result_get):

    reset             the connection is reset as soon as the request's head is there
    silent            nothing is answered, until the proxy is switched or the caller gives up
    slow              both ways at `rate` bytes a second (1,024)
    cut_request       `bytes` of the request go on (half of it), then both connections are reset
    unanswered        the whole request goes on and is answered; the answer does not come, and nothing else
    cut_unanswered    the whole request goes on and is answered; the answer does not come, and the connection is reset
    cut_answer        `bytes` of the answer come (half of its body), then the connection is reset
    endless           an answer comes instead that says not how long it is, and never ends
    answer            `reply` comes instead, and nothing goes on; as soon as `bytes` of the request's body are there (all of it)
"""

from __future__ import annotations

import argparse
import select
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qavix_watch.sandbox.operations import operation_of
from tests.support.messages import (
    PAGE,
    PIECE,
    CutError,
    Message,
    answer,
    closing,
    head_of,
    kept_alive,
    make_it_a_reset,
    pieces,
    skip,
    with_header,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("pass", "refuse", "reset", "silent", "slow")
KINDS = ("reset", "silent", "slow", "cut_request", "unanswered", "cut_unanswered", "cut_answer", "endless", "answer")
STEP_SECONDS = 0.125
STUCK_SECONDS = 600.0


@dataclass
class Rule:
    """What the next `times` requests of an operation meet. `hits`: how many have, `met_at`: the last one, by time.monotonic(). `before` is
    called when the request's head is there, `edit` is given the whole answer and gives the one that comes.
    """

    operation: str
    kind: str = "pass"
    times: int = 1
    bytes: int | None = None
    rate: int = 1024
    reply: bytes | Callable[[Message], bytes] = b""
    before: Callable[[], object] | None = None
    edit: Callable[[bytes], bytes] | None = None
    hits: int = 0
    met_at: float = 0.0


@dataclass
class Proxy:
    """Listens at `listener` and passes on to `target` (host and port), which speaks plain HTTP.

    `origin` is what callers call it. With `tls` callers speak HTTPS; it may be changed, or taken away, while it runs. `seen` has each
    request whose head came, `strange` what came that is no HTTP.
    """

    listener: socket.socket
    origin: str
    target: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None
    mode: str = "pass"
    rate: int = 1024
    rules: list[Rule] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)
    strange: list[bytes] = field(default_factory=list)
    connections: int = 0
    troubles: list[Exception] = field(default_factory=list)
    _open: set[socket.socket] = field(default_factory=set)
    _threads: set[threading.Thread] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _listening: threading.Event = field(default_factory=threading.Event)
    _closed: bool = False

    def leads_to(self, origin: str) -> None:
        """From now on this is where requests go: scheme, host and port."""
        parts = urlsplit(origin)
        assert parts.hostname is not None
        assert parts.port is not None
        self.target = (parts.hostname, parts.port)

    @property
    def is_busy(self) -> bool:
        """Whether a connection is open."""
        return bool(self._open)

    # -- told what to do

    def switch(self, mode: str) -> None:
        """What every connection meets from now on; those that are open are cut, but for a change between `pass` and `slow`."""
        assert mode in MODES, mode
        with self._lock:
            if mode == "refuse" and self.mode != "refuse":
                self._listening.clear()
                self.listener.shutdown(socket.SHUT_RDWR)  # its port stays ours
            elif mode != "refuse" and self.mode == "refuse":
                self.listener.listen(512)
                self._listening.set()
            gentle = {self.mode, mode} <= {"pass", "slow"}
            self.mode = mode
        if not gentle:
            self.cut_all()

    def rule(self, operation: str, kind: str = "pass", **more: object) -> Rule:
        """The next requests of this operation meet this; gives the rule, so that its `hits` can be looked at."""
        made = Rule(operation, kind, **more)  # type: ignore[arg-type]
        with self._lock:
            self.rules.append(made)
        return made

    def clear(self) -> None:
        """No request meets anything special any more."""
        with self._lock:
            self.rules.clear()

    def cut_all(self) -> None:
        """Reset every connection that is open."""
        with self._lock:
            for sock in self._open:
                make_it_a_reset(sock)
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    # -- its life

    def start(self) -> None:
        """Begin to listen."""
        self.listener.listen(512)
        self._listening.set()
        self._spawn(self._accept)

    def close(self) -> None:
        """Cut everything, and end."""
        self._closed = True
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._listening.set()
        self.cut_all()
        for thread in list(self._threads):
            thread.join(10)
        self.listener.close()
        assert not self.troubles, self.troubles

    def _spawn(self, act: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=act, args=given, name="proxy", daemon=True)
        with self._lock:
            self._threads = {one for one in self._threads if one.is_alive()} | {thread}
            thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                self._listening.wait()
                continue
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        caller = sock
        try:
            sock.settimeout(STUCK_SECONDS)
            self._meet(sock)
            if self.tls is not None:
                caller = self.tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.discard(sock)
                    self._open.add(caller)
            while self._one(caller):
                pass
        except CutError:
            make_it_a_reset(caller)
        except OSError:
            pass  # whoever called has gone
        except Exception as error:  # noqa: BLE001 - what a rule was given to do went wrong: told at the end, where the test sees it
            self.troubles.append(error)
        finally:
            with self._lock:
                self._open -= {sock, caller}
            with suppress(OSError):
                caller.close()

    def _meet(self, sock: socket.socket) -> None:
        """What a new connection meets."""
        if self.mode == "reset":
            raise CutError
        if self.mode == "silent":
            self._wait(sock)

    def _wait(self, sock: socket.socket) -> None:
        """Take what comes and say nothing until everything is cut, or the caller goes."""
        while not self._closed:
            if select.select([sock], [], [], 1.0)[0] and not sock.recv(PIECE):
                raise CutError
        raise CutError

    # -- one request

    def _one(self, caller: socket.socket) -> bool:
        """Take one request and answer it; whether another may follow."""
        request = self._request(caller)
        if request is None:
            return False
        rule = self._rule_for(request.operation)
        if rule.before is not None:
            rule.before()
        if rule.kind == "reset":
            raise CutError
        if rule.kind == "silent":
            self._wait(caller)
        if rule.kind == "endless":
            caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                self._slowly(caller, b"%x\r\n" % PIECE + bytes(PIECE) + b"\r\n", rule)
        if rule.kind == "answer":
            first = request.length if rule.bytes is None else min(rule.bytes, request.length)
            is_early = first < request.length
            skip(caller, first)
            reply = (rule.reply(request) if callable(rule.reply) else rule.reply) or PAGE
            caller.sendall(closing(reply) if is_early else reply)
            skip(caller, request.length - first)
            return not is_early
        return self._passed_on(caller, request, rule)

    def _request(self, caller: socket.socket) -> Message | None:
        head = head_of(caller)
        if not head:
            return None
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            self.strange.append(head)
            caller.sendall(answer("400 Bad Request"))
            return None
        path = urlsplit(words[1].decode("latin-1")).path
        request = Message(operation_of(words[0].decode("latin-1"), path), head, 0)
        request = Message(request.operation, head, int(request.header("Content-Length") or 0))
        self.seen.append(request)
        return request

    def _rule_for(self, operation: str) -> Rule:
        with self._lock:
            for rule in self.rules:
                if rule.operation in {operation, "*"} and rule.hits < rule.times:
                    rule.hits += 1
                    rule.met_at = time.monotonic()
                    return rule
        return Rule(operation)

    def _passed_on(self, caller: socket.socket, request: Message, rule: Rule) -> bool:
        assert self.target is not None
        with socket.create_connection(self.target, timeout=STUCK_SECONDS) as service:
            head = with_header(request.head, "Connection", "close")
            whole = len(head) + request.length
            limit = whole if rule.kind != "cut_request" else whole // 2 if rule.bytes is None else rule.bytes
            taken_early = self._send_on(caller, service, head, request.length, limit, rule)
            if rule.kind == "cut_request":
                make_it_a_reset(service)
                raise CutError
            came = head_of(service)
            if rule.kind == "unanswered":
                self._wait(caller)
            if rule.kind == "cut_unanswered" or not came:
                raise CutError
            return self._answer(caller, service, came, rule, ends=taken_early)

    def _send_on(self, caller: socket.socket, service: socket.socket, head: bytes, length: int, limit: int, rule: Rule) -> bool:
        """Pass a request on, up to `limit` bytes. True where the service did not want the whole of it."""
        self._slowly(service, head[:limit], rule)
        left = min(length, limit - len(head))
        try:
            while left > 0:
                piece = caller.recv(min(left, PIECE))
                if not piece:
                    raise CutError
                left -= len(piece)
                self._slowly(service, piece, rule)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    def _answer(self, caller: socket.socket, service: socket.socket, head: bytes, rule: Rule, *, ends: bool) -> bool:
        head, keeps = (closing(head), False) if ends or rule.edit is not None else kept_alive(head)
        if rule.edit is not None:
            caller.sendall(rule.edit(head + b"".join(pieces(service))))
            return False
        left = sys.maxsize
        if rule.kind == "cut_answer":
            length = int(Message("", head, 0).header("Content-Length") or 0)
            left = length // 2 if rule.bytes is None else rule.bytes
        self._slowly(caller, head, rule)
        for piece in pieces(service):
            self._slowly(caller, piece[:left], rule)
            left -= len(piece)
            if left <= 0:
                break
        if rule.kind == "cut_answer":
            time.sleep(0.05)  # what was sent arrives first; a reset throws away what its receiver has not read yet
            raise CutError
        return keeps

    def _slowly(self, to: socket.socket, data: bytes, rule: Rule) -> None:
        """Send, as fast as it goes or at the rate that is said."""
        rest = memoryview(data)
        while rest:
            rate = rule.rate if rule.kind == "slow" else self.rate if self.mode == "slow" else None
            some = len(rest) if rate is None else max(1, int(rate * STEP_SECONDS))
            to.sendall(rest[:some])
            rest = rest[some:]
            if rate is not None:
                time.sleep(STEP_SECONDS)


def bound(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket that can listen, and keeps its port while it does not."""
    if not port:
        with socket.create_server((host, 0)) as any_port:
            port = any_port.getsockname()[1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


@contextmanager
def proxied(listener: socket.socket | None = None, name: str | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts; `name` is the host that callers know it by."""
    listener = listener or bound()
    host, port = listener.getsockname()
    origin = f"http://{name or host}:{port}" if tls is None else f"https://{name or host}:{port}".removesuffix(":443")
    proxy = Proxy(listener, origin, tls=tls)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()


def obey(proxy: Proxy, line: str) -> str:
    """Do what a line says (see above); gives what to say to it."""
    words = line.split()
    if words == ["clear"]:
        proxy.clear()
    elif words == ["seen"]:
        return "\n".join(request.operation for request in proxy.seen)
    elif len(words) == 1 and words[0] in MODES:
        proxy.switch(words[0])
    elif len(words) in {2, 3} and words[1] in KINDS:
        number = int(words[2]) if len(words) == 3 else 1
        if words[1] == "answer":
            proxy.rule(words[0], "answer", reply=answer(f"{number if number > 1 else 502} Said by the proxy", b"<html></html>"))
        else:
            proxy.rule(words[0], words[1], times=number)
    else:
        return "not understood; see --help"
    return "done"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.proxy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", required=True, metavar="URL", help="scheme, host and port of what lies behind it (plain HTTP)")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT", help="where it listens, on 127.0.0.1 (default: any free port)")
    parser.add_argument("--tls", metavar="FILE", help="certificate and key in PEM: callers speak HTTPS")
    asked = parser.parse_args()
    context = None
    if asked.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(asked.tls)
    with proxied(bound(port=asked.listen), tls=context) as proxy:
        proxy.leads_to(asked.to)
        print(f"listening on {proxy.origin}", flush=True)
        with suppress(KeyboardInterrupt):
            for line in sys.stdin:
                print(obey(proxy, line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
