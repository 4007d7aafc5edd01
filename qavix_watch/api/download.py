"""Fetching a result: resumable, bounded, exact in length, and written where it is read."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qavix_watch.api import ranges
from qavix_watch.api.courier import excerpt
from qavix_watch.core.service import Download
from qavix_watch.errors import LinkExpired, ResultBroken, ServiceFailed, TransferError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from qavix_watch.api.courier import Courier, Headers
    from qavix_watch.api.upload import Meter
    from qavix_watch.core.service import ResultHead

WHAT = "the result"
MOST_REDIRECTS = 5
SPAN_SECONDS = 600.0
LEAST_BYTES = 32 * 1024
"""What has to come in each span, or a host that sends a byte now and then would keep its place among the transfers for ever."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXPIRED = frozenset({401, 403, 404, 410})
_LATER = frozenset({408, 425, 429})
# Some hosts of results turn away who does not say what he is.
_ALWAYS: Headers = [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"qavix-watch")]


class Sink(Protocol):
    """`ports.Sink` as far as it is used here."""

    def size(self) -> int: ...
    def write(self, data: bytes) -> None: ...
    def restart(self) -> None: ...
    def sync(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fetch:
    """One download of `url` into `sink`, as `ports.Transfers.download` describes it."""

    courier: Courier
    url: str
    sink: Sink
    known: ResultHead | None
    begin: Callable[[ResultHead], None]
    meter: Meter
    limit: int
    monotonic: Callable[[], float] = time.monotonic

    def run(self) -> Download:
        """Go on where the sink ends if that can be, else start anew."""
        have = self.sink.size()
        if self.known is not None and ranges.resumable(self.known) and 0 < have <= (self.known.size or self.limit):
            with self._get(ranges.range_headers(have, self.known)) as response:
                if response.status_code not in (206, 416):
                    return self._anew(response)
                if response.status_code == 416 and ranges.is_whole(response, have, self.known):
                    return self._finish(have, self.known.content_type, None)
                total = ranges.total_of_part(response, have, self.known) if response.status_code == 206 else None
                if total is not None and _is_plain(response):
                    return self._go_on(response, have, total)
        with self._get([]) as response:
            return self._anew(response)

    @contextmanager
    def _get(self, headers: Headers) -> Iterator[httpx.Response]:
        """The answer behind at most five redirects, each of them checked like the address itself."""
        url = self.courier.address(self.url, WHAT)
        for _ in range(MOST_REDIRECTS + 1):
            with self.courier.exchange("GET", url, [*_ALWAYS, *headers], WHAT) as response:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                target = response.headers.get("Location", "")
                if not target:
                    raise ResultBroken(f"{url.host} redirects to nowhere (HTTP {response.status_code}).")
                url = self.courier.address(str(url.join(target)), "a redirect of the result")
        raise TransferError(f"The address of the result redirects more than {MOST_REDIRECTS} times.")

    def _anew(self, response: httpx.Response) -> Download:
        host = response.request.url.host
        if response.status_code not in (200, 203):
            raise _refusal(response, host)
        head = ranges.result_head(response)
        if not _is_plain(response):
            raise ResultBroken(f"{host} sends the result in an encoding that was not asked for.")
        if not ranges.ends_clearly(response):
            raise ResultBroken(f"{host} does not say how long the result is, so a cut one would look whole.")
        self._check_limit(head.size or 0)
        self.sink.restart()
        self.begin(head)
        self.meter.start(head.size or 0)
        sha256 = hashlib.sha256()
        size = self._take(response, 0, sha256.update)
        self._check_length(size, head.size, host)
        return self._finish(size, head.content_type, sha256.hexdigest())

    def _go_on(self, response: httpx.Response, have: int, total: int) -> Download:
        assert self.known is not None
        self._check_limit(total)
        self.meter.start(total, have)
        size = self._take(response, have, None)
        self._check_length(size, total, response.request.url.host)
        return self._finish(size, self.known.content_type, None)

    def _take(self, response: httpx.Response, size: int, hashing: Callable[[bytes], None] | None) -> int:
        # Without a chunk size, as the connection gives it: gathering larger chunks was slower in every measurement.
        begun, had = self.monotonic(), size
        for chunk in response.iter_raw():
            size += len(chunk)
            if (now := self.monotonic()) - begun >= SPAN_SECONDS:
                if size - had < LEAST_BYTES:
                    raise Unreachable(f"{response.request.url.host} sends the result too slowly to ever end.", maybe_done=False)
                begun, had = now, size
            self._check_limit(size)
            self.sink.write(chunk)
            if hashing is not None:
                hashing(chunk)
            self.meter.advance(len(chunk))
        return size

    def _check_limit(self, size: int) -> None:
        if size > self.limit:
            raise ResultBroken(f"The result has more than {self.limit} bytes, which is the most that is taken.")

    def _check_length(self, size: int, total: int | None, host: str) -> None:
        if total is not None and size < total:
            raise Unreachable(f"{host} sent the result up to byte {size} of {total}.", maybe_done=False)
        if total is not None and size > total:
            raise ResultBroken(f"{host} sent {size} bytes of a result that has {total}.")

    def _finish(self, size: int, content_type: str | None, sha256: str | None) -> Download:
        self.sink.sync()
        return Download(size, content_type, sha256)


def _is_plain(response: httpx.Response) -> bool:
    return response.headers.get("Content-Encoding", "").strip().lower() in ("", "identity")


def _refusal(response: httpx.Response, host: str) -> TransferError | ServiceFailed:
    status = response.status_code
    if status in _EXPIRED or (status == 400 and "expired" in excerpt(response).lower()):
        return LinkExpired(f"The address of the result on {host} is no longer good (HTTP {status}).")
    if status >= 500 or status in _LATER:
        return ServiceFailed(
            f"{host} could not give the result (HTTP {status}).", operation="result host", status=status
        )
    return ResultBroken(f"{host} did not give the result (HTTP {status}).")
