"""The callback receiver, served for real on a port: it answers one path, believes nothing, and keeps nothing."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.web.callback import BODY_LIMIT_BYTES, LONGEST_TOKEN, Listener, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator


class Served:
    """A receiver on a port of its own, that knows job 7 with the token `secret`."""

    def __init__(self) -> None:
        self.called: list[tuple[int, str]] = []
        self.broken = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.listener = Listener(receiver(self._called_back))
        self._thread = threading.Thread(target=lambda: asyncio.run(self.listener.run_on(self.socket)))
        self._thread.start()

    async def _called_back(self, job: int, token: str) -> bool:
        self.called.append((job, token))
        return (job, token) == (7, "secret")

    def close(self) -> None:
        self.listener.should_exit = True
        self._thread.join(20)

    def ask(self, path: str, body: Any = b"{}", method: str = "POST", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    try:
        while not served.listener.started:
            pass
        yield served
    finally:
        served.close()


def test_the_right_token_is_thanked_for_and_its_job_named(served: Served) -> None:
    assert served.ask("/callback/7/secret") == (200, b"thank you\n")
    assert served.called == [(7, "secret")]


def test_what_a_callback_says_is_not_read(served: Served) -> None:
    for body in (b"", b"no json", b'{"status": "failed"}'):
        assert served.ask("/callback/7/secret", body)[0] == 200


@pytest.mark.parametrize("path", ["/callback/7/wrong", "/callback/8/secret", "/callback/7/SECRET", "/callback/7/%00", "/callback/7/%FF"])
def test_an_unknown_token_is_not_found(served: Served, path: str) -> None:
    assert served.ask(path)[0] == 404


@pytest.mark.parametrize(
    "path",
    [f"/callback/7/{'x' * (LONGEST_TOKEN + 1)}", f"/callback/{1 << 62}/secret", f"/callback/{'9' * 5000}/secret",
        "/callback/%D9%A7/secret"],
)
def test_what_can_be_no_job_or_token_does_not_even_cost_a_look_into_the_state(served: Served, path: str) -> None:
    assert served.ask(path)[0] == 404
    assert served.called == []


@pytest.mark.parametrize(
    "path",
    ["/", "/callback", "/callback/7", "/callback/7/", "/callback/x/secret", "/callback/-7/secret", "/callback/7/secret/more", "/metrics"],
)
def test_it_serves_nothing_else(served: Served, path: str) -> None:
    status, body = served.ask(path)
    assert status in {404, 307}
    assert b"secret" not in body
    assert served.called == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_a_post_is_a_callback(served: Served, method: str) -> None:
    assert served.ask("/callback/7/secret", None, method)[0] == 405
    assert served.called == []


def test_a_body_of_the_largest_size_is_taken(served: Served) -> None:
    assert served.ask("/callback/7/secret", b"x" * BODY_LIMIT_BYTES)[0] == 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_cut_off(served: Served, *, announced: bool) -> None:
    body: Any = b"x" * (BODY_LIMIT_BYTES + 1) if announced else iter([b"x" * 8192] * 9)
    assert served.ask("/callback/7/secret", body)[0] == 413


def test_a_body_without_an_end_does_not_keep_the_receiver_busy(served: Served) -> None:
    """It is answered and the connection closed long before 100 MB came."""
    sent = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"POST /callback/7/secret HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        try:
            while sent < 100_000_000:
                sent += connection.send(b"x" * 65536)
        except OSError:
            pass
    assert sent < 50_000_000


def test_a_sender_that_goes_away_leaves_no_traceback(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """That it called is all that counts, and the job is looked at."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"POST /callback/7/secret HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        while not served.called:
            pass
    assert served.ask("/callback/7/secret")[0] == 200
    served.close()
    assert not [record for record in caplog.records if record.exc_info]
    assert served.called == [(7, "secret")] * 2


def test_a_body_for_an_unknown_token_is_not_waited_for(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"POST /callback/7/wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 404")


def test_no_answer_says_what_serves_it(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("POST", "/callback/7/wrong")
    assert connection.getresponse().getheader("Server") is None
    connection.close()


def test_headers_without_an_end_are_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        try:
            connection.sendall(b"POST /callback/7/secret HTTP/1.1\r\n" + b"X-Much: " + b"x" * 60_000)
            said = connection.recv(100)
        except OSError:
            said = b""
    assert b"200" not in said
    assert served.ask("/callback/7/secret")[0] == 200


def test_every_answer_says_that_it_is_ours_and_how_far_it_came(served: Served) -> None:
    """By it `check` knows a proxy that leads elsewhere, or changes the path."""
    marks = {}
    for path in ("/callback/7/secret", "/callback/7/wrong", "/elsewhere", "/x/callback/7/secret"):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
        connection.request("POST", path, b"{}")
        marks[path] = connection.getresponse().headers["Qavix-Watch"]
        connection.close()
    assert list(marks.values()) == ["taken", "callback", "elsewhere", "elsewhere"]
