"""Verbs over private names among people's files: known before anything is made under them, so that no folder is searched for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from qavix_watch.core.records import Claim

_IN_HAND = """
    EXISTS (SELECT 1 FROM drops WHERE drops.id = private_names.drop_id AND drops.owner = private_names.owner AND lease_until > :now)"""
_MAY_WAKE = """
    EXISTS (SELECT 1 FROM service WHERE pid > 0 AND substr(owner, 1, length(node) + 1) = node || ':' AND node <> :node)"""


class Private:
    """One row a name. `owner`: who may still make something under it, "" once nobody does."""

    def __init__(self, connection: sqlite3.Connection, account: int, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._account = account
        self._clock = clock

    def borrow(self, claim: Claim, paths: Iterable[bytes]) -> None:
        """Whoever has this drop in hand is about to make something under these names."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO private_names (account, path, drop_id, owner) VALUES (?, ?, ?, ?)",
            [(self._account, path, claim.id, claim.owner) for path in paths],
        )

    def strays(self) -> list[bytes]:
        """The names whose work nobody has in hand: what lies under them was left there."""
        rows = self._connection.execute(
            f"SELECT path FROM private_names WHERE account = :account AND NOT {_IN_HAND} ORDER BY path",
            {"account": self._account, "now": self._clock()},
        )
        return [row[0] for row in rows]

    def knows(self, path: bytes) -> bool:
        """Whether this is one of them, as it was named."""
        found = self._connection.execute("SELECT 1 FROM private_names WHERE account = ? AND path = ?", (self._account, path))
        return found.fetchone() is not None

    def let_go(self, claim: Claim) -> None:
        """Who had this in hand, and was fenced out, makes nothing more."""
        if claim.item == "drop":
            self._connection.execute("UPDATE private_names SET owner = '' WHERE drop_id = ? AND owner = ?", (claim.id, claim.owner))

    def cleared(self, paths: Iterable[bytes], node: str) -> bool:
        """Nothing lies under these names any more; told by this node. Gives whether work with others is in hand.

        What another node was fenced out of stays known while that one serves: it may only be frozen.
        """
        self._connection.executemany(
            f"DELETE FROM private_names WHERE path = :path AND account = :account AND NOT {_IN_HAND} AND NOT {_MAY_WAKE}",
            [{"path": path, "account": self._account, "now": self._clock(), "node": node} for path in paths],
        )
        found = self._connection.execute(
            f"SELECT 1 FROM private_names WHERE account = :account AND {_IN_HAND} LIMIT 1", {"account": self._account, "now": self._clock()}
        )
        return found.fetchone() is not None
