"""Leases are kept alive, and what is under way says how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from qavix_watch.core.records import Claim
    from qavix_watch.ports.state import Tx
    from qavix_watch.worker.piece import Piece

Row = tuple[str, int, str, int, int, float, float]


def rows(pieces: Collection[Piece], now: float) -> list[Row]:
    """How far each long act is."""
    return [_row(piece, piece.gauge, now) for piece in pieces if piece.gauge is not None and piece.gauge.total]


def _row(piece: Piece, gauge: Any, now: float) -> Row:
    seconds = max(now - gauge.began, 0.001)
    return (piece.claim.item, piece.id, gauge.act, gauge.done, gauge.total, (gauge.done - gauge.began_with) / seconds, now)


def say(tx: Tx, pieces: Collection[Piece], acts: list[Row], lease_seconds: float) -> list[Claim]:
    """Record it, and keep these claims for so long from now; gives those that were lost."""
    tx.house.progress(acts)
    return tx.work.renew([piece.claim for piece in pieces], lease_seconds)
