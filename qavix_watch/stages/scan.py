"""One look at parts of the inbox: the files and folders that lie there, and what each folder asks for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.grammar import is_order_shaped
from qavix_watch.core.ignore import media_kind, rule_against, shadowed
from qavix_watch.core.layout import folders_above, folders_down, join, name_of, parent
from qavix_watch.core.naming import display
from qavix_watch.core.order import Order
from qavix_watch.errors import FileError, NestedOrder, OrderError
from qavix_watch.stages.order import read_folder_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.core.files import Stat
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports


@dataclass(slots=True)
class Seen:
    """What one look found: files and folders by their path in the inbox, and what each folder asks for, or why for nothing.

    `places`: the folders that were looked at; True: with all that is below. `unread`: those that could not be listed.
    """

    places: dict[bytes, bool]
    files: dict[bytes, Stat] = field(default_factory=dict)
    folders: dict[bytes, Stat] = field(default_factory=dict)
    unread: list[bytes] = field(default_factory=list)
    orders: dict[bytes, Order | OrderError] = field(default_factory=dict)

    def misses(self, path: bytes) -> bool:
        """Whether a file is not there, as far as this look can tell."""
        return path not in self.files and self._covers(path) and self._could_read(path)

    def _covers(self, path: bytes) -> bool:
        """Whether a look at these places would have seen the file `path`."""
        if parent(path) in self.places:
            return True
        return any(whole and (not place or path.startswith(place + b"/")) for place, whole in self.places.items())

    def _could_read(self, path: bytes) -> bool:
        """Whether every folder on the way to `path` could be read: only then does its absence mean anything."""
        return not any(not folder or path == folder or path.startswith(folder + b"/") for folder in self.unread)

    @property
    def asks_for_pairs(self) -> bool:
        """Whether an order was seen that takes two inputs."""
        return any(isinstance(asked, Order) and asked.spec.partner is not None for asked in self.orders.values())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that is to be a drop."""

    path: bytes
    stat: Stat
    folder: bytes
    order: Order


def scan(ports: Ports, rules: Rules, places: dict[bytes, bool]) -> Seen:
    """Look at these folders of the inbox; True: with all that is below. A folder that is passed over is not looked at, whoever names it.

    Raises FileError.
    """
    seen, layout = Seen({place: whole for place, whole in places.items() if not _passed_over(rules, place)}), rules.layout

    def skip(name: bytes, is_dir: bool) -> bool:
        return is_dir and rule_against(name, is_dir=True, patterns=rules.ignore) is not None

    def unread(path: bytes) -> None:
        seen.unread.append(layout.relative(path) or b"")

    for place, whole in seen.places.items():
        _note_folder(ports, rules, place, seen)
        for entry in ports.files.scan(layout.in_inbox(place), skip if whole else _only_files, unread):
            inside = layout.relative(entry.path) or b""
            (seen.folders if entry.stat.is_dir else seen.files)[inside] = entry.stat
    _read_orders(ports, rules, seen)
    return seen


def candidates(rules: Rules, seen: Seen) -> Iterator[Candidate]:
    """The files that are to be drops: their folder is understood, they are its task's main input, and no rule passes them over."""
    for path, stat in seen.files.items():
        folder, asked = rules.layout.order_folder(path), seen.orders.get(parent(path))
        if folder is None or asked is None or isinstance(asked, OrderError):
            continue
        if stat.size and media_kind(name_of(path), rules.extensions) is asked.spec.main and _taken(rules, path, seen):
            yield Candidate(path, stat, folder, asked)


def is_media(rules: Rules, path: bytes) -> bool:
    """Whether a name is one of media or texts, and no rule passes it over."""
    return media_kind(name_of(path), rules.extensions) is not None and not _is_ruled_out(rules, path)


def _taken(rules: Rules, path: bytes, seen: Seen) -> bool:
    return not _is_ruled_out(rules, path) and shadowed(path, seen.files) is None


def _is_ruled_out(rules: Rules, path: bytes) -> bool:
    return _passed_over(rules, parent(path)) or rule_against(name_of(path), patterns=rules.ignore) is not None


def _passed_over(rules: Rules, place: bytes) -> bool:
    """Whether a rule says that nothing in this folder is looked at."""
    return bool(place) and any(rule_against(name, is_dir=True, patterns=rules.ignore) for name in place.split(b"/"))


def _only_files(_name: bytes, is_dir: bool) -> bool:
    return is_dir


def _note_folder(ports: Ports, rules: Rules, place: bytes, seen: Seen) -> None:
    """A folder that a hint names may be new itself; a scan gives only what is below it."""
    with suppress(FileError):
        stat = ports.files.stat(rules.layout.in_inbox(place)) if place else None
        if stat is not None and stat.is_dir:
            seen.folders[place] = stat


def _read_orders(ports: Ports, rules: Rules, seen: Seen) -> None:
    looked_at = {*seen.folders, *(parent(path) for path in seen.files)}
    for path in sorted(looked_at.union(*map(folders_above, looked_at))):
        folder = rules.layout.order_folder(join(path, b"x")) if path else None
        if folder is not None:
            seen.orders[path] = _order_of(ports, rules, folder, path)


def _order_of(ports: Ports, rules: Rules, folder: bytes, place: bytes) -> Order | OrderError:
    try:
        for level in folders_down(folder, join(place, b"x"))[1:]:
            if is_order_shaped(name_of(level).decode("utf-8", "surrogateescape"), rules.words):
                return NestedOrder(display(name_of(level)), display(name_of(folder)))
        return read_folder_order(ports.files, rules, folder, join(place, b"x"))
    except OrderError as error:
        return error
