"""How each kind of fault is played on a request. `faults` says what they mean."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from qavix_watch.sandbox.problems import failure_for_status, storage_failure_for_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qavix_watch.sandbox.faults import Rule

_BEFORE_RESET_SECONDS = 0.05  # what was sent arrives first; a reset throws away what its receiver has not read yet
_PLAIN_STORAGE = ("storage_put", "storage_get", "result_get")


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to the service; `closing` is set when the sandbox ends."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    operation: str
    closing: asyncio.Event

    async def pause(self, seconds: float) -> None:
        """Sleeps, unless the sandbox ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)

    async def hang_up(self, *, reset: bool) -> None:
        """Closes the connection, by a reset if asked, and waits until it is closed."""
        transport: asyncio.Transport = self.scope["state"]["transport"]
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def play(call: Call, rule: Rule) -> None:
    """Answers the call as the rule wants."""
    await _PLAYS[rule.kind](call, rule)


async def _instead(call: Call, response: Response) -> None:
    """An answer without any work."""
    await response(call.scope, call.receive, call.send)


async def _status(call: Call, rule: Rule) -> None:
    status = rule.status or 500
    if call.operation in _PLAIN_STORAGE:
        response = storage_failure_for_status(status).answer()
        if rule.retry_after is not None:
            response.headers["Retry-After"] = f"{rule.retry_after:g}"
        await _instead(call, response)
    else:
        await _instead(call, failure_for_status(status, code=rule.code, retry_after=rule.retry_after).answer())


async def _html(call: Call, rule: Rule) -> None:
    page = "<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
    await _instead(call, HTMLResponse(page, rule.status or 502))


async def _garbage(call: Call, rule: Rule) -> None:
    await _instead(call, JSONResponse({"success": True, "data": [[], "unexpected", 7]}, rule.status or 200))


async def _redirect(call: Call, rule: Rule) -> None:
    await _instead(call, RedirectResponse(rule.location, rule.status or 302))


async def _drop(call: Call, _: Rule) -> None:
    await call.hang_up(reset=False)


async def _lost_answer(call: Call, _: Rule) -> None:
    async def swallow(_: Message) -> None:
        return

    await call.app(call.scope, call.receive, swallow)
    await call.hang_up(reset=False)


async def _slow(call: Call, rule: Rule) -> None:
    async def late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await call.pause(rule.delay)
        await call.send(message)

    await call.app(call.scope, call.receive, late)


async def _trickle(call: Call, rule: Rule) -> None:
    async def drip(message: Message) -> None:
        body = bytes(message.get("body", b""))
        for start in range(0, len(body), rule.rate):
            await call.send({"type": "http.response.body", "body": body[start : start + rule.rate], "more_body": True})
            await call.pause(1.0)
        await call.send({**message, "body": b""} if body else message)

    await call.app(call.scope, call.receive, drip)


async def _reset(call: Call, rule: Rule) -> None:
    if call.operation == "storage_put":
        await _reset_upload(call, rule)
    else:
        await _cut_answer(call, rule, reset=True)


async def _truncate(call: Call, rule: Rule) -> None:
    await _cut_answer(call, rule, reset=False)


async def _reset_upload(call: Call, rule: Rule) -> None:
    length = int(Headers(scope=call.scope).get("content-length", "0"))
    left = length // 2 if rule.bytes is None else rule.bytes

    async def counted() -> Message:
        nonlocal left
        message = await call.receive()
        left -= len(message.get("body", b""))
        if left <= 0 and message["type"] == "http.request":
            await call.hang_up(reset=True)
            return {"type": "http.disconnect"}
        return message

    await call.app(call.scope, counted, call.send)


async def _cut_answer(call: Call, rule: Rule, *, reset: bool) -> None:
    left = -1

    async def cut(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            left = _cut_at(message, rule)
            await call.send(message)
            return
        body = bytes(message.get("body", b""))
        if len(body) <= left:
            left -= len(body)
            await call.send({**message, "more_body": True})
        elif left >= 0:
            await call.send({"type": "http.response.body", "body": body[:left], "more_body": True})
            left = -1
            await call.pause(_BEFORE_RESET_SECONDS)
            await call.hang_up(reset=reset)

    await call.app(call.scope, call.receive, cut)
    await call.hang_up(reset=reset)


def _cut_at(start: Message, rule: Rule) -> int:
    length = int(Headers(raw=start["headers"]).get("content-length", "0"))
    return length // 2 if rule.bytes is None else min(rule.bytes, length)


async def _short(call: Call, rule: Rule) -> None:
    left = 0

    async def shorten(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            left = _cut_at(message, rule)
            headers = MutableHeaders(raw=list(message["headers"]))
            headers["content-length"] = str(left)
            await call.send({**message, "headers": headers.raw})
            return
        body = bytes(message.get("body", b""))[:left]
        left -= len(body)
        await call.send({**message, "body": body})

    await call.app(call.scope, call.receive, shorten)


_PLAYS: dict[str, Callable[[Call, Rule], Awaitable[None]]] = {
    "status": _status,
    "html": _html,
    "garbage": _garbage,
    "redirect": _redirect,
    "drop": _drop,
    "lost_answer": _lost_answer,
    "slow": _slow,
    "trickle": _trickle,
    "reset": _reset,
    "truncate": _truncate,
    "short": _short,
}
