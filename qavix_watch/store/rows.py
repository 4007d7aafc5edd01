"""Between the rows of SQLite and the records of `core`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

from qavix_watch.core.lifecycle import JOB_UNSUBMITTED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable, Iterable

T = TypeVar("T")
UNSUBMITTED = ", ".join(f"'{state}'" for state in JOB_UNSUBMITTED)
"""The states of jobs that are still to be submitted, as a condition has them."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How rows of one query become records of one kind: what picks the fields' values out of a row, and what puts each in its slot."""

    pick: Callable[[Any], tuple[Any, ...]]
    puts: tuple[Callable[[Any, Any], None], ...]


@cache
def _shape(kind: Any, columns: tuple[str, ...]) -> _Shape:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    return _Shape(itemgetter(*map(columns.index, names)), tuple(_put(getattr(kind, name).__set__, hints[name]) for name in names))


def _put(slot: Callable[[Any, Any], None], type_: Any) -> Callable[[Any, Any], None]:
    """What fills a slot; a state is found by its value."""
    if not (isinstance(type_, type) and issubclass(type_, Enum)):
        return slot
    members = {member.value: member for member in type_}
    return lambda record, value: slot(record, members[value])


def read(kind: type[T], row: sqlite3.Row) -> T:
    """A record of `kind`, a class with slots, from a row that has at least its columns."""
    shape = _shape(cast("Hashable", kind), tuple(row.keys()))
    record = object.__new__(kind)  # by itself a frozen class takes three times as long to fill some forty fields
    for put, value in zip(shape.puts, shape.pick(row), strict=True):
        put(record, value)
    return record


def bare(value: Any) -> Any:
    """A value as SQLite takes it."""
    return value._value_ if isinstance(value, Enum) else value  # `value` is a function of Python's, and asked a thousand times a second


def bares(values: Iterable[Any]) -> list[Any]:
    """Values as SQLite takes them."""
    return [value._value_ if isinstance(value, Enum) else value for value in values]
