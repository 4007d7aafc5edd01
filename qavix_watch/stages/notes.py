"""`QAVIX-READ-ME.txt`: what people read who have no terminal. Ours is written, mended and taken back; theirs is never touched."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core import readme
from qavix_watch.core.ignore import is_companion, is_document, media_kind, rule_against
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import display, numbered
from qavix_watch.core.order import Order
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import FileError, NestedOrder, OptionsError, OrderError
from qavix_watch.stages.texts import put, read_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qavix_watch.core.files import Stat
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports

NAME = readme.FILE_NAME
PRIVATE = b".qavix-read-me"
PATIENCE_SECONDS = 60.0
MOST_A_LOOK = 50
"""Each note waits for the disk: where thousands of folders need one, other work must not wait for all of them."""
MOST_NAMES = 9
NANOSECONDS = 1e9

_NOTE = re.compile(rb"(?i)qavix-read-me(?: \(\d+\))?\.txt")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a part of the inbox: files and folders by their path in it, what each folder asks for.

    `questions`: the drops whose order is understood and cannot be carried out: folder, path, what is to be mended.
    """

    files: Mapping[bytes, Stat]
    folders: Mapping[bytes, Stat]
    orders: Mapping[bytes, Order | OrderError]
    places: Mapping[bytes, bool]
    questions: Sequence[tuple[bytes, bytes, str]] = ()
    within: dict[bytes, list[bytes]] = field(default_factory=dict)
    holders: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in self.files:
            self.within.setdefault(parent(path), []).append(path)
        self.holders.update(parent(folder) for folder in self.folders)


class Notes:
    """The notes of one inbox. They are files: a start finds those of the one before, and everything else is asked of the disk."""

    def __init__(self, ports: Ports, rules: Rules) -> None:
        self._ports = ports
        self._rules = rules
        self._since: dict[bytes, tuple[int, float]] = {}

    def apply(self, look: Look, now: float) -> dict[bytes, float]:
        """Write, mend or take back the note of every folder that was looked at.

        Gives the folders that are to be looked at again though nothing may happen in them, and when.
        """
        if look.places.get(b""):
            self._since = {folder: since for folder, since in self._since.items() if folder in look.folders}
        self._sweep(look)
        again: dict[bytes, float] = {}
        written = 0
        for folder in sorted({*look.within, *look.folders, *look.places}):
            notes = [path for path in look.within.get(folder, ()) if _NOTE.fullmatch(name_of(path))]
            text = self._wanted(folder, look, now, again, there=bool(notes))
            if written >= MOST_A_LOOK:
                again[folder] = now
            elif text is not None or notes:
                written += self._put(folder, text, sorted(notes))
        return again

    def _sweep(self, look: Look) -> None:
        """What a process that was killed left under a private name goes."""
        for path in look.files:
            if name_of(path) == PRIVATE:
                with suppress(FileError):
                    self._ports.files.remove(self._rules.layout.in_inbox(path))

    def _wanted(self, folder: bytes, look: Look, now: float, again: dict[bytes, float], *, there: bool) -> str | None:
        """The note that this folder should have, None for none."""
        asked = look.orders.get(folder)
        people = [path for path in look.within.get(folder, ()) if self._is_persons(path)]
        if asked is None:
            return self._about_loose(folder, people, look)
        if isinstance(asked, Order):
            return _about_voices(folder, look.questions) or self._about_kinds(asked, people)
        if isinstance(look.orders.get(parent(folder)), OrderError):
            return None  # the folder above says it already
        name = name_of(folder).decode("utf-8", "surrogateescape")
        if readme.is_default_name(name):
            return None
        if not (there or people or folder in look.holders):
            left = PATIENCE_SECONDS - self._waited(folder, look.folders.get(folder), now)
            if left > 0:
                again[folder] = now + left
                return None
        return _said(name, asked)

    def _is_persons(self, path: bytes) -> bool:
        """Whether a person put it there: not a text of ours, and not what a system leaves in every folder."""
        return rule_against(name_of(path), patterns=self._rules.ignore) is None

    def _waited(self, folder: bytes, stat: Stat | None, now: float) -> float:
        """Seconds since the folder got its name.

        A rename changes its ctime, which outlives a restart; where a server's clock is ahead of ours, what counts is how long
        it has looked like this to us.
        """
        changed = 0 if stat is None else stat.ctime_ns
        known = self._since.get(folder)
        if known is None or known[0] != changed:
            known = self._since[folder] = (changed, now)
        age = self._ports.clock.wall() - changed / NANOSECONDS if stat is not None else 0.0
        return max(now - known[1], age)

    def _about_loose(self, folder: bytes, people: Iterable[bytes], look: Look) -> str | None:
        loose = [path for path in people if look.files[path].size and media_kind(name_of(path), self._rules.extensions) is not None]
        project = display(folder) if folder else None
        if not loose or (project is not None and readme.is_default_name(project)):
            return None
        return readme.loose_file([display(name_of(path)) for path in sorted(loose)], projects=self._rules.layout.projects, project=project)

    def _about_kinds(self, asked: Order, people: Iterable[bytes]) -> str | None:
        wrong = sorted(path for path in people if wrong_kind(path, asked, self._rules))
        return readme.wrong_kind([display(name_of(path)) for path in wrong], asked.task) if wrong else None

    def _put(self, folder: bytes, text: str | None, notes: Sequence[bytes]) -> int:
        """Bring the notes of a folder into the form that they should have; gives how many files that changed."""
        try:
            return self._replaced(folder, None if text is None else self._rules.without_secret(text).encode(), notes)
        except FileError:
            return 0  # the folder went away or cannot be written; `status` names it all the same

    def _replaced(self, folder: bytes, text: bytes | None, notes: Sequence[bytes]) -> int:
        files, inside = self._ports.files, self._rules.layout.in_inbox
        found = {path: read_own(files, inside(path), readme.is_ours) for path in notes}
        ours = [path for path in notes if found[path][1]]
        if text is None:
            for path in ours:
                files.remove(inside(path))
            return len(ours)
        private = inside(join(folder, PRIVATE))
        if not ours:
            taken = {name_of(path).lower() for path in notes}
            free = (join(folder, name) for name in _NAMES if name.lower() not in taken)
            return int(any(put(files, inside(path), text, private, replacing=False) for path in free))
        for path in ours[1:]:
            files.remove(inside(path))
        if found[ours[0]][0] == text:
            return len(ours) - 1
        put(files, inside(ours[0]), text, private, replacing=found[ours[0]][0] is not None)
        return len(ours)


_NAMES = tuple(numbered(NAME, number) for number in range(1, MOST_NAMES + 1))
"""The second is used where a person's own file has the first."""


def _about_voices(folder: bytes, questions: Iterable[tuple[bytes, bytes, str]]) -> str | None:
    reasons: dict[str, list[str]] = {}
    for order, path, reason in questions:
        if order == folder:
            reasons.setdefault(reason, []).append(display(path.removeprefix(folder + b"/")))
    return readme.voice_unclear(reasons) if reasons else None


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
