"""A request to the callback receiver gets one answer, and is believed only with its token.

The first line is the method, the second the path with its query; then come header lines, an empty line, and the body, whose
chunks end with a NUL. A body that ends with two NULs is one whose sender went away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from qavix_watch.web.callback import BODY_LIMIT_BYTES, LONGEST_TOKEN, receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 1200
GOOD = "/callback/7/secret"
WORDS = (
    b"POST\n", b"GET\n", b"HEAD\n", b"OPTIONS\n", b"PUT\n", b"post\n", b"/callback/7/secret\n", b"/callback/", b"7", b"/secret", b"/",
    b"//", b"..", b"%2f", b"%2e%2e/", b"%00", b"%ff", b"%D9%A7", b"%", b"?", b"?a=b", b"#", b";", b"9" * 30, b"-7", b"+7", b" 7", b"7.0",
    b"0x7", b"x" * 200, b"secret", b"SECRET", b"Content-Length: 5\n", b"Content-Length: -1\n", b"Transfer-Encoding: chunked\n",
    b"Host: evil\n", b"X-Forwarded-For: 1\n", b"\n", b"\0", b"\0\0", b'{"status":"failed"}', b"a" * 300, b"\xff", b"\xc3\xa9",
    b"\xe2\x80\xae", b"http://h/callback/7/secret", b"*",
)  # fmt: skip
STATUSES = {200, 404, 405, 413, 307}


class Called:
    """Knows job 7 with its token, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    async def back(self, job: int, token: str) -> bool:
        self.asked.append((job, token))
        return (job, token) == (7, "secret")


_called = Called()
_application = receiver(_called.back)


def one(data: bytes) -> None:
    """Ask, and look at the answer."""
    method, target, headers, body = _parts(data)
    _called.asked.clear()
    sent = _ask(method, target, headers, body)
    status = sent[0]["status"] if sent else None
    if body[-1:] == [None] and not sent:
        return  # the sender went away; there is nobody to answer
    assert status in STATUSES, status
    assert [message["type"] for message in sent][:2] == ["http.response.start", "http.response.body"]
    path = unquote(target.partition("?")[0])
    assert (status == 200) <= (method == "POST" and path == GOOD)
    assert (status == 413) <= (sum(len(part or b"") for part in body) > BODY_LIMIT_BYTES)
    for job, token in _called.asked:
        assert 0 <= job < 1 << 63
        assert len(token) <= LONGEST_TOKEN
        token.encode()
    for name, value in sent[0]["headers"]:
        assert not {0, 10, 13} & {*name, *value}


def _parts(data: bytes) -> tuple[str, str, list[tuple[bytes, bytes]], list[bytes | None]]:
    first, _, rest = data.partition(b"\n")
    target, _, rest = rest.partition(b"\n")
    head, _, body = rest.partition(b"\n\n")
    headers = [tuple(line.lower().split(b": ", 1)) for line in head.split(b"\n") if b": " in line]
    chunks: list[bytes | None] = list(body.split(b"\0"))
    if body.endswith(b"\0\0"):
        chunks[-2:] = [None]
    elif body.endswith(b"!large!"):
        chunks = [b"x" * 9000] * 8
    return first.decode("latin-1").strip(), target.decode("latin-1"), headers, chunks  # type: ignore[return-value]


def _ask(method: str, target: str, headers: Iterable[tuple[bytes, bytes]], body: list[bytes | None]) -> list[dict[str, Any]]:
    """One request as uvicorn hands it over; nothing in the receiver waits for anything else, so no event loop is needed."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": unquote(path), "raw_path": path.encode("utf-8"),
        "root_path": "", "query_string": query.encode("utf-8"), "headers": list(headers), "scheme": "http", "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1), "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    left = [*body]

    async def receive() -> dict[str, Any]:
        part = left.pop(0) if left else None
        return {"type": "http.disconnect"} if part is None else {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    running = _application(scope, receive, send)
    try:
        running.send(None)
    except StopIteration:
        return sent
    raise AssertionError("the receiver waits for something")
