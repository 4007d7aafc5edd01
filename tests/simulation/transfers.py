"""`Transfers` on simulated storage: the real upload and download, chunk for chunk, on connections that lead to it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from qavix_watch.api.download import Fetch
from qavix_watch.api.upload import upload
from qavix_watch.errors import Unreachable
from tests.simulation.results import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.core.service import Download, ResultHead, UploadGrant
    from qavix_watch.ports import Meter, Reader, Sink
    from tests.simulation.machines import Machine
    from tests.simulation.results import ResultHost
    from tests.simulation.storage import Storage
    from tests.simulation.world import World

CHUNK_BYTES = 128
TIMEOUT = 60.0
SLOW_BYTES = 4 * CHUNK_BYTES
PUT_PAUSES = (0.0, 2.0, 20.0)
CUT_BEFORE, CUT_AMID, CUT_AFTER, SILENT = range(1, 5)
IN_TROUBLE = (503, 500, 429)


@dataclass(frozen=True, slots=True)
class Address:
    """What the transfers ask of an address."""

    text: str

    @property
    def host(self) -> str:
        return urlsplit(self.text).netloc

    @property
    def netloc(self) -> bytes:
        return self.host.encode()

    def join(self, other: str) -> str:
        return urljoin(self.text, other)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    url: Address


@dataclass(frozen=True, slots=True)
class Response:
    """What the transfers ask of an answer."""

    request: Request
    status_code: int
    headers: dict[str, str]
    chunks: Iterator[bytes]

    def iter_raw(self) -> Iterator[bytes]:
        return self.chunks


class Courier:
    """Connections to storage and to the host of results; fits what `api.upload` and `api.download` ask of the real one."""

    def __init__(self, world: World, storage: Storage, results: ResultHost, machine: Machine) -> None:
        self._world = world
        self._storage = storage
        self._results = results
        self._machine = machine

    def address(self, text: str, _what: str) -> Address:
        return Address(text)

    @contextmanager
    def exchange(
        self, method: str, url: Address, headers: list[tuple[bytes, bytes]], _what: str, content: Iterator[bytes] | None = None, *,
        patience: float = 0.0,
    ) -> Iterator[Response]:  # fmt: skip
        """One request. Unreachable where its connection breaks."""
        given = {name.decode(): value.decode() for name, value in headers}
        self._machine.point(f"before {method}")
        if content is None:
            served = self._results.get(url.text, given)
            self._machine.point(f"after {method}")
            yield self._response(url, served)
        else:
            status = self._put(url, given, content)
            self._machine.point(f"after {method}")
            yield self._response(url, Served(status, {}))

    def _response(self, url: Address, served: Served) -> Response:
        return Response(Request(url), served.status, served.headers, self._chunks(url, served))

    def _chunks(self, url: Address, served: Served) -> Iterator[bytes]:
        for start in range(0, len(served.body), CHUNK_BYTES):
            self._machine.point("GET, amid the body")
            self._crawl(served.pause, start)
            yield served.body[start : start + CHUNK_BYTES]
        if served.cut:
            raise _broken(url, "the connection was cut")

    def _crawl(self, pause: float, so_far: int) -> None:
        """A slow line, which gets better: a life shall not spend itself on one file."""
        if pause and so_far <= SLOW_BYTES and not self._world.quiet:
            self._machine.pause(pause)

    def _put(self, url: Address, headers: dict[str, str], content: Iterator[bytes]) -> int:
        """The status with which storage answers, as soon as it knows."""
        status = self._storage.opens(url.text)
        if how := self._world.fault("storage in trouble", 15.0, len(IN_TROUBLE)):
            self._world.counters.count("storage in trouble")
            status = IN_TROUBLE[how - 1]
        if status != 200:
            return status
        cut = self._world.fault("upload cut", 20.0, SILENT)
        if cut:
            self._world.counters.count("upload cut")
        if cut == CUT_BEFORE:
            raise Unreachable(f"No answer from {url.host}: it refuses connections.", maybe_done=False)
        body = self._taken(url, content, cut)
        status = self._storage.put(url.text, headers, body)
        if cut >= CUT_AFTER:
            self._machine.pause(TIMEOUT if cut == SILENT else 0.0)
            raise _broken(url, "it took too long to answer" if cut == SILENT else "the connection was cut")
        return status

    def _taken(self, url: Address, content: Iterator[bytes], cut: int) -> bytes:
        """The body, as it comes in."""
        pause = PUT_PAUSES[self._world.fault("upload slow", 30.0, len(PUT_PAUSES) - 1)]
        body = b""
        for chunk in content:
            body += chunk
            self._machine.point("PUT, amid the body")
            self._crawl(pause, len(body))
            if cut == CUT_AMID:
                raise _broken(url, "the connection was cut")
        return body


class Chunks:
    """What the upload asks of a pace: small pieces, as fast as they come."""

    def chunk(self) -> int:
        return CHUNK_BYTES

    def wait(self, amount: int, look_up: Callable[[], None]) -> None:
        """The network itself makes it wait."""


class SimulatedTransfers:
    """The transfers of one start of the program."""

    def __init__(self, world: World, storage: Storage, results: ResultHost, machine: Machine) -> None:
        self._courier = Courier(world, storage, results, machine)
        self._pace = Chunks()

    def upload(self, grant: UploadGrant, source: Reader, size: int, meter: Meter) -> str:
        return upload(self._courier, self._pace, grant, source, size, meter)  # type: ignore[arg-type]

    def download(
        self, url: str, sink: Sink, known: ResultHead | None, begin: Callable[[ResultHead], None], meter: Meter, limit: int
    ) -> Download:
        return Fetch(self._courier, url, sink, known, begin, meter, limit).run()  # type: ignore[arg-type]


def _broken(url: Address, why: str) -> Unreachable:
    return Unreachable(f"No answer from {url.host}: {why}.", maybe_done=True)
