"""What may be begun: the due work of each lane that no brake stops, and under a brake that is to be tried, one piece of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.worker.lanes import as_of
from qavix_watch.worker.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from qavix_watch.core.records import BrakeRow
    from qavix_watch.ports.state import Tx
    from qavix_watch.worker.lanes import Lane
    from qavix_watch.worker.loop import Worker

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows that may be claimed: all that a lane has room for, or the one that tries whether `tried` can let go."""

    where: str
    tried: tuple[BrakeRow, ...] = ()


@dataclass(slots=True)
class Claiming:
    """One round. `in_hand`: what is being worked on; each brake is tried by one piece at a time."""

    worker: Worker
    lanes: Sequence[Lane]
    in_hand: Collection[Piece]
    now: float
    brakes: list[BrakeRow] = field(default_factory=list)
    tried: set[Key] = field(default_factory=set)
    away: bool = False

    def claim(self, tx: Tx) -> tuple[list[Piece], float | None, list[BrakeRow]]:
        """The pieces to begin, when the next work is due, and the brakes that are on."""
        self.brakes = tx.brakes.on()
        self.away = self.worker.rootless or any(brake.name == "root" for brake in self.brakes)
        self.tried = {key(brake) for piece in self.in_hand for brake in piece.probes}
        window = set() if self.worker.window_open() else {"window"}
        lanes = [lane for lane in self.lanes if not lane.stopped_by & window]
        steps = tuple([lane.rootless if self.away else lane.step for lane in lanes])
        due, next_due = tx.work.due(steps, self.now)
        begun = [piece for lane, any_due in zip(lanes, due, strict=True) if any_due for piece in self._of_lane(tx, lane)]
        return begun, next_due, self.brakes

    def _of_lane(self, tx: Tx, lane: Lane) -> list[Piece]:
        begun: list[Piece] = []
        free = lane.slots - sum(piece.lane is lane for piece in self.in_hand)
        for choice in self._choices(lane) if free > 0 else ():
            new = [key(brake) for brake in choice.tried]
            if free <= len(begun) or self.tried & set(new):
                continue
            found = self._take(tx, lane, choice, 1 if new else free - len(begun))
            self.tried |= set(new) if found else set()
            begun += found
        return begun

    def _choices(self, lane: Lane) -> Iterator[Choice]:
        _, _, where = lane.rootless if self.away else lane.step  # while a root is away, what none concerns
        if not self.brakes:
            yield Choice(where)
            return
        hard = [brake for brake in self.brakes if lane.is_stopped_by(brake) and brake.name != "root"]
        if not all(self._may_be_tried(brake) for brake in hard):
            return
        narrow = [(brake, rows) for brake in self.brakes if (rows := lane.needing(brake)) is not None]
        shut = "".join(f" AND NOT ({rows})" for brake, rows in narrow if not self._may_be_tried(brake))
        open_rows = sorted({rows for brake, rows in narrow if self._may_be_tried(brake)})
        for rows in open_rows:
            tried = (*hard, *(brake for brake, of in narrow if of == rows and self._may_be_tried(brake)))
            yield Choice(f"{where}{shut} AND ({rows})", tried)
        yield Choice(where + shut + "".join(f" AND NOT ({rows})" for rows in open_rows), tuple(hard))

    def _may_be_tried(self, brake: BrakeRow) -> bool:
        return bool(brake.probing) and key(brake) not in self.tried

    def _take(self, tx: Tx, lane: Lane, choice: Choice, limit: int) -> list[Piece]:
        worker = self.worker
        claims = tx.work.take(
            lane.item, lane.states, owner=worker.owner, now=self.now, lease_seconds=worker.lease_seconds, limit=limit,
            but={piece.id for piece in self.in_hand if piece.claim.item == lane.item},
            where=as_of(choice.where, self.now),
        )
        return [Piece(lane, claim, worker, probing=bool(choice.tried), probes=choice.tried) for claim in claims]


def key(brake: BrakeRow) -> Key:
    """What tells one brake from the others."""
    return brake.name, brake.scope
