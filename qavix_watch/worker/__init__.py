"""Claim, run the stage, record the outcome. The only place that records outcomes, and that pulls brakes and lets them go.

    lanes      the flow: what is claimed, how many at once, which brakes stop it
    loop       the Worker: claims what is due, runs its stage, has the outcome recorded
    piece      one claim in hand, and the gauge of its long acts
    meaning    what an error of the world means for work
    recording  an outcome as one transaction
    brakes     whether a brake can let go
    progress   leases kept alive, and how far long acts are
"""

from __future__ import annotations

from qavix_watch.worker.lanes import Lane, lanes
from qavix_watch.worker.loop import MOST_CLAIMS, Worker
from qavix_watch.worker.piece import Gauge, Piece

__all__ = ["MOST_CLAIMS", "Gauge", "Lane", "Piece", "Worker", "lanes"]
