"""Claims by lease, and transitions that check what they come from: the part of the state that all work shares."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from qavix_watch.core import lifecycle
from qavix_watch.core.records import Claim, Content, Delivery, Drop, Duty, Job, Row
from qavix_watch.errors import Fenced
from qavix_watch.store.rows import bare, bares, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping
    from enum import StrEnum


Step = tuple[str, tuple[str, ...], str]
"""A kind of item, some of its states, and a further condition, of our own making."""


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

_NEXT_DUE = "(SELECT min(due) FROM ({}))".format(
    " UNION ALL ".join(f"SELECT min(due) AS due FROM {kind.table} WHERE account = :account AND due > :now" for kind in KINDS.values())
)
_WOKEN = "due = CASE WHEN due < lease_until THEN coalesce(min(due, ?), due) ELSE ? END"
"""While an item is claimed its due time is the end of its lease; one that is earlier says that somebody woke it meanwhile."""

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

WAKE = "due = min(:at, coalesce(lease_until - 0.001, :at))"
WAKES = "(due IS NULL OR due > :at OR due = lease_until)"
"""While an item is claimed its due time is the end of its lease. A wake is one that is earlier, however late the lease ends by now or
the clock of who wakes it goes: else it would be lost with the outcome.
"""


class Work:
    """Verbs over everything that is worked on.

    What is due is asked for by the clock of who asks; leases end by `clock`, the database's own, so that no host whose clock is ahead
    of another's takes from its hands what it still works on.
    """

    def __init__(self, connection: sqlite3.Connection, account: int, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._account = account
        self._clock = clock

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
        kind, present = KINDS[item], self._clock()
        chosen = self._connection.execute(
            # "+" has the rows read in their turn, so that the first few are found however many are due.
            f"SELECT id FROM {kind.table} WHERE account = ? AND state IN ({_marks(states)}) AND +due <= ?"
            f" AND (owner IS NULL OR lease_until <= ?) {where} ORDER BY {kind.order} LIMIT ?",
            (self._account, *bares(states), now, present, limit + len(but)),
        ).fetchall()
        ids = [row[0] for row in chosen if row[0] not in but][:limit]
        return [self._claim(item, kind, number, owner, present + lease_seconds) for number in ids]

    def _claim(self, item: str, kind: Kind, number: int, owner: str, until: float) -> Claim:
        (row,) = self._connection.execute(
            f"UPDATE {kind.table} SET owner = ?, lease_until = ?, due = ?, fence = fence + 1, claims = claims + 1 WHERE id = ? RETURNING *",
            (owner, until, until, number),
        )
        return Claim(item, read(kind.record, row), owner)

    def due(self, steps: tuple[Step, ...], now: float) -> tuple[list[bool], float | None]:
        """Whether each of these steps has anything due, and when the next item of any kind is due after `now`: one look for all of them.

        Each is a kind of item, its states, and a further condition as for `take`. Of what is claimed the lease's end is the due time.
        """
        *found, next_due = self._connection.execute(_any_due(steps), {"account": self._account, "now": now}).fetchone()
        return [bool(one) for one in found], None if next_due is None else float(next_due)

    def waits(self, item: str, states: Collection[StrEnum], where: str) -> bool:
        """Whether any item in one of `states` is to be done, now or later. `where`: as for `take`."""
        table = KINDS[item].table
        found = self._connection.execute(
            f"SELECT 1 FROM {table} WHERE account = ? AND state IN ({_marks(states)}) AND due IS NOT NULL {where} LIMIT 1",
            (self._account, *map(bare, states)),
        )
        return found.fetchone() is not None

    def get(self, item: str, number: int) -> Any:
        """The record with this id. KeyError where there is none."""
        kind = KINDS[item]
        row = self._connection.execute(f"SELECT * FROM {kind.table} WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise KeyError((item, number))
        return read(kind.record, row)

    def is_held(self, item: str, number: int) -> bool:
        """Whether somebody has this item in hand, as far as its lease tells."""
        row = self._connection.execute(f"SELECT lease_until FROM {KINDS[item].table} WHERE id = ?", (number,)).fetchone()
        return row is not None and row[0] is not None and row[0] > self._clock()

    def renew(self, claims: Iterable[Claim], lease_seconds: float) -> list[Claim]:
        """Keep these claims for so long from now; gives those that were lost."""
        until = self._clock() + lease_seconds
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
        self._guarded(claim, _sets(fields), fields.values())

    def guard(self, claim: Claim) -> None:
        """Fenced where a claim is no longer ours, and nothing else."""
        self.keep(claim, {"reason": claim.row.reason})

    def settle(self, claim: Claim, to: StrEnum, at: float, why: str, fields: Mapping[str, Any], *, due: float | None) -> None:
        """Record the outcome of a claim and end it. Fenced where it is no longer ours; one row of history where the state changed."""
        before = claim.row.state
        _lawful(claim.item, claim.id, before, to)
        ended = {"state": to, "owner": None, "lease_until": None, "claims": 0, **fields}
        self._guarded(claim, f"{_WOKEN}, {_sets(ended)}", (due, due, *ended.values()))
        if to != before:
            self.note(at, claim.item, claim.id, before, to, why)

    def _guarded(self, claim: Claim, sets: str, values: Iterable[Any]) -> None:
        changed = self._connection.execute(
            f"UPDATE {KINDS[claim.item].table} SET {sets} WHERE id = ? AND owner = ? AND fence = ? AND state = ?",
            (*bares(values), claim.id, claim.owner, claim.row.fence, bare(claim.row.state)),
        ).rowcount
        if changed != 1:
            raise Fenced(f"{claim.item} {claim.id} is no longer ours")

    def move(
        self, item: str, number: int, frm: Collection[StrEnum], to: StrEnum, at: float, why: str, fields: Mapping[str, Any] = {}
    ) -> bool:
        """Move an item that nobody asks the holder of: whoever has it in hand is fenced out. False where its state is not in `frm`.

        AssertionError where the law knows no such step. `fields` may give `due`, which is otherwise cleared.
        """
        kind = KINDS[item]
        row = self._connection.execute(f"SELECT state FROM {kind.table} WHERE id = ?", (number,)).fetchone()
        if row is None or row[0] not in {bare(state) for state in frm}:
            return False
        _lawful(item, number, type(to)(row[0]), to)
        cleared = {"due": None, "owner": None, "lease_until": None, "claims": 0, "tries": 0, "waited": 0.0, "reason": why}
        values = {**cleared, "state": to, **fields}
        self._connection.execute(
            f"UPDATE {kind.table} SET {_sets(values)}, fence = fence + 1 WHERE id = ?", (*bares(values.values()), number)
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
        self._connection.execute(f"UPDATE {KINDS[item].table} SET {WAKE} WHERE id = :id AND {WAKES}", {"id": number, "at": at})

    def rescue(self, node: str, now: float, longest: float) -> int:
        """At a start of this node: end the leases of the dead, whose work is due at once, and clamp due times that a wrong clock made.
        Gives the leases.

        The dead are this node's earlier starts and whoever serves the state no more; what another node that serves it has in hand
        stays its own.
        """
        freed = 0
        for kind in KINDS.values():
            freed += self._connection.execute(
                f"UPDATE {kind.table} SET owner = NULL, lease_until = NULL, due = min(due, :now) WHERE owner IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM service WHERE pid > 0 AND node <> :node AND substr(owner, 1, length(node) + 1) = node || ':')",
                {"now": now, "node": node},
            ).rowcount
            self.clamp(kind.table, now, longest)
        return freed

    def shift(self, seconds: float) -> None:
        """The clock was set right by so many seconds: what was reckoned by the wrong one moves with it."""
        for table, columns in _TIMES.items():
            moved = ", ".join(f"{column} = {column} + :seconds" for column in columns)
            self._connection.execute(f"UPDATE {table} SET {moved}", {"seconds": seconds})

    def clamp(self, table: str, now: float, longest: float) -> None:
        """No due time of what nobody has in hand lies further off than the longest back-off."""
        self._connection.execute(f"UPDATE {table} SET due = ? WHERE due > ? AND owner IS NULL", (now + longest, now + longest))


def _lawful(item: str, number: int, before: StrEnum, to: StrEnum) -> None:
    if not lifecycle.may_follow(before, to):  # a defect of ours, and no trouble of the state that would pass
        raise AssertionError(f"{item} {number} cannot go from {before} to {to}")


@cache
def _any_due(steps: tuple[Step, ...]) -> str:
    asked = "EXISTS (SELECT 1 FROM {} WHERE account = :account AND state IN ('{}') AND due <= :now {})"
    looks = [asked.format(KINDS[item].table, "', '".join(states), where) for item, states, where in steps]
    return f"SELECT {', '.join([*looks, _NEXT_DUE])}"


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _sets(fields: Mapping[str, Any]) -> str:
    return ", ".join([f"{name} = ?" for name in fields])
