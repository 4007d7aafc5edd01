"""The callback receiver: `POST /callback/<job>/<token>` and nothing else. What a callback says is never believed, only that it came."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qavix_watch.web.listening import ELSEWHERE, MARK, OURS, TAKEN

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

BODY_LIMIT_BYTES = 64 * 1024
LONGEST_TOKEN = 128

_JOB = re.compile("[0-9]{1,18}")


def receiver(called_back: Callable[[int, str], Awaitable[bool]]) -> Starlette:
    """The application. `called_back(job, token)` says whether there is such a job with this token, and has it looked at."""

    async def callback(request: Request) -> Response:
        job, token = request.path_params["job"], request.path_params["token"]
        if not _JOB.fullmatch(job) or len(token) > LONGEST_TOKEN or not await called_back(int(job), token):
            return PlainTextResponse("not found\n", 404, {MARK: OURS})
        if not await _read_away(request):
            return PlainTextResponse("too large\n", 413, {"Connection": "close"})
        return PlainTextResponse("thank you\n", headers={MARK: TAKEN})

    routes = [Route("/callback/{job}/{token}", callback, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={HTTPException: _nothing_here})


async def _nothing_here(_: Request, error: Exception) -> Response:
    """Another path or method. It says whose it is, so that `check` knows that a proxy has changed the path."""
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, {**(error.headers or {}), MARK: ELSEWHERE})


async def _read_away(request: Request) -> bool:
    """Read the body without keeping it; False where it is larger than any callback."""
    size = 0
    with contextlib.suppress(ClientDisconnect):  # that it came is all that it says
        async for chunk in request.stream():
            size += len(chunk)
            if size > BODY_LIMIT_BYTES:
                return False
    return True


class Listener(uvicorn.Server):
    """Serves on a socket that is open already, and leaves signals to the wiring."""

    def __init__(self, application: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                application, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_keep_alive=5,
                timeout_graceful_shutdown=2, limit_concurrency=100, h11_max_incomplete_event_size=16 * 1024,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the wiring's."""
        yield

    async def run_on(self, listening: socket.socket) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(sockets=[listening])
