"""Defects of who may do what, and of what is told when: leases, fences, transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qavix_watch.core.outcomes import Done
from qavix_watch.errors import QavixWatchError
from qavix_watch.store import committing, file, work
from qavix_watch.store.committing import Commits
from qavix_watch.store.jobs import Jobs
from qavix_watch.store.rows import bare
from qavix_watch.store.work import KINDS, Work
from qavix_watch.worker.loop import Worker
from tests.simulation import bringing, commands
from tests.simulation.mutants.among import calm, each, each_time
from tests.simulation.mutants.planting import Soil, mutant
from tests.simulation.quiet import SHARED, asks
from tests.simulation.state import DISK_FULL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.core.records import Claim, Job
    from qavix_watch.store.committing import Act
    from qavix_watch.worker import Piece

FILE = bringing.a_file
ZOMBIES = each("freeze", "two machines", since=25.3)
RESTARTS = calm(
    "lives in which two machines die often and uploads are slow", bringing.a_series, **SHARED, **{"upload slow": (2,) * 8},
    often=("death A", "death B"),
)
POWER_CUTS = each("power cut", "a redo", since=15.0, **{"commits lost": (3,)})
SAID_MEANWHILE = each("freeze", "a command that is said meanwhile", since=15.0, every=True)
FULL_DISKS = each_time("dubbing", "state A", DISK_FULL)
KILLS = each("kill", "dubbing", since=4.0)
DUPLICATES = calm("lives in which Ann brings the same again", FILE, bringing.a_duplicate)
CANCELLED = calm(
    "lives in which Ann cancels what is held and brings the same again", FILE, commands.cancel, bringing.a_duplicate,
    **asks("dub en to pt-BR hold=yes"),
)


@mutant("a save without fence", within=8, among=ZOMBIES)
def saves_unfenced(soil: Soil) -> None:
    """Whoever was fenced out records what he has, over what has come since."""
    soil.put(Work, "_guarded", _unguarded)


def _unguarded(self: Work, claim: Claim, sets: str, values: Iterable[Any]) -> None:
    self._connection.execute(f"UPDATE {KINDS[claim.item].table} SET {sets} WHERE id = ?", (*map(bare, values), claim.id))


@mutant("leases of another node ended at a start", within=8, among=RESTARTS)
def ends_all_leases(soil: Soil) -> None:
    """A node that starts takes all work out of the hands of the others."""
    soil.put(Work, "rescue", _rescue_from_everybody)


def _rescue_from_everybody(self: Work, _node: str, now: float, longest: float) -> int:
    for kind in KINDS.values():
        self._connection.execute(
            f"UPDATE {kind.table} SET owner = NULL, lease_until = NULL, due = min(due, ?) WHERE owner IS NOT NULL", (now,)
        )
        self.clamp(kind.table, now, longest)
    return 0


@mutant("synchronous=NORMAL", within=5, among=POWER_CUTS)
def commits_to_the_cache(soil: Soil) -> None:
    """A commit is told of before it is on the disk: a power cut takes it back."""
    configure = file.configure

    def _configure_fast(connection: sqlite3.Connection, path: str) -> None:
        configure(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")

    soil.put(file, "configure", _configure_fast)


@mutant("success told before the commit", within=20, among=FULL_DISKS)
def tells_too_early(soil: Soil) -> None:
    """Whoever waits for a transaction goes on as soon as it has run; that its commit then failed is told nobody."""
    soil.put(Commits, "commit", _commit_and_tell)


def _commit_and_tell(self: Commits, acts: Sequence[Act]) -> None:
    try:
        with file.mapped("all of it"), file.transaction(self._connection):
            for act in acts:
                value = self._attempt(act)
                if value is not committing._FAILED:
                    act.asked.set_result(value)
    except QavixWatchError as error:
        for act in acts:
            if not act.asked.done():
                act.asked.set_exception(error)


@mutant("a wake that is lost", within=10, among=SAID_MEANWHILE)
def forgets_wakes(soil: Soil) -> None:
    """What is woken while somebody works at it is not looked at again after that."""
    soil.put(work, "_WOKEN", "due = coalesce(?, ?)")


@mutant("an outcome in two transactions", within=12, among=KILLS)
def records_in_two(soil: Soil) -> None:
    """That a step is done is one transaction, and what follows from it another."""
    record = Worker._record

    async def _record_in_two(self: Worker, piece: Piece, outcome: Outcome) -> None:
        if not isinstance(outcome, Done) or outcome.also is None:
            return await record(self, piece, outcome)
        await record(self, piece, replace(outcome, also=None))
        await self.ports.store.transaction("and what follows", outcome.also)
        return self.wake()

    soil.put(Worker, "_record", _record_in_two)


@mutant("finished work is not delivered again", within=3, among=DUPLICATES)
def delivers_once(soil: Soil) -> None:
    """A drop that asks for work which is done already waits for ever."""
    expect = Jobs.expect_delivery

    def _expect_in_time(self: Jobs, job: int, drop: int, now: float) -> None:
        expect(self, job, drop, now)
        self._connection.execute("UPDATE deliveries SET due = NULL WHERE job = ? AND drop_id = ? AND state = 'pending'", (job, drop))

    soil.put(Jobs, "expect_delivery", _expect_in_time)


@mutant("cancelled work is never begun again", within=3, among=CANCELLED)
def never_begins_again(soil: Soil) -> None:
    """A file that is dropped again after its job was cancelled waits for ever."""

    def _leave_it(self: Jobs, job: Job, *, held: bool, now: float) -> None: ...

    soil.put(Jobs, "_begin_again", _leave_it)
