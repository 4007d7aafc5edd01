"""Between the rows of SQLite and the records of `core`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable, Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Shape:
    """How rows of one query become records of one kind: the fields, their values in a row, and the states among them by value."""

    names: tuple[str, ...]
    pick: Callable[[Any], tuple[Any, ...]]
    states: tuple[tuple[str, Mapping[Any, Enum]], ...]


@cache
def _shape(kind: Any, columns: tuple[str, ...]) -> _Shape:
    hints = get_type_hints(kind)
    names = tuple(field.name for field in fields(kind))
    enums = {name: hints[name] for name in names if isinstance(hints[name], type) and issubclass(hints[name], Enum)}
    states = tuple((name, {member.value: member for member in enum}) for name, enum in enums.items())
    return _Shape(names, itemgetter(*map(columns.index, names)), states)


def read(kind: type[T], row: sqlite3.Row) -> T:
    """A record of `kind` from a row that has at least its columns."""
    shape = _shape(cast("Hashable", kind), tuple(row.keys()))
    values = dict(zip(shape.names, shape.pick(row), strict=True))
    for name, members in shape.states:
        values[name] = members[values[name]]
    return kind(**values)


def bare(value: Any) -> Any:
    """A value as SQLite takes it."""
    return value.value if isinstance(value, Enum) else value
