"""The verbs of the state, on any connection that was configured: in one place, so that whoever opens one gets the same state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlite_utils import Database

from qavix_watch.store.brakes import Brakes
from qavix_watch.store.commands import Commands
from qavix_watch.store.contents import Contents
from qavix_watch.store.drops import Drops
from qavix_watch.store.file import mapped, transaction
from qavix_watch.store.house import House
from qavix_watch.store.jobs import Jobs
from qavix_watch.store.migrations import migrate
from qavix_watch.store.money import Money
from qavix_watch.store.overview import Overview
from qavix_watch.store.private import Private
from qavix_watch.store.recovery import Recovery
from qavix_watch.store.work import Work

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from qavix_watch.core.layout import Layout


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: the verbs, by what they are about."""

    work: Work
    drops: Drops
    contents: Contents
    jobs: Jobs
    brakes: Brakes
    house: House
    commands: Commands
    money: Money
    private: Private
    recovery: Recovery
    view: Callable[[Layout], Overview]


def begin(
    connection: sqlite3.Connection, base_url: str, account: str, new_id: str, clock: Callable[[], float] = time.time
) -> tuple[str, Tx]:
    """Bring the shape up to date and know this account. Gives the state's id (`new_id` if it has none yet) and the verbs.

    `clock` is the database's: leases end by it, whatever the clocks of the hosts say. StateUnusable, StoreError, NoSpace.
    """
    migrate(Database(connection, recursive_triggers=False))  # there are none; the pragma would have every statement read anew
    with mapped("the state"), transaction(connection):
        connection.execute("INSERT INTO state_id SELECT ? WHERE NOT EXISTS (SELECT 1 FROM state_id)", (new_id,))
        connection.execute("INSERT OR IGNORE INTO accounts (base_url, name) VALUES (?, ?)", (base_url, account))
        number = connection.execute("SELECT id FROM accounts WHERE base_url = ? AND name = ?", (base_url, account)).fetchone()[0]
        own = connection.execute("SELECT id FROM state_id").fetchone()[0]
    return own, _verbs(connection, number, clock)


def _verbs(connection: sqlite3.Connection, account: int, clock: Callable[[], float]) -> Tx:
    work = Work(connection, account, clock)
    drops = Drops(connection, account, work)
    jobs = Jobs(connection, account, work, drops)
    contents = Contents(connection, account, work)
    brakes, house = Brakes(connection, account, work), House(connection, account, work)
    commands, money, view = Commands(connection, account), Money(connection, account, work), partial(Overview, connection, account)
    private, recovery = Private(connection, account, clock), Recovery(connection, account)
    return Tx(work, drops, contents, jobs, brakes, house, commands, money, private, recovery, view)
