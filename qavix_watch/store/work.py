"""Claims by lease, and transitions that check what they come from: the part of the state that all work shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qavix_watch.core import lifecycle
from qavix_watch.core.records import Claim, Content, Delivery, Drop, Duty, Job, Row
from qavix_watch.errors import Fenced, StoreError
from qavix_watch.store.rows import bare, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping
    from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work: its table, its record, and who comes first."""

    table: str
    record: type[Row]
    order: str = "due, id"


KINDS: Mapping[str, Kind] = {
    "drop": Kind("drops", Drop, "priority DESC, due, id"),
    "content": Kind("contents", Content, "priority DESC, due, id"),
    "job": Kind("jobs", Job, "priority DESC, due, id"),
    "delivery": Kind("deliveries", Delivery),
    "duty": Kind("duties", Duty),
}

_LEASED = ("due", "lease_until")
_TIMES: Mapping[str, tuple[str, ...]] = {
    "drops": (*_LEASED, "created_at", "changed_at", "not_before", "partner_since"),
    "contents": _LEASED,
    "jobs": (*_LEASED, "posted_at", "submitted_at", "reserved_at"),
    "deliveries": _LEASED,
    "duties": _LEASED,
    "brakes": ("since", "until"),
    "batches": ("since", "begun", "latest"),
}
"""The times that something is reckoned by; what only tells of the past stays as it was written."""


class Work:
    """Verbs over everything that is worked on."""

    def __init__(self, connection: sqlite3.Connection, account: int) -> None:
        self._connection = connection
        self._account = account

    def take(
        self,
        item: str,
        states: Collection[StrEnum],
        *,
        owner: str,
        now: float,
        lease_seconds: float,
        limit: int,
        but: Collection[int] = (),
        where: str = "",
    ) -> list[Claim]:
        """Claim up to `limit` due items in one of `states`; the claim is counted before the work begins.

        `but`: ids that this process still has in hand. `where`: a further condition, of our own making.
        """
        kind = KINDS[item]
        chosen = self._connection.execute(
            f"SELECT id FROM {kind.table} WHERE account = ? AND state IN ({_marks(states)}) AND due <= ?"
            f" AND (owner IS NULL OR lease_until <= ?) {where} ORDER BY {kind.order} LIMIT ?",
            (self._account, *map(bare, states), now, now, limit + len(but)),
        ).fetchall()
        ids = [row[0] for row in chosen if row[0] not in but][:limit]
        return [self._claim(item, kind, number, owner, now + lease_seconds) for number in ids]

    def _claim(self, item: str, kind: Kind, number: int, owner: str, until: float) -> Claim:
        self._connection.execute(
            f"UPDATE {kind.table} SET owner = ?, lease_until = ?, due = ?, fence = fence + 1, claims = claims + 1 WHERE id = ?",
            (owner, until, until, number),
        )
        return Claim(item, self.get(item, number), owner)

    def get(self, item: str, number: int) -> Any:
        """The record with this id. KeyError where there is none."""
        kind = KINDS[item]
        row = self._connection.execute(f"SELECT * FROM {kind.table} WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise KeyError((item, number))
        return read(kind.record, row)

    def renew(self, claims: Iterable[Claim], until: float) -> list[Claim]:
        """Keep these claims until `until`; gives those that were lost."""
        return [claim for claim in claims if not self._renewed(claim, until)]

    def _renewed(self, claim: Claim, until: float) -> bool:
        changed = self._connection.execute(
            f"UPDATE {KINDS[claim.item].table} SET due = CASE WHEN due = lease_until THEN ? ELSE due END, lease_until = ?"
            " WHERE id = ? AND owner = ? AND fence = ?",
            (until, until, claim.id, claim.owner, claim.row.fence),
        ).rowcount
        return changed == 1

    def keep(self, claim: Claim, fields: Mapping[str, Any]) -> None:
        """Save `fields` on the way, without ending the claim. Fenced where it is no longer ours."""
        self._guarded(claim, fields)

    def settle(self, claim: Claim, to: StrEnum, at: float, why: str, fields: Mapping[str, Any], *, due: float | None) -> None:
        """Record the outcome of a claim and end it. Fenced where it is no longer ours; one row of history where the state changed."""
        before = claim.row.state
        _lawful(claim.item, claim.id, before, to)
        ended = {"state": to, "due": self._due(claim, due), "owner": None, "lease_until": None, "claims": 0}
        self._guarded(claim, {**ended, **fields})
        if to != before:
            self.note(at, claim.item, claim.id, before, to, why)

    def _due(self, claim: Claim, due: float | None) -> float | None:
        """While an item is claimed its due time is the end of its lease; one that is earlier says that somebody woke it meanwhile."""
        row = self._connection.execute(f"SELECT due, lease_until FROM {KINDS[claim.item].table} WHERE id = ?", (claim.id,)).fetchone()
        if row["due"] is None or row["lease_until"] is None or row["due"] >= row["lease_until"]:
            return due
        woken = float(row["due"])
        return woken if due is None else min(woken, due)

    def _guarded(self, claim: Claim, fields: Mapping[str, Any]) -> None:
        changed = self._connection.execute(
            f"UPDATE {KINDS[claim.item].table} SET {_sets(fields)} WHERE id = ? AND owner = ? AND fence = ? AND state = ?",
            (*map(bare, fields.values()), claim.id, claim.owner, claim.row.fence, bare(claim.row.state)),
        ).rowcount
        if changed != 1:
            raise Fenced(f"{claim.item} {claim.id} is no longer ours")

    def move(
        self, item: str, number: int, frm: Collection[StrEnum], to: StrEnum, at: float, why: str, fields: Mapping[str, Any] = {}
    ) -> bool:
        """Move an item that nobody asks the holder of: whoever has it in hand is fenced out. False where its state is not in `frm`.

        StoreError where the law knows no such step. `fields` may give `due`, which is otherwise cleared.
        """
        kind = KINDS[item]
        row = self._connection.execute(f"SELECT state FROM {kind.table} WHERE id = ?", (number,)).fetchone()
        if row is None or row[0] not in {bare(state) for state in frm}:
            return False
        _lawful(item, number, type(to)(row[0]), to)
        cleared = {"due": None, "owner": None, "lease_until": None, "claims": 0, "tries": 0, "waited": 0.0, "reason": why}
        values = {**cleared, "state": to, **fields}
        self._connection.execute(
            f"UPDATE {kind.table} SET {_sets(values)}, fence = fence + 1 WHERE id = ?", (*map(bare, values.values()), number)
        )
        if row[0] != bare(to):
            self.note(at, item, number, row[0], to, why)
        return True

    def note(self, at: float, item: str, number: int, old: str, new: str, why: str) -> None:
        """One row of history."""
        self._connection.execute(
            "INSERT INTO events (account, at, item, item_id, old, new, why) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._account, at, item, number, bare(old), bare(new), why),
        )

    def wake(self, item: str, number: int, at: float) -> None:
        """Have an item looked at, at `at` or earlier; one that is being worked on is looked at again after that."""
        self._connection.execute(
            f"UPDATE {KINDS[item].table} SET due = ? WHERE id = ? AND (due IS NULL OR due > ?)", (at, number, at)
        )

    def next_due(self, now: float) -> float | None:
        """When the next item is due; of one that is claimed, when its lease ends."""
        found = [
            self._connection.execute(f"SELECT min(due) FROM {kind.table} WHERE account = ? AND due > ?", (self._account, now)).fetchone()[0]
            for kind in KINDS.values()
        ]
        return min((due for due in found if due is not None), default=None)

    def rescue(self, now: float, longest: float) -> int:
        """At a start: end every lease of this node's dead predecessors, whose work is due at once, and clamp due times that a wrong
        clock made. Gives the leases.
        """
        freed = 0
        for kind in KINDS.values():
            freed += self._connection.execute(
                f"UPDATE {kind.table} SET owner = NULL, lease_until = NULL, due = min(due, ?) WHERE owner IS NOT NULL", (now,)
            ).rowcount
            self.clamp(kind.table, now, longest)
        return freed

    def shift(self, seconds: float) -> None:
        """The clock was set right by so many seconds: what was reckoned by the wrong one moves with it."""
        for table, columns in _TIMES.items():
            moved = ", ".join(f"{column} = {column} + :seconds" for column in columns)
            self._connection.execute(f"UPDATE {table} SET {moved}", {"seconds": seconds})

    def clamp(self, table: str, now: float, longest: float) -> None:
        """No due time lies further off than the longest back-off."""
        self._connection.execute(f"UPDATE {table} SET due = ? WHERE due > ?", (now + longest, now + longest))


def _lawful(item: str, number: int, before: StrEnum, to: StrEnum) -> None:
    if not lifecycle.may_follow(before, to):
        raise StoreError(f"{item} {number} cannot go from {before} to {to}")


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _sets(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in fields)
