"""The API client: the sixteen operations, and the only thing in this program that carries the API key.

It speaks to the host of `api.base_url` alone, follows no redirect, retries nothing, and keeps under the account's limits.
"""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import httpx

from qavix_watch.api import wire
from qavix_watch.api.answers import LARGEST_ANSWER, Answer, Envelope, envelope, server_date
from qavix_watch.api.endpoints import CREATING, Endpoint, endpoints
from qavix_watch.api.fields import MisreadError
from qavix_watch.api.hosts import base_address, is_loopback
from qavix_watch.api.limiter import IN_FLIGHT, Limiter
from qavix_watch.api.network import FOREIGN, building, trust, trust_nobody, unreachable
from qavix_watch.errors import AuthenticationRefused, RateLimited, UnexpectedAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qavix_watch.core.secret import Secret
    from qavix_watch.core.service import (
        Balance,
        CreatedTask,
        FileLink,
        Price,
        Task,
        TaskPage,
        UploadGrant,
        UsagePage,
        Voice,
    )

VOICE_CLONE_TIMEOUT = 180.0
"""Voice Clone works while we wait (reference: "Synchronous API"), and an answer that is lost costs a person's time."""

_KEEP_ALIVE = 4.0  # shorter than servers keep an idle connection, so that they seldom close one under a request
_NO_PATHS: Mapping[str, str] = MappingProxyType({})

T = TypeVar("T")


class Client:
    """The sixteen operations; fits `ports.Api`. One event loop only.

    `timeout` in seconds is for each step (connecting, sending, each wait for more of the answer); `monotonic` gives
    seconds. `on_date` is told the service's own time (seconds since 1970) from each answer, `on_call` each call's
    operation, HTTP status (0: no answer) and seconds. ConfigError for an address, path or file that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: Secret | None,
        paths: Mapping[str, str] = _NO_PATHS,
        timeout: float = 30.0,
        ca_file: str | None = None,
        monotonic: Callable[[], float],
        on_date: Callable[[float], None] | None = None,
        on_call: Callable[[str, int, float], None] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = base_address(base_url)
        self._endpoints = endpoints(paths)
        self._key = key
        self._timeout = timeout
        self._monotonic = monotonic
        self._on_date = on_date
        self._on_call = on_call
        self._limiter = Limiter(monotonic)
        self._closed = False
        self._http = _http_client(self._base, ca_file, transport)

    def set_key(self, key: Secret | None) -> None:
        """Use another key from the next call on; None is no key."""
        self._key = key

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Use other paths from the next call on: those that differ from the built-in ones, by operationId."""
        self._endpoints = endpoints(paths)

    async def close(self) -> None:
        """Close all connections; calls after it are Unreachable."""
        self._closed = True
        await self._http.aclose()

    async def get_balance(self) -> Balance:
        """Get Balance. The limits that it tells hold from the next call on."""
        found = await self._read("get_balance", lambda answer: wire.balance(answer.data))
        self._limiter.set_rates(found.requests_per_minute, found.queries_per_second)
        return found

    async def usage_history(
        self, start_date: str | None = None, end_date: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> UsagePage:
        """Usage History; dates as yyyy-MM-dd, `limit` at most 100."""
        query = {"start_date": start_date, "end_date": end_date, "cursor": cursor, "limit": str(limit)}
        return await self._read(
            "usage_history", lambda answer: _moving(wire.usage_page(answer.data), cursor), query=query
        )

    async def pricing(self) -> tuple[Price, ...]:
        """Pricing."""
        return await self._read("pricing", lambda answer: wire.prices(answer.data))

    async def get_task(self, task_id: str) -> Task:
        """Get Task."""
        return await self._read("get_task", lambda answer: wire.task(answer.data), task_id=task_id)

    async def list_tasks(
        self, status: str | None = None, task_type: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> TaskPage:
        """List Tasks; `limit` at most 100."""
        query = {"status": status, "task_type": task_type, "cursor": cursor, "limit": str(limit)}
        return await self._read("list_tasks", lambda answer: _moving(wire.task_page(answer.data), cursor), query=query)

    async def create_task(self, operation: str, body: Mapping[str, object]) -> CreatedTask:
        """Submit one task; `operation` is one of `endpoints.CREATING`, `body` is sent as it is."""
        if operation not in CREATING:
            raise ValueError(f"{operation} creates no task")
        return await self._read(operation, lambda answer: wire.created(answer.data, answer.usage), body=body)

    async def voice_clone(self, audio_url: str, name: str) -> Voice:
        """Voice Clone; it answers when the voice is ready."""
        body = {"audio_url": audio_url, "name": name}
        return await self._read("voice_clone", lambda answer: wire.voice(answer.data, name, answer.usage), body=body)

    async def list_voices(self, language: str | None = None, gender: str | None = None) -> tuple[Voice, ...]:
        """List Voices."""
        query = {"language": language, "gender": gender}
        return await self._read("list_voices", lambda answer: wire.voices(answer.data), query=query)

    async def get_upload_url(self, file_name: str, file_size: int, content_md5: str) -> UploadGrant:
        """Get Upload URL; `file_size` in bytes, `content_md5` in hex."""
        body = {"file_name": file_name, "file_size": file_size, "content_md5": content_md5}
        return await self._read("get_upload_url", lambda answer: wire.grant(answer.data), body=body)

    async def confirm_upload(self, file_id: str) -> FileLink:
        """Confirm Upload."""
        return await self._link("confirm_upload", file_id)

    async def refresh_url(self, file_id: str) -> FileLink:
        """Refresh URL."""
        return await self._link("refresh_url", file_id)

    async def send_empty(self, operation: str) -> None:
        """POST an empty object to an operation: a request that names no input, so that it can only be refused, and costs nothing.

        Raises the refusal: InvalidRequest where the path is right (reference, "Error Types": missing fields). Returns where it was
        answered with success, which no operation of the service does.
        """
        if self._endpoints[operation].method != "POST":
            raise ValueError(f"{operation} takes no body")
        await self._read(operation, lambda _: None, body={})

    async def _link(self, operation: str, file_id: str) -> FileLink:
        return await self._read(
            operation, lambda answer: wire.link(answer.data, file_id), body={"file_id": file_id}
        )

    async def _read(
        self,
        operation: str,
        read: Callable[[Envelope], T],
        *,
        task_id: str = "",
        query: Mapping[str, str | None] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> T:
        """One call: its envelope, read into a value."""
        endpoint = self._endpoints[operation]
        self._usable_key(operation)
        async with self._limiter.turn(operation):
            key = self._usable_key(operation)
            answer = await self._exchange(endpoint, key, self._request(endpoint, key, task_id, query, body))
        try:
            return read(envelope(answer))
        except RateLimited as error:
            self._limiter.refused(error.retry_after)
            raise
        except MisreadError as error:
            raise UnexpectedAnswer(f"{operation}: {error}.", operation=operation, status=answer.status) from error

    def _usable_key(self, operation: str) -> Secret:
        text = self._key.reveal() if self._key is not None else ""
        if self._key is not None and text and text.isascii() and text.isprintable() and " " not in text:
            return self._key
        problem = "the API key holds characters that no key has" if text else "there is no API key"
        raise AuthenticationRefused(
            f"{operation} was not sent: {problem}.", operation=operation, status=401, type="authentication_error"
        )

    def _request(
        self,
        endpoint: Endpoint,
        key: Secret,
        task_id: str,
        query: Mapping[str, str | None] | None,
        body: Mapping[str, object] | None,
    ) -> httpx.Request:
        # Built by hand: a request of httpx's client would bring cookies and headers of its own.
        headers = {
            "Authorization": f"Bearer {key.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "qavix-watch",
        }
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(dict(body), allow_nan=False).encode()
        params = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self._base}".rstrip("/") + endpoint.target(task_id)
        return httpx.Request(
            endpoint.method, url, params=params or None, headers=headers, content=content,
            extensions={"timeout": httpx.Timeout(self._step(endpoint)).as_dict()},
        )

    def _step(self, endpoint: Endpoint) -> float:
        return max(self._timeout, VOICE_CLONE_TIMEOUT) if endpoint.operation == "voice_clone" else self._timeout

    async def _exchange(self, endpoint: Endpoint, key: Secret, request: httpx.Request) -> Answer:
        """Send, and take the answer; tells `on_call` and `on_date`."""
        if self._closed:
            raise Unreachable(f"{endpoint.operation} was not sent: the client is closed.", maybe_done=False)
        begun = self._monotonic()
        status = 0
        try:
            # A peer that sends a byte now and then never meets the timeout of a step.
            async with asyncio.timeout(3 * self._step(endpoint)):
                response = await self._http.send(request, stream=True)
                try:
                    status = response.status_code
                    body = await _body(endpoint, response)
                finally:
                    await response.aclose()
        except FOREIGN as error:
            raise unreachable(error, self._base.host) from error
        finally:
            self._tell_call(endpoint.operation, status, self._monotonic() - begun)
        self._tell_date(response.headers)
        return Answer(endpoint, status, response.headers, body, key)

    def _tell_call(self, operation: str, status: int, seconds: float) -> None:
        if self._on_call is not None:
            self._on_call(operation, status, seconds)

    def _tell_date(self, headers: httpx.Headers) -> None:
        date = server_date(headers)
        if date is not None and self._on_date is not None:
            self._on_date(date)


def _http_client(
    base: httpx.URL, ca_file: str | None, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    plain = base.scheme == "http" and ca_file is None
    with building():
        return httpx.AsyncClient(
            verify=trust_nobody() if plain or transport else trust(ca_file),
            trust_env=not is_loopback(base.host),
            limits=httpx.Limits(max_connections=IN_FLIGHT, keepalive_expiry=_KEEP_ALIVE),
            transport=transport,
        )


async def _body(endpoint: Endpoint, response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise UnexpectedAnswer(
                f"{endpoint.operation}: the answer has more than {LARGEST_ANSWER // 1024**2} MiB.",
                operation=endpoint.operation,
                status=response.status_code,
            )
    return b"".join(parts)


_Page = TypeVar("_Page", "TaskPage", "UsagePage")


def _moving(page: _Page, cursor: str | None) -> _Page:
    """A page whose next is itself would be read for ever."""
    if cursor is not None and page.next_cursor == cursor:
        raise MisreadError("`next_cursor` is the cursor that was sent")
    return page
