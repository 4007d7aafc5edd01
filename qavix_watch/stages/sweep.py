"""At a start: what dead processes left under private names goes, unless the state still needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import Layout, join
from qavix_watch.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Collection

    from qavix_watch.ports import Files

_GROWING = (b".part", b".head")
"""What a download goes on with after a restart."""


def sweep(files: Files, layout: Layout, staged: Collection[bytes], fetching: Collection[int]) -> None:
    """Clear the folder of parts of everything but `staged` (absolute paths) and the downloads of the jobs `fetching`."""
    try:
        names = files.listdir(layout.parts)
    except FileError:
        return
    for name in names:
        path = join(layout.parts, name)
        if path not in staged and not _goes_on(name, fetching):
            files.remove(path)
    tidy(files, layout)


def _goes_on(name: bytes, fetching: Collection[int]) -> bool:
    """Whether a file is part of a download that goes on; its name begins with the job's number."""
    number = name.split(b".")[0]
    return name.endswith(_GROWING) and number.isdigit() and int(number) in fetching


def tidy(files: Files, layout: Layout) -> None:
    """The folder of parts goes where it is empty."""
    files.remove_empty(layout.parts, layout.outbox)
