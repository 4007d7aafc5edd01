"""The wiring: everything is built here, runs in one task group, and ends here."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import signal
import socket
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from qavix_watch import logs
from qavix_watch.api.client import Client
from qavix_watch.api.transfers import TransferClient
from qavix_watch.api.voices import VoiceBook
from qavix_watch.config import is_local_service
from qavix_watch.config.layout import absolute, rules_of
from qavix_watch.core.ignore import rule_against
from qavix_watch.core.layout import Layout, join
from qavix_watch.core.rules import Rules, in_window
from qavix_watch.errors import ConfigError, StateUnusable
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.lock import hold
from qavix_watch.fs.marker import HeldMarker, MarkedRoots
from qavix_watch.fs.media import MediaReader
from qavix_watch.fs.probe import ignore_sigio
from qavix_watch.fs.watcher import Hint, Watcher
from qavix_watch.places import held_markers, placed_layout
from qavix_watch.ports import Ports
from qavix_watch.stages.drop import Intake
from qavix_watch.stages.sweep import sweep
from qavix_watch.store.sqlite import Store
from qavix_watch.system import SystemChance, SystemClock, Threads, boot_id
from qavix_watch.worker import Worker, lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qavix_watch.config import Settings
    from qavix_watch.core.secret import Secret

STOP_SECONDS = 20.0


def open_state(settings: Settings) -> Store:
    """Open or make the state. StateUnusable where it cannot be."""
    prepare_state(settings.state.path)
    return Store(settings.state.path, settings.api.base_url, settings.api.account, uuid.uuid4().hex)


def prepare_state(path: str) -> None:
    """Make the folder of the state. StateUnusable where it cannot be made, or lies on a network mount."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateUnusable(
            f"the folder of the state, {folder}, cannot be made: {error.strerror}", hint="Name another with `state.path`."
        ) from error
    if not Disk().is_local(os.fsencode(folder)):
        raise StateUnusable(
            f"the state {path} would lie on a network mount, where SQLite is not safe", hint="Name a local file with `state.path`."
        )


@dataclass(slots=True)
class Service:
    """Everything that runs, built and connected."""

    settings: Settings
    store: Store
    client: Client
    transfers: TransferClient
    media: MediaReader
    threads: Threads
    worker: Worker
    intake: Intake
    watcher: Watcher | None
    listening: socket.socket | None
    log: Any

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is called once the state is open and the roots were scanned."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._listen())] if self.listening is not None else []
            await self.intake.load()
            await self.intake.look({b"": True})
            await self.store.transaction("ready", lambda tx: tx.house.ready())
            helpers.append(group.create_task(self.intake.run()))
            working = group.create_task(self.worker.run())
            self.log.info("ready", inbox=self.worker.rules.layout.inbox, service=self.settings.api.base_url)
            ready()
            await ended.wait()
            self.log.info("stopping")
            self.worker.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await asyncio.shield(working)
            for task in (*helpers, working):
                task.cancel()

    def watch_again(self, *, anew: bool) -> None:
        """Watch what is not watched; `anew`: all of it, because an offline root is back and its folders are other inodes now."""
        if self.watcher is not None and (anew or not self.watcher.is_watched(self.worker.rules.layout.inbox)):
            if anew:
                self.watcher.remove_root(self.worker.rules.layout.inbox)
            self.watcher.add_root(self.worker.rules.layout.inbox)

    async def _listen(self) -> None:
        from qavix_watch.web.callback import Listener, receiver  # noqa: PLC0415 - heavy, and only where it is configured

        assert self.listening is not None
        listener = Listener(receiver(self._called_back))
        try:
            await listener.run_on(self.listening)
        finally:
            listener.should_exit = True

    async def _called_back(self, job: int, token: str) -> bool:
        known = await self.store.transaction("callback", lambda tx: tx.jobs.called_back(job, token, self.worker.now()))
        self.worker.wake()
        return known

    async def close(self) -> None:
        """Close what was opened."""
        if self.watcher is not None:
            self.watcher.stop()
        await self.client.close()
        self.media.close()
        self.threads.close()
        self.transfers.close()


def serve(settings: Settings, key: Secret | None, ready: Callable[[], None] = lambda: None) -> None:
    """Run the service in this process until it is told to stop. Errors: those of a start that cannot be."""
    log = structlog.get_logger()
    ignore_sigio()
    prepare_state(settings.state.path)
    with hold(os.fsencode(os.path.abspath(settings.state.path)) + b".lock"):
        store = open_state(settings)
        try:
            with held_markers(settings, store.id) as places:
                for key_name in settings.without_effect:
                    log.warning("this version does not act on a key of the configuration yet", key=key_name)
                asyncio.run(_run(settings, key, store, places, log, ready))
        finally:
            store.now("stopped", lambda tx: tx.house.stopped())
            store.close()


async def _run(
    settings: Settings, key: Secret | None, store: Store, places: Mapping[bytes, HeldMarker], log: Any, ready: Callable[[], None]
) -> None:
    service = build(settings, key, store, places, log)
    try:
        await service.run(ready)
    finally:
        await service.close()


def build(settings: Settings, key: Secret | None, store: Store, places: Mapping[bytes, HeldMarker], log: Any) -> Service:
    """Build everything and connect it."""
    layout = placed_layout(settings)
    disk = Disk(mode=settings.deliver.mode, group=_group_id(settings.deliver.group))
    for folder in (layout.inbox, layout.outbox, layout.archive, layout.failed):
        disk.make_folder(folder)
    rules = rules_of(settings, layout)
    clock = SystemClock(lambda off: store.now("clock", lambda tx: tx.work.shift(off)))
    if key is not None:
        logs.protect(key)
    client = Client(
        settings.api.base_url, key=key, paths=settings.api.paths, timeout=settings.api.timeout, ca_file=settings.api.ca_file,
        monotonic=time.monotonic, on_date=clock.set_right,
        on_call=lambda operation, status, seconds: log.debug("api call", operation=operation, status=status, seconds=round(seconds, 3)),
    )
    transfers = TransferClient(
        public_only=not is_local_service(settings.api.base_url), timeout=settings.api.timeout, ca_file=settings.api.ca_file,
        rate=settings.upload.rate,
    )
    media, threads = MediaReader(), Threads()
    roots = MarkedRoots({folder: held.marker.id for folder, held in places.items()}, store.id)
    ports = Ports(clock, SystemChance(), disk, media, client, VoiceBook(client, time.monotonic), transfers, roots, store, threads)
    _begin(settings, store, ports, rules, places)
    worker = Worker(
        ports, rules, owner=f"{socket.gethostname()}:{uuid.uuid4().hex}", lanes=lanes(settings.upload.parallel),
        free=lambda what: disk.space(_disk_of(what, settings, layout)).free_bytes,
        log=lambda level, event, **values: getattr(log, level)(event, **values),
        window_open=lambda: in_window(_minute(), rules.window_minutes),
    )
    intake = Intake(ports, rules, wake=worker.wake)
    worker.root_lost, worker.put_away = intake.root_lost, intake.put_away
    service = Service(settings, store, client, transfers, media, threads, worker, intake, None, _listening(settings), log)
    if settings.watch.mode != "poll":
        service.watcher = _watcher(service, store, clock, rules)
    intake.before_scans(lambda anew: service.watch_again(anew=anew))
    return service


def _begin(settings: Settings, store: Store, ports: Ports, rules: Rules, places: Mapping[bytes, HeldMarker]) -> None:
    """What a start does before anything runs: leases of the dead end, their temporary files go."""
    now = ports.clock.now()

    def begin(tx: Any) -> tuple[set[bytes], set[int]]:
        same_boot = tx.house.started(os.getpid(), socket.gethostname(), boot_id(), settings.source or "", now)
        for folder, held in places.items():
            tx.house.place(held.marker.id, folder, held.marker.starts)
        tx.work.rescue(now, rules.longest_retry_seconds)
        return tx.jobs.staged(), tx.jobs.fetching() if same_boot else set()

    staged, fetching = store.now("start", begin)
    sweep(ports.files, rules.layout, {join(rules.layout.outbox, path) for path in staged}, fetching)


def _group_id(group: str | int | None) -> int | None:
    """The number of a group. ConfigError where this host does not know its name."""
    if group is None or isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"deliver.group: this host knows no group “{group}”", hint="Make it, or name another.") from None


def _disk_of(what: str, settings: Settings, layout: Layout) -> bytes:
    return {"results": layout.outbox, "archive": layout.archive}.get(what, absolute(os.path.dirname(os.path.abspath(settings.state.path))))


def _minute() -> int:
    local = datetime.now().astimezone()
    return local.hour * 60 + local.minute


def _watcher(service: Service, store: Store, clock: SystemClock, rules: Rules) -> Watcher:
    loop = asyncio.get_running_loop()
    intake = service.intake

    def told(hint: Hint) -> None:
        closed, folder = hint.kind in {"closed", "changed"}, hint.kind in {"folder", "overflow"}
        with contextlib.suppress(RuntimeError):  # the loop has ended before the watcher's thread
            loop.call_soon_threadsafe(lambda: intake.hint(hint.path, closed=closed, folder=folder))

    def trouble(text: str) -> None:
        service.log.warning("watching is limited", why=text)
        store.now("trouble", lambda tx: tx.house.trouble("watch", text, clock.now()))

    return Watcher(told, trouble, lambda name: rule_against(name, is_dir=True, patterns=rules.ignore) is not None)


def _listening(settings: Settings) -> socket.socket | None:
    """The callback receiver's socket. ConfigError where it cannot be had."""
    address = settings.callback.listen
    if settings.callback.public_url is None:
        return None
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # The protocol is said, or asyncio leaves Nagle on and each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address.host, address.port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"callback.listen: {address} cannot be listened on: {error.strerror}", hint="Stop what uses it, or choose another port."
        ) from error
    return listening


