"""Claim, run the stage, record the outcome. The only place that records outcomes, and that pulls brakes and lets them go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core import backoff
from qavix_watch.core.lifecycle import ContentState, DeliveryState, DropState, DutyState, JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Hold, Later, Outcome, Retry
from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    Fenced,
    FileError,
    InsufficientCredits,
    MediaError,
    NoMediaReader,
    NoSpace,
    PermissionRefused,
    QavixWatchError,
    RateLimited,
    RootOffline,
    ServiceFailed,
    Stopped,
    StoreError,
    Unreachable,
)
from qavix_watch.stages.account import account
from qavix_watch.stages.archive import archive
from qavix_watch.stages.deliver import deliver
from qavix_watch.stages.fetch import fetch
from qavix_watch.stages.fingerprint import fingerprint
from qavix_watch.stages.follow import follow, look
from qavix_watch.stages.order import order
from qavix_watch.stages.settle import settle
from qavix_watch.stages.submit import submit
from qavix_watch.stages.upload import prepare, upload

if TYPE_CHECKING:
    from enum import StrEnum

    from qavix_watch.core.records import BrakeRow, Claim
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

MOST_CLAIMS = 5
LONGEST_RATE_SECONDS = 900.0
UNSAID_SECONDS = 2.0
"""The pause after a first 429 that names none; it doubles."""
FAILURES_UNTIL_OFFLINE = 3
UNREADABLE_SECONDS = 10.0
IDLE_SECONDS = 30.0
ABOUT = {"path": "path", "order": "canonical", "task_id": "task_id", "job": "job"}
"""What the log says of a piece of work besides its id: names of the log, and the columns that they come from."""
TOLD = {"submit", "deliver", "archive"}
"""The steps that a person reads of in the log; the others are for whoever looks closer."""
PROVEN = frozenset({"auth", "rate", "offline", "credits", "disk:results", "disk:archive", "disk:state"})
"""The brakes that a step which succeeded shows to be needless."""
DUTIES = ("account", "follow")
NEVER_GIVEN_UP = frozenset({"deliver", "archive", *DUTIES})
ACCOUNT_CALLS = frozenset({"get_balance", "usage_history", "pricing"})
ELSEWHERE = {"storage", "result host"}
"""Hosts that are not the service: their failures say nothing of it."""

Stage = Callable[["Ports", "Rules", "Hand"], Awaitable[Outcome]]
Log = Callable[..., None]

# Several deliveries of one job would race for the one file that was fetched: the first goes first.
_ONE_A_JOB = (
    "AND id = (SELECT o.id FROM deliveries o WHERE o.job = deliveries.job AND o.state = 'pending' AND o.due IS NOT NULL"
    " ORDER BY o.owner IS NULL, o.due, o.id LIMIT 1)"
)


@dataclass(frozen=True, slots=True)
class Lane:
    """One arrow of the flow: what it claims, how many at once, and which brakes stop it (`name` or `name:scope`)."""

    name: str
    item: str
    states: tuple[StrEnum, ...]
    stage: Stage
    slots: int
    stopped_by: frozenset[str]
    where: str = ""
    disk: str = "state"


_FILES = frozenset({"root", "disk:state"})
_API = frozenset({"auth", "rate", "offline", "disk:state"})


def lanes(uploads: int = 2) -> tuple[Lane, ...]:
    """The flow. `uploads` is how many contents are sent at once."""
    return (
        Lane("settle", "drop", (DropState.WAITING,), settle, 4, _FILES, "AND held = ''"),
        Lane("fingerprint", "drop", (DropState.SETTLED,), fingerprint, 2, _FILES, "AND held = ''"),
        Lane("order", "drop", (DropState.FINGERPRINTED,), order, 4, _FILES | {"auth", "offline", "rate"}),
        Lane("prepare", "job", (JobState.READY,), prepare, 4, frozenset({"disk:state"})),
        Lane("upload", "content", (ContentState.ABSENT,), upload, uploads, _FILES | _API | {"window"}),
        Lane("submit", "job", (JobState.SUBMITTING,), submit, 4, _API | {"root", "credits"}),
        Lane("account", "duty", (DutyState.DUE,), account, 1, _API, "AND name = 'account'"),
        Lane("follow", "duty", (DutyState.DUE,), follow, 1, _API, "AND name = 'follow'"),
        Lane("look", "job", (JobState.PROCESSING,), look, 4, _API),
        Lane("fetch", "job", (JobState.FETCHING,), fetch, 3, _FILES | {"offline", "disk:results"}, disk="results"),
        Lane("deliver", "delivery", (DeliveryState.PENDING,), deliver, 3, _FILES | {"disk:results"}, _ONE_A_JOB, disk="results"),
        Lane("archive", "drop", (DropState.ARCHIVING,), archive, 2, _FILES | {"disk:archive"}, disk="archive"),
    )


@dataclass(slots=True)
class Gauge:
    """A Meter that the worker can read, and end. `act` is what it follows ("hashing", "uploading" …)."""

    act: str
    ended: Callable[[], bool]
    total: int = 0
    done: int = 0
    began_with: int = 0
    began: float = 0.0

    def start(self, total: int, done: int = 0) -> None:
        """Bytes in all, and those that need not be done again."""
        self.total, self.done, self.began_with = total, done, done

    def advance(self, amount: int) -> None:
        """So many bytes more; Stopped where the act is to end."""
        self.done += amount
        if self.ended():
            raise Stopped("the service is stopping, or the work was taken over")


@dataclass(slots=True)
class Piece:
    """One claim in hand."""

    lane: Lane
    claim: Claim
    worker: Worker
    gauge: Gauge | None = None
    lost: bool = False
    probing: bool = False

    @property
    def id(self) -> int:
        """The row's id."""
        return self.claim.id

    @property
    def row(self) -> Any:
        """The record as it was claimed."""
        return self.claim.row

    def meter(self, act: str) -> Gauge:
        """Follow a long act."""
        self.gauge = Gauge(act, lambda: self.lost or self.worker.stopping, began=self.worker.now())
        return self.gauge


@dataclass(slots=True)
class Worker:
    """Runs the lanes. `owner` names this start of this process; `free` gives the free bytes of "results", "archive" or "state".

    `window_open` says whether uploads are allowed at this time of day; `root_lost` is called where work met a root that is offline,
    `put_away` with the path and the id of each drop that has come to rest.
    """

    ports: Ports
    rules: Rules
    owner: str
    lanes: tuple[Lane, ...]
    free: Callable[[str], int]
    log: Log
    window_open: Callable[[], bool] = lambda: True
    root_lost: Callable[[], None] = lambda: None
    put_away: Callable[[bytes, int], None] = lambda _path, _drop: None
    lease_seconds: float = 60.0
    stopping: bool = False
    _pieces: dict[tuple[str, int], Piece] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _waking: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: asyncio.Task[None] | None = None
    _failures: int = 0
    _told: bool = False
    moved_at: float = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ports.clock.now()

    def wake(self) -> None:
        """There may be new work."""
        self._waking.set()

    async def run(self) -> None:
        """Work until `stop` is called, then let what is in hand come to an end."""
        for brake in await self.ports.store.transaction("duties", self._begin_duties):
            self.log("warning", "brake still on", brake=brake.name, scope=brake.scope, why=brake.why, hint=brake.hint)
        ticking = asyncio.create_task(self._tick())
        try:
            while not self.stopping:
                self._waking.clear()
                pause = await self._dispatched()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._waking.wait()
            await self._drain()
        finally:
            for task in (ticking, *([] if self._looking is None else [self._looking])):
                task.cancel()

    def _begin_duties(self, tx: Tx) -> list[BrakeRow]:
        """What recurs is due at a start, whenever it was done last: tasks may have ended and keys have changed meanwhile.

        Gives the brakes that an earlier process left on: who starts a service reads its log from here.
        """
        tx.brakes.hurry(self.now())
        for name in DUTIES:
            tx.house.duty(name, self.now())
            tx.house.hurry(name, self.now())
        return tx.brakes.on()

    def stop(self) -> None:
        """Claim nothing more; transfers end at their next chunk."""
        self.stopping = True
        self.wake()

    async def _drain(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    @property
    def idle(self) -> bool:
        """Whether nothing is in hand."""
        return not self._pieces

    async def _dispatched(self) -> float:
        try:
            pause = await self._dispatch()
        except (StoreError, NoSpace) as error:
            self.log("error", "the state could not be read or written", why=str(error), hint=error.hint)
            return 1.0
        self.moved_at = self.now()
        return pause

    async def _dispatch(self) -> float:
        """Claim what is due and free to go; gives seconds until something else is due."""
        now = self.now()
        free = {lane.name: lane.slots - sum(piece.lane is lane for piece in self._pieces.values()) for lane in self.lanes}
        in_hand = {item: {number for kind, number in self._pieces if kind == item} for item in {lane.item for lane in self.lanes}}

        def take(tx: Tx) -> tuple[list[tuple[Lane, Claim]], float | None, list[BrakeRow]]:
            brakes = tx.brakes.on()
            stops = {brake.name for brake in brakes} | {f"{brake.name}:{brake.scope}" for brake in brakes}
            if not self.window_open():
                stops.add("window")
            taken = [
                (lane, claim)
                for lane in self.lanes
                if free[lane.name] > 0 and not lane.stopped_by & stops
                for claim in tx.work.take(
                    lane.item, lane.states, owner=self.owner, now=now, lease_seconds=self.lease_seconds,
                    limit=free[lane.name], but=in_hand[lane.item], where=lane.where,
                )
            ]
            return taken, tx.work.next_due(now), brakes

        taken, due, brakes = await self.ports.store.transaction("claim", take)
        for lane, claim in taken:
            self._start(Piece(lane, claim, self))
        others = [brake for brake in brakes if brake.name != "root"]
        looked_at = self._begin_looking([brake for brake in others if brake.until <= now])
        times = [due, *(brake.until for brake in others if brake not in looked_at)]
        return max(0.01, min([IDLE_SECONDS, *(time - now for time in times if time is not None)]))

    def _begin_looking(self, brakes: list[BrakeRow]) -> list[BrakeRow]:
        """Look at these brakes beside the work that they do not stop, one look at a time: a service may take long not to answer."""
        if brakes and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_at_brakes(brakes), name="brakes")
        return brakes

    def _start(self, piece: Piece) -> None:
        self._pieces[piece.claim.item, piece.id] = piece
        task = asyncio.create_task(self._work(piece), name=f"{piece.lane.name} {piece.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, piece: Piece) -> None:
        try:
            outcome = await self._outcome(piece)
            if outcome is not None:
                await self._record(piece, outcome)
        except Fenced as error:
            self.log("debug", "work was taken over", stage=piece.lane.name, why=str(error), **{piece.claim.item: piece.id})
        except (StoreError, NoSpace) as error:
            self.log("error", "the state could not be written", why=str(error), hint=error.hint)
            await asyncio.sleep(1.0)
        except Exception:  # noqa: BLE001 - nothing was recorded; the work is tried again when its lease ends
            self.log("error", "unexpected error", stage=piece.lane.name, exc_info=True, **{piece.claim.item: piece.id})
        finally:
            self._pieces.pop((piece.claim.item, piece.id), None)
            self.wake()

    async def _outcome(self, piece: Piece) -> Outcome | None:
        if piece.row.claims > MOST_CLAIMS and piece.claim.item != "duty":
            return Hold(f"it was begun {MOST_CLAIMS} times without coming to an end; look what is special about it")
        try:
            outcome = await piece.lane.stage(self.ports, self.rules, piece)
        except Fenced:
            raise
        except QavixWatchError as error:
            return self._of_error(piece, error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose a person's work; it is tried again and told
            self.log("error", "unexpected error", stage=piece.lane.name, exc_info=True, **{piece.claim.item: piece.id})
            return Retry(f"an unexpected error: {type(error).__name__}: {error}")
        if piece.lane.stopped_by & {"offline"}:
            self._failures = 0
        return outcome

    def _of_error(self, piece: Piece, error: QavixWatchError) -> Outcome:
        said = str(error)
        match error:
            case Stopped():
                return Later(0.0, piece.row.reason)
            case ApiError() if _is_about_the_key(error):
                return Brake("auth", said, error.hint, after=30.0)
            case RateLimited():
                pause = min(error.retry_after or UNSAID_SECONDS, LONGEST_RATE_SECONDS)
                return Brake("rate", said, "Nothing needs to be done.", after=pause)
            case InsufficientCredits():
                return Brake("credits", said, error.hint, after=60.0)
            case RootOffline():
                return Brake("root", said, error.hint, self.rules.layout.place)
            case NoSpace():
                return Brake("disk", said, "Make room; work goes on by itself.", piece.lane.disk, 10.0)
            case ServiceFailed() if error.operation in ELSEWHERE:
                return Retry(said)
            case Unreachable() | ServiceFailed():
                return self._network(error)
            case MediaError() if not isinstance(error, NoMediaReader):
                return Hold(said)
            case MediaError() | FileError():
                return Later(UNREADABLE_SECONDS, said)
            case ApiError():
                return Retry(said + (f" ({error.hint})" if error.hint else ""))
        return Retry(said)

    def _network(self, error: Unreachable | ServiceFailed) -> Outcome:
        """A lost answer or a 500 may be one request's bad luck; a service that cannot be reached, or three running, are not."""
        self._failures += 1
        if (isinstance(error, Unreachable) and not error.maybe_done) or self._failures >= FAILURES_UNTIL_OFFLINE:
            return Brake("offline", str(error), error.hint, after=2.0)
        return Retry(str(error))

    async def _record(self, piece: Piece, outcome: Outcome) -> None:
        now = self.now()
        jitter = self.ports.chance.uniform(0.0, 1.0)
        first = await self.ports.store.transaction("outcome", lambda tx: self._write(tx, piece, outcome, now, jitter))
        if isinstance(outcome, Brake):
            if outcome.name == "root":
                self.root_lost()
            if first:
                self.log("warning", "brake on", brake=outcome.name, scope=outcome.scope, why=outcome.why, hint=outcome.hint)
            return
        if piece.lane.name == "archive" and isinstance(outcome, Done):
            self.put_away(piece.row.path, piece.id)
        self._tell(piece, outcome)

    def _tell(self, piece: Piece, outcome: Outcome) -> None:
        if isinstance(outcome, Later) or piece.claim.item == "duty":
            return
        done = isinstance(outcome, Done)
        failed = isinstance(outcome, Done) and outcome.to == DropState.FAILED
        level = "warning" if failed or not done else "info" if piece.lane.name in TOLD else "debug"
        to = str(outcome.to) if isinstance(outcome, Done) else type(outcome).__name__.lower()
        about = {name: getattr(piece.row, column) for name, column in ABOUT.items() if getattr(piece.row, column, None)}
        self.log(level, piece.lane.name, new=to, why=outcome.why, **{piece.claim.item: piece.id}, **about)

    def _write(self, tx: Tx, piece: Piece, outcome: Outcome, now: float, jitter: float) -> bool:
        claim, row = piece.claim, piece.row
        match outcome:
            case Done():
                fields = {"tries": 0, "waited": 0.0, "reason": outcome.why, **outcome.fields}
                tx.work.settle(claim, outcome.to, now, outcome.why, fields, due=None if outcome.due is None else now + outcome.due)
                if outcome.also is not None:
                    outcome.also(tx)
                for name in piece.lane.stopped_by & PROVEN:
                    tx.brakes.succeeded(*name.split(":") if ":" in name else (name, ""))
            case Later():
                fields = {"reason": outcome.why, **outcome.fields}
                tx.work.settle(claim, row.state, now, outcome.why, fields, due=None if outcome.seconds is None else now + outcome.seconds)
            case Retry():
                self._write_retry(tx, piece, outcome, now, jitter)
            case Fail():
                _fail(tx, claim, outcome.why, now)
            case Hold():
                _hold(tx, claim, outcome.why, now)
            case Brake():
                count = tx.brakes.count(outcome.name, outcome.scope)
                pause = max(outcome.after, min(LONGEST_RATE_SECONDS, outcome.after * 2.0 ** min(count, 10)))
                stops_itself = piece.lane.stopped_by & {outcome.name, f"{outcome.name}:{outcome.scope}"}
                due = now if stops_itself else now + pause
                tx.work.settle(claim, row.state, now, outcome.why, {"reason": outcome.why}, due=due)
                return bool(tx.brakes.pull(outcome.name, outcome.scope, outcome.why, outcome.hint, now, now + pause))
        return False

    def _write_retry(self, tx: Tx, piece: Piece, outcome: Retry, now: float, jitter: float) -> None:
        row = piece.row
        tries = row.tries + 1
        longest, first = self.rules.longest_retry_seconds, self.rules.first_retry_seconds
        pause = max(outcome.after, backoff.pause(tries, jitter, first=first, longest=longest))
        if row.waited + pause > self.rules.give_up_after_seconds and piece.lane.name not in NEVER_GIVEN_UP:
            _fail(tx, piece.claim, f"given up after {tries} tries: {outcome.why}", now)
            return
        fields = {"tries": tries, "waited": row.waited + pause, "reason": outcome.why, **outcome.fields}
        tx.work.settle(piece.claim, row.state, now, outcome.why, fields, due=now + pause)

    async def _look_at_brakes(self, brakes: Collection[BrakeRow]) -> None:
        try:
            for brake in brakes:
                why = await self._still_on(brake)
                if await self.ports.store.transaction("brake looked at", partial(_looked_at, brake=brake, why=why, now=self.now())):
                    self.log("info", "brake off", brake=brake.name, scope=brake.scope)
        except (StoreError, NoSpace) as error:
            self.log("error", "the state could not be written", why=str(error), hint=error.hint)
            await asyncio.sleep(1.0)
        finally:
            self.wake()

    async def _still_on(self, brake: BrakeRow) -> str | None:
        """Why a brake must stay on, or None. `rate` and `credits` are over with their time: the next call shows."""
        if brake.name == "disk":
            try:
                free = await self.ports.blocking(self.free, brake.scope)
            except FileError as error:
                return str(error)
            return None if free >= self.rules.min_free_bytes else brake.why
        if brake.name not in {"auth", "offline"}:
            return None
        try:
            await self.ports.api.get_balance()
        except QavixWatchError as error:
            return str(error)
        self._failures = 0
        return None

    async def _tick(self) -> None:
        """Keep leases alive, and say how far long acts are."""
        renewed = self.now()
        while True:
            await asyncio.sleep(1.0)
            pieces = list(self._pieces.values())
            now = self.now()
            renew = abs(now - renewed) >= self.lease_seconds / 3  # a clock that is set right may go back
            renewed = now if renew else renewed
            rows = [_progress(piece, now) for piece in pieces if piece.gauge is not None and piece.gauge.total]
            if rows or self._told or (renew and pieces):
                try:
                    await self._say(pieces if renew else [], rows, now)
                except (StoreError, NoSpace) as error:
                    self.log("error", "the state could not be written", why=str(error))

    async def _say(self, pieces: list[Piece], rows: list[Any], now: float) -> None:
        def say(tx: Tx) -> list[Claim]:
            tx.house.progress(rows)
            lost: list[Claim] = tx.work.renew([piece.claim for piece in pieces], now + self.lease_seconds)
            return lost

        for claim in await self.ports.store.transaction("progress", say):
            piece = self._pieces.get((claim.item, claim.id))
            if piece is not None:
                piece.lost = True
        self._told = bool(rows)


def _is_about_the_key(error: ApiError) -> bool:
    """A key that is refused, and an account that may not even ask about itself."""
    return isinstance(error, AuthenticationRefused) or (isinstance(error, PermissionRefused) and error.operation in ACCOUNT_CALLS)


def _looked_at(tx: Tx, *, brake: BrakeRow, why: str | None, now: float) -> bool:
    """Let a brake go where `why` is None (then True), else look again after a while."""
    if why is None:
        return tx.brakes.let_go(brake.name, brake.scope, now, "it works again")
    pause = backoff.pause(brake.count, 0.0, first=2.0, longest=60.0 if brake.name == "offline" else 300.0)
    tx.brakes.pull(brake.name, brake.scope, why, brake.hint, now, now + pause)
    return False


def _progress(piece: Piece, now: float) -> tuple[str, int, str, int, int, float, float]:
    gauge = piece.gauge
    assert gauge is not None
    seconds = max(now - gauge.began, 0.001)
    return (piece.claim.item, piece.id, gauge.act, gauge.done, gauge.total, (gauge.done - gauge.began_with) / seconds, now)


def _fail(tx: Tx, claim: Claim, why: str, now: float) -> None:
    """It can not be done: what hangs on it ends as well."""
    if claim.item == "drop":
        tx.work.settle(claim, DropState.ARCHIVING, now, why, {"verdict": "failed", "reason": why}, due=now)
    elif claim.item == "job":
        tx.work.settle(claim, JobState.FAILED, now, why, {"reason": why, "ended_at": now}, due=None)
        tx.jobs.give_up(claim.id, now, why)
    elif claim.item == "content":
        tx.work.settle(claim, claim.row.state, now, why, {"reason": why, "tries": 0, "waited": 0.0}, due=None)
        for job in tx.jobs.waiting_for(claim.row.sha256):
            tx.work.move("job", job.id, (JobState.UPLOADING,), JobState.FAILED, now, why, {"ended_at": now})
            tx.jobs.give_up(job.id, now, why)
    else:
        tx.work.settle(claim, DeliveryState.FAILED, now, why, {"reason": why}, due=None)
        tx.drops.conclude(claim.row.drop_id, now)


def _hold(tx: Tx, claim: Claim, why: str, now: float) -> None:
    """A person must look at it first."""
    if claim.item == "job":
        tx.work.settle(claim, JobState.HELD, now, why, {"reason": why}, due=None)
        return
    fields = {"held": why, "reason": why} if claim.item == "drop" else {"reason": why}
    tx.work.settle(claim, claim.row.state, now, why, fields, due=None)
    if claim.item == "content":
        for job in tx.jobs.waiting_for(claim.row.sha256):
            tx.work.move("job", job.id, (JobState.UPLOADING,), JobState.HELD, now, why)
