"""One claim in hand, and the gauge of what takes long in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qavix_watch.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.records import BrakeRow, Claim
    from qavix_watch.worker.lanes import Lane
    from qavix_watch.worker.loop import Worker


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
    """One claim in hand. `probes`: the brakes under which it alone may try."""

    lane: Lane
    claim: Claim
    worker: Worker
    gauge: Gauge | None = None
    lost: bool = False
    probing: bool = False
    probes: tuple[BrakeRow, ...] = ()

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
