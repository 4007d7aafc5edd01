"""The Worker: claims what is due, runs its stage, and has the outcome recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import BEGUN_IN_VAIN, DropState
from qavix_watch.core.outcomes import Brake, Done, Hold, Later, Outcome, Retry
from qavix_watch.errors import Fenced, FileError, NoSpace, QavixWatchError, StoreError, Unreachable
from qavix_watch.stages.sweep import left_by
from qavix_watch.worker import progress
from qavix_watch.worker.claiming import Claiming
from qavix_watch.worker.lanes import ARCHIVING, DUTIES
from qavix_watch.worker.looking import Looking
from qavix_watch.worker.meaning import meaning
from qavix_watch.worker.recording import News, write

if TYPE_CHECKING:
    from qavix_watch.core.records import BrakeRow
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.worker.lanes import Lane
    from qavix_watch.worker.piece import Piece

MOST_CLAIMS = 5
FAILURES_UNTIL_OFFLINE = 3
IDLE_SECONDS = 30.0
SETTINGS_READ = "the settings were read again"
DISK_LOOK_SECONDS = 10.0
TICK_SECONDS = 1.0
STEERING_SECONDS = 10.0
"""How long other work waits for what was said before the start; a command may be about a file on a share that hangs."""
ABOUT = {"path": "path", "order": "canonical", "task_id": "task_id", "job": "job"}
"""What the log says of a piece of work besides its id: names of the log, and the columns that they come from."""
TOLD = {"submit", "submit approved", "deliver", *ARCHIVING}
"""The steps that a person reads of in the log; the others are for whoever looks closer."""
TOLD_LATER = frozenset({"tries", "overdue_since"})
"""The same of work that waits: what is tried in vain, or takes too long, as these fields say."""

Log = Callable[..., None]


@dataclass(slots=True)
class Worker:
    """Runs the lanes. `owner` names this start of this process; `free` gives the free bytes of "results", "archive", "failed" or "state" (0
    where no file can be made).

    `window_open` says whether uploads are allowed at this time of day; `root_lost` is called where work met a root that is offline,
    `put_away` with the path and the id of each drop that has come to rest, `questioned` with the folder of an order of which there
    is something else to mend than before. `rootless`: no root is there to be worked in, as if each
    were away; only what was submitted by command is worked on.
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
    questioned: Callable[[bytes], None] = lambda _folder: None
    lease_seconds: float = 60.0
    rootless: bool = False
    stopping: bool = False
    _pieces: dict[tuple[str, int], Piece] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _waking: asyncio.Event = field(default_factory=asyncio.Event)
    _beginning: asyncio.Event = field(default_factory=asyncio.Event)
    _looking: Looking = field(init=False)
    _look: asyncio.Task[None] | None = None
    _failures: int = 0
    _fenced: list[Piece] = field(default_factory=list)
    _told: bool = False
    moved_at: float = 0.0

    def __post_init__(self) -> None:
        self._looking = Looking(self)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ports.clock.now()

    def wake(self) -> None:
        """There may be new work."""
        self._waking.set()

    async def run(self) -> None:
        """Work until `stop` is called, then let what is in hand come to an end."""
        await self._begin()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._steer_first()
            while not self.stopping:
                self._waking.clear()
                pause = await self._dispatched(self.lanes)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._waking.wait()
            await self._drain()
        finally:
            for task in (ticking, *self._tasks, *([] if self._look is None else [self._look])):
                task.cancel()

    async def _begin(self) -> None:
        """Begin the duties, as soon as the state takes it, and tell of the brakes: who starts a service reads its log from here."""
        while not self.stopping:
            try:
                off, on = await self.ports.store.transaction("duties", self._begin_duties)
            except (StoreError, NoSpace) as error:
                self.log("error", "the state could not be written", why=str(error), hint=error.hint)
                await asyncio.sleep(1.0)
                continue
            self._tell_brakes(off)
            for brake in on:
                self.log("warning", "brake still on", brake=brake.name, scope=brake.scope, why=brake.why, hint=brake.hint)
            return

    async def _steer_first(self) -> None:
        """What was said while no service ran holds from the first moment: after a `pause` nothing is begun."""
        await self._dispatched([lane for lane in self.lanes if lane.name == "steer"])
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=STEERING_SECONDS)

    def _begin_duties(self, tx: Tx) -> tuple[list[News], list[BrakeRow]]:
        """What recurs is due at a start, whenever it was done last: tasks may have ended and keys have changed meanwhile.

        Gives the brakes that let go, and those that an earlier process left on.
        """
        for name in DUTIES:
            tx.house.duty(name, self.now())
        return self._hurry(tx), tx.brakes.on()

    def _hurry(self, tx: Tx) -> list[News]:
        for name in DUTIES:
            tx.house.hurry(name, self.now())
        return [News("brake off", brake.name, brake.scope, SETTINGS_READ) for brake in tx.brakes.hurry(self.now())]

    async def look_again(self) -> None:
        """The settings were read again, the key with them: every brake is looked at, and paths of the API count as mended."""
        self._failures = 0
        self._tell_brakes(await self.ports.store.transaction("settings read", self._hurry))
        self.wake()

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

    async def _dispatched(self, lanes: Sequence[Lane]) -> float:
        try:
            pause = await self._dispatch(lanes)
        except (StoreError, NoSpace) as error:
            self.log("error", "the state could not be read or written", why=str(error), hint=error.hint)
            pause = 1.0
        self.moved_at = self.now()  # also where the state said no: it has answered, and a new start would help nothing
        return pause

    async def _dispatch(self, lanes: Sequence[Lane]) -> float:
        """Claim what is due and free to go; gives seconds until something else is due."""
        now = self.now()
        claiming = Claiming(self, lanes, list(self._pieces.values()), now)
        fenced = list(self._fenced)

        def claim(tx: Tx) -> tuple[list[Piece], float | None, list[BrakeRow]]:
            for piece in fenced:
                left_by(tx, piece.claim, now)
            return claiming.claim(tx)

        begun, due, brakes = await self.ports.store.transaction("claim", claim)
        del self._fenced[: len(fenced)]
        for piece in begun:
            self._start(piece)
        if looked_at := self._looking.due(brakes, now):
            self._begin_looking(looked_at)
        times = (due, self._looking.next_time(brakes, now))
        return max(0.01, min([IDLE_SECONDS, *(time - now for time in times if time is not None)]))

    def _begin_looking(self, brakes: list[BrakeRow]) -> None:
        """Look at these brakes beside the work that they do not stop, one look at a time: a service may take long not to answer."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_at(brakes), name="brakes")

    async def _look_at(self, brakes: list[BrakeRow]) -> None:
        try:
            for brake in brakes:
                await self._look_at_one(brake)
        except (StoreError, NoSpace) as error:
            self.log("error", "the state could not be written", why=str(error), hint=error.hint)
            await asyncio.sleep(1.0)
        finally:
            self.wake()

    async def _look_at_one(self, brake: BrakeRow) -> None:
        try:
            news = await self._looking.look(brake)
        except (StoreError, NoSpace):
            raise
        except Exception:  # noqa: BLE001 - it stays on, and the others are looked at all the same
            self.log("error", "unexpected error", brake=brake.name, scope=brake.scope, exc_info=True)
            await asyncio.sleep(1.0)
            return
        self._failures = 0 if news and brake.name in {"auth", "offline"} else self._failures
        self._tell_brakes(news)

    def _start(self, piece: Piece) -> None:
        self._pieces[piece.claim.item, piece.id] = piece
        self._beginning.set()
        task = asyncio.create_task(self._work(piece), name=f"{piece.lane.name} {piece.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, piece: Piece) -> None:
        try:
            outcome = await self._outcome(piece)
            if outcome is not None:
                await self._record(piece, outcome)
        except Fenced as error:
            self._fenced.append(piece)
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
            return Hold(f"{BEGUN_IN_VAIN} {MOST_CLAIMS} times without coming to an end; look what is special about it")
        try:
            outcome = await piece.lane.stage(self.ports, self.rules, piece)
        except Fenced:
            raise
        except QavixWatchError as error:
            return meaning(error, piece, self.rules) or self._network(error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose a person's work; it is tried again and told
            self.log("error", "unexpected error", stage=piece.lane.name, exc_info=True, **{piece.claim.item: piece.id})
            return Retry(f"an unexpected error: {type(error).__name__}: {error}")
        if piece.lane.stopped_by & {"offline"}:
            self._failures = 0
        return outcome

    def _network(self, error: QavixWatchError) -> Outcome:
        """A lost answer or a 500 may be one request's bad luck; a service that cannot be reached, or three running, are not."""
        self._failures += 1
        if (isinstance(error, Unreachable) and not error.maybe_done) or self._failures >= FAILURES_UNTIL_OFFLINE:
            return Brake("offline", str(error), error.hint, after=2.0)
        return Retry(str(error))

    async def _record(self, piece: Piece, outcome: Outcome) -> None:
        outcome, news = await self._written(piece, outcome)
        self._tell_brakes(news)
        if isinstance(outcome, Brake):
            if outcome.name == "root":
                self.root_lost()
            return
        if piece.lane.name in ARCHIVING and isinstance(outcome, Done):
            self.put_away(piece.row.path, piece.id)
        if _asks_anew(piece, outcome):
            self.questioned(piece.row.folder)
        self._tell(piece, outcome)

    async def _written(self, piece: Piece, outcome: Outcome) -> tuple[Outcome, list[News]]:
        """Write an outcome. A state that takes nothing, because its disk is full perhaps, is asked again for as long as a lease lasts."""
        until = self.now() + self.lease_seconds
        jitter = self.ports.chance.uniform(0.0, 1.0)
        while True:
            now = self.now()
            try:
                return await self.ports.store.transaction("outcome", lambda tx, now=now: write(tx, piece, outcome, now, jitter, self.rules))  # type: ignore[misc]
            except Fenced:
                raise
            except (StoreError, NoSpace) as error:
                if self.stopping or now >= until:
                    raise
                self.log("debug", "an outcome waits for the state", why=str(error), **{piece.claim.item: piece.id})
            await asyncio.sleep(1.0)

    def _tell_brakes(self, news: list[News]) -> None:
        for one in news:
            if one.event == "brake on":
                self.log("warning", one.event, brake=one.name, scope=one.scope, why=one.why, hint=one.hint)
            else:
                self.log("info", one.event, brake=one.name, scope=one.scope, why=one.why)

    def _tell(self, piece: Piece, outcome: Outcome) -> None:
        news = isinstance(outcome, Later) and not TOLD_LATER.isdisjoint(outcome.fields) and outcome.why != piece.row.reason
        if (isinstance(outcome, Later) and not news) or piece.claim.item == "duty":
            return
        done = isinstance(outcome, Done)
        failed = isinstance(outcome, Done) and outcome.to == DropState.FAILED
        level = "warning" if failed or not done else "info" if piece.lane.name in TOLD else "debug"
        to = str(outcome.to) if isinstance(outcome, Done) else type(outcome).__name__.lower()
        about = {name: getattr(piece.row, column) for name, column in ABOUT.items() if getattr(piece.row, column, None)}
        self.log(level, piece.lane.name, new=to, why=outcome.why, **{piece.claim.item: piece.id}, **about)

    async def _tick(self) -> None:
        """Keep leases alive, say how far long acts are, and see that the state has room. Where nothing is in hand, nothing ticks."""
        renewed = looked = self.now()
        while True:
            if not (self._pieces or self._told):
                await self._until_busy(DISK_LOOK_SECONDS - TICK_SECONDS)
                renewed = self.now()  # what was begun meanwhile has a fresh lease
            await asyncio.sleep(TICK_SECONDS)
            now = self.now()
            renew = abs(now - renewed) >= self.lease_seconds / 3  # a clock that is set right may go back
            renewed = now if renew else renewed
            look = abs(now - looked) >= DISK_LOOK_SECONDS
            looked = now if look else looked
            try:
                await self._say(renew, now)
                if look:
                    await self._see_to_the_state()
            except (StoreError, NoSpace) as error:
                self.log("error", "the state could not be written", why=str(error))

    async def _until_busy(self, seconds: float) -> None:
        """Wait for work to begin, for so long at most."""
        self._beginning.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._beginning.wait()

    async def _say(self, renew: bool, now: float) -> None:
        pieces = list(self._pieces.values())
        acts = progress.rows(pieces, now)
        if not (acts or self._told or (renew and pieces)):
            return
        kept = pieces if renew else []
        for claim in await self.ports.store.transaction("progress", lambda tx: progress.say(tx, kept, acts, self.lease_seconds)):
            piece = self._pieces.get((claim.item, claim.id))
            if piece is not None:
                piece.lost = True
        self._told = bool(acts)

    async def _see_to_the_state(self) -> None:
        """Stop before the disk of the state is so full that not even that could be written."""
        try:
            free = await self.ports.blocking(self.free, "state")
        except FileError:
            return
        if free >= self._looking.least_free("state"):
            return
        now, why = self.now(), "there is too little free space for the state"
        hint = "Make room; work goes on by itself."
        if await self.ports.store.transaction("disk", lambda tx: tx.brakes.pull("disk", "state", why, hint, now, now + DISK_LOOK_SECONDS)):
            self._tell_brakes([News("brake on", "disk", "state", why, hint)])


def _asks_anew(piece: Piece, outcome: Outcome) -> bool:
    """Whether there is something else to mend in a drop's order than before."""
    before = getattr(piece.row, "question", "")
    return isinstance(outcome, (Done, Later)) and outcome.fields.get("question", before) != before
