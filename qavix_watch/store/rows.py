"""Between the rows of SQLite and the records of `core`."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable

T = TypeVar("T")


@cache
def _columns(kind: Any) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (field.name, hints[field.name] if isinstance(hints[field.name], type) and issubclass(hints[field.name], Enum) else None)
        for field in fields(kind)
    )


def read(kind: type[T], row: sqlite3.Row) -> T:
    """A record of `kind` from a row that has at least its columns."""
    columns = _columns(cast("Hashable", kind))
    return kind(**{name: row[name] if make is None else make(row[name]) for name, make in columns})


def bare(value: Any) -> Any:
    """A value as SQLite takes it."""
    return value.value if isinstance(value, Enum) else value
