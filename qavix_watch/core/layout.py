"""Where folders lie, as a value: paths in the state are relative, this makes them absolute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import DROP_AT_REST

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop

PARTS = b".qavix-parts"
"""The folder in the outbox where results grow until they are whole. Media servers and people's file managers pass over it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The four folders of a root, absolute. `place` is the id in the marker of the inbox.

    `root` is the folder above them as it was configured, also where each of the four was configured elsewhere: what is for people
    who look at the whole lies there. b"" where there is none.

    What was submitted by command lies anywhere: its paths in the state are absolute, and every function here gives them back as such.
    """

    place: str
    inbox: bytes
    outbox: bytes
    archive: bytes
    failed: bytes
    projects: bool = False
    after: str = "archive"
    root: bytes = b""

    @property
    def depth(self) -> int:
        """How many names below the inbox an order's folder is."""
        return 2 if self.projects else 1

    @property
    def parts(self) -> bytes:
        """Where results grow."""
        return join(self.outbox, PARTS)

    def order_folder(self, path: bytes) -> bytes | None:
        """The order's folder that a path relative to the inbox lies in, or None for what lies loose above one."""
        names = path.split(b"/")
        return b"/".join(names[: self.depth]) if len(names) > self.depth else None

    def like_whom(self, folder: bytes) -> bytes | None:
        """The folder whose group and rights one of the four takes when it is made: the root above it, None where it lies elsewhere."""
        return self.root if self.root and folder.startswith(self.root.rstrip(b"/") + b"/") else None

    def in_inbox(self, path: bytes) -> bytes:
        """The absolute path of a path relative to the inbox."""
        return join(self.inbox, path)

    def original(self, drop: Drop) -> bytes:
        """Where the original of a drop lies, absolute: at its path, or where it was put away and, if it was retried, is worked on from."""
        away = drop.target if drop.state in DROP_AT_REST else drop.origin
        return self.in_inbox(drop.path) if away is None else away

    def partners(self, drop: Drop) -> list[bytes]:
        """Where the second input of a drop may lie, absolute: one of its own stem was put away with it."""
        if drop.partner is None:
            return []
        beside = [join(parent(self.original(drop)), name_of(drop.partner))] if drop.is_away else []
        return [self.in_inbox(drop.partner), *beside]

    def relative(self, path: bytes) -> bytes | None:
        """An absolute path relative to the inbox, b"" for the inbox itself, None for what is not in it."""
        if path == self.inbox:
            return b""
        return path[len(self.inbox) + 1 :] if path.startswith(self.inbox + b"/") else None


def join(folder: bytes, path: bytes) -> bytes:
    """`path` below `folder`; either may be b"". A path that is absolute lies nowhere else."""
    if path.startswith(b"/"):
        return path
    return folder + b"/" + path if folder and path else folder or path


def parent(path: bytes) -> bytes:
    """The folder that a relative path lies in; b"" at the top."""
    return path.rpartition(b"/")[0]


def name_of(path: bytes) -> bytes:
    """The last name of a path."""
    return path.rpartition(b"/")[2]


def folders_down(folder: bytes, path: bytes) -> list[bytes]:
    """`folder` and each folder below it on the way to the file `path`."""
    found = [folder]
    rest = parent(path)[len(folder) :].strip(b"/")
    for name in rest.split(b"/") if rest else []:
        found.append(join(found[-1], name))
    return found


def folders_above(path: bytes) -> list[bytes]:
    """Every folder that a relative path lies in, from the nearest up."""
    found = []
    while path := parent(path):
        found.append(path)
    return found
