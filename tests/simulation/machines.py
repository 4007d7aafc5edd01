"""A simulated computer: its kernel, its power switch, and the start of the service that runs on it just now.

All that the service does passes a point here: other work may run then, and its host may die, lose its power, or freeze.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

from qavix_watch.api.voices import VoiceBook
from qavix_watch.engine import Start, begin, connect
from qavix_watch.errors import QavixWatchError
from qavix_watch.ports import Ports
from qavix_watch.stages.sweep import left_behind
from tests.simulation.disk import SimulatedDisk
from tests.simulation.ground import SimulatedRoots, markers_of
from tests.simulation.hosts import Host
from tests.simulation.jobs import current_job
from tests.simulation.kernel import Kernel, Program
from tests.simulation.senses import SimulatedChance, SimulatedClock
from tests.simulation.wares import SimulatedMedia

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qavix_watch.engine import Engine
    from tests.simulation.volumes import Volume
    from tests.simulation.world import World

KILL, POWER_CUT, FREEZE = 1, 2, 3
DEATHS_EVERY = 900.0
"""Points from one death, power cut or freeze to the next, where a seed is an average one."""
DISK_ERRORS_EVERY = 4000.0
HINTS_LOST_EVERY = 40.0
STOP_SECONDS = 20.0
FREEZES = (0.5, 8.0, 45.0, 400.0)
RESTARTS = (2.0, 0.1, 15.0, 90.0)
_NEVER_FAIL = {"close", "lease", "seek", "adopt", "space"}


class Machine:
    """One computer. `host` is the present start of the service on it, None while there is none."""

    def __init__(self, world: World, name: str, root: Volume, *, looks: bool) -> None:
        """`looks`: whether it is the one that looks at the inbox and tells people how things stand; all of them work."""
        self.world = world
        self.name = name
        self._deaths, self._disk_errors = f"death {name}", f"disk {name}"
        self.looks = looks
        self.skew = 0.0
        self.wall_ahead = 0.0
        self.kernel = Kernel(root, now=lambda: world.now() + self.wall_ahead, tell=self._hint)
        self.host: Host | None = None
        self.program: Program | None = None
        self.engine: Engine | None = None
        self.starts = 0
        self._boots = 0
        self._ready = self._in_quiet = False
        self._stopping = asyncio.Event()
        self._down = asyncio.Event()

    @property
    def serves(self) -> bool:
        """Whether the service is up on it, and not frozen."""
        return self._ready and self.host is not None and not self.host.frozen

    # What the world does to it

    async def keep(self) -> None:
        """Start the service, and again whenever it has ended, until it is told to `stop`."""
        while not self._stopping.is_set():
            self._start()
            await self._down.wait()
            await asyncio.sleep(self.world.one_of(f"restart {self.name}", RESTARTS))

    def _start(self) -> None:
        self._down.clear()
        self._in_quiet = self.world.quiet
        self.starts += 1
        self.host = Host(f"{self.name}{self.starts}")
        self.program = Program(self.kernel, self.host.name, point=self.point, fault=self._disk_error, acted=self._acted)
        self.world.tell(self.host.name, "starts")
        self.world.loop.on(self.host, self._run(self.program), name=f"{self.host.name} main")

    def kill(self) -> None:
        """kill -9."""
        self._end("is killed")

    def power_cut(self) -> None:
        """Its power goes: whatever was not fsynced may be lost on local disks."""
        self._boots += 1
        self._end("loses its power")
        self.kernel.power_cut(self.world.pick)
        self.world.state.power_cut(self)
        self.world.people.after_power_cut()
        self.world.invariants.after_power_cut(self)

    def freeze(self) -> None:
        """It stands still, as under SIGSTOP or in a paused virtual machine, and goes on later as if nothing had been."""
        assert self.host is not None
        seconds = self.world.one_of(f"freeze {self.name}", FREEZES)
        self.world.tell(self.host.name, "freezes for %s s", seconds)
        self.world.counters.count("a host froze")
        self.world.loop.freeze(self.host, seconds)

    async def end_well(self) -> None:
        """SIGTERM: what is in hand comes to its end, within bounds."""
        host, engine = self.host, self.engine
        if host is None or engine is None or not self.serves:
            return
        self.world.tell(host.name, "is told to stop")
        self.world.counters.count("stopped")
        self.world.loop.call_soon(engine.worker.stop, context=host.context())
        self.world.loop.call_soon(engine.stop_reporting, context=host.context())
        await asyncio.sleep(STOP_SECONDS)
        if self.host is host:
            self._end("has ended")

    def thaw(self) -> None:
        """Have it go on at once where it is frozen."""
        if self.host is not None and self.host.frozen:
            self.host.thaws_at = self.world.loop.time()
            self.world.loop.thaw(self.host)

    def stop(self) -> None:
        """The life is over: nothing starts any more."""
        self._stopping.set()

    def _end(self, how: str) -> None:
        host, program = self.host, self.program
        if host is None or program is None:
            return
        self.world.tell(host.name, how)
        self.host = self.program = self.engine = None
        self._ready = False
        self.world.loop.kill(host)
        program.die()
        self.world.state.died(self)
        self._down.set()

    # What the service meets

    def point(self, where: str) -> None:
        """In blocking code: others may run here; the host may die, lose its power or freeze. On the loop nothing can come between."""
        if (job := current_job()) is not None:
            if not self.world.quiet:
                self._fate(where)
            self.world.loop.job_at_port(job)

    async def apoint(self, where: str) -> None:
        """The same for what awaits."""
        host, loop = self.host, self.world.loop
        if not self.world.quiet:
            self._fate(where)
        if host is not None and host.dead:
            await loop.never()
        if not loop.goes_on(host, "the world" if host is None else host.name):
            await asyncio.sleep(0)

    def pause(self, seconds: float) -> None:
        """In blocking code: so much time passes."""
        self.world.loop.at_port(seconds)

    def _fate(self, where: str) -> None:
        how = self.world.choices.fault(self._deaths, DEATHS_EVERY, FREEZE)
        if not how or self.host is None:
            return
        self.world.tell(self.host.name, "at “%s”", where)
        self.world.deaths += how != FREEZE
        self.world.counters.count(("", "killed", "power cut", "frozen")[how])
        (self.kill, self.power_cut, self.freeze)[how - 1]()

    def _killed_by_a_file(self) -> None:
        """What was looked into makes the program go down, at every look, whatever else is quiet."""
        if self.host is not None:
            self.world.deaths += 1
            self.kill()
        self.world.loop.at_port()

    def _disk_error(self, act: str, path: bytes) -> int:
        if self.world.quiet or act in _NEVER_FAIL or current_job() is None:
            return 0
        how = self.world.choices.fault(self._disk_errors, DISK_ERRORS_EVERY, 2)
        if not how:
            return 0
        code = (errno.EIO, errno.ENOSPC)[how - 1]
        if code == errno.ENOSPC and act not in {"write", "create", "mkdir", "rename", "fsync"}:
            return 0
        self.world.tell(self.name, "%s of %s fails: %s", act, path, errno.errorcode[code])
        self.world.counters.count(f"disk: {errno.errorcode[code]}")
        self.world.disk_errors.add(path)
        return code

    def _acted(self, act: str, *paths: bytes) -> None:
        self.world.acted(self, act, *paths)

    def _hint(self, path: bytes, kind: str) -> None:
        """What the kernel's watcher would tell: now and then it loses it, and knows only that it lost something."""
        host, engine = self.host, self.engine
        if host is None or engine is None or not self.looks:
            return
        lost = self.world.fault(f"watch {self.name}", HINTS_LOST_EVERY, 2)
        if lost == 1:
            self.world.counters.count("event lost")
            return
        closed, folder = kind in {"closed", "changed"}, lost == 2 or kind in {"folder", "overflow"}
        where = self.world.layout.inbox if lost else path
        self.world.loop.call_soon(lambda: engine.intake.hint(where, closed=closed, folder=folder), context=host.context())

    def called_back(self, job: int, token: str) -> None:
        """Its callback receiver gets a request."""
        if self.serves and self.engine is not None and self.host is not None:
            self.world.loop.on(self.host, self._guarded_callback(self.engine.called_back(job, token)), name="callback")

    async def _guarded_callback(self, call: Coroutine[Any, Any, bool]) -> None:
        try:
            await call
        except QavixWatchError:
            self.world.counters.count("callback answered with an error")

    def wake(self, *, scan: bool = False) -> None:
        """Somebody has left a command, and knocks at the socket."""
        if self.serves and self.engine is not None and self.host is not None:
            engine = self.engine
            self.world.loop.call_soon(lambda: engine.wake(scan=scan), context=self.host.context())

    # The service on it

    async def _run(self, program: Program) -> None:
        """One start of the program, to its end; an error at a start ends it, and the supervisor starts it again."""
        host = self.host
        assert host is not None
        try:
            await self._serve(program, host)
        except* QavixWatchError as errors:
            self._ended_by(host, errors.exceptions[0])
        except* Exception as errors:  # noqa: BLE001 - whatever it is, it ended the program
            self.world.wrong(f"the program on {host.name} ended: {errors.exceptions[0]!r}")

    def _ended_by(self, host: Host, error: Exception) -> None:
        if self._ready or self._in_quiet:
            self.world.wrong(f"the program on {host.name} ended: {error!r}")
        self.world.counters.count("a start was refused")
        if self.host is host:
            self._end(f"cannot start: {error}")

    async def _serve(self, program: Program, host: Host) -> None:
        world, loop = self.world, self.world.loop
        markers = markers_of(world.layout)
        roots = SimulatedRoots(SimulatedDisk(program), markers)
        files = SimulatedDisk(program, guard=roots.check)
        api, store = world.service.api(self), world.state.store(self)
        ports = Ports(
            SimulatedClock(self), SimulatedChance(world, self.name), files, SimulatedMedia(files, self._killed_by_a_file), api,
            VoiceBook(api, loop.time), world.service.transfers(self), roots, store, loop.blocking,
        )
        rules, layout = world.rules, world.layout
        await loop.blocking(_make_folders, files, [layout.inbox, layout.outbox, layout.archive, layout.failed])
        parts = await loop.blocking(left_behind, files, layout)
        number = world.next_start()
        places = [(mark, folder, number) for folder, mark in markers.items()]
        start = Start(self.name, f"boot {self._boots} of {self.name}", self.starts, "", places, parts)
        left = await store.transaction("start", lambda tx: begin(tx, start, ports.clock.now(), rules.longest_retry_seconds))
        world.marked_starts = max(world.marked_starts, number)
        await loop.blocking(left.sweep, files, rules)
        engine = connect(
            ports, rules, owner=f"{self.name}:{host.name}", uploads=2, watches=self.looks, lease_seconds=world.lease_seconds,
            free=lambda what: files.space(_disk_of(what, world)).for_a_file,
            log=lambda level, event, **values: world.log(self, level, event, values),
        )
        if self.looks:
            engine.intake.before_scans(lambda _: setattr(self, "engine", engine))  # hints are heard from the first watch on
            await engine.look_through()
        self.engine, self._ready = engine, True
        async with asyncio.TaskGroup() as group:
            for act in (engine.work(), *((engine.keep_looking(), engine.keep_reporting()) if self.looks else ())):
                group.create_task(act)


def _make_folders(files: SimulatedDisk, folders: list[bytes]) -> None:
    for folder in folders:
        files.make_folder(folder)


def _disk_of(what: str, world: World) -> bytes:
    folders = {"results": world.layout.outbox, "archive": world.layout.archive, "failed": world.layout.failed}
    return folders.get(what, b"/")


