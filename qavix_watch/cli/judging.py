"""What to say of any path: where it lies, what the state knows of it, which order or which rule it falls under."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qavix_watch.cli import history
from qavix_watch.cli.answers import Answer, Case, sentence
from qavix_watch.cli.context import rules_of
from qavix_watch.cli.inbox import judge_inbox
from qavix_watch.core.layout import PARTS, join, name_of
from qavix_watch.core.naming import display

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.config import Settings
    from qavix_watch.store.views import View

    Row = dict[str, Any]


def judge(path: bytes, settings: Settings, look: View | None) -> Answer:
    """What is, was or will be done with the absolute path `path`. FileError where it cannot be looked at."""
    rules = rules_of(settings)
    layout = rules.layout
    parts: tuple[tuple[bytes, Callable[[Case], Answer]], ...] = (
        (layout.inbox, judge_inbox),
        (layout.outbox, _in_outbox),
        (layout.archive, _in_archive),
        (layout.failed, _in_failed),
    )
    for folder, say in parts:
        inside = relative(path, folder)
        if inside is not None:
            return say(Case(join(folder, inside), inside, rules, look))
    return _submitted(Case(path, path, rules, look)) or _elsewhere(path, settings)


def _submitted(case: Case) -> Answer | None:
    """A file that was submitted by command, or what came of one; None for any other."""
    rows = [] if case.look is None else case.look.drops_at(case.path)
    if rows:
        said = history.about(case, rows[0], rows)
        failed = "Submit it again, or `qavix-watch retry` its job, to have it tried once more." if said.state == "failed" else said.hint
        return replace(said, where="", hint=failed)
    found = None if case.look is None else case.look.result_at(case.path)
    if found is None:
        return None
    why = f"Job {found['job']} made it ({found['kind']}) from {display(found['path'])}, which was submitted by command."
    return Answer("", "a result", why, order=found["canonical"], jobs=_job(case, found["job"]))


def relative(path: bytes, folder: bytes) -> bytes | None:
    """`path` below `folder`, b"" for the folder itself, None outside; links in the way to either are seen through."""
    for one, other in ((path, folder), (_real(path), os.path.realpath(folder))):
        if one == other:
            return b""
        if one.startswith(other.rstrip(b"/") + b"/"):
            return one[len(other.rstrip(b"/")) + 1 :]
    return None


def _real(path: bytes) -> bytes:
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _in_outbox(case: Case) -> Answer:
    found = None if case.look is None else case.look.result_at(case.inside) or case.look.result_at(case.path)
    if not case.inside or os.path.isdir(case.path):
        return Answer("outbox", "a folder", "Results appear here, whole, under their final names at once.")
    if case.inside.startswith(PARTS + b"/"):
        return Answer("outbox", "our own", "A result grows here until it is whole; then it gets its name in the outbox.")
    if found is None:
        return _not_ours(case, "outbox", "No job of this state made it, and nothing in the outbox is ever picked up.")
    source = display(found["path"])
    gone = "" if os.path.lexists(case.path) else " It is no longer there; dropping the source again brings it back without a new task."
    return Answer(
        "outbox", "a result", f"Job {found['job']} made it ({found['kind']}) from {source}.{gone}",
        order=found["canonical"], jobs=_job(case, found["job"]),
    )  # fmt: skip


def _job(case: Case, number: int) -> list[Row]:
    row = None if case.look is None else case.look.job(str(number))
    return [] if row is None else [row]


def _in_archive(case: Case) -> Answer:
    return _put_away(case, "archive", "done", "Its results are in the outbox; this is the original.")


def _in_failed(case: Case) -> Answer:
    if name_of(case.inside).lower().endswith(b".why.txt"):
        media = display(name_of(case.inside)[: -len(b".why.txt")])
        return Answer("failed", "our own", f"It says why “{media}” failed, and what trying it again costs.")
    return _put_away(case, "failed", "failed", "It could not be done.")


def _put_away(case: Case, where: str, state: str, otherwise: str) -> Answer:
    """An original that was moved to the archive or to failed."""
    found = case.look.put_away(case.path) if case.look is not None else None
    if found is None and os.path.isdir(case.path):
        return Answer(where, "a folder", "Originals are put away here.")
    if found is None or case.look is None:
        return _not_ours(case, where, "It is no original that this state knows of. Nothing in this folder is ever picked up.")
    hint = "To try it again, drag it back into its folder in the inbox." if state == "failed" else ""
    reason = f"It could not be done: {found['reason']}" if state == "failed" and found["reason"] else otherwise
    dropped = display(case.rules.layout.in_inbox(found["path"]))
    return Answer(
        where, state, f"{sentence(reason)} It was dropped as {dropped}.", hint, found["canonical"], jobs=case.look.jobs_of(found["id"])
    )


def _not_ours(case: Case, where: str, why: str) -> Answer:
    if not os.path.lexists(case.path):
        return Answer(where, "not there", "There is no such file, and the state knows of none.", known=False)
    return Answer(where, "left alone", why)


def _elsewhere(path: bytes, settings: Settings) -> Answer:
    """Outside the four folders: files of our own, a library, or none of our business."""
    state = os.fsencode(settings.state.path)
    if path in {state, *(state + ending for ending in (b"-wal", b"-shm", b".lock"))}:
        return Answer("", "our own", "It is the state of Qavix Watch: what was done, and what is to be done.")
    if settings.source is not None and path == os.path.abspath(os.fsencode(settings.source)):
        return Answer("", "our own", "It is the configuration in use.")
    root = os.path.abspath(os.fsencode(settings.folders.root))
    if relative(path, root) is not None:
        return _in_root(path, root)
    if any(relative(path, os.fsencode(library.path)) is not None for library in settings.library):
        return Answer("", "left alone", "It lies in a library, and this version does not act on libraries yet.")
    if not os.path.lexists(path):
        return Answer("", "not there", "There is no such file, and it would lie outside the watched folders.", known=False)
    inbox = display(os.fsencode(settings.folders.inbox))
    return Answer("", "outside", "It lies outside the watched folders.", f"Copy it into an order folder in {inbox} to have it worked on.")


def _in_root(path: bytes, root: bytes) -> Answer:
    name = name_of(path)
    if path == root:
        return Answer("", "a folder", "The root of inbox, outbox, archive and failed.")
    if name == b".qavix-watch":
        return Answer("", "our own", "The marker that tells this folder from an empty mount point. Leave it there.")
    if name.lower() == b"qavix-status.txt":
        return Answer("", "our own", "The status for people without a terminal, written anew once a minute at most.")
    if not os.path.lexists(path):
        return Answer("", "not there", "There is no such file, and only what lies in the inbox is picked up.", known=False)
    return Answer("", "left alone", "It lies beside the inbox, and only what lies in the inbox is picked up.")
