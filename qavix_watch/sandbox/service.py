"""The service's parts, put together once and handed to every endpoint."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.sandbox.courier import Courier
from qavix_watch.sandbox.database import open_database, read_meta
from qavix_watch.sandbox.factory import Factory
from qavix_watch.sandbox.faults import Faults
from qavix_watch.sandbox.files import FileRow, Files
from qavix_watch.sandbox.limits import RateLimiter
from qavix_watch.sandbox.links import Links
from qavix_watch.sandbox.places import Places
from qavix_watch.sandbox.recorder import Recorder
from qavix_watch.sandbox.signing import Signer
from qavix_watch.sandbox.tasks import Tasks
from qavix_watch.sandbox.voices import Voices

if TYPE_CHECKING:
    import sqlite3

    from qavix_watch.sandbox.options import SandboxOptions


@dataclass(frozen=True, slots=True)
class Service:
    """Everything an endpoint may need. Only the event loop's thread touches it."""

    options: SandboxOptions
    places: Places
    db: sqlite3.Connection
    files: Files
    tasks: Tasks
    voices: Voices
    links: Links
    faults: Faults
    recorder: Recorder
    limiter: RateLimiter
    factory: Factory
    courier: Courier
    threads: ThreadPoolExecutor
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Takes up the work that an earlier start left."""
        self.factory.start()
        self.courier.resume()

    async def stop(self) -> None:
        self.closing.set()
        await self.factory.stop()
        await self.courier.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.db.close()

    def held_file(self, file_id: str) -> FileRow | None:
        row = self.files.get(file_id)
        return row if row is not None and row.held else None


def build_service(options: SandboxOptions, directory: str, origin: str) -> Service:
    """Opens the state in `directory`; `origin` is scheme, host and port as clients see them."""
    places = Places(directory)
    db = open_database(directory, options.credits)
    secret = read_meta(db, "secret")
    assert isinstance(secret, bytes)
    files, tasks, faults = Files(db), Tasks(db), Faults()
    links = Links(options, origin, Signer(secret))
    threads = ThreadPoolExecutor(max(4, (os.cpu_count() or 1) + 2), thread_name_prefix="sandbox")
    courier = Courier(tasks, links, faults, options.speed)
    factory = Factory(files, tasks, faults, courier, places, threads)
    return Service(
        options, places, db, files, tasks, Voices(db), links, faults, Recorder(options.api_key),
        RateLimiter(options.requests_per_minute, options.queries_per_second), factory, courier, threads,
    )  # fmt: skip
