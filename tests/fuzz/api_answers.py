"""An HTTP answer becomes a value of ours with bounds, or an ApiError; neither shows our key, and no address leads inside.

The first byte chooses the operation, the second the status. Then come header lines, an empty line, and the body.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from qavix_watch.api import ranges, upload, wire
from qavix_watch.api.answers import Answer, Envelope, envelope, retry_after, server_date
from qavix_watch.api.endpoints import TABLE
from qavix_watch.api.fields import MisreadError
from qavix_watch.api.hosts import transfer_address
from qavix_watch.api.limiter import LONGEST_PAUSE, Limiter
from qavix_watch.core.foreign import extension_for
from qavix_watch.core.secret import Secret
from qavix_watch.core.service import ResultHead, UsageRecord
from qavix_watch.errors import ApiError, GrantRefused, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 3000
KEY = "qx-PLANTED-0042"
STATUSES = (200, 201, 204, 301, 302, 400, 401, 402, 403, 404, 405, 408, 409, 418, 429, 500, 502, 503, 599, 600, 999, 100)
READS: Mapping[str, Callable[[Envelope], object]] = {
    "get_balance": lambda e: wire.balance(e.data),
    "usage_history": lambda e: wire.usage_page(e.data),
    "pricing": lambda e: wire.prices(e.data),
    "get_task": lambda e: wire.task(e.data),
    "list_tasks": lambda e: wire.task_page(e.data),
    "video_translation": lambda e: wire.created(e.data, e.usage),
    "voice_clone": lambda e: wire.voice(e.data, "asked", e.usage),
    "list_voices": lambda e: wire.voices(e.data),
    "get_upload_url": lambda e: wire.grant(e.data),
    "confirm_upload": lambda e: wire.link(e.data, "f1"),
}
NAMES = tuple(READS)
WORDS = (
    b'{"success":true,"data":', b'{"success":false,"error":{"type":"', b'"}}', b"}", b"{", b"[", b"]", b",", b":", b'"', b"null", b"true",
    b"false", b'"data"', b'"usage":{"credits_used":5,"credits_remaining":9}', b'"task_id":"551"', b'"task_id":',
    b'"task_type":"video_translation"', b'"status":"completed"', b'"progress":', b'"output":{"video_url":"https://cdn.test/a.mp4?sig=1"}',
    b'"expires_at":"2026-11-22T10:00:00Z"', b'"tasks":[', b'"voices":[', b'"records":[', b'"pricing":[', b'"has_more":true',
    b'"next_cursor":"c"', b'"credits_remaining":', b'"credits_used":', b'"estimated_credits":', b'"credits_per_minute":',
    b'"rate_limits":{"requests_per_minute":60}', b'"voice_id":"v1"', b'"name":"Ana"', b'"upload_url":"https://s.test/u"',
    b'"upload_method":"PUT"', b'"upload_headers":{"Content-Type":"video/mp4"}', b'"file_id":"f1"', b'"url":"https://s.test/f"',
    b'"error_message":"', b"authentication_error", b"rate_limit_error", b"not_found", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1",
    b"1e15", b"9" * 400, b"0.1", b"-0.0", b"\\ud800", b"\\u0000", b"\\u202e", b"\x00", b"\xff", b"https://cdn.test/",
    b"http://127.0.0.1/", b"https://10.0.0.1/", b"https://[::1]/", b"file:///etc/passwd", b"javascript:", b"../../x", b"%2e%2e%2f",
    b"https://u:p@h/", b"https://xn--/", b"https://h:99999/", KEY.encode(), b"Bearer " + KEY.encode(),
    b"Date: Sun, 22 Nov 2026 10:00:00 GMT\n", b"Retry-After: 7\n", b"Retry-After: ", b"Date: ", b"Age: 1\n", b"Content-Encoding: gzip\n",
    b"Content-Type: text/html\n", b"Location: https://h/x?y\n", b"Content-Length: 5\n", b"Content-Range: bytes 0-4/5\n",
    b"Content-Range: bytes */5\n", b'ETag: "v1"\n', b"Transfer-Encoding: chunked\n", b"\n\n", b"\n", b"0001-01-01T00:00:00+23:59",
    b"99999-01-01", b"1970-01-01", b"Thu, 01 Jan 1970 00:00:00 GMT", b"Fri, 31 Dec 9999 23:59:59 GMT", b"-0000", b" GMT", b"253402300800",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", b"[" * 200, b'{"a":' * 200,
)  # fmt: skip

_BEGUN = ResultHead(5, "video/mp4", '"v1"')
_SECONDS = (1_577_836_800.0, 7_258_118_400.0)  # 2020 to 2200


def one(data: bytes) -> None:
    """Read it as the client does, then use what it says as the stages do."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    status = STATUSES[data[1] % len(STATUSES)] if len(data) > 1 else 200
    head, _, body = data[2:].partition(b"\n\n")
    headers = _headers(head)
    _of_headers(headers, status)
    try:
        value = READS[name](envelope(Answer(TABLE[name], status, headers, body, Secret(KEY))))
    except ApiError as error:
        _told(error)
    except MisreadError as error:
        _text(str(error), 300)
    else:
        _value(value)


def _headers(head: bytes) -> httpx.Headers:
    pairs = (line.partition(b": ") for line in head.split(b"\n"))
    return httpx.Headers([(name, value.strip()) for name, _, value in pairs if name and name.isalnum() | (b"-" in name)])


def _of_headers(headers: httpx.Headers, status: int) -> None:
    date, wait = server_date(headers), retry_after(headers)
    assert date is None or _SECONDS[0] <= date <= _SECONDS[1], f"the service's time is {date}"
    assert wait is None or 0 <= wait <= LONGEST_PAUSE
    response = httpx.Response(status, headers=headers)
    said = ranges.result_head(response)
    assert said.size is None or said.size >= 0
    ranges.ends_clearly(response)
    ranges.total_of_part(response, 5, _BEGUN)
    ranges.is_whole(response, 5, _BEGUN)


def _told(error: ApiError) -> None:
    _text(str(error), 1500)
    for text in (error.hint, error.type, error.code, error.param):
        _text(text, 1000)
    wait = getattr(error, "retry_after", None)
    assert wait is None or 0 <= wait <= LONGEST_PAUSE


def _value(value: object) -> None:
    """Every text is bounded and on one line, every number finite and within what the state can hold."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _field(value, field.name, getattr(value, field.name))
        _used(value)
    elif isinstance(value, tuple):
        for item in value:
            _value(item)
    elif isinstance(value, Mapping):
        _table(value)
    elif isinstance(value, str):
        _text(value, 8192)
    elif isinstance(value, int | float):
        assert math.isfinite(value)
        assert abs(value) <= 10**15


def _field(owner: object, name: str, found: Any) -> None:
    if name.endswith("_at"):
        assert found is None or 0 <= found <= 32_503_680_000
    if name in {"credits_used", "estimated_credits", "credits_per_minute"} and not isinstance(owner, UsageRecord):
        assert found is None or found >= 0, f"{name} is {found}"
    if name in {"url", "upload_url", "preview_url"}:
        _address(found)
    _value(found)


def _table(table: Mapping[str, str]) -> None:
    """Headers of an upload, or the addresses of results."""
    for key, item in table.items():
        assert len(key) <= 100
        if item.lower().startswith("http"):
            _address(item)
            assert len(extension_for(item, item, b"", "video")) <= 4


def _used(value: object) -> None:
    """What is done with it next: limits are kept, an upload is made ready, a task's id becomes a path."""
    if hasattr(value, "requests_per_minute"):
        Limiter(lambda: 0.0).set_rates(value.requests_per_minute, value.queries_per_second)
    if hasattr(value, "upload_headers"):
        try:
            made = upload._headers(value, httpx.URL("https://s.test/u"), 5)
            upload._method(value)
        except GrantRefused as error:
            _text(str(error), 300)
        else:
            assert not [1 for name, text in made if b"\n" in name + text or b"\r" in name + text or b"\0" in name + text]
    if hasattr(value, "task_id"):
        path = TABLE["get_task"].target(value.task_id)
        assert path.count("/") == 2
        assert path.rpartition("/")[2] not in {"", ".", ".."}
        httpx.URL("https://h" + path)


def _address(text: str | None) -> None:
    if text is None:
        return
    for public in (True, False):
        try:
            url = transfer_address(text, "the result", only_public=public)
        except TransferError as error:
            _text(str(error), 8400)
        else:
            assert url.scheme == "https" or not public
            assert url.host not in {"127.0.0.1", "localhost", "::1", "10.0.0.1"} or not public


def _text(text: str, limit: int) -> None:
    assert len(text) <= limit, f"{len(text)} characters"
    assert text.isprintable(), repr(text)
    assert KEY not in text
    text.encode()
