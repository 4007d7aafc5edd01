"""The engine: the look at the inbox, the worker and the status file, connected to one another and, through ports, to any world.

The wiring builds one for each life of the service; it knows of no process, no signal and no socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qavix_watch.stages.drop import Intake
from qavix_watch.stages.recovery import suspect
from qavix_watch.stages.report import Report
from qavix_watch.stages.sweep import needless, sweep
from qavix_watch.worker import Worker, lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Files, Ports
    from qavix_watch.ports.state import Tx


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the program, as the state is told of it. `places`: id and folder of each marker, and which start there this is;
    `parts`: the private names in the outbox, read before.
    """

    node: str
    boot: str
    pid: int
    config: str
    places: Sequence[tuple[str, bytes, int]] = ()
    parts: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What earlier starts left: private names in the outbox that nobody needs, how many starts on a folder the state knows nothing of."""

    needless: Sequence[bytes]
    unknown_starts: int

    def sweep(self, files: Files, rules: Rules) -> None:
        """Remove what nobody needs."""
        sweep(files, rules.layout, self.needless)


def begin(tx: Tx, start: Start, now: float, longest_retry_seconds: float) -> Leftovers:
    """What a start does before anything runs: leases of the dead end. Where the host itself has started anew, its power may have been cut,
    and a file that was complete may have lost what was not on the disk, under the same size and time. A state that lags its folders
    has something to make good.
    """
    same_boot = tx.house.started(start.pid, start.node, start.boot, start.config, now)
    unknown = [tx.house.place(*place) for place in start.places]
    tx.work.rescue(start.node, now, longest_retry_seconds)
    if not same_boot:
        tx.drops.settle_again(now, "the host has started anew since it was complete")
    unknown_starts = max(unknown, default=0)
    suspect(tx, unknown_starts, now)
    return Leftovers(needless(tx, start.parts, same_boot=same_boot), unknown_starts)


@dataclass(slots=True)
class Engine:
    """Worker, intake and report of one life. Without a report no folder is watched: only what was submitted is worked on."""

    ports: Ports
    rules: Rules
    worker: Worker
    intake: Intake
    report: Report | None

    async def look_through(self) -> None:
        """Before anything is begun: what the state knows, and one look at the whole inbox."""
        await self.intake.load()
        await self.intake.look({b"": True})
        await self.ports.store.transaction("ready", lambda tx: tx.house.ready())

    async def keep_looking(self) -> None:
        """Follow the inbox, until it is cancelled."""
        await self.intake.run()

    async def work(self) -> None:
        """Do what is due, until `stop` is called and what is in hand has come to its end."""
        await self.worker.run()

    async def keep_reporting(self) -> None:
        """Keep the status file up to date, until `stop_reporting` is called."""
        if self.report is not None:
            await self.report.run()

    def stop_reporting(self) -> None:
        """Have the status file say that nothing runs any more."""
        if self.report is not None:
            self.report.stop()

    async def called_back(self, job: int, token: str) -> bool:
        """The service says that a job's task has news. Whether it is a job of ours: nothing else of a callback is believed."""
        known = await self.ports.store.transaction("callback", lambda tx: tx.jobs.called_back(job, token, self.worker.now()))
        self.worker.wake()
        return known

    def wake(self, *, scan: bool = False) -> None:
        """A command was left in the state; `scan`: the whole inbox is to be looked at now."""
        if scan:
            self.intake.hint(self.rules.layout.inbox, folder=True)
        self.worker.wake()

    def go_by(self, rules: Rules) -> None:
        """Go by other settings from now on, in the same folders; what is in hand goes on."""
        self.rules = self.worker.rules = rules
        self.intake.go_by(rules)
        if self.report is not None:
            self.report.go_by(rules)


def connect(
    ports: Ports, rules: Rules, *, owner: str, uploads: int, watches: bool, free: Callable[[str], int], log: Callable[..., None],
    window_open: Callable[[Rules], bool] = lambda _: True, **worker: Any,
) -> Engine:
    """An engine. `owner`, `free` and `log`: as for Worker, which gets what else is given; `uploads`: contents that are sent at once;
    `watches`: whether it works in folders; `window_open` says of rules whether uploads are allowed at this time of day.
    """
    working = Worker(ports, rules, owner=owner, lanes=lanes(uploads), free=free, log=log, **worker)
    working.window_open = lambda: window_open(working.rules)
    intake = Intake(ports, rules, wake=working.wake, log=log)
    working.root_lost, working.put_away, working.questioned = intake.root_lost, intake.put_away, intake.questioned
    return Engine(ports, rules, working, intake, Report(ports, rules, log) if watches else None)
