"""`<media>.why.txt`: written beside an original that could not be done, and taken back, if it is still our text, once that is over."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.why import FIRST_LINE, again, why_text
from qavix_watch.errors import FileError, FileGone
from qavix_watch.stages.moving import give_back
from qavix_watch.stages.texts import LIMIT_BYTES, put, read_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports

ENDING = b".why.txt"
LONGEST_NAME_BYTES = 240
_PRIVATE = re.compile(rb"\.qavix-why-[0-9]+-[0-9]+")
MOST_TRIES = 3
MOST_NUMBERS = 3
"""The second name and the third are used where a person's own file has the first."""


def whys_beside(original: bytes) -> list[bytes]:
    """Where it may be told why the original at this path could not be done, the likeliest first."""
    name = join(parent(original), name_of(original)[:LONGEST_NAME_BYTES])
    return [name + ENDING, *(b"%s (%d)%s" % (name, number, ENDING) for number in range(2, MOST_NUMBERS + 1))]


def private_of(original: bytes, hand: Hand) -> bytes:
    """The name under which the text about it is written, which no other try uses."""
    return join(parent(original), f".qavix-why-{hand.id}-{hand.row.fence}".encode())


async def clear_strays(ports: Ports, rules: Rules, seen: Iterable[bytes]) -> None:
    """Half-written texts in the inbox, of those files that were seen there, go where their folder was renamed meanwhile.

    Those that lie where they were named are being written, or the sweep sees to them.
    """
    paths = [rules.layout.in_inbox(path) for path in seen if _PRIVATE.fullmatch(name_of(path))]
    if paths:
        strays = await ports.store.transaction("texts astray", lambda tx: [path for path in paths if not tx.private.knows(path)])
        for path in strays:
            with suppress(FileError):
                await ports.blocking(ports.files.remove, path)


def write_why(ports: Ports, rules: Rules, hand: Hand, original: bytes, drop: Drop, jobs: Sequence[Job]) -> None:
    """Tell why, beside the original of a drop at this path, and never over what is not ours."""
    text, private = rules.without_secret(why_text(drop, jobs)).encode(), private_of(original, hand)
    for path in whys_beside(original):
        old, free = read_own(ports.files, path, _is_ours)
        if free and put(ports.files, path, text, private, replacing=old is not None):
            return


def _is_ours(text: bytes) -> bool:
    return text.startswith(FIRST_LINE.encode())


def remove_why(ports: Ports, original: bytes) -> None:
    """It is over: our text goes; what a person wrote there stays. Never fails."""
    for path in whys_beside(original):
        with suppress(FileError):
            if _is_ours(ports.files.read(path, LIMIT_BYTES)):
                ports.files.remove(path, durable=True)  # nobody would look for it again


def clear_away(ports: Ports, rules: Rules, original: bytes) -> None:
    """The original at this path in failed/ is there no more: neither stays our text about it, nor the folders that are empty now."""
    remove_why(ports, original)
    _clear_folders(ports, rules, original)


def _clear_folders(ports: Ports, rules: Rules, original: bytes) -> None:
    if original.startswith(rules.layout.failed + b"/"):
        with suppress(FileError):
            ports.files.remove_empty(parent(original), rules.layout.failed)


def dragged_away(ports: Ports, rules: Rules, hand: Hand, failed: Iterable[Drop]) -> list[int]:
    """Which of these failed drops have been dragged out of failed/, back into the inbox most likely; our text about them goes.

    The state knows already of the private name beside each (`private_of`).
    """
    gone = []
    for drop in failed:
        with suppress(FileError):
            if went_away(ports, rules, hand, rules.layout.original(drop), drop.id):
                gone.append(drop.id)
    return gone


def went_away(ports: Ports, rules: Rules, hand: Hand, original: bytes, drop: int) -> bool:
    """Whether the original of this drop is not at this path any more, beside which it was told why; our text goes then."""
    if name_of(original) in _names(ports, parent(original)):
        return False
    _take_back(ports, original, drop, private_of(original, hand))
    _clear_folders(ports, rules, original)
    return True


def _take_back(ports: Ports, original: bytes, drop: int, private: bytes) -> None:
    """Remove the text about this drop, which nobody would look for again: a disk or a share that gave an error is asked once more."""
    for path in whys_beside(original):
        for _ in range(MOST_TRIES):
            with suppress(FileError):
                _take_one_back(ports, path, drop, private)
                break


def _take_one_back(ports: Ports, path: bytes, drop: int, private: bytes) -> None:
    """Its name is taken from it first, and only then is it looked at for good: where we were frozen in between, another host may have put
    the same file there again, with another text.
    """
    with suppress(FileGone):
        if not _is_about(ports.files.read(path, LIMIT_BYTES), drop):
            return
        ports.files.rename_new(path, private)
        try:
            is_still = _is_about(ports.files.read(private, LIMIT_BYTES), drop)
        except FileError:  # what cannot be read is not ours
            give_back(ports, private, path)
            raise
        if is_still:
            ports.files.remove(private, durable=True)
        else:
            give_back(ports, private, path)


def _is_about(text: bytes, drop: int) -> bool:
    return _is_ours(text) and again(drop).encode() in text


def _names(ports: Ports, folder: bytes) -> list[bytes]:
    """The names in a folder; none where a person took the folder itself."""
    try:
        return ports.files.listdir(folder)
    except FileGone:
        return []
