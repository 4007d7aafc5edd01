"""Connections to a state in memory, each used by life after life: what SQLite has once made of a statement it need not make again.

That is a third of what the state costs. A connection is emptied in between; nothing of one life is seen in the next.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from qavix_watch.store import file, migrations

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = ":memory:"


class Kept(sqlite3.Connection):
    """A connection that is kept. `triggers`: the temporary ones on it, which stay; `shape`: what its state was made by.

    What SQL may call is changed without SQLite hearing of it, which would forget all statements. A trigger of an earlier life that
    calls what the present one has not does nothing.
    """

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self.triggers: dict[str, str] = {}
        self.shape: object = None
        self._calls: dict[str, Callable[..., Any]] = {}

    def have_called(self, name: str, function: Callable[..., Any]) -> None:
        """Let SQL call a function, until all are let go."""
        if name not in self._calls:
            self.create_function(name, -1, partial(self._call, name))
        self._calls[name] = function

    def _call(self, name: str, *values: Any) -> Any:
        return self._calls[name](*values)

    def let_go(self) -> None:
        """Call nothing of this life any more."""
        self._calls = dict.fromkeys(self._calls, _nothing)


def _nothing(*_values: object) -> None:
    """What is called for nobody."""


_idle: list[Kept] = []


def borrowed() -> sqlite3.Connection:
    """An empty state of the newest shape, on a connection as production configures it."""
    shape = (migrations.MIGRATIONS, file.configure)
    while _idle:
        connection = _idle.pop()
        if connection.shape == shape:
            return connection
        connection.close()
    connection = sqlite3.connect(MEMORY, isolation_level=None, cached_statements=file.MOST_STATEMENTS, factory=Kept)
    file.configure(connection, MEMORY)
    migrations.migrate(Database(connection, recursive_triggers=False))
    connection.shape = shape
    return connection


def give_back(connection: sqlite3.Connection) -> None:
    """Whoever borrowed it needs it no more."""
    if not isinstance(connection, Kept) or _has_more_triggers(connection):
        connection.close()
        return
    connection.let_go()
    _empty(connection)
    _idle.append(connection)


def have_called(connection: sqlite3.Connection, name: str, function: Callable[..., Any]) -> None:
    """Let SQL on this connection call a function."""
    if not isinstance(connection, Kept):
        connection.create_function(name, -1, function)
        return
    connection.have_called(name, function)


def have_watched(connection: sqlite3.Connection, name: str, trigger: str) -> None:
    """Have a temporary trigger of this name on a connection; `trigger` is the text that makes it."""
    kept = connection.triggers if isinstance(connection, Kept) else {}
    if kept.get(name) != trigger:
        connection.execute(f"DROP TRIGGER IF EXISTS temp.{name}")
        connection.execute(trigger)
        kept[name] = trigger


def _has_more_triggers(connection: Kept) -> bool:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_temp_master")} != set(connection.triggers)


def _empty(connection: sqlite3.Connection) -> None:
    """Remove every row, those first that refer to others."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid DESC").fetchall()
    with file.transaction(connection):
        for (name,) in tables:
            connection.execute(f'DELETE FROM "{name}"')
