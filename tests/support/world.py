"""Everything that stages have to do with, as the wiring builds it: a real disk, state, API client; only the clock is set by hand."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch

from qavix_watch.api import courier
from qavix_watch.api.client import Client
from qavix_watch.api.network import trust_nobody
from qavix_watch.api.transfers import TransferClient
from qavix_watch.api.voices import VoiceBook
from qavix_watch.core.layout import Layout
from qavix_watch.core.outcomes import Done
from qavix_watch.core.rules import Rules
from qavix_watch.core.secret import Secret
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.marker import MARKER_NAME, MarkedRoots, Marker, create_marker
from qavix_watch.fs.probe import ignore_sigio
from qavix_watch.ports import Ports
from qavix_watch.stages.drop import Intake
from qavix_watch.store.sqlite import Store
from qavix_watch.store.work import KINDS
from qavix_watch.system import SystemChance, Threads
from qavix_watch.worker import Piece, Worker, lanes
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.fs.media import MediaReader
    from qavix_watch.sandbox import Running
    from qavix_watch.worker import Lane

T = TypeVar("T")
STATE = "the state"
INBOX_FLOW = ("settle", "fingerprint", "order")
FAMILIES = {"submit": ("submit approved",), "archive": ("put into failed",)}
JOB_FLOW = ("prepare", "upload", "submit", "follow", "look", "fetch", "deliver", "archive")


class HandClock:
    """The host's time and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    wall = now

    def local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at).astimezone()


@dataclass
class Lines:
    """The log, as the worker gave it."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, level: str, event: str, **values: Any) -> None:
        self.lines.append((level, event, values))

    def of(self, event: str) -> list[tuple[str, str, dict[str, Any]]]:
        return [line for line in self.lines if line[1] == event]


class World:
    """One root with its state, and a service to talk to. `step` does one piece of one lane's work, as the worker would."""

    def __init__(self, base: Path, sandbox: Running, media: MediaReader, **rules: Any) -> None:
        ignore_sigio()
        self.base = base
        self.sandbox = sandbox
        self.loop = asyncio.new_event_loop()
        self.clock = HandClock()
        self.log = Lines()
        self.free_bytes = 1 << 40
        self.root = base / "root"
        folders = (os.fsencode(self.root / name) for name in ("inbox", "outbox", "archive", "failed"))
        layout = Layout("place", *folders, root=os.fsencode(self.root))
        for folder in ("inbox", "outbox", "archive", "failed"):
            (self.root / folder).mkdir(parents=True)
        create_marker(os.fsencode(self.root), Marker("place", STATE))
        self.rules = Rules(
            layout=layout, account=f"{sandbox.base_url} ",
            **{"settle_seconds": 1.0, "settle_folder_seconds": 0.0, "min_free_bytes": 0, "first_retry_seconds": 0.1, **rules},
        )
        self.store = Store(str(base / "state.db"), sandbox.base_url, "", STATE)
        self.store.clock = self.clock.now
        self.client = Client(sandbox.base_url, key=Secret(sandbox.api_key), timeout=20.0, monotonic=time.monotonic)
        with patch.object(courier, "trust", lambda _: trust_nobody()):  # sandboxes speak plain HTTP; reading all authorities takes long
            self.transfers = TransferClient(public_only=False, timeout=20.0)
        self.threads = Threads(8)
        roots = MarkedRoots({os.fsencode(self.root): "place"}, STATE)
        self.ports = Ports(
            self.clock, SystemChance(), Disk(), media, self.client, VoiceBook(self.client, time.monotonic), self.transfers, roots,
            self.store, self.threads,
        )
        self.act(lambda tx: tx.house.duty("follow", self.clock.now()))
        self.worker = self.new_worker()
        self.intake = self.new_intake()

    def new_worker(self, **changes: Any) -> Worker:
        """A worker over this world, as after a start."""
        given: dict[str, Any] = {"owner": "node:1", "lanes": lanes(), "free": lambda _: self.free_bytes, "log": self.log, **changes}
        worker = Worker(self.ports, self.rules, **given)
        # The intake is made after the worker.
        worker.root_lost, worker.put_away = lambda: self.intake.root_lost(), lambda *what: self.intake.put_away(*what)  # noqa: PLW0108
        worker.questioned = lambda folder: self.intake.questioned(folder)  # noqa: PLW0108
        return worker

    def new_intake(self) -> Intake:
        """An intake that knows nothing yet, as after a start."""

        async def make() -> Intake:
            intake = Intake(self.ports, self.rules, wake=self.worker.wake)
            await intake.load()
            return intake

        return self.run(make())

    def with_ports(self, **ports: Any) -> None:
        """Put hand-written ports in place of real ones."""
        self.ports = replace(self.ports, **ports)
        self.worker = self.new_worker()
        self.intake = self.new_intake()

    def with_rules(self, **rules: Any) -> None:
        """Go by other settings, as after a start."""
        self.rules = replace(self.rules, **rules)
        self.worker = self.new_worker()
        self.intake = self.new_intake()

    def with_layout(self, **changes: Any) -> None:
        """Have other folders, or do something else with originals."""
        self.with_rules(layout=replace(self.rules.layout, **changes))

    def run(self, act: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(act, 60))

    def close(self) -> None:
        self.run(self.client.close())
        self.threads.close()
        self.transfers.close()
        self.store.close()
        self.loop.close()

    # What people do

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    def drop(self, order: str, name: str, data: bytes) -> Path:
        """A file in an order's folder, there long enough to be complete."""
        path = self.inbox / order / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.later(0)
        return path

    def later(self, seconds: float = 2.0) -> None:
        """Time passes."""
        self.clock.ahead += seconds

    def unplug(self) -> None:
        """The root goes offline."""
        (self.root / os.fsdecode(MARKER_NAME)).rename(self.base / "marker")

    def plug_in(self) -> None:
        """The root is back."""
        (self.base / "marker").rename(self.root / os.fsdecode(MARKER_NAME))

    # What the service does

    def look(self, *places: bytes) -> None:
        """Look at the whole inbox, or at these folders of it."""
        self.run(self.intake.look(dict.fromkeys(places, True) or {b"": True}))

    def claim(self, lane: str) -> Piece | None:
        """The lane's next piece of work."""
        for found in self.family(lane):
            taken = self.act(
                lambda tx, found=found: tx.work.take(
                    found.item, found.states, owner="node:1", now=self.clock.now(), lease_seconds=60.0, limit=1, where=found.where
                )
            )
            if taken:
                return Piece(found, taken[0], self.worker)
        return None

    def family(self, name: str) -> list[Lane]:
        """The lanes that share a stage: what is approved, or failed, goes by one of its own."""
        first = next(one for one in self.worker.lanes if one.name == name)
        return [first, *(one for one in self.worker.lanes if one.name in FAMILIES.get(name, ()))]

    def outcome(self, piece: Piece) -> Outcome:
        """What the stage says, errors translated as the worker does."""
        said = self.run(self.worker._outcome(piece))
        assert said is not None
        return said

    def record(self, piece: Piece, outcome: Outcome) -> None:
        self.run(self.worker._record(piece, outcome))

    def step(self, lane: str) -> Outcome:
        """One piece of one lane's work, recorded; gives what the stage said."""
        piece = self.claim(lane)
        assert piece is not None, f"nothing is due for {lane}: {self.open_work()}"
        said = self.outcome(piece)
        self.record(piece, said)
        return said

    def steps(self, *names: str) -> None:
        """One piece of each lane's work, each of which is to come to its end."""
        for name in names:
            said = self.step(name)
            assert isinstance(said, Done) or name == "follow", f"{name}: {said}"

    def is_due(self, lane: str) -> bool:
        """Whether the lane has work."""
        return any(self._has_work(found) for found in self.family(lane))

    def _has_work(self, found: Lane) -> bool:
        table = KINDS[found.item].table
        states = ", ".join(f"'{state}'" for state in found.states)
        return bool(self.rows(f"SELECT 1 FROM {table} WHERE state IN ({states}) AND due <= ? {found.where} LIMIT 1", self.clock.now()))

    def notice(self) -> None:
        """Look, and let the quiet time pass."""
        self.look()
        self.later(5)

    def through(self, *last: str, rounds: int = 80) -> None:
        """Work at everything that is due, in the order of the flow, until nothing is open, or one of the `last` lanes has work."""
        for _ in range(rounds):
            if not self.open_work():
                return
            worked = False
            for lane in (*INBOX_FLOW, *JOB_FLOW):
                if lane in last:
                    continue
                while (piece := self.claim(lane)) is not None:
                    self.record(piece, self.outcome(piece))
                    worked = True
            if not worked and any(self.is_due(lane) for lane in last):
                return
            if not worked:
                time.sleep(0.05)  # the sandbox works at the tasks in real time
            self.later(1 if worked else 5)
        raise AssertionError(f"still open: {self.open_work()}")

    # What there is

    def act(self, verb: Callable[[Any], T]) -> T:
        """One transaction."""
        return self.store.now("test", verb)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Look into the state."""
        return self.act(lambda tx: [dict(row) for row in tx.work._connection.execute(sql, values)])

    def one(self, sql: str, *values: Any) -> Any:
        """The one value that a query gives."""
        (row,) = self.rows(sql, *values)
        (value,) = row.values()
        return value

    @staticmethod
    def one_of(tx: Any, sql: str) -> Any:
        """The one value that a query gives within a transaction."""
        return tx.work._connection.execute(sql).fetchone()[0]

    def open_work(self) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT 'drop' AS item, id, state, reason FROM drops"
            " WHERE state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving')"
            " UNION ALL SELECT 'job', id, state, reason FROM jobs WHERE state NOT IN ('done', 'failed', 'cancelled')"
        )

    def state(self, table: str = "drops") -> str:
        """The state of the newest row."""
        return str(self.rows(f"SELECT state FROM {table} ORDER BY id DESC LIMIT 1")[0]["state"])

    def files(self, room: str = "outbox") -> list[str]:
        """Every file in a room, relative to it, those of our own too."""
        folder = self.root / room
        return sorted(str(path.relative_to(folder)) for path in files_below(folder))
