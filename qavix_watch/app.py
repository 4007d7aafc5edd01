"""The wiring: everything is built here, for the first life of the service and for each that a reload begins."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import grp
import os
import socket
import sys
import time
import uuid
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from qavix_watch import logs
from qavix_watch.api.client import Client
from qavix_watch.api.transfers import TransferClient
from qavix_watch.api.voices import VoiceBook
from qavix_watch.config import is_local_service
from qavix_watch.config.changes import all_live, changed_keys
from qavix_watch.config.layout import absolute, layout_of, marked_folders, rules_of
from qavix_watch.core.ignore import rule_against
from qavix_watch.core.rules import Rules, in_window
from qavix_watch.engine import Start, begin, connect
from qavix_watch.errors import ConfigError, NoSpace, StateUnusable, StoreError
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.lock import hold
from qavix_watch.fs.marker import HeldMarker, MarkedRoots
from qavix_watch.fs.media import MediaReader
from qavix_watch.fs.mountwatch import MountWatch
from qavix_watch.fs.probe import ignore_sigio
from qavix_watch.fs.watcher import Hint, Watcher
from qavix_watch.places import held_markers, placed_layout
from qavix_watch.ports import Ports
from qavix_watch.process import Asked, Process
from qavix_watch.serving import Service
from qavix_watch.stages.sweep import left_behind
from qavix_watch.store.examine import examine
from qavix_watch.store.sqlite import Store
from qavix_watch.supervision import Supervisor
from qavix_watch.system import SystemChance, SystemClock, Threads, boot_id
from qavix_watch.web.listening import open_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from qavix_watch.config import Settings
    from qavix_watch.core.layout import Layout
    from qavix_watch.core.secret import Secret
    from qavix_watch.stages.drop import Intake

OLDER_STATE = "the folders have seen more starts of the service than the state knows of (by {}): it is a backup, or took another's place"
OLDER_STATE_HINT = (
    "Before anything is submitted, the service's list of tasks is read, and what it has done already is taken from there."
    " Nothing needs to be done; originals that the state does not know are found where they still lie in the inbox."
)


def open_state(settings: Settings) -> Store:
    """Open or make the state. StateUnusable where it cannot be: one that is damaged or newer is left as it is."""
    look_at_state(settings)
    return store_of(settings)


def look_at_state(settings: Settings) -> None:
    """Read the whole of it, which takes long where it is large. StateUnusable."""
    prepare_state(settings.state.path)
    examine(settings.state.path, settings.api.base_url, settings.api.account)


def store_of(settings: Settings) -> Store:
    """The state that was looked at."""
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


def serve(settings: Settings, key: Secret | None, reread: Callable[[], tuple[Settings, Secret | None]]) -> None:
    """Run the service in this process until it is told to stop. Errors: those of a start that cannot be.

    `reread` gives the configuration and the key anew, for a reload.
    """
    supervisor = Supervisor(os.environ, os.getpid())
    ignore_sigio()
    if supervisor.watchdog_seconds is not None:
        faulthandler.enable()  # a hang ends with SIGABRT: the log shows where it hung, by names of functions alone
    prepare_state(settings.state.path)
    with hold(os.fsencode(os.path.abspath(settings.state.path)) + b".lock"):
        process = Process(living, lambda: Asked(*reread()), adopt, supervisor, structlog.get_logger())
        asyncio.run(_serve(process, Asked(settings, key)))


async def _serve(process: Process, asked: Asked) -> None:
    if not await process.run(asked):
        structlog.get_logger().warning("ended before everything had", why="an answer or a disk did not come back in time; it is done again")
        os._exit(0)  # threads that hang would hold the process back, and systemd would have to kill it


@contextlib.asynccontextmanager
async def living(settings: Settings, key: Secret | None) -> AsyncIterator[Service]:
    """A service for one life, built and closed. Whoever asks for it holds the lock of the state."""
    log = structlog.get_logger()
    await asyncio.to_thread(look_at_state, settings)
    store = store_of(settings)
    try:
        with held_markers(settings, store.id) as places:
            for key_name in settings.without_effect:
                log.warning("this version does not act on a key of the configuration yet", key=key_name)
            service = build(settings, key, store, places, log)
            try:
                yield service
            finally:
                await service.close()
    finally:
        with contextlib.suppress(StoreError, NoSpace):  # a state that takes nothing any more is no reason to end otherwise
            store.now("stopped", lambda tx: tx.house.stopped())
        store.close()


async def adopt(service: Service, asked: Asked) -> bool:
    """Put another configuration in force; True where the service has to be built anew for it. What cannot be is refused.

    Errors: ConfigError, and RootOffline where folders are to change while one is away.
    """
    settings, key = asked
    old = service.settings
    if settings.state.path != old.state.path:
        raise ConfigError(
            f"`state.path` in {settings.source or 'the environment'} is another now, and a running service keeps its state",
            hint="Restart the service for it, or put the old path back and reload again. Until then the old configuration holds.",
        )
    keys = changed_keys(old, settings)
    if key is not None:
        logs.protect(key)
    if again := not all_live(keys):
        _refuse_what_cannot_be(service, settings)
    else:
        layout = replace(layout_of(settings), place=service.engine.rules.layout.place)
        await service.go_by(settings, key, replace(rules_of(settings, layout), secret=key))
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    service.log.info("reloaded", keys=keys, way="the service begins anew" if again else "what is in hand goes on")
    return again


def _refuse_what_cannot_be(service: Service, settings: Settings) -> None:
    """Find out what would be in the way of a new life, while the old one can still go on."""
    service.engine.ports.roots.check()
    _group_id(settings.deliver.group)
    with held_markers(settings, service.store.id, but=marked_folders(service.settings)):
        pass
    if service.listening is None or settings.callback.listen != service.settings.callback.listen:
        listening = _listening(settings)
        if listening is not None:
            listening.close()


def build(settings: Settings, key: Secret | None, store: Store, places: Mapping[bytes, HeldMarker], log: Any) -> Service:
    """Build everything and connect it. Without `places` nothing in the watched folders is touched: only submitted files are worked on."""
    layout = placed_layout(settings)
    roots = MarkedRoots({folder: held.marker.id for folder, held in places.items()}, store.id, places)
    disk = Disk(mode=settings.deliver.mode, group=_group_id(settings.deliver.group), guard=roots.check)
    for folder in (layout.inbox, layout.outbox, layout.archive, layout.failed) if places else ():
        disk.make_folder(folder, layout.like_whom(folder))
    rules = replace(rules_of(settings, layout), secret=key)
    clock = SystemClock(lambda off: store.now("clock", lambda tx: tx.work.shift(off)))
    store.clock = clock.now
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
    ports = Ports(clock, SystemChance(), disk, media, client, VoiceBook(client, time.monotonic), transfers, roots, store, threads)
    _begin(settings, store, ports, rules, places)
    engine = connect(
        ports, rules, owner=f"{socket.gethostname()}:{uuid.uuid4().hex}", uploads=settings.upload.parallel, watches=bool(places),
        free=lambda what: disk.space(_disk_of(what, settings, layout)).for_a_file,
        log=lambda level, event, **values: getattr(log, level)(event, **values),
        window_open=lambda rules: in_window(_minute(), rules.window_minutes),
    )
    service = Service(settings, store, client, transfers, media, threads, engine, None, _listening(settings) if places else None, log)
    if places and settings.watch.mode != "poll":
        service.watcher = _watcher(service, store, clock)
    if places:
        service.mounts = _mount_watch(places, engine.intake)
    engine.intake.before_scans(lambda anew: service.watch_again(anew=anew))
    return service


def _begin(settings: Settings, store: Store, ports: Ports, rules: Rules, places: Mapping[bytes, HeldMarker]) -> None:
    """What a start does before anything runs: leases of the dead end, their temporary files go."""
    marked = [(held.marker.id, folder, held.marker.starts + 1) for folder, held in places.items()]
    parts = left_behind(ports.files, rules.layout) if places else []
    start = Start(socket.gethostname(), boot_id(), os.getpid(), settings.source or "", marked, parts)
    left = store.now("start", lambda tx: begin(tx, start, ports.clock.now(), rules.longest_retry_seconds))
    for held in places.values():  # after the state knows of it: a start that ends in between shall not make the state look old
        held.count_start()
    if left.unknown_starts:
        structlog.get_logger().warning("an older state was found", why=OLDER_STATE.format(left.unknown_starts), hint=OLDER_STATE_HINT)
    if places:
        left.sweep(ports.files, rules)


def _group_id(group: str | int | None) -> int | None:
    """The number of a group. ConfigError where this host does not know its name."""
    if group is None or isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"deliver.group: this host knows no group “{group}”", hint="Make it, or name another.") from None


def _disk_of(what: str, settings: Settings, layout: Layout) -> bytes:
    folders = {"results": layout.outbox, "archive": layout.archive, "failed": layout.failed}
    return folders.get(what, absolute(os.path.dirname(os.path.abspath(settings.state.path))))


def _minute() -> int:
    local = datetime.now().astimezone()
    return local.hour * 60 + local.minute


def _watcher(service: Service, store: Store, clock: SystemClock) -> Watcher:
    loop = asyncio.get_running_loop()
    intake = service.engine.intake

    def told(hint: Hint) -> None:
        closed, folder = hint.kind in {"closed", "changed"}, hint.kind in {"folder", "overflow"}
        with contextlib.suppress(RuntimeError):  # the loop has ended before the watcher's thread
            loop.call_soon_threadsafe(lambda: intake.hint(hint.path, closed=closed, folder=folder))

    def trouble(text: str) -> None:
        service.log.warning("watching is limited", why=text)
        store.now("trouble", lambda tx: tx.house.trouble("watch", text, clock.now()))

    return Watcher(told, trouble, lambda name: rule_against(name, is_dir=True, patterns=service.engine.rules.ignore) is not None)


def _mount_watch(places: Mapping[bytes, HeldMarker], intake: Intake) -> MountWatch:
    loop = asyncio.get_running_loop()

    def changed() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the thread
            loop.call_soon_threadsafe(intake.root_lost)

    return MountWatch(places, changed)


def _listening(settings: Settings) -> socket.socket | None:
    """The callback receiver's socket. ConfigError where it cannot be had."""
    address = settings.callback.listen
    if settings.callback.public_url is None:
        return None
    return open_socket(address.host, address.port)


