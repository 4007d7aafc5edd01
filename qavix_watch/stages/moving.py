"""Moving what a person made: never over anything else, whole or not at all, to another filesystem by a copy that is compared."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import numbered
from qavix_watch.errors import FileChanged, FileError, FileGone, NameTaken, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.core.files import Stat
    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports

MOST_NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Original:
    """A file that is to move: its path, its SHA-256 (None where it was never read), and a mark that the drop's others have not."""

    path: bytes
    sha256: str | None
    mark: str = ""


def move(ports: Ports, hand: Hand, original: Original, target: bytes) -> bool:
    """Move it to `target`. False where that name is taken by other content; the very same content is left as it is."""
    free = not is_there(ports, target) and _placed(ports, hand, original, target)
    if not free:
        if not _same_content(ports, hand, original, target):
            return False
        ports.files.make_durable(target)
    ports.files.remove(original.path, durable=True)
    return True


def _placed(ports: Ports, hand: Hand, original: Original, target: bytes) -> bool:
    """Rename or copy it to `target`. False where that name was taken meanwhile."""
    try:
        ports.files.make_durable(original.path)  # who brought it may not have waited until it was on the disk
        if ports.files.same_filesystem(parent(original.path), parent(target)):
            ports.files.rename_new(original.path, target)
        else:
            _copied(ports, hand, original, target)
    except NameTaken:
        return False
    return True


def _copied(ports: Ports, hand: Hand, original: Original, target: bytes) -> None:
    """A durable copy under the name `target`. NameTaken; FileChanged where it is not what was read before."""
    private = _copy_in(parent(target), hand, original.mark)
    try:
        sha256 = ports.files.copy(original.path, private, hand.meter("copying"))
        if original.sha256 not in {None, sha256}:
            raise FileChanged("the original changed while it was copied")
        ports.files.rename_new(private, target)
    except (FileError, Stopped):
        with suppress(FileError):
            ports.files.remove(private)  # it might itself be why there is no room
        raise


def copies_in(folder: bytes, hand: Hand) -> list[bytes]:
    """The private names of what this try may copy into a folder: an original, and its partner."""
    return [_copy_in(folder, hand, mark) for mark in ("", "p")]


def _copy_in(folder: bytes, hand: Hand, mark: str) -> bytes:
    return join(folder, f".qavix-copy-{hand.id}{mark}-{hand.row.fence}".encode())


def _same_content(ports: Ports, hand: Hand, original: Original, target: bytes) -> bool:
    here, there = stat_of(ports, original.path), stat_of(ports, target)
    if here is None or there is None or here.size != there.size or not there.is_file:
        return False
    sha256 = original.sha256 or ports.files.fingerprint(original.path, hand.meter("comparing")).sha256
    return ports.files.fingerprint(target, hand.meter("comparing")).sha256 == sha256


def give_back(ports: Ports, path: bytes, wanted: bytes) -> None:
    """A private name was a loan. Where a person has taken the wanted name meanwhile, the file comes back with a number."""
    for number in range(1, MOST_NUMBERS):
        try:
            ports.files.rename_new(path, join(parent(wanted), numbered(name_of(wanted), number)))
        except NameTaken:
            continue
        return


def partner_stats(ports: Ports, rules: Rules, drop: Drop) -> Iterator[Stat]:
    """What lies where the second input of a drop may lie."""
    for path in rules.layout.partners(drop):
        with suppress(FileGone):
            yield ports.files.stat(path)


def stat_of(ports: Ports, path: bytes) -> Stat | None:
    """The stat of a path; None where there is nothing."""
    try:
        return ports.files.stat(path)
    except FileGone:
        return None


def is_there(ports: Ports, path: bytes) -> bool:
    """Whether there is something at a path."""
    return stat_of(ports, path) is not None
