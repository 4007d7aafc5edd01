"""A world with nothing in it but the service, one machine that never dies, and the faults that a test asks for."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from qavix_watch.core.service import FileLink
from tests.simulation import wares
from tests.simulation.choices import Tape, Taped
from tests.simulation.loop import Loop
from tests.simulation.service import Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qavix_watch.core.service import Download, ResultHead, UploadGrant

EPOCH = 1_788_000_000.0
VIDEO = wares.make("video", 90.0, "a film", size=700)
SOUND = wares.make("audio", 5.0, "a sound", size=300)
CALLBACK = "https://here.example/callback/7/abcdef"


class Sums(Counter[str]):
    """Counters of a world."""

    def count(self, name: str) -> None:
        self[name] += 1


class Bare:
    """The world, and its one machine. `faults`: what goes wrong, as a tape has it; the value counts for the first ask of the stream,
    that of a list for as many as it holds.
    """

    name = "A"

    def __init__(self, faults: Mapping[str, int | Sequence[int]]) -> None:
        asked = {stream: [values] if isinstance(values, int) else values for stream, values in faults.items()}
        decisions = {(stream, at): value for stream, values in asked.items() for at, value in enumerate(values)}
        self.world = self.invariants = self
        self.loop = Loop(Taped(Tape(decisions)))
        self.counters = Sums()
        self.quiet = False
        self.wrongs: list[str] = []
        self.posted: list[tuple[float, str, bytes]] = []
        self.service = Service(self)  # type: ignore[arg-type]
        self.service.callback = lambda url, body: self.posted.append((self.loop.time(), url, body))
        self.api = self.service.api(self)  # type: ignore[arg-type]
        self.transfers = self.service.transfers(self)  # type: ignore[arg-type]

    # The world

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        return 0 if self.quiet else self.loop.choices.fault(stream, every, kinds)

    def pick(self, stream: str, count: int) -> int:
        return 0 if self.quiet else self.loop.choices.pick(stream, count)

    def one_of(self, stream: str, things: Sequence[Any]) -> Any:
        return things[self.pick(stream, len(things))]

    def tell(self, who: str, what: str, *values: object) -> None:
        assert what % values if values else what

    def wrong(self, text: str) -> None:
        self.wrongs.append(text)

    def before_post(self, operation: str, body: Mapping[str, object]) -> None:
        """There is no state in which it would have to be durable."""

    # The machine

    def point(self, where: str) -> None:
        self.loop.at_port()

    async def apoint(self, where: str) -> None:
        await asyncio.sleep(0)

    def pause(self, seconds: float) -> None:
        self.loop.at_port(seconds)

    # What a program does

    async def send(self, data: bytes, grant: UploadGrant) -> str:
        """Put it where the grant says."""
        return await self.loop.blocking(self.transfers.upload, grant, Source(data), len(data), Quiet())

    async def grant(self, data: bytes) -> UploadGrant:
        return await self.api.get_upload_url("a film.mp4", len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())

    async def stored(self, data: bytes = VIDEO) -> FileLink:
        """The whole way to a link that a task can be given."""
        grant = await self.grant(data)
        if grant.url is not None:
            return FileLink(grant.file_id, grant.url, grant.expires_at)
        await self.send(data, grant)
        return await self.api.confirm_upload(grant.file_id)

    async def erasing(self, key: str = "k", **more: object) -> dict[str, object]:
        """The body of a whole request."""
        return {"video_url": (await self.stored()).url, "idempotency_key": key, "name": "a film", **more}

    async def ended(self, task_id: str) -> None:
        """When the task has ended."""
        await asyncio.sleep(max(0.0, self.service.tasks[task_id].ends_at - self.now()) + 0.01)

    async def result(self) -> tuple[str, bytes]:
        """The address of a finished video, and its bytes."""
        made = await self.api.create_task("smart_eraser", await self.erasing())
        await self.ended(made.task_id)
        output = (await self.api.get_task(made.task_id)).output
        assert output is not None
        return output.urls["video"], self.service.tasks[made.task_id].results["video"]

    async def fetch(self, url: str, sink: Grown, limit: int = 1 << 20) -> Download:
        """Download it, or go on with what is there."""
        return await self.loop.blocking(self.transfers.download, url, sink, sink.head, sink.begin, Quiet(), limit)


def lived(act: Callable[[Bare], Awaitable[Any]], faults: Mapping[str, int | Sequence[int]] | None = None) -> Bare:
    """The world after `act`, in which these streams brought these faults."""
    bare = Bare(faults or {})
    try:
        bare.loop.run_until_complete(act(bare))
    finally:
        bare.loop.close()
    return bare


class Source:
    """A file to read from."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int) -> bytes:
        part, self._left = self._left[:size], self._left[size:]
        return part


class Grown:
    """A part that grows, and what its host said of it."""

    def __init__(self) -> None:
        self.data = b""
        self.head: ResultHead | None = None
        self.begun = 0

    def size(self) -> int:
        return len(self.data)

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data = b""

    def sync(self) -> None:
        """Nothing is ever lost here."""

    def begin(self, head: ResultHead) -> None:
        self.head = head
        self.begun += 1


class Quiet:
    """A meter that nobody reads."""

    def start(self, total: int, done: int = 0) -> None: ...
    def advance(self, amount: int) -> None: ...
