"""`QAVIX-READ-ME.txt`: what people read who have no terminal. Ours is written, mended and taken back; theirs is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core import readme
from qavix_watch.core.ignore import is_companion, is_document, media_kind, rule_against
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import display
from qavix_watch.core.order import Order
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import FileError, NestedOrder, OptionsError, OrderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.files import Stat
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports

NAME = b"QAVIX-READ-ME.txt"
PATIENCE_SECONDS = 60.0
LIMIT_BYTES = 1 << 16


class Notes:
    """The notes of one inbox, as far as they were written in this process."""

    def __init__(self, ports: Ports, rules: Rules) -> None:
        self._ports = ports
        self._rules = rules
        self._since: dict[bytes, float] = {}

    def apply(
        self,
        places: Mapping[bytes, bool],
        files: Mapping[bytes, Stat],
        folders: Mapping[bytes, Stat],
        orders: Mapping[bytes, Order | OrderError],
        now: float,
    ) -> None:
        """Write, mend or take back the note of every folder that was looked at."""
        by_folder: dict[bytes, list[bytes]] = {}
        for path in files:
            by_folder.setdefault(parent(path), []).append(path)
        for folder in {*by_folder, *folders, *(place for place in places)}:
            there = join(folder, NAME) in files
            text = self._wanted(folder, by_folder.get(folder, []), folders, orders, now, there=there)
            if text is not None or there:
                self._put(folder, text, there=there)

    def _wanted(
        self, folder: bytes, paths: list[bytes], folders: Mapping[bytes, Stat], orders: Mapping[bytes, Order | OrderError], now: float,
        *, there: bool,
    ) -> str | None:
        """The note that this folder should have, None for none."""
        asked = orders.get(folder)
        people = [path for path in paths if not _ours(path)]
        if asked is None:
            return self._about_loose(folder, people)
        if isinstance(asked, Order):
            self._since.pop(folder, None)
            return self._about_kinds(asked, people)
        if isinstance(orders.get(parent(folder)), OrderError):
            return None  # the folder above says it already
        since = self._since.setdefault(folder, now)
        name = name_of(folder).decode("utf-8", "surrogateescape")
        if readme.is_default_name(name):
            return None
        holds = there or bool(people) or any(other.startswith(folder + b"/") for other in folders)
        return _said(name, asked) if holds or now - since >= PATIENCE_SECONDS else None

    def _about_loose(self, folder: bytes, people: list[bytes]) -> str | None:
        loose = [
            path
            for path in people
            if media_kind(name_of(path), self._rules.extensions) is not None
            and rule_against(name_of(path), patterns=self._rules.ignore) is None
        ]
        if not loose:
            return None
        project = display(folder) if folder else None
        return readme.loose_file([display(name_of(path)) for path in sorted(loose)], projects=self._rules.layout.projects, project=project)

    def _about_kinds(self, asked: Order, people: list[bytes]) -> str | None:
        wrong = sorted(path for path in people if wrong_kind(path, asked, self._rules))
        return readme.wrong_kind([display(name_of(path)) for path in wrong], asked.task) if wrong else None

    def _put(self, folder: bytes, text: str | None, *, there: bool) -> None:
        path = self._rules.layout.in_inbox(join(folder, NAME))
        try:
            old = self._ports.files.read(path, LIMIT_BYTES) if there else None
            if old is not None and not readme.is_ours(old):
                return
            if text is None:
                self._ports.files.remove(path)
            elif old != text.encode():
                private = self._rules.layout.in_inbox(join(folder, b".qavix-read-me"))
                self._ports.files.write(path, text.encode(), private, parent(path))
        except FileError:
            return  # the folder went away or cannot be written; `status` names it all the same


def _ours(path: bytes) -> bool:
    name = name_of(path).lower()
    return name.startswith((b"qavix-read-me", b".")) or name in {b"qavix.toml", b"qavix.toml.txt"}


def _said(name: str, error: OrderError) -> str:
    if isinstance(error, NestedOrder):
        return readme.order_inside_order(error.inner, error.outer)
    return readme.options_broken(error) if isinstance(error, OptionsError) else readme.not_understood(name, error)


def wrong_kind(path: bytes, asked: Order, rules: Rules) -> bool:
    """Whether a file looks as if it were meant as the main input of its order, and is of the wrong kind."""
    name = name_of(path)
    if rule_against(name, patterns=rules.ignore) is not None or is_companion(name):
        return False
    kind = media_kind(name, rules.extensions)
    if asked.spec.main is MediaKind.TEXT:
        return kind not in {MediaKind.TEXT, None} or is_document(name)
    return kind in {MediaKind.VIDEO, MediaKind.AUDIO} and kind not in {asked.spec.main, asked.spec.partner}
