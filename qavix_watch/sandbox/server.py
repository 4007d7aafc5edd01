"""The sandbox on a real port: in the foreground until a signal (`serve`), or in a thread of this process (`running`)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qavix_watch.sandbox.app import build_app
from qavix_watch.sandbox.operations import BASE_PATH
from qavix_watch.sandbox.options import SandboxOptions
from qavix_watch.sandbox.service import Service, build_service

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_LAST_ANSWERS_SECONDS = 1
_STARTED_WITHIN_SECONDS = 30


def serve(options: SandboxOptions, ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGINT or SIGTERM. `ready` is called with the base URL once the port answers. Raises OSError if it is taken."""
    with _state_directory(options) as directory, _listen(options) as listener:
        asyncio.run(_serve(options, directory, listener, ready or _silent, threading.Event()))


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that runs in another thread."""

    base_url: str
    api_key: str
    options: SandboxOptions

    @property
    def origin(self) -> str:
        """Scheme, host and port, under which /storage, /results and /control lie."""
        return self.base_url.removesuffix(BASE_PATH)

    def control(self, path: str, body: object = None, *, method: str | None = None) -> Any:
        """Calls /control/`path`: GET, or POST where there is a body, unless `method` says otherwise. Returns the JSON.

        Raises RuntimeError with the answer where that is not a success.
        """
        host = self.origin.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method or ("GET" if body is None else "POST"), f"/control/{path.lstrip('/')}", payload)
            answer = connection.getresponse()
            data = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"/control/{path} answered {answer.status}: {data}")
        return data

    def faults(self, *rules: dict[str, Any]) -> Any:
        """Replaces the fault rules; without arguments, none are left."""
        return self.control("faults", list(rules), method="PUT")

    def ledger(self) -> Any:
        return self.control("ledger")


@contextlib.contextmanager
def running(options: SandboxOptions | None = None) -> Iterator[Running]:
    """A sandbox in a thread and event loop of its own, for as long as the block lasts. Raises OSError if the port is taken."""
    options = options or SandboxOptions()
    with _state_directory(options) as directory, _listen(options) as listener:
        started, stop, found = threading.Event(), threading.Event(), list[str]()

        def ready(base_url: str) -> None:
            found.append(base_url)
            started.set()

        def work() -> None:
            try:
                asyncio.run(_serve(options, directory, listener, ready, stop))
            finally:
                started.set()

        thread = threading.Thread(target=work, name="sandbox", daemon=True)
        thread.start()
        try:
            if not started.wait(_STARTED_WITHIN_SECONDS) or not found:
                raise RuntimeError("the sandbox did not start")
            yield Running(found[0], options.api_key, options)
        finally:
            stop.set()
            thread.join()


def _silent(_: str) -> None:
    return


async def _serve(
    options: SandboxOptions, directory: str, listener: socket.socket, ready: Callable[[str], None], stop: threading.Event
) -> None:
    host, port = listener.getsockname()[:2]
    origin = f"http://{_url_host(host)}:{port}"
    service = build_service(options, directory, options.public_origin or origin)
    config = uvicorn.Config(
        build_app(service), http=_Connection, ws="none", lifespan="off", log_config=None, access_log=options.access_log,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS + 3, timeout_keep_alive=75, backlog=2048, server_header=False,
    )  # fmt: skip
    server = _Server(config, service, stop, lambda: ready(origin + BASE_PATH))
    await service.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        await service.stop()


class _Connection(H11Protocol):
    """A connection whose transport can be reached from the request, for faults that end it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Uvicorn's server that says when it listens, can be stopped from another thread, and ends without raising its signal again."""

    def __init__(self, config: uvicorn.Config, service: Service, stop: threading.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._stop = stop
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self.on_tick(0)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.closing.set()
        asyncio.get_running_loop().call_later(_LAST_ANSWERS_SECONDS, self._cut_off)
        await super().shutdown(sockets)

    def _cut_off(self) -> None:
        """Whoever still sends or fetches has had its time; cutting the connection ends its request without a trace in the log."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()


@contextlib.contextmanager
def _state_directory(options: SandboxOptions) -> Iterator[str]:
    """The directory that was asked for, or a temporary one that goes away."""
    if options.directory is not None:
        os.makedirs(options.directory, exist_ok=True)
        with _locked(os.path.join(options.directory, "lock")):
            yield os.fspath(options.directory)
        return
    directory = tempfile.mkdtemp(prefix="qavix-sandbox-")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Two sandboxes on one state would do its work twice: the second one gets BlockingIOError."""
    with open(path, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _listen(options: SandboxOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named: without it every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _url_host(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - what was bound to, and where it can be reached from here
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"  # noqa: S104 - the same
    return f"[{host}]" if ":" in host else host
