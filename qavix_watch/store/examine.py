"""The state under examination: whether it is whole, whose shape it has, and who serves it. Nothing is written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch.errors import StateUnusable
from qavix_watch.store.migrations import MIGRATIONS
from qavix_watch.store.views import SERVING, opened_to_read

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = dict[str, Any]

_RESTORE = "Stop the service and restore a backup of the state, or name another file with `state.path`."


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. `places` are the watched folders that it knows: marker id → (path, start counter).

    `outdated`: the next start brings it up to date. `service`, `brakes` and `troubles` as `View.status()` has them; the brakes are
    those of one account.
    """

    id: str
    outdated: bool
    places: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    service: Row | None = None
    brakes: tuple[Row, ...] = ()
    troubles: tuple[Row, ...] = ()


def examine(path: str, base_url: str, account: str) -> Examined | None:
    """Look at the whole state at `path`, which takes a second for every few hundred megabytes; None where there is none.

    StateUnusable where it is damaged, newer than this program, or not to be read.
    """
    connection = opened_to_read(path)
    if connection is None:
        return None
    try:
        connection.row_factory = sqlite3.Row
        return _examined(connection, path, base_url, account)
    except sqlite3.Error as error:
        if "malformed" in str(error) or "not a database" in str(error):
            raise _damaged(path, str(error)) from error
        raise StateUnusable(f"the state {path} cannot be read: {error}", hint="Run this as the user of the service.") from error
    finally:
        connection.close()


def _examined(connection: sqlite3.Connection, path: str, base_url: str, account: str) -> Examined:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise _damaged(path, "; ".join(map(str, found)))
    shape = connection.execute("PRAGMA user_version").fetchone()[0]
    if shape > len(MIGRATIONS):
        raise StateUnusable(
            f"the state {path} was written by a newer version of qavix-watch (its shape is {shape}, this program knows {len(MIGRATIONS)})",
            hint="Start the newer version again, or name another file with `state.path`.",
        )
    own = connection.execute("SELECT id FROM state_id").fetchone() if shape else None
    if own is None:
        return Examined("", outdated=True)
    connection.execute("BEGIN")
    return Examined(
        id=own["id"],
        outdated=shape < len(MIGRATIONS),
        places={row["id"]: (row["path"], row["starts"]) for row in connection.execute("SELECT id, path, starts FROM places")},
        service=next(iter(_rows(connection, f"SELECT pid, node, boot, started_at, config, ready {SERVING}")), None),
        brakes=_rows(
            connection,
            "SELECT brakes.name, scope, since, why, hint, until FROM brakes JOIN accounts ON accounts.id = brakes.account"
            " WHERE base_url = ? AND accounts.name = ? AND state = 'on'", base_url, account,
        ),
        troubles=_rows(connection, "SELECT name, at, text FROM troubles"),
    )


def _rows(connection: sqlite3.Connection, sql: str, *values: object) -> tuple[Row, ...]:
    return tuple(dict(row) for row in connection.execute(sql, values))


def _damaged(path: str, what: str) -> StateUnusable:
    return StateUnusable(f"the state {path} is damaged: {what}", hint=_RESTORE)
