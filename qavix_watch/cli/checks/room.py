"""Room on each filesystem, and of what kind it is."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from qavix_watch.cli import amounts
from qavix_watch.cli.checks.case import path
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem, warning
from qavix_watch.config.layout import absolute
from qavix_watch.core.files import UNTOLD_BYTES
from qavix_watch.errors import FileError
from qavix_watch.fs.mounts import MountTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.core.files import Space

_FEW_INODES = 1000


def room(case: Case) -> Iterator[Finding]:
    """Free space and inodes against `deliver.min_free`, one line for each filesystem; then the kind of each watched one."""
    used: dict[str, list[str]] = defaultdict(list)
    spaces: dict[str, Space] = {}
    for name, folder in _uses(case).items():
        try:
            space = case.disk.space(folder)
        except FileError as error:
            yield of_error(error)
            continue
        used[space.filesystem].append(name)
        spaces[space.filesystem] = space
    for filesystem, names in used.items():
        yield from _space(case, spaces[filesystem], ", ".join(names))
    for root in case.roots:
        if os.path.isdir(root):
            yield _kind(case, root)


def _uses(case: Case) -> dict[str, bytes]:
    layout, state = case.layout, os.path.dirname(absolute(case.settings.state.path))
    return {"outbox": layout.outbox, "archive": layout.archive, "failed": layout.failed, "state": state}


def _space(case: Case, space: Space, names: str) -> Iterator[Finding]:
    least = case.settings.deliver.min_free
    if space.free_bytes == UNTOLD_BYTES:
        yield ok(f"{names}: the filesystem does not tell how much room it has; none is missed.")
        return
    free = f"{amounts.size(space.free_bytes)} free, of which {amounts.size(least)} are left alone (`deliver.min_free`)"
    if space.free_bytes < least:
        yield problem(f"{names}: {free}: work stands still until there is more.", "Make room there, or lower `deliver.min_free`.")
    elif space.free_bytes < 2 * least:
        yield warning(f"{names}: {free}.", "Make room there soon, or lower `deliver.min_free`.")
    else:
        yield ok(f"{names}: {free}.")
    if space.free_inodes == 0:
        yield problem(f"{names}: there are no inodes left; no file can be made.", "Delete files that are not needed, however small.")
    elif space.free_inodes is not None and space.free_inodes < _FEW_INODES:
        yield warning(f"{names}: only {space.free_inodes} inodes are left.", "Delete files that are not needed, however small.")


def _kind(case: Case, root: bytes) -> Finding:
    watch = case.settings.watch
    try:
        mount = MountTable().mount_of(root)
    except FileError as error:
        return of_error(error)
    kind = "unknown" if mount is None else path(mount.kind)
    if mount is not None and mount.is_local:
        return ok(f"{path(root)} is on a local filesystem ({kind}): a file is taken {_span(watch.settle)} after its last change.")
    text = (
        f"{path(root)} counts as a network drive ({kind}): a file is taken {_span(watch.settle_remote)} after its last change"
        f" (`watch.settle_remote`), and everything is scanned every {_span(watch.rescan)}"
    )
    if watch.mode == "events":
        return warning(f"{text}; what other machines write there is not announced by events.", 'Set `watch.mode = "auto"`.')
    return ok(f"{text}.")


def _span(seconds: float) -> str:
    """A short time with its tenths."""
    return amounts.duration(seconds) if seconds >= 60 else f"{seconds:g} s"
