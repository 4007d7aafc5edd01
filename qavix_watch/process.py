"""The process around the service: signals, reloading, and what its supervisor is told.

SIGTERM and SIGINT end it gracefully, a second one at once. SIGHUP reads the configuration and the key again: what can be changed under
a running service is changed there, for the rest this life of it ends and another begins, in the same process and under the same lock.
A configuration that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from qavix_watch.errors import NoSpace, QavixWatchError, StoreError
from qavix_watch.supervision import summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from qavix_watch.config import Settings
    from qavix_watch.core.secret import Secret
    from qavix_watch.serving import Service
    from qavix_watch.supervision import Supervisor

STATUS_SECONDS = 5.0
SIGNS_A_WATCHDOG = 4
"""So many signs of life come in the time in which one has to."""
EXTEND_EVERY_SECONDS, EXTEND_SECONDS = 10.0, 60.0
EXTENSIONS = 360
"""A first look at the folders may take an hour; what takes longer hangs."""
STARTING = "Starting: looking through the folders."


class Asked(NamedTuple):
    """What a service is to go by."""

    settings: Settings
    key: Secret | None


@dataclass(slots=True)
class Process:
    """`live` builds a service and closes it; `reread` gives the configuration as it is now, or raises QavixWatchError.

    `adopt` is asked for each new one before anything changes: it raises QavixWatchError where it cannot be, says with True that the
    service has to be built anew for it, and otherwise puts it in force.
    """

    live: Callable[[Settings, Secret | None], AbstractAsyncContextManager[Service]]
    reread: Callable[[], Asked]
    adopt: Callable[[Service, Asked], Any]
    supervisor: Supervisor
    log: Any
    _service: Service | None = None
    _next: Asked | None = None
    _stopping: bool = False
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    _at_terminal: bool = False

    async def run(self, asked: Asked) -> bool:
        """Serve until a signal ends it. False where something still hangs, which must not hold the process back.

        Errors: those of a start that cannot be.
        """
        self._listen_to_signals()
        before: Asked | None = None
        while True:
            self._next = None
            try:
                ended_well = await self._life(asked)
            except QavixWatchError as error:
                if before is None:
                    raise
                self._refuse(error)
                asked, before = before, None
                continue
            if self._next is None or self._stopping:
                return ended_well
            before, asked = asked, self._next

    async def _life(self, asked: Asked) -> bool:
        try:
            return await self._lived(asked)
        except ExceptionGroup as group:
            raise _first(group) from group

    async def _lived(self, asked: Asked) -> bool:
        async with self.live(*asked) as service:
            self._service = service
            if self._stopping:
                service.end()
            async with asyncio.TaskGroup() as group:
                company = [group.create_task(act) for act in (self._tend(service), self._hear(service))]
                await service.run(self._came_up)
                for task in company:
                    task.cancel()
            self._up.clear()
        if service.hanging and not self._stopping:
            self.log.warning("waiting for what hangs", why="an act of the service, on a disk perhaps, has not come to its end")
            await service.let_go()
        return service.drained and not service.hanging

    def _came_up(self) -> None:
        self._up.set()
        self.supervisor.ready()

    # Signals

    def _listen_to_signals(self) -> None:
        self._at_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _stop(self, number: signal.Signals) -> None:
        if self._stopping:
            self.log.warning("ended at once", why="a second signal came")
            os._exit(128 + number)  # a kill at any instruction costs time and nothing else
        self._stopping = True
        self.supervisor.stopping()
        if self._service is not None:
            self._service.end()

    def _hang_up(self) -> None:
        """Reload; but where the terminal that this runs in is gone, end as everything does there."""
        if self._at_terminal and not _has_terminal():
            self._stop(signal.SIGHUP)
        else:
            self._hung_up.set()

    # Reloading

    async def _hear(self, service: Service) -> None:
        while True:
            await self._up.wait()
            await self._hung_up.wait()
            self._hung_up.clear()
            self.supervisor.reloading()
            if await self._reloaded(service):
                self.supervisor.ready()

    async def _reloaded(self, service: Service) -> bool:
        """Whether that is all. False: this life ends for another one, which says so itself once it has begun."""
        try:
            asked = self.reread()
            again = await self.adopt(service, asked)
        except QavixWatchError as error:
            self._refuse(error)
            return True
        if again:
            self._next = asked
            service.end()
        return not again

    def _refuse(self, error: QavixWatchError) -> None:
        self.log.error("not reloaded", why=str(error), hint=error.hint or "Mend it and reload again; until then the old one holds.")

    # The supervisor

    async def _tend(self, service: Service) -> None:
        """Say how it goes, and that the service lives: not by the clock, but because its worker has moved, and the state answered it."""
        if not self.supervisor.listens:
            return
        await self._tend_start()
        pause = min(STATUS_SECONDS, (self.supervisor.watchdog_seconds or STATUS_SECONDS * SIGNS_A_WATCHDOG) / SIGNS_A_WATCHDOG)
        moved = None
        while True:
            if service.ending:  # its worker claims nothing more, and the end has bounds of its own
                self.supervisor.alive()
            elif moved != service.engine.worker.moved_at:
                moved = service.engine.worker.moved_at
                self.supervisor.alive()
                await self._say_standing(service)
            service.engine.worker.wake()
            await asyncio.sleep(pause)

    async def _tend_start(self) -> None:
        self.supervisor.status(STARTING)
        for _ in range(EXTENSIONS):
            self.supervisor.extend(EXTEND_SECONDS)
            self.supervisor.alive()  # a reload is watched over as well
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXTEND_EVERY_SECONDS):
                    await self._up.wait()
                    return
        await self._up.wait()

    async def _say_standing(self, service: Service) -> None:
        try:
            self.supervisor.status(summary(*await service.standing()))
        except (StoreError, NoSpace) as error:
            self.supervisor.status(f"The state cannot be read: {error}")


def _first(error: Exception) -> Exception:
    """What ended a group of tasks; the others were only cancelled for it."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _has_terminal() -> bool:
    """Whether this process has a terminal that could go away."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
