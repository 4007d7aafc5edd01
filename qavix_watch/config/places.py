"""No watched place may lie inside another: what one writes there, the other would take for a drop."""

from __future__ import annotations

import os
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from qavix_watch.config.wrong import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Place(NamedTuple):
    """A normal path, and the dotted key that names it."""

    key: str
    path: str


def normal(path: str) -> str:
    """An absolute path without `.`, `..` and needless slashes; links are not followed."""
    return "/" + os.path.normpath(path).lstrip("/")  # normpath leaves two slashes at the beginning


def holds(outer: str, inner: str) -> bool:
    """Whether the normal path `inner` is `outer` or lies below it."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def refuse_nesting(places: Sequence[Place]) -> None:
    """Raise SettingError for the first two places of which one lies inside the other."""
    for one, other in combinations(places, 2):
        if one.path == other.path:
            raise SettingError(f"is the same folder as `{one.key}`", "give each a folder of its own", _path_of(other))
        if holds(one.path, other.path):
            raise _inside(other, one)
        if holds(other.path, one.path):
            raise _inside(one, other)


def refuse_inside(inner: Place, outer: Sequence[Place]) -> None:
    """Raise SettingError where `inner` lies inside one of `outer`."""
    for place in outer:
        if holds(place.path, inner.path):
            raise _inside(inner, place)


def _path_of(place: Place) -> tuple[str, ...]:
    return tuple(place.key.split("."))


def _inside(inner: Place, outer: Place) -> SettingError:
    return SettingError(f"lies inside `{outer.key}`", "choose a path outside it", _path_of(inner))
