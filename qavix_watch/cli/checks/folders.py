"""The watched folders and their markers: there, ours, and whose just now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.cli.checks.case import path, quoted
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem, warning
from qavix_watch.errors import FileError, FileGone
from qavix_watch.fs.marker import is_held, read_marker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.fs.marker import Marker


def folders(case: Case) -> Iterator[Finding]:
    """A line for each marked folder, and one for each of the four that is not there."""
    for root in case.roots:
        try:
            yield _marked(case, root, read_marker(root))
        except FileGone:
            yield _unmarked(root)
        except FileError as error:
            yield of_error(error)
    layout = case.layout
    for folder in (layout.inbox, layout.outbox, layout.archive, layout.failed):
        if not os.path.isdir(folder) and case.is_ours(folder):
            yield _missing(folder)


def _unmarked(root: bytes) -> Finding:
    init = f"qavix-watch init {quoted(root)}"
    if not os.path.isdir(root):
        return problem(f"{path(root)} is not there.", f"Type: {init}, or mount the disk or share that it lies on.")
    return problem(
        f"{path(root)} has no marker (.qavix-watch): it was never prepared, or its disk or share is not there. Nothing is written into it.",
        f"Mount what belongs there, and work goes on by itself. Or type: {init}, and restart the service where it runs.",
    )


def _missing(folder: bytes) -> Finding:
    if os.path.lexists(folder):
        return problem(f"{path(folder)} is no folder.", "Move it away; the folder is made by itself.")
    return ok(f"{path(folder)} is not there just now; the service makes it.")


def _marked(case: Case, root: bytes, marker: Marker) -> Finding:
    if case.state_error is not None:
        return warning(f"{path(root)} is marked; whose it is cannot be said without the state.", "Mend the state first.")
    if case.state is None or marker.owner != case.state.id:
        return _foreign(case, root, marker)
    counted = case.state.places.get(marker.id)
    known = {place for place, (where, _) in case.state.places.items() if where == root}
    if known and marker.id not in known:
        return warning(
            f"{path(root)} is another folder than the one that was served here before: its marker has another id.",
            "Mount what belongs there, unless this is on purpose.",
        )
    if counted is not None and counted[1] < marker.starts:
        return warning(
            f"{path(root)} has seen {marker.starts} starts, and the state knows of {counted[1]}: it is an older copy.",
            "The next start reads the service's list of tasks before anything is submitted, so that nothing in between is paid twice.",
        )
    return _held(case, root, marker)


def _held(case: Case, root: bytes, marker: Marker) -> Finding:
    starts = f"{marker.starts} {'start' if marker.starts == 1 else 'starts'} so far"
    held = is_held(root)
    if held and case.running is False:
        return problem(
            f"Another service ({_holder(marker)}) works in {path(root)}, with a copy of this state.",
            "Stop that one: two services with one state bill twice.",
        )
    if held:
        return ok(f"{path(root)} is marked, and {_holder(marker)} works in it ({starts}).")
    if case.running:
        return warning(
            f"{path(root)} is marked, and the running service does not hold it: it was away, or its filesystem knows no locks.",
            "Where it was away, the service takes it back by itself within seconds.",
        )
    return ok(f"{path(root)} is marked and free ({starts}).")


def _foreign(case: Case, root: bytes, marker: Marker) -> Finding:
    whose = marker.owner_name or marker.owner
    if is_held(root):
        return problem(
            f"{path(root)} belongs to another state ({whose}), and its service ({_holder(marker)}) works in it.",
            "Stop that service, or take the folder out of one of the two configurations.",
        )
    lost = case.state is None and whose == case.settings.state.path
    if lost:
        return problem(
            f"{path(root)} belongs to the state {whose}, which is not there any more.",
            f"Restore a backup of it; without one, type: qavix-watch init {quoted(root)}",
        )
    mend = f"To let it belong to this one, type: qavix-watch init {quoted(root)}"
    return problem(f"{path(root)} belongs to another state ({whose}).", mend)


def _holder(marker: Marker) -> str:
    return marker.holder or "one that does not give its name"
