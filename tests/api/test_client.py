"""api.client: what goes over the wire, and what each answer becomes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import json
import logging
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.api import client as client_module
from qavix_watch.api.answers import BY_TYPE, LARGEST_ANSWER
from qavix_watch.api.client import Client
from qavix_watch.api.endpoints import TABLE
from qavix_watch.core.secret import Secret
from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    ConfigError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServiceFailed,
    UnexpectedAnswer,
    Unreachable,
)
from tests.api.raw_http import RawServer, always, answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.api.raw_http import Peer

    Serve = Callable[..., RawServer]

KEY = "qvx_live_5e1f"
TASK = {"task_id": "551", "task_type": "lip_sync", "status": "pending"}


def success(data: object, *headers: str, **more: object) -> bytes:
    return answer("200 OK", json.dumps({"success": True, "data": data, **more}).encode(), "Content-Type: application/json", *headers)


def failure(status: str, kind: str, *headers: str, message: str = "no", code: str = "c", param: str | None = None) -> bytes:
    error = {"type": kind, "code": code, "message": message, "param": param}
    return answer(status, json.dumps({"success": False, "error": error}).encode(), *headers)


def ask(url: str, call: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """One call, or several, with a client of its own."""
    given: dict[str, Any] = {"key": Secret(KEY), "monotonic": time.monotonic, "timeout": 5.0} | options

    async def main() -> Any:
        client = Client(url, **given)
        try:
            return await call(client)
        finally:
            await client.close()

    return asyncio.run(main())


def refused(url: str, call: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """The error of a call."""
    with pytest.raises((ApiError, Unreachable)) as caught:
        ask(url, call, **options)
    return caught.value


def balance(client: Client) -> Awaitable[Any]:
    return client.get_balance()


def test_it_has_the_shape_of_the_port() -> None:
    from qavix_watch import ports

    for name, method in inspect.getmembers(ports.Api, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(Client, name)).parameters == inspect.signature(method).parameters, name


def test_each_operation_goes_to_its_own_method_and_path_with_what_it_was_given(serve: Serve) -> None:
    calls: dict[str, tuple[Callable[[Client], Awaitable[Any]], str, object]] = {
        "get_balance": (balance, "", None),
        "usage_history": (
            lambda c: c.usage_history("2026-01-01", None, "c 1", 50), "?start_date=2026-01-01&cursor=c+1&limit=50", None
        ),
        "pricing": (lambda c: c.pricing(), "", None),
        "get_task": (lambda c: c.get_task("a/b"), "", None),
        "list_tasks": (lambda c: c.list_tasks("pending", "lip_sync"), "?status=pending&task_type=lip_sync&limit=100", None),
        "video_translation": (lambda c: c.create_task("video_translation", {"name": "ä\udcff"}), "", {"name": "ä\udcff"}),
        "voice_clone": (lambda c: c.voice_clone("https://h/a", "Ana"), "", {"audio_url": "https://h/a", "name": "Ana"}),
        "list_voices": (lambda c: c.list_voices("zh-CN", "female"), "?language=zh-CN&gender=female", None),
        "get_upload_url": (
            lambda c: c.get_upload_url("a.mp4", 5, "0" * 32), "", {"file_name": "a.mp4", "file_size": 5, "content_md5": "0" * 32}
        ),
        "confirm_upload": (lambda c: c.confirm_upload("7"), "", {"file_id": "7"}),
        "refresh_url": (lambda c: c.refresh_url("7"), "", {"file_id": "7"}),
    }
    server = serve(always(failure("500 no", "internal_error")))
    for name, (call, query, body) in calls.items():
        refused(server.url + "/qavix/", call)
        seen = server.seen[-1]
        row = TABLE[name]
        assert seen.line == f"{row.method} /qavix{row.path.replace('{task_id}', 'a%2Fb')}{query} HTTP/1.1"
        assert (json.loads(seen.body) if seen.body else None) == body
        assert ("content-type" in seen.headers) == (body is not None)


def test_only_these_headers_are_sent_and_no_cookie_comes_back(serve: Serve) -> None:
    server = serve(always(success({"credits_remaining": 1}, "Set-Cookie: session=stolen; Path=/")))

    async def twice(client: Client) -> None:
        await client.get_balance()
        await client.get_balance()

    ask(server.url, twice)
    for seen in server.seen:
        assert seen.headers == {
            "host": f"127.0.0.1:{server.port}", "authorization": f"Bearer {KEY}", "accept": "application/json",
            "accept-encoding": "gzip", "user-agent": "qavix-watch",
        }
    assert server.connections == 1


def test_values_come_back_and_usage_of_the_envelope_counts(serve: Serve) -> None:
    server = serve(always(success(TASK, usage={"credits_used": 60, "credits_remaining": 5})))
    made = ask(server.url, lambda client: client.create_task("lip_sync", {}))
    assert (made.task_id, made.credits_used) == ("551", 60)


def test_an_operation_that_creates_no_task_cannot_be_used_to_create_one(serve: Serve) -> None:
    with pytest.raises(ValueError, match="refresh_url"):
        ask("http://127.0.0.1:9", lambda client: client.create_task("refresh_url", {}))


TYPES = {
    "authentication_error": (AuthenticationRefused, "401 Unauthorized"), "validation_error": (InvalidRequest, "400 Bad Request"),
    "rate_limit_error": (RateLimited, "429 Too Many"), "permission_error": (PermissionRefused, "403 Forbidden"),
    "insufficient_credits": (InsufficientCredits, "402 Payment"), "not_found": (NotFound, "404 Not Found"),
    "internal_error": (ServiceFailed, "500 Internal"),
}


def test_the_types_of_the_reference_are_all_known() -> None:
    assert {name: kind for name, (kind, _) in TYPES.items()} == BY_TYPE


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("status", ["", "200 OK", "418 Teapot", "503 Later"])
def test_the_type_in_the_envelope_decides_whatever_the_status(serve: Serve, name: str, status: str) -> None:
    kind, usual = TYPES[name]
    said = {"message": "video_url is required", "code": "missing_field", "param": "video_url"}
    server = serve(always(failure(status or usual, name, **said)))
    error = refused(server.url, lambda client: client.get_task("1"))
    assert type(error) is kind
    assert (error.operation, error.status, error.type, error.code) == ("get_task", int((status or usual)[:3]), name, "missing_field")
    assert "video_url is required" in str(error)
    if kind is not RateLimited:
        assert error.param == "video_url"


@pytest.mark.parametrize(("status", "kind"), [
    (400, InvalidRequest), (401, AuthenticationRefused), (402, InsufficientCredits), (403, PermissionRefused), (404, NotFound),
    (429, RateLimited), (500, ServiceFailed), (599, ServiceFailed), (409, UnexpectedAnswer), (422, UnexpectedAnswer),
    (200, UnexpectedAnswer),
])
def test_an_unknown_type_is_judged_by_its_status(serve: Serve, status: int, kind: type[ApiError]) -> None:
    server = serve(always(failure(f"{status} x", "quota_paused")))
    assert type(refused(server.url, balance)) is kind


@pytest.mark.parametrize(("status", "kind"), [
    (200, UnexpectedAnswer), (204, UnexpectedAnswer), (400, UnexpectedAnswer), (401, AuthenticationRefused), (403, PermissionRefused),
    (404, NotFound), (405, UnexpectedAnswer), (408, ServiceFailed), (418, UnexpectedAnswer), (429, RateLimited), (500, ServiceFailed),
    (502, ServiceFailed), (503, ServiceFailed),
])
def test_a_page_of_html_is_judged_by_its_status(serve: Serve, status: int, kind: type[ApiError]) -> None:
    body = b"" if status == 204 else b"<html><b>nginx</b></html>"
    server = serve(always(answer(f"{status} x", body, "Content-Type: text/html")))
    error = refused(server.url, balance)
    assert type(error) is kind
    assert error.status == status
    assert "text/html" in str(error)


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{}", b'"x"', b'{"success": "true", "data": {}}', b'{"success": 1, "data": {}}',
    b'{"data": {"credits_remaining": 1}}',
    b"\xff\xfe", b"[" * 100_000, b'{"success": true', b'{"success": false}', b'{"success": false, "error": "no"}', b'{"success": true}',
    b'{"success": true, "data": {"credits_remaining": NaN}}', b'{"success": true, "data": {"credits_remaining": ' + b"9" * 5000 + b"}}",
    b'{"success": true, "data": []}',
])
def test_a_200_that_holds_no_envelope_or_not_what_belongs_in_it_is_unexpected(serve: Serve, body: bytes) -> None:
    error = refused(serve(always(answer("200 OK", body))).url, balance)
    assert type(error) is UnexpectedAnswer
    assert error.status == 200
    assert "base_url" in error.hint


def test_a_success_with_the_status_of_a_failure_is_none(serve: Serve) -> None:
    body = b'{"success": true, "data": {"credits_remaining": 1}}'
    assert type(refused(serve(always(answer("500 x", body))).url, balance)) is ServiceFailed
    assert type(refused(serve(always(answer("409 x", body))).url, balance)) is UnexpectedAnswer


def test_404_and_405_on_a_path_without_an_id_name_the_key_to_set(serve: Serve) -> None:
    for status in ("404 x", "405 x"):
        server = serve(always(answer(status, b"<html>")))
        assert "api.paths.list_tasks" in refused(server.url, lambda client: client.list_tasks()).hint
    not_found = serve(always(failure("404 x", "not_found")))
    assert "api.paths" not in refused(not_found.url, lambda client: client.get_task("1")).hint


def test_a_redirect_is_not_followed_and_takes_no_key_along(serve: Serve) -> None:
    other = serve(always(success({"credits_remaining": 1})))
    server = serve(always(answer("307 x", b"", f"Location: {other.url}/elsewhere?token=abc")))
    error = refused(server.url, balance)
    assert type(error) is UnexpectedAnswer
    assert f"127.0.0.1:{other.port}" in str(error)
    assert "token" not in str(error)
    assert "base_url" in error.hint
    assert not other.seen


@pytest.mark.parametrize(("headers", "wait"), [
    (["Retry-After: 7"], 7.0), (["Retry-After: 0"], 0.0), (["Retry-After: 99999999999999999999"], 900.0), (["Retry-After: soon"], None),
    (["Retry-After: -5"], None), ([], None), (["Retry-After: 1.5"], None), (["Retry-After: ²"], None),
    (["Date: Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After: Sun, 22 Nov 2026 10:00:30 GMT"], 30.0),
    (["Date: Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After: Sun, 22 Nov 2026 09:00:00 GMT"], 0.0),
    (["Date: Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After: Sun, 22 Nov 2099 10:00:00 GMT"], 900.0),
    (["Retry-After: Sun, 22 Nov 2026 10:00:30 GMT"], None),
])
def test_retry_after_is_seconds_or_a_date_by_the_services_own_clock(serve: Serve, headers: list[str], wait: float | None) -> None:
    server = serve(always(failure("429 x", "rate_limit_error", *headers)))
    error = refused(server.url, balance)
    assert type(error) is RateLimited
    assert error.retry_after == wait


def test_after_a_429_no_call_leaves_until_it_may(serve: Serve) -> None:
    server = serve(always(failure("429 x", "rate_limit_error", "Retry-After: 60"), success({"credits_remaining": 1})))

    async def main(client: Client) -> None:
        for call in (client.get_balance, client.pricing):
            with pytest.raises(RateLimited) as caught:
                await call()
            assert caught.value.retry_after == pytest.approx(60, abs=2)

    ask(server.url, main)
    assert len(server.seen) == 1


def test_the_limits_that_get_balance_tells_are_kept_from_then_on(serve: Serve) -> None:
    limits = {"requests_per_minute": 1, "queries_per_second": None}
    server = serve(always(success({"credits_remaining": 1, "rate_limits": limits})))

    async def main(client: Client) -> None:
        await client.get_balance()
        with pytest.raises(RateLimited, match="pricing would have to wait"):
            await client.pricing()

    ask(server.url, main)
    assert len(server.seen) == 1


@pytest.mark.parametrize("key", [None, Secret(""), Secret("a b"), Secret("a\r\nX-Evil: 1"), Secret("schlüssel"), Secret("a\udcff")])
def test_without_a_key_that_can_be_one_nothing_is_sent(serve: Serve, key: Secret | None) -> None:
    server = serve(always(success({})))
    error = refused(server.url, balance, key=key)
    assert type(error) is AuthenticationRefused
    assert "QAVIX_API_KEY" in error.hint
    assert server.connections == 0


def test_a_new_key_holds_from_the_next_call_on(serve: Serve) -> None:
    server = serve(always(success({"credits_remaining": 1})))

    async def main(client: Client) -> None:
        await client.get_balance()
        client.set_key(Secret("second"))
        await client.get_balance()
        client.set_key(None)
        with pytest.raises(AuthenticationRefused):
            await client.get_balance()

    ask(server.url, main)
    assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {KEY}", "Bearer second"]


def test_a_key_that_the_service_echoes_and_addresses_that_it_repeats_are_not_shown(serve: Serve) -> None:
    text = f"Key {KEY} may not read https://cdn.test/v?sig=topsecret\n now"
    server = serve(always(failure("401 x", "authentication_error", message=text, code=KEY)))
    error = refused(server.url, balance)
    assert KEY not in str(error) + repr(vars(error))
    assert "topsecret" not in str(error)
    assert "Key ••• may not read https://cdn.test/… now" in str(error)


def test_a_key_that_the_service_echoes_in_what_it_tells_does_not_reach_the_state(serve: Serve) -> None:
    """Whatever a success says is kept: reasons, names, ids."""
    echoed = json.dumps(KEY).strip('"').replace("q", "\\u0071")
    assert KEY not in echoed
    for key in (KEY, echoed):
        body = json.dumps({**TASK, "name": "clip KEY", "status": "failed", "error_message": "Bearer KEY was refused"}).replace("KEY", key)
        server = serve(always(answer("200 OK", f'{{"success": true, "data": {body}}}'.encode())))
        task = ask(server.url, lambda client: client.get_task("551"))
        assert (task.name, task.error_message) == ("clip •••", "Bearer ••• was refused")
    voices = serve(always(success([{"voice_id": KEY, "name": f"x{KEY}"}])))
    assert KEY not in repr(ask(voices.url, lambda client: client.list_voices()))


def test_a_very_long_message_is_cut(serve: Serve) -> None:
    server = serve(always(failure("400 x", "validation_error", message="x" * 100_000, code="y" * 9999)))
    error = refused(server.url, balance)
    assert len(str(error)) < 700
    assert len(error.code) <= 100


def test_gzip_is_understood_and_cannot_grow_without_bound(serve: Serve) -> None:
    good = gzip.compress(b'{"success": true, "data": {"credits_remaining": 7}}')
    assert ask(serve(always(answer("200 OK", good, "Content-Encoding: gzip"))).url, balance).credits_remaining == 7
    bomb = gzip.compress(b'{"success": true, "data": "' + b" " * (LARGEST_ANSWER + 10) + b'"}')
    raw = zlib.compress(good)
    for body, coding in [(bomb, "gzip"), (good[:-9], "gzip"), (raw, "deflate"), (good, "gzip, gzip"), (good, "br"), (b"x", "gzip")]:
        error = refused(serve(always(answer("200 OK", body, f"Content-Encoding: {coding}"))).url, balance)
        assert type(error) is UnexpectedAnswer, coding


def test_an_answer_of_more_than_16_mib_is_not_read_to_its_end(serve: Serve) -> None:
    def endless(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"10000\r\n" + b" " * 65536 + b"\r\n")

    async def main(client: Client) -> None:
        for _ in range(10):  # more than there are connections: none is left behind
            with pytest.raises(UnexpectedAnswer, match="16 MiB"):
                await client.get_balance()

    ask(serve(endless).url, main)


def test_the_services_time_is_told_from_each_answer_that_is_no_copy(serve: Serve) -> None:
    date = "Date: Sun, 22 Nov 2026 10:00:00 GMT"
    data = {"credits_remaining": 1}
    server = serve(always(
        success(data, date), failure("500 x", "internal_error", date), success(data, "Date: whenever"), success(data, date, "Age: 30"),
        success(data),
    ))
    dates: list[float] = []
    calls: list[tuple[str, int]] = []

    async def main(client: Client) -> None:
        for _ in range(5):
            with contextlib.suppress(ServiceFailed):
                await client.get_balance()

    ask(server.url, main, on_date=dates.append, on_call=lambda name, status, seconds: calls.append((name, status)))
    assert dates == [1795341600.0] * 2
    assert calls == [("get_balance", status) for status in (200, 500, 200, 200, 200)]


@pytest.mark.parametrize("date", [
    "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
    "Sun, 22 Nov 99999 10:00:00 GMT", "0", "-1", "Sun, 22 Nov 2026 10:00:00 " + "9" * 50, "", "é", "Sun, 99 Nov 2026 99:99:99 GMT",
])
def test_a_date_that_cannot_be_true_is_nobodys_time(serve: Serve, date: str) -> None:
    """The clock that due times are counted by is set by it."""
    dates: list[float] = []
    ask(serve(always(success({"credits_remaining": 1}, f"Date: {date}"))).url, balance, on_date=dates.append)
    assert dates == []


def test_a_date_without_a_zone_is_in_utc(serve: Serve) -> None:
    dates: list[float] = []
    server = serve(always(success({"credits_remaining": 1}, "Date: Sun, 22 Nov 2026 10:00:00 -0000")))
    ask(server.url, balance, on_date=dates.append)
    assert dates == [1795341600.0]


HOSTILE_HEADS = {
    "a header without an end": b"HTTP/1.1 200 OK\r\nX-Much: " + b"x" * 1_000_000,
    "headers without an end": b"HTTP/1.1 200 OK\r\n" + b"X-One: 1\r\n" * 100_000,
    "a status without an end": b"HTTP/1.1 200 " + b"OK" * 500_000,
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a length of a thousand digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 1000 + b"\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a chunk of a thousand digits": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 1000 + b"\r\n{}",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol in the middle": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("head", HOSTILE_HEADS)
def test_hostile_headers_end_a_call_with_an_error_of_ours(serve: Serve, head: str) -> None:
    server = serve(lambda peer: (peer.request(), peer.send(HOSTILE_HEADS[head]), peer.gone()))
    error = refused(server.url, balance, timeout=3.0)
    assert len(str(error)) < 1000


def test_interim_answers_without_an_end_do_not_hold_a_call_for_ever(serve: Serve) -> None:
    def interim(peer: Peer) -> None:
        peer.request()
        while True:
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    error = refused(serve(interim).url, balance, timeout=0.3)
    assert (type(error), error.maybe_done) == (Unreachable, True)


HOSTILE_BODIES = {
    "deeply nested lists": b"[" * 1_000_000,
    "deeply nested tables": b'{"success":true,"data":' * 100_000,
    "a number of a million digits": b'{"success":true,"data":{"credits_remaining":' + b"9" * 1_000_000 + b"}}",
    "NaN": b'{"success":true,"data":{"credits_remaining":NaN}}',
    "infinity": b'{"success":true,"data":{"credits_remaining":Infinity}}',
    "1e400": b'{"success":true,"data":{"credits_remaining":1e400}}',
    "UTF-16": '{"success":true,"data":{"credits_remaining":5}}'.encode("utf-16")[:-1],
    "a table of very many keys": b'{"success":true,"data":{' + b",".join(b'"%d":0' % n for n in range(200_000)) + b"}}",
    "a list of very many rows": b'{"success":true,"data":[' + b"{}," * 400_000 + b"{}]}",
}


@pytest.mark.parametrize("body", HOSTILE_BODIES)
def test_hostile_json_is_an_answer_that_was_not_expected(serve: Serve, body: str) -> None:
    server = serve(always(answer("200 OK", HOSTILE_BODIES[body])))
    began = time.process_time()
    for call in (balance, lambda client: client.list_voices()):
        assert type(refused(server.url, call)) is UnexpectedAnswer
    assert time.process_time() - began < 10  # a few tenths of a second


def test_a_page_that_names_itself_as_the_next_is_not_followed_for_ever(serve: Serve) -> None:
    server = serve(always(success({"tasks": [], "has_more": True, "next_cursor": "c1"})))
    assert ask(server.url, lambda client: client.list_tasks()).next_cursor == "c1"
    assert type(refused(server.url, lambda client: client.list_tasks(cursor="c1"))) is UnexpectedAnswer


def test_a_connection_that_is_refused_certainly_did_nothing(serve: Serve) -> None:
    server = serve(always(b""))
    server.close()
    told: list[tuple[str, int]] = []
    error = refused(server.url, balance, on_call=lambda name, status, seconds: told.append((name, status)))
    assert type(error) is Unreachable
    assert error.maybe_done is False
    assert "127.0.0.1: it refuses connections" in str(error)
    assert told == [("get_balance", 0)]


def test_a_name_that_does_not_exist_certainly_did_nothing() -> None:
    error = refused("https://no-such-host.invalid/qavix", balance)
    assert (type(error), error.maybe_done) == (Unreachable, False)
    assert "no-such-host.invalid" in str(error)


def test_a_name_that_cannot_be_one_certainly_did_nothing() -> None:
    error = refused(f"https://{'a' * 70}.test/qavix", balance)
    assert (type(error), error.maybe_done) == (Unreachable, False)


LOST = {
    "reset": lambda peer: (peer.request(), peer.reset()),
    "closed": lambda peer: peer.request(),
    "cut in the head": lambda peer: (peer.request(), peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")),
    "cut in the body": lambda peer: (peer.request(), peer.send(answer("200 OK", b'{"succ', length=500))),
    "reset in the body": lambda peer: (peer.request(), peer.send(answer("200 OK", b'{"succ', length=500)), peer.reset()),
    "no HTTP": lambda peer: (peer.request(), peer.send(b"220 ready when you are\r\n\r\n")),
    "silent": lambda peer: (peer.request(), peer.gone()),
}


@pytest.mark.parametrize("how", LOST)
def test_an_answer_that_is_lost_may_have_been_a_success(serve: Serve, how: str) -> None:
    error = refused(serve(LOST[how]).url, lambda client: client.create_task("lip_sync", {}), timeout=0.3)
    assert (type(error), error.maybe_done) == (Unreachable, True)


def test_an_answer_that_drips_does_not_hold_a_call_for_ever(serve: Serve) -> None:
    ended = threading.Event()

    def drip(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not ended.wait(0.02):
                peer.send(b" ")
        finally:
            ended.set()

    error = refused(serve(drip).url, balance, timeout=0.1)
    assert (type(error), error.maybe_done) == (Unreachable, True)
    assert ended.wait(5)


def test_voice_clone_waits_longer_than_the_others(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "VOICE_CLONE_TIMEOUT", 5.0)

    def slow(peer: Peer) -> None:
        peer.request()
        time.sleep(0.4)
        peer.send(success({"voice_id": "v1"}))

    server = serve(slow)
    assert ask(server.url, lambda client: client.voice_clone("https://h/a", "Ana"), timeout=0.1).voice_id == "v1"
    assert type(refused(server.url, balance, timeout=0.1)) is Unreachable


def test_a_certificate_that_is_not_trusted_is_named_and_nothing_is_sent(serve: Serve, tls: ssl.SSLContext) -> None:
    server = serve(always(success({"credits_remaining": 1})), tls)
    error = refused(server.url, balance)
    assert (type(error), error.maybe_done) == (Unreachable, False)
    assert "certificate is not trusted" in str(error)
    assert "ca_file" in error.hint
    assert not server.seen


def test_a_ca_file_is_trusted_beside_the_others(serve: Serve, tls: ssl.SSLContext, certificate: Path) -> None:
    server = serve(always(success({"credits_remaining": 5})), tls)
    assert ask(server.url, balance, ca_file=str(certificate)).credits_remaining == 5


def test_a_ca_file_that_cannot_be_used_is_a_matter_of_configuration(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for path in (tmp_path / "missing.pem", empty):
        with pytest.raises(ConfigError, match="ca_file"):
            ask("https://qavix.test", balance, ca_file=str(path))


def test_plain_http_on_a_tls_port_and_tls_on_a_plain_port_did_nothing(serve: Serve, certificate: Path) -> None:
    def plain(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(plain)
    error = refused(server.url.replace("http:", "https:"), balance, ca_file=str(certificate))
    assert (type(error), error.maybe_done) == (Unreachable, False)


@pytest.mark.parametrize("url", [
    "", "qavixi.com/qavix", "ftp://qavixi.com", "https://", "https://user:pw@qavixi.com", "https://qavixi.com/?a=b", "https://qavixi.com/#a",
    "http://qavixi.com/qavix", "http://192.168.1.5/qavix", "https://[::1", "https://a b/",
])
def test_an_address_that_would_not_keep_the_key_safe_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        Client(url, key=None, monotonic=time.monotonic)
    assert "pw" not in str(caught.value)


def test_an_override_of_a_path_is_used(serve: Serve) -> None:
    server = serve(always(success([])))
    assert ask(server.url, lambda client: client.list_voices(), paths={"list_voices": "/v9/stimmen"}) == ()
    assert server.seen[0].line == "GET /v9/stimmen HTTP/1.1"


def test_netrc_adds_no_authentication(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password m\ndefault login mallory password m\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(always(success({"credits_remaining": 1})))
    ask(server.url, balance)
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_proxy_of_the_environment_gets_a_tunnel_without_the_key_and_loopback_needs_none(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(always(answer("407 Proxy Authentication Required")))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    error = refused("https://service.test/qavix", balance)
    assert (type(error), error.maybe_done) == (Unreachable, False)
    assert proxy.seen[0].line == "CONNECT service.test:443 HTTP/1.1"
    assert "authorization" not in proxy.seen[0].headers
    ask(serve(always(success({"credits_remaining": 1}))).url, balance)
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "gopher://127.0.0.1", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match="proxy"):
        Client("https://service.test", key=None, monotonic=time.monotonic)


def test_no_library_logs_a_call(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(always(success({"tasks": []})))
    ask(server.url, lambda client: client.list_tasks(cursor="secret-cursor"))
    assert "secret-cursor" not in caplog.text
    assert KEY not in caplog.text


def test_a_cancelled_call_leaves_the_client_usable(serve: Serve) -> None:
    arrived = threading.Event()

    def first_hangs(peer: Peer) -> None:
        peer.request()
        if arrived.is_set():
            peer.send(success({"credits_remaining": 3}))
        else:
            arrived.set()
            peer.gone()

    async def main(client: Client) -> Any:
        task = asyncio.create_task(client.get_balance())
        await asyncio.to_thread(arrived.wait, 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await client.get_balance()

    assert ask(serve(first_hangs).url, main).credits_remaining == 3


def test_closing_ends_calls_under_way_and_later_ones(serve: Serve) -> None:
    arrived = threading.Event()

    def hang(peer: Peer) -> None:
        peer.request()
        arrived.set()
        peer.gone()

    async def main(client: Client) -> None:
        task = asyncio.create_task(client.get_balance())
        await asyncio.to_thread(arrived.wait, 5)
        await client.close()
        with pytest.raises(Unreachable) as caught:
            await task
        assert caught.value.maybe_done is True
        with pytest.raises(Unreachable) as caught:
            await client.get_balance()
        assert caught.value.maybe_done is False

    ask(serve(hang).url, main)


def test_many_callers_never_use_more_than_eight_connections(serve: Serve) -> None:
    server = serve(always(success({"credits_remaining": 1})))

    async def main(client: Client) -> None:
        await asyncio.gather(*(client.get_balance() for _ in range(100)))

    ask(server.url, main)
    assert len(server.seen) == 100
    assert server.connections <= 8
