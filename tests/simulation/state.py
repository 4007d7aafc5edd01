"""The state of the simulated world: real SQLite, and the very transactions, savepoints and shared commits of production.

A commit is one synchronous piece, so that nothing comes between its parts; a death comes before it or after it, before the answer. What
was under way when a program died is run and taken back, as the database does for a killed one.

Mostly the state is in memory, and all starts of the program share one connection. With a real file each start has its own, as in
production, and a kill drops it.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sqlite_utils import Database

from qavix_watch.store import file, migrations, verbs
from qavix_watch.store.committing import MOST_A_COMMIT, Act, Commits
from tests.simulation.memory import MEMORY, borrowed, give_back, have_called

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from qavix_watch.store.verbs import Tx
    from tests.simulation.machines import Machine
    from tests.simulation.world import World

T = TypeVar("T")
BASE_URL, ACCOUNT, ID = "https://api.qavix.example", "", "the state"
FULL = 2
"""`PRAGMA synchronous`: with this or more, what was committed is durable."""
MOST_IMAGES = 12
"""So many commits at most are lost with the power under less than FULL: those since the last checkpoint."""
FAULTS_EVERY = 1500.0
"""Commits from one that fails to the next."""
DISK_FULL, LOCKED, FULL_AMID = 1, 2, 3
_TOLD = {DISK_FULL: "the disk is full at the commit", LOCKED: "the database is locked", FULL_AMID: "the disk is full amid an act"}


class Answer:
    """What one transaction comes to; who waits is told at the loop's next steps, as by the thread of the real store."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future

    def set_running_or_notify_cancel(self) -> bool:
        return not self.future.cancelled()

    def done(self) -> bool:
        return self.future.done()

    def set_result(self, result: Any) -> None:
        self.future.set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        assert exception is not None
        self.future.set_exception(exception)
        self.future._log_traceback = False  # whoever waited may be dead


class Told:
    """The answer of a transaction that nobody waits for: it is there at once."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._done = False

    def set_running_or_notify_cancel(self) -> bool:
        return True

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any) -> None:
        self.result, self._done = result, True

    def set_exception(self, exception: BaseException | None) -> None:
        self.error, self._done = exception, True


class Gate:
    """A connection as commits see it: where BEGIN and COMMIT pass, faults come in."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.fault = 0

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str) -> sqlite3.Cursor:
        if (sql == "COMMIT" and self.fault == DISK_FULL) or (sql == "BEGIN IMMEDIATE" and self.fault == LOCKED):
            raise sqlite3.OperationalError("database or disk is full" if self.fault == DISK_FULL else "database is locked")
        return self._connection.execute(sql)

    def fail_amid(self, act: Callable[[Tx], Any], tx: Tx) -> None:
        """Run `act` on a disk that is full by then: SQLite takes back the whole transaction, not that act alone."""
        act(tx)
        self._connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")


class SimulatedStore:
    """The state as one start of the program has it."""

    def __init__(self, state: State, machine: Machine, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._state = state
        self._machine = machine
        self._gate = Gate(connection)
        self.id, self._tx = verbs.begin(connection, BASE_URL, ACCOUNT, ID, state.world.now)
        self._commits = Commits(self._gate, self._tx)  # type: ignore[arg-type]
        self._waiting: list[Act] = []
        self._serving = False

    async def transaction(self, name: str, act: Callable[[Tx], T]) -> T:
        """As of the real one."""
        await self._machine.apoint(f"before “{name}”")
        loop = self._state.world.loop
        answer = Answer(loop.create_future())
        self._waiting.append(Act(name, act, answer))
        if not self._serving:
            self._serving = True
            loop.call_soon(self._serve)
        result: T = await answer.future
        await self._machine.apoint(f"after “{name}”")
        return result

    def _serve(self) -> None:
        """Make durable what waits by now, as the thread of the real store does when it comes to it."""
        acts, self._waiting = self._waiting[:MOST_A_COMMIT], self._waiting[MOST_A_COMMIT:]
        self._serving = bool(self._waiting)
        if self._serving:
            self._state.world.loop.call_soon(self._serve)
        before = self.connection.total_changes
        self._commits.commit(self._with_faults(acts))
        if self.connection.total_changes != before:
            self._state.changed(self.connection, self._machine.name, acts)

    def _with_faults(self, acts: list[Act]) -> list[Act]:
        world = self._state.world
        fault = self._gate.fault = world.fault(f"state {self._machine.name}", FAULTS_EVERY, FULL_AMID)
        if not fault:
            return acts
        world.tell(self._machine.name, "the state: %s", _TOLD[fault])
        world.counters.count(f"state: {_TOLD[fault]}")
        if fault != FULL_AMID:
            return acts
        at = world.pick(f"state {self._machine.name}: which act", len(acts))
        broken = acts[at]
        amid = Act(broken.name, lambda tx: self._gate.fail_amid(broken.run, tx), broken.asked)
        return [*acts[:at], amid, *acts[at + 1 :]]

    def die(self) -> None:
        """Killed: what waits is never answered. The first of it was under way, which whoever drops the connection takes back."""
        if self._waiting:
            self._state.world.counters.count("a transaction died")
            self.connection.execute("BEGIN IMMEDIATE")
            with suppress(Exception):  # nobody will ever hear of it
                self._waiting[0].run(self._tx)
        self._waiting = []


class State:
    """The database. It survives every death; `connection` is the world's own look at it, in memory the only one there is.

    SQL on each connection may call `world_now()`. `watchers` are called after each commit that changed anything.
    """

    def __init__(self, world: World, *, real_file: str | None = None) -> None:
        self.world = world
        self.watchers: list[Callable[[], None]] = []
        self._path = real_file or MEMORY
        self._prepared: list[Callable[[sqlite3.Connection], None]] = []
        self._connections: list[sqlite3.Connection] = []
        self._stores: dict[str, SimulatedStore] = {}
        self._images: list[bytes] = []
        self.connection = self._opened()
        _, self._tx = verbs.begin(self.connection, BASE_URL, ACCOUNT, ID, world.now)
        self._commits = Commits(self.connection, self._tx)
        self._durable = self.connection.execute("PRAGMA synchronous").fetchone()[0] >= FULL
        if not self._durable:
            self._images.append(self.connection.serialize())

    # Connections

    def _opened(self) -> sqlite3.Connection:
        if self._path == MEMORY:
            connection = borrowed()
        else:
            with file.opened(self._path) as connection:
                migrations.migrate(Database(connection, recursive_triggers=False))
        have_called(connection, "world_now", self.world.now)
        for prepare in self._prepared:
            prepare(connection)
        self._connections.append(connection)
        return connection

    def each_connection(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Have every connection prepared, those that are open and those that will be: temporary triggers are of one connection."""
        self._prepared.append(prepare)
        for connection in self._connections:
            prepare(connection)

    def close(self) -> None:
        """The life is over."""
        for connection in self._connections:
            give_back(connection)
        self._connections.clear()

    # Programs

    def store(self, machine: Machine) -> SimulatedStore:
        """For one start of the program."""
        connection = self.connection if self._path == MEMORY else self._opened()
        made = self._stores[machine.name] = SimulatedStore(self, machine, connection)
        return made

    def died(self, machine: Machine) -> None:
        """The program on it was killed."""
        store = self._stores.pop(machine.name, None)
        if store is None:
            return
        store.die()
        if store.connection is not self.connection:
            self._connections.remove(store.connection)
            store.connection.close()
        elif self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def power_cut(self, machine: Machine) -> None:
        """It has lost its power. Where it is the only machine the state lies on it, and loses what is not durable."""
        self.died(machine)
        if self._durable or len(self.world.machines) > 1 or self._path != MEMORY:
            return
        lost = self.world.pick("commits lost", len(self._images))
        if lost:
            self.world.tell(machine.name, "%d commits were not durable", lost)
            self.world.counters.count("commits lost")
            del self._images[-lost:]
            self.connection.deserialize(self._images[-1])

    # The world's own looks

    def now(self, act: Callable[[Tx], T]) -> T:
        """One transaction of somebody who is no machine; nothing goes wrong with it."""
        told = Told()
        before = self.connection.total_changes
        self._commits.commit([Act("somebody", act, told)])
        if self.connection.total_changes != before:
            self.changed(self.connection, "somebody", [])
        if told.error is not None:
            raise told.error
        result: T = told.result
        return result

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Look at it."""
        return self.connection.execute(sql, values).fetchall()

    def changed(self, connection: sqlite3.Connection, who: str, acts: list[Act]) -> None:
        """After a commit that may have changed something."""
        if acts:
            self.world.tell(who, "commits %s", ", ".join([act.name for act in acts]))
            if len(acts) > 1:
                self.world.counters.count("a commit was shared")
        if not self._durable:
            self._images = [*self._images[-MOST_IMAGES:], self.connection.serialize()]
        for watcher in self.watchers:
            watcher()
