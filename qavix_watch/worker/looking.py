"""Whether a brake can let go: each is looked at when its pause is over, and what costs next to nothing to ask, in between as well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core import backoff
from qavix_watch.errors import ApiError, FileError, QavixWatchError, ServiceFailed
from qavix_watch.stages.account import learn_balance
from qavix_watch.stages.answers import about_the_path
from qavix_watch.stages.follow import knows_any
from qavix_watch.stages.money import still_over
from qavix_watch.stages.recovery import is_due, said
from qavix_watch.worker.claiming import key
from qavix_watch.worker.lanes import as_of
from qavix_watch.worker.meaning import is_about_the_key
from qavix_watch.worker.recording import News

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qavix_watch.core.records import BrakeRow
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.worker.claiming import Key
    from qavix_watch.worker.loop import Worker

BETWEEN_SECONDS = {"credits": 30.0, "budget": 30.0, "account": 60.0, "api": 60.0, "recovery": 5.0}
"""How often a brake is looked at before its pause is over. What pulls `recovery` may be recorded when the list was read already."""
LONGEST_SECONDS = {"offline": 60.0, "disk": 30.0}
LONGEST_OTHER_SECONDS = 300.0
NEVER = frozenset({"root", "paused"})
"""The brakes that somebody else lets go: who looks at the folders, and a person."""
STATE_BYTES = 32 * 1024 * 1024
"""The state stops everything when less than this is free (or `min_free`, where that is less): so much it can still write by itself."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: `why` it must stay on (None: it lets go, as `news` says), or that one piece of its work may make an `attempt`."""

    why: str | None = None
    attempt: bool = False
    news: str = "it works again"


GONE = Seen()
TASKS_READ = Seen(news="the service's list of tasks was read")
NEEDLESS = Seen(news="nothing needs it any more")


@dataclass(slots=True)
class Looking:
    """Looks at a worker's brakes. `_next` is when each is looked at before its pause is over."""

    worker: Worker
    _next: dict[Key, float] = field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        """The worker's world."""
        return self.worker.ports

    def due(self, brakes: list[BrakeRow], now: float) -> list[BrakeRow]:
        """The brakes to look at now."""
        return [brake for brake in brakes if self._time(brake, now) <= now]

    def next_time(self, brakes: list[BrakeRow], now: float) -> float | None:
        """When the next look is due."""
        return min((time for brake in brakes if brake.name not in NEVER and (time := self._time(brake, now)) > now), default=None)

    def _time(self, brake: BrakeRow, now: float) -> float:
        if brake.name in NEVER:
            return float("inf")
        pause = BETWEEN_SECONDS.get(brake.name)
        regular = float("inf") if brake.probing else brake.until
        if pause is None:
            return regular
        return min(regular, self._next.setdefault(key(brake), now + pause))

    async def look(self, brake: BrakeRow) -> list[News]:
        """Look at one brake, and record what was found."""
        now = self.ports.clock.now()
        self._next[key(brake)] = now + BETWEEN_SECONDS.get(brake.name, 0.0)
        seen = await self._see(brake)
        return await self.ports.store.transaction("brake looked at", lambda tx: self._record(tx, brake, seen))

    def _record(self, tx: Tx, brake: BrakeRow, seen: Seen) -> list[News]:
        now = self.ports.clock.now()
        current = next((one for one in tx.brakes.on() if key(one) == key(brake)), None)
        if current is None or current.since != brake.since:
            return []
        if seen.why is None and not seen.attempt:
            if brake.name == "account":
                tx.jobs.follow_again(now)
            return [News("brake off", *key(brake), seen.news)] if tx.brakes.let_go(*key(brake), now, seen.news) else []
        if current.until <= now and not current.probing:
            self._still_on(tx, current, seen, now)
        return []

    def _still_on(self, tx: Tx, brake: BrakeRow, seen: Seen, now: float) -> None:
        if seen.attempt:
            tx.brakes.probe(*key(brake))
            return
        longest = LONGEST_SECONDS.get(brake.name, LONGEST_OTHER_SECONDS)
        pause = backoff.pause(brake.count, 0.0, first=2.0, longest=longest)
        tx.brakes.pull(*key(brake), seen.why or brake.why, brake.hint, now, now + pause)

    async def _see(self, brake: BrakeRow) -> Seen:
        """`rate` is over with its time: the next call shows."""
        sights: dict[str, Callable[[BrakeRow], Awaitable[Seen]]] = {
            "disk": self._disk, "auth": self._auth, "offline": self._offline, "credits": self._credits, "budget": self._budget,
            "account": self._account, "api": self._api, "recovery": self._recovery,
        }
        sight = sights.get(brake.name)
        return GONE if sight is None else await sight(brake)

    async def _disk(self, brake: BrakeRow) -> Seen:
        try:
            free = await self.ports.blocking(self.worker.free, brake.scope)
        except FileError as error:
            return Seen(str(error))
        return GONE if free >= self.least_free(brake.scope) + (brake.level or 0.0) else Seen(brake.why)

    def least_free(self, disk: str) -> int:
        """The free bytes that a filesystem must have."""
        return min(self.worker.rules.min_free_bytes, STATE_BYTES) if disk == "state" else self.worker.rules.min_free_bytes

    async def _auth(self, _brake: BrakeRow) -> Seen:
        error = await self._asked_for_the_balance()
        return GONE if isinstance(error, ApiError) and about_the_path(error) and not is_about_the_key(error) else _seen(error)

    async def _offline(self, _brake: BrakeRow) -> Seen:
        error = await self._asked_for_the_balance()
        return GONE if isinstance(error, ApiError) and not isinstance(error, ServiceFailed) else _seen(error)

    async def _asked_for_the_balance(self) -> QavixWatchError | None:
        try:
            await self.ports.api.get_balance()
        except QavixWatchError as error:
            return error
        return None

    async def _credits(self, brake: BrakeRow) -> Seen:
        """More credits than there were let it go; where there are as many still, one job may try when the pause is over."""
        try:
            balance = await learn_balance(self.ports)
        except QavixWatchError:
            return await self._by_trying(brake)
        return GONE if brake.level is not None and balance > brake.level else await self._by_trying(brake)

    async def _budget(self, brake: BrakeRow) -> Seen:
        return Seen(await still_over(self.ports, self.worker.rules, brake.scope))

    async def _account(self, brake: BrakeRow) -> Seen:
        try:
            known = await knows_any(self.ports, "")
        except QavixWatchError:
            return Seen(brake.why)
        return GONE if known else Seen(brake.why)

    async def _recovery(self, _brake: BrakeRow) -> Seen:
        due, why = await self.ports.store.transaction("is the list read", lambda tx: (is_due(tx), said(tx)))
        return Seen(why) if due else TASKS_READ

    async def _api(self, brake: BrakeRow) -> Seen:
        """What costs nothing and asks for nothing in particular is asked; anything else is tried."""
        api = self.ports.api
        asked: dict[str, Callable[[], Awaitable[object]]] = {"pricing": api.pricing, "list_voices": api.list_voices}
        if brake.scope not in asked:
            return await self._by_trying(brake)
        try:
            await asked[brake.scope]()
        except QavixWatchError as error:
            return Seen(str(error))
        return GONE

    async def _by_trying(self, brake: BrakeRow) -> Seen:
        """One piece of the work that it stops may try. Where none is left, the next will show how it is: nobody shall read of a brake for
        ever that stops nothing.
        """
        stops = await self.ports.store.transaction("what it stops", lambda tx: self._stops_anything(tx, brake))
        return Seen(attempt=True) if stops else NEEDLESS

    def _stops_anything(self, tx: Tx, brake: BrakeRow) -> bool:
        if brake.name == "credits":
            return tx.jobs.any_unsubmitted()
        now = self.ports.clock.now()
        needing = [(lane, rows) for lane in self.worker.lanes if (rows := lane.needing(brake)) is not None]
        return any(tx.work.waits(lane.item, lane.states, as_of(f"{lane.where} AND ({rows})", now)) for lane, rows in needing)


def _seen(error: QavixWatchError | None) -> Seen:
    return GONE if error is None else Seen(str(error))
