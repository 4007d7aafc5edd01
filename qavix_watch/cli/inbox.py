"""What to say of a path in the inbox: the rule that ignores it, the order it falls under, or what its drop waits for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from qavix_watch.cli import history
from qavix_watch.cli.answers import Answer, sentence
from qavix_watch.cli.context import NO_STATE
from qavix_watch.cli.orders import order_at
from qavix_watch.cli.status import is_running
from qavix_watch.core import pairing
from qavix_watch.core.ignore import is_companion, media_kind, rule_against, shadowed
from qavix_watch.core.layout import folders_down, join, name_of, parent
from qavix_watch.core.naming import display, split_name
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import FileError, FileGone, OrderError
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.notes import wrong_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.cli.answers import Case
    from qavix_watch.core.files import Stat
    from qavix_watch.core.order import Order

    Row = dict[str, Any]

_NOUN = {
    MediaKind.VIDEO: "a video", MediaKind.AUDIO: "a sound file", MediaKind.IMAGE: "a picture", MediaKind.TEXT: "a plain text file (.txt)",
}  # fmt: skip
_MAKE_ONE = "Make an order folder in the inbox, for example `dub en to es`, and move it in."
_MAKE_ONE_DEEPER = "Each folder in the inbox is a project here. Make an order folder in one, for example `dub en to es`, and move it in."
_AWAY = "The inbox has no marker: it was never prepared, or its disk or share is not there."
_PREPARE = "Run `qavix-watch init`, or mount what belongs there."


def judge_inbox(case: Case) -> Answer:
    """What is, was or will be done with a path in the inbox. FileError where it cannot be looked at."""
    rows = [] if case.look is None else case.look.drops_at(case.inside)
    try:
        stat = Disk().stat(case.path)
    except FileGone:
        return _missing(case, rows)
    now = history.current(rows)
    if now is not None and stat.is_file:
        return history.about(case, now, rows)
    return _ignored(case, stat) or (_folder(case) if stat.is_dir else _file(case, stat, [history.told(row) for row in rows]))


def _missing(case: Case, rows: Sequence[Row]) -> Answer:
    if rows:
        return history.about(case, rows[0], rows)
    if not case.rules.layout.place:
        return Answer("inbox", "not there", _AWAY, _PREPARE, known=False)
    return Answer("inbox", "not there", "There is no such file, and the state knows of none that was here.", known=False)


def _ignored(case: Case, stat: Stat) -> Answer | None:
    """The rule that ignores a path: one against its name or that of a folder above it, or against links and devices."""
    names, patterns = case.inside.split(b"/"), case.rules.ignore
    for number, name in enumerate(names, start=1):
        last = number == len(names)
        rule = rule_against(name, is_dir=stat.is_dir or not last, patterns=patterns) if name else None
        if rule is not None:
            return Answer("inbox", "ignored", sentence(rule))
        above = case.rules.layout.in_inbox(b"/".join(names[:number]))
        if not last and os.path.islink(above):
            return Answer("inbox", "ignored", f"“{display(name)}” is a symbolic link, and links are not followed.")
    if stat.is_file or stat.is_dir:
        return None
    why = "It is a symbolic link or a special file, and only regular files are picked up."
    return Answer("inbox", "ignored", why, "Copy the file itself in.")


def _folder(case: Case) -> Answer:
    """An order's folder or one below it; above them there are the inbox and, where they are used, projects."""
    folder = case.rules.layout.order_folder(join(case.inside, b"x"))
    if not case.inside:
        return Answer("inbox", "a folder", "The inbox. Each folder in it is an order, and files are dropped into those.")
    if folder is None:
        return Answer("inbox", "a folder", "A project. Each folder in it is an order, and files are dropped into those.")
    try:
        order = order_at(case.rules, folder, case.inside)
    except OrderError as error:
        return _not_understood(error)
    return Answer("inbox", "a folder", "Files that are dropped into it are worked on.", order=order.canonical(), does=order.describe())


def _not_understood(error: OrderError, earlier: list[str] | None = None) -> Answer:
    near = f"Did you mean `{error.suggestion}`? Then rename the folder to that." if error.suggestion else ""
    hint = " ".join(filter(None, [sentence(error.hint), near]))
    why = f"Its folder is not understood: {sentence(str(error))} Nothing in it is touched, and nothing is billed."
    return Answer("inbox", "not understood", why, hint, earlier=earlier or [])


def _file(case: Case, stat: Stat, earlier: list[str]) -> Answer:
    """A file that the state does not know of."""
    folder = case.rules.layout.order_folder(case.inside)
    if folder is None:
        mend = _MAKE_ONE_DEEPER if case.rules.layout.projects else _MAKE_ONE
        return Answer("inbox", "left alone", "It lies loose in the inbox, in no order folder.", mend, earlier=earlier)
    try:
        order = order_at(case.rules, folder, parent(case.inside))
    except OrderError as error:
        return _not_understood(error, earlier)
    state, why, hint = _under(case, stat, folder, order)
    return Answer("inbox", state, why, hint, order.canonical(), order.describe(), earlier=earlier)


def _under(case: Case, stat: Stat, folder: bytes, order: Order) -> tuple[str, str, str]:
    """State, why and hint of a file under an order: is it what the order takes?"""
    name, spec = name_of(case.inside), order.spec
    kind = media_kind(name, case.rules.extensions)
    if not stat.size:
        return "ignored", "It is empty, and empty files are never picked up; it is looked at again when it has content.", ""
    if kind is spec.main:
        return _to_come(case, folder, order)
    if kind is not None and kind is spec.partner:
        shared = pairing.SHARED[kind].decode()
        return "partner", f"It is no work by itself: it goes with the video of its name, or with each if it is called “{shared}”.", ""
    if wrong_kind(case.inside, order, case.rules):
        why = f"`{spec.word}` takes {_NOUN[spec.main]}, and this is something else."
        return "left alone", why, "Move it to a folder for its kind of work."
    if is_companion(name):
        return "left alone", "Such files lie beside media as a matter of course; they are no work.", ""
    return "left alone", f"`{spec.word}` takes {_NOUN[spec.main]}, and by its name this is none.", ""


def _to_come(case: Case, folder: bytes, order: Order) -> tuple[str, str, str]:
    """A file that will be a drop: at the next look, or when what it waits for is there."""
    beside = shadowed(name_of(case.inside), _names(case, parent(case.inside)))
    if beside is not None:
        return "waiting", sentence(beside), ""
    alone = _partner_missing(case, folder, order)
    if not case.rules.layout.place:
        return "new", f"{_AWAY} Until then nothing is picked up.", _PREPARE
    service = None if case.look is None else case.look.status()["service"]
    if is_running(service) is False:
        said = "It will be picked up when the service runs. " + (sentence(alone) if alone else "")
        return "new", said.strip(), NO_STATE if case.look is None else "`qavix-watch run` starts it."
    if alone:
        return "waiting", sentence(alone), ""
    return "new", "It has not been noticed yet; the next look at the inbox takes it.", ""


def _partner_missing(case: Case, folder: bytes, order: Order) -> str:
    """What a video waits for whose order takes two files; "" where nothing is missing."""
    if order.spec.partner is None:
        return ""
    levels = [(level, _names(case, level)) for level in reversed(folders_down(folder, case.inside))]
    found = pairing.find(split_name(name_of(case.inside))[0], order.spec.partner, levels, case.rules.extensions)
    return found.why if isinstance(found, pairing.NoPartner) else ""


def _names(case: Case, folder: bytes) -> list[bytes]:
    try:
        return Disk().listdir(case.rules.layout.in_inbox(folder))
    except FileError:
        return []
