"""Laws of single rows of the state, kept by triggers: a broken one is heard of in the very statement that breaks it.

The triggers are temporary ones, of the connection that they are made on: nothing of them is ever in the state itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import TRANSITIONS, ContentState, DeliveryState, DropState, JobState
from tests.simulation.memory import have_called, have_watched

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from enum import StrEnum

WORK = ("drops", "contents", "jobs", "deliveries", "duties")
"""The tables of what is claimed."""
KINDS: Mapping[str, type[StrEnum]] = {"drops": DropState, "contents": ContentState, "jobs": JobState, "deliveries": DeliveryState}


@dataclass(frozen=True, slots=True)
class RowLaw:
    """The law `says`, and when a change of a row `breaks` it: OLD is the row before, NEW the row after."""

    says: str
    breaks: str
    tables: tuple[str, ...] = WORK


@dataclass(frozen=True, slots=True)
class RowEvent:
    """Something that shall happen now and then, in `kind` of words; `when` a change of a row shows it."""

    kind: str
    when: str
    tables: tuple[str, ...] = WORK


def steps_of(table: str) -> str:
    """The condition that a row takes a step which its lifecycle does not know."""
    lawful = [f"'{old}>{new}'" for old, news in TRANSITIONS[KINDS[table]].items() for new in news]
    return f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({', '.join(sorted(lawful))})"


def keep_watch(
    connection: sqlite3.Connection, laws: Iterable[RowLaw], events: Iterable[RowEvent], *,
    broken: Callable[[str, str, int], None], happened: Callable[[str], None], **functions: Callable[..., Any],
) -> None:
    """Have `broken` called with a law, a table and an id, and `happened` with the kind of an event. The conditions may call `functions`."""
    for name, function in {"broken": broken, "happened": happened, **functions}.items():
        have_called(connection, name, function)
    pairs = [(table, law.breaks, f"broken('{law.says}', '{table}', OLD.id)") for law in laws for table in law.tables]
    pairs += [(table, event.when, f"happened({event.kind})") for event in events for table in event.tables]
    for table, group in groupby(sorted(pairs), key=lambda pair: pair[0]):
        have_watched(connection, f"watched_{table}", _trigger(table, [(condition, call) for _, condition, call in group]))


def _trigger(table: str, pairs: list[tuple[str, str]]) -> str:
    """One for all: each would have to be read anew with every statement."""
    calls = ", ".join(f"CASE WHEN {condition} THEN {call} END" for condition, call in pairs)
    return f"CREATE TEMP TRIGGER watched_{table} AFTER UPDATE ON main.{table} BEGIN SELECT {calls}; END"
