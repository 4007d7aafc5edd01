"""One life of the service: everything that runs under one configuration, from the first look at the folders to the last outcome."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch import logs, waking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from qavix_watch.api.client import Client
    from qavix_watch.api.transfers import TransferClient
    from qavix_watch.config import Settings
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.secret import Secret
    from qavix_watch.engine import Engine
    from qavix_watch.fs.media import MediaReader
    from qavix_watch.fs.mountwatch import MountWatch
    from qavix_watch.fs.watcher import Watcher
    from qavix_watch.store.sqlite import Store
    from qavix_watch.system import Threads

STOP_SECONDS = 20.0
"""How long what is in hand may take to come to an end. Transfers end at their next chunk; this is for answers that do not come."""
CLOSE_SECONDS = 10.0
"""How long closing may take after that. All of it together is less than TimeoutStopSec in systemd/qavix-watch.service."""
LAST_CALLBACK_SECONDS = 3.0
LAST_REPORT_SECONDS = 3.0


@dataclass(slots=True)
class Service:
    """Everything that runs, built and connected."""

    settings: Settings
    store: Store
    client: Client
    transfers: TransferClient
    media: MediaReader
    threads: Threads
    engine: Engine
    watcher: Watcher | None
    listening: socket.socket | None
    log: Any
    mounts: MountWatch | None = None
    drained: bool = True
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until `end` is called; `ready` is called once the state is open and the folders were looked through.

        Then what is in hand comes to an end, within STOP_SECONDS; `drained` says whether all of it did.
        """
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(act) for act in (self._be_woken(), self._listen())]
            starting = group.create_task(self.engine.look_through())
            ending = group.create_task(self._ended.wait())
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not starting.cancelled() and starting.exception() is None:
                helpers.append(group.create_task(self.engine.keep_looking()))
                working = group.create_task(self.engine.work())
                reporting = group.create_task(self.engine.keep_reporting())
                self.log.info("ready", inbox=self.engine.rules.layout.inbox, service=self.settings.api.base_url)
                ready()
                await ending
                await self._drain(working)
                await self._last_report(reporting)
            for task in (*helpers, starting, ending):
                task.cancel()

    def end(self) -> None:
        """Come to an end."""
        self._ended.set()

    @property
    def ending(self) -> bool:
        """Whether it was told to."""
        return self._ended.is_set()

    async def _last_report(self, reporting: asyncio.Task[None]) -> None:
        """Have the status file say that nothing runs any more; a share that hangs holds nobody up."""
        self.engine.stop_reporting()
        await asyncio.wait({reporting}, timeout=LAST_REPORT_SECONDS)
        reporting.cancel()

    async def _drain(self, working: asyncio.Task[None]) -> None:
        self.log.info("stopping")
        self.engine.worker.stop()
        done, _ = await asyncio.wait({working}, timeout=STOP_SECONDS)
        self.drained = bool(done)
        working.cancel()

    async def go_by(self, settings: Settings, key: Secret | None, rules: Rules) -> None:
        """Go by other settings and another key from now on; what is in hand goes on. Brakes are looked at anew."""
        ignored_before = self.engine.rules.ignore
        self.settings = settings
        self.client.set_key(key)
        self.client.set_paths(settings.api.paths)
        self.transfers.set_rate(settings.upload.rate)
        self.engine.go_by(rules)
        if rules.ignore != ignored_before:
            self.watch_again(anew=True)
        await self.engine.worker.look_again()

    def watch_again(self, *, anew: bool) -> None:
        """Watch what is not watched; `anew`: all of it, because an offline root is back and its folders are other inodes now."""
        inbox = self.engine.rules.layout.inbox
        if self.watcher is not None and (anew or not self.watcher.is_watched(inbox)):
            if anew:
                self.watcher.remove_root(inbox)
            self.watcher.add_root(inbox)

    async def _be_woken(self) -> None:
        """Hear when a command was left in the state. Without its socket it is found at the worker's next look."""
        try:
            await waking.listen(self.settings.state.path, lambda word: self.engine.wake(scan=word == waking.SCAN))
        except OSError as error:
            self.log.warning("commands are done later", why=f"the socket beside the state cannot be had: {error}")

    async def _listen(self) -> None:
        """Receive callbacks, where that is configured. The port is free again when this has ended."""
        if self.listening is None:
            return
        from qavix_watch.web.callback import Listener, receiver  # noqa: PLC0415 - heavy, and only where it is configured

        listener = Listener(receiver(self.engine.called_back))
        serving = asyncio.create_task(listener.run_on(self.listening))
        try:
            await asyncio.shield(serving)
        finally:
            listener.should_exit = True
            await asyncio.wait({serving}, timeout=LAST_CALLBACK_SECONDS)

    async def standing(self) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """What is open, and the brakes that are on with their reasons. Whatever a configuration holds back from people is masked."""
        counts, brakes = await self.store.transaction("standing", lambda tx: (tx.house.standing(), tx.brakes.on()))
        return counts, [(brake.name, logs.one_line(logs.redact(brake.why))) for brake in brakes]

    async def close(self) -> None:
        """Close what was opened. What hangs, on a disk that does not answer for example, is left behind after CLOSE_SECONDS."""
        await self.client.close()
        if self.listening is not None:
            self.listening.close()
        threading.Thread(target=self._shut, args=(asyncio.get_running_loop(),), name="closing", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._closed.wait()

    @property
    def hanging(self) -> bool:
        """After `close`: whether something has not come to an end, and could still touch files."""
        return not self._closed.is_set()

    async def let_go(self) -> None:
        """Wait until nothing of it runs any more, however long that takes."""
        await self._closed.wait()

    def _shut(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.mounts is not None:
            self.mounts.stop()
        if self.watcher is not None:
            self.watcher.stop()
        with contextlib.suppress(OSError):
            self.media.close()
        self.threads.close()
        self.transfers.close()
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(self._closed.set)
