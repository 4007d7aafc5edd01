"""Moving what a person made: never over anything else, whole or not at all, to another filesystem by a copy that is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import numbered
from qavix_watch.errors import FileChanged, FileGone, NameTaken, NoSpace

if TYPE_CHECKING:
    from qavix_watch.core.files import Stat
    from qavix_watch.ports import Hand, Ports

MOST_NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Original:
    """A file that is to move: its path, its SHA-256 (None where it was never read), and a word that no other has."""

    path: bytes
    sha256: str | None
    mark: str


def move(ports: Ports, hand: Hand, original: Original, target: bytes) -> bool:
    """Move it to `target`. False where that name is taken by other content; the very same content is left as it is."""
    free = not is_there(ports, target) and _placed(ports, hand, original, target)
    if not free and not _same_content(ports, hand, original, target):
        return False
    ports.files.remove(original.path)
    return True


def _placed(ports: Ports, hand: Hand, original: Original, target: bytes) -> bool:
    """Rename or copy it to `target`. False where that name was taken meanwhile."""
    try:
        if ports.files.same_filesystem(parent(original.path), parent(target)):
            ports.files.rename_new(original.path, target)
        else:
            _copied(ports, hand, original, target)
    except NameTaken:
        return False
    return True


def _copied(ports: Ports, hand: Hand, original: Original, target: bytes) -> None:
    """A durable copy under the name `target`. NameTaken; FileChanged where it is not what was read before."""
    ours = f".qavix-copy-{original.mark}-"
    clear_copies(ports, parent(target), ours.encode())
    private = join(parent(target), f"{ours}{hand.row.fence}".encode())
    try:
        sha256 = ports.files.copy(original.path, private, hand.meter("copying"))
    except NoSpace:
        ports.files.remove(private)  # or it would itself be why there is no room
        raise
    if original.sha256 not in {None, sha256}:
        ports.files.remove(private)
        raise FileChanged("the original changed while it was copied")
    try:
        ports.files.rename_new(private, target)
    except NameTaken:
        ports.files.remove(private)
        raise


def clear_copies(ports: Ports, folder: bytes, ours: bytes) -> None:
    """Copies of ours that a killed process had begun go."""
    for name in ports.files.listdir(folder):
        if name.startswith(ours):
            ports.files.remove(join(folder, name))


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


def stat_of(ports: Ports, path: bytes) -> Stat | None:
    """The stat of a path; None where there is nothing."""
    try:
        return ports.files.stat(path)
    except FileGone:
        return None


def is_there(ports: Ports, path: bytes) -> bool:
    """Whether there is something at a path."""
    return stat_of(ports, path) is not None
