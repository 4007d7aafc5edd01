"""`<media>.why.txt`: written beside an original that could not be done, and taken back, if it is still our text, once that is over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.why import FIRST_LINE, why_text
from qavix_watch.errors import FileError, FileGone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports

ENDING = b".why.txt"
LONGEST_NAME_BYTES = 240
LIMIT_BYTES = 1 << 16


def why_beside(original: bytes) -> bytes:
    """Where it is told why the original at this path could not be done."""
    return join(parent(original), name_of(original)[:LONGEST_NAME_BYTES] + ENDING)


def write_why(ports: Ports, original: bytes, drop: Drop, jobs: Sequence[Job]) -> None:
    """Tell why, beside the original at this path."""
    private = join(parent(original), f".qavix-why-{drop.id}".encode())
    ports.files.write(why_beside(original), why_text(drop, jobs).encode(), private, parent(original))


def remove_why(ports: Ports, original: bytes) -> None:
    """It is over: our text goes; what a person wrote there stays. Never fails."""
    path = why_beside(original)
    with suppress(FileError):
        if ports.files.read(path, LIMIT_BYTES).startswith(FIRST_LINE.encode()):
            ports.files.remove(path)


def clear_away(ports: Ports, rules: Rules, original: bytes) -> None:
    """The original at this path in failed/ is there no more: neither stays our text about it, nor the folders that are empty now."""
    remove_why(ports, original)
    if original.startswith(rules.layout.failed + b"/"):
        with suppress(FileError):
            ports.files.remove_empty(parent(original), rules.layout.failed)


def dragged_away(ports: Ports, rules: Rules, failed: Iterable[Drop]) -> list[int]:
    """Which of these failed drops have been dragged out of failed/, back into the inbox most likely; our text about them goes."""
    gone = []
    for drop in failed:
        original = rules.layout.original(drop)
        with suppress(FileError):
            if name_of(original) not in _names(ports, parent(original)):
                clear_away(ports, rules, original)
                gone.append(drop.id)
    return gone


def _names(ports: Ports, folder: bytes) -> list[bytes]:
    """The names in a folder; none where a person took the folder itself."""
    try:
        return ports.files.listdir(folder)
    except FileGone:
        return []
