"""One errand in this process, where no service runs: files that were submitted are worked on until they are at rest.

The same worker over the same state, under the same lock; but no folder is watched, no root is looked into, and what the inbox had in
work when the service stopped stays as it is.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from qavix_watch import waking
from qavix_watch.app import build, open_state, prepare_state
from qavix_watch.fs.lock import hold
from qavix_watch.fs.probe import ignore_sigio
from qavix_watch.serving import STOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qavix_watch.config import Settings
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.secret import Secret
    from qavix_watch.ports import Ports
    from qavix_watch.serving import Service

LOOK_SECONDS = 0.25


@dataclass(slots=True)
class Errand:
    """What is to be done: `begin` adds the work to the state and gives its drops, `over` is asked again and again whether it is done."""

    begin: Callable[[Ports, Rules], Awaitable[list[int]]]
    over: Callable[[list[int]], bool]
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, service: Service) -> bool:
        """Whether all of it came to rest; False where a signal ended it before, which leaves everything in the state."""
        worker = service.engine.worker
        worker.rootless = True
        self._listen_to_signals()
        drops = await self.begin(worker.ports, worker.rules)
        await service.store.transaction("ready", lambda tx: tx.house.ready())
        async with asyncio.TaskGroup() as group:
            woken = group.create_task(_be_woken(service))
            working = group.create_task(worker.run())
            done = await self._until_over(drops)
            worker.stop()
            await asyncio.wait({working}, timeout=STOP_SECONDS)
            woken.cancel()
            working.cancel()
        return done

    async def _until_over(self, drops: list[int]) -> bool:
        while not self.over(drops):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.ended.wait()
                    return False
        return True

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        if self.ended.is_set():
            os._exit(128 + number)  # a kill at any instruction costs time and nothing else
        self.ended.set()


def run(settings: Settings, key: Secret, errand: Errand) -> bool:
    """Do an errand. Errors: those of a start that cannot be, StateLocked where a service runs after all, and what `begin` raises."""
    ignore_sigio()
    prepare_state(settings.state.path)
    with hold(os.fsencode(os.path.abspath(settings.state.path)) + b".lock"):
        store = open_state(settings)
        try:
            return asyncio.run(_run(settings, key, store, errand))
        finally:
            store.now("stopped", lambda tx: tx.house.stopped())
            store.close()


async def _run(settings: Settings, key: Secret, store: Any, errand: Errand) -> bool:
    service = build(settings, key, store, {}, structlog.get_logger())
    try:
        return await errand.run(service)
    finally:
        await service.close()


async def _be_woken(service: Service) -> None:
    """Hear when a command was left in the state. Without the socket it is found at the worker's next look."""
    with suppress(OSError):
        await waking.listen(service.settings.state.path, lambda _: service.engine.worker.wake())
