"""The outermost layer: names every request, counts it, and lets fault rules act on it at the level of the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qavix_watch.sandbox import mischief
from qavix_watch.sandbox.operations import operation_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qavix_watch.sandbox.service import Service


class Gate:
    """An ASGI application around the service's own."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        operation = operation_of(scope["method"], scope["path"])
        visit = self._service.recorder.begin(operation, scope)

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
            await send(message)

        try:
            rule = None if operation == "control" else self._service.faults.for_request(operation)
            if rule is None:
                await self._app(scope, receive, seen)
            else:
                visit.fault = rule.kind
                call = mischief.Call(self._app, scope, receive, seen, operation, self._service.closing)
                await mischief.play(call, rule)
        except asyncio.CancelledError:
            visit.fault = visit.fault or "cancelled"
            raise
        finally:
            self._service.recorder.end(visit)
