"""Where folders lie, as a value: paths in the state are relative, this makes them absolute."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = b".qavix-parts"
"""The folder in the outbox where results grow until they are whole. Media servers and people's file managers pass over it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The four folders of a root, absolute. `place` is the id in the marker of the inbox.

    What was submitted by command lies anywhere: its paths in the state are absolute, and every function here gives them back as such.
    """

    place: str
    inbox: bytes
    outbox: bytes
    archive: bytes
    failed: bytes
    projects: bool = False
    after: str = "archive"

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

    def in_inbox(self, path: bytes) -> bytes:
        """The absolute path of a path relative to the inbox."""
        return join(self.inbox, path)

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
