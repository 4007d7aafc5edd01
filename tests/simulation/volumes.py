"""What lies on a simulated disk: inodes, and which of their bytes and names a power cut leaves.

The rules are the hard ones that every filesystem may play by, ext4 among them. Data is durable after an fsync of its file, a name after
an fsync of its directory, and neither brings the other. One act on names is whole or not done at all, and acts in one directory are lost
from the last one backwards, as a journal does it.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.handles import Handle

    Choose = Callable[[str, int], int]
    """`choose(stream, n)` gives a number below `n`; 0 is always harmless."""
    Edits = tuple[tuple["Inode", bytes, "Inode | None"], ...]
    """One act on names: in each of these directories, what each of these names means from then on."""

PAGE = 4096
_UNBOUNDED = 1 << 40

LOST, SHORT, HOLED = 1, 2, 3
"""What a power cut can do to data that was not fsynced; 0 leaves it whole."""


def refusal(code: int, path: bytes = b"") -> OSError:
    """What the kernel would raise, as the kind of OSError that belongs to the number."""
    return OSError(code, os.strerror(code), path)


@dataclass
class Content:
    """The bytes of a file, which of its pages were ever written, and when that was (nanoseconds since 1970)."""

    data: bytearray = field(default_factory=bytearray)
    pages: set[int] = field(default_factory=set)
    mtime_ns: int = 0

    def copy(self) -> Content:
        return Content(bytearray(self.data), set(self.pages), self.mtime_ns)

    def put(self, start: int, data: bytes) -> None:
        """Write `data` at `start`; what lies between the old end and `start` becomes a hole."""
        if start > len(self.data):
            self.data.extend(bytes(start - len(self.data)))
        self.data[start : start + len(data)] = data
        self.pages.update(pages_of(start, len(data)))

    def resize(self, size: int) -> None:
        """Cut it, or let it grow by a hole."""
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))
        self.pages = {page for page in self.pages if page * PAGE < size}

    def has_hole(self) -> bool:
        return any(page not in self.pages for page in pages_of(0, len(self.data)))


def pages_of(start: int, length: int) -> range:
    """The pages that so many bytes from `start` on touch."""
    return range(start // PAGE, -(-(start + length) // PAGE)) if length else range(0)


@dataclass(eq=False)
class Inode:
    """A file or a directory. `now` and `names` are what programs see; `kept` and `kept_names` what the platters hold.

    `spoiled`: an fsync failed. The kernel has forgotten by then that the pages are not written, so that the next fsync succeeds and
    keeps nothing (the fsync of PostgreSQL's 2018).
    """

    number: int
    is_dir: bool
    now: Content = field(default_factory=Content)
    kept: Content = field(default_factory=Content)
    names: dict[bytes, Inode] = field(default_factory=dict)
    kept_names: dict[bytes, Inode] = field(default_factory=dict)
    ctime_ns: int = 0
    dirty: bool = False
    spoiled: bool = False
    linked: bool = True
    handles: list[Handle] = field(default_factory=list)

    def sync(self) -> None:
        """Make the data durable."""
        if not self.spoiled:
            self.kept, self.dirty = self.now.copy(), False

    def lose(self, how: int) -> None:
        """Let the power go: 0 keeps the data as it was written."""
        if how == LOST:
            self.now = self.kept.copy()
        elif how in (SHORT, HOLED):
            self._tear(how)
        self.spoiled = self.dirty = False
        self.kept = self.now.copy()

    def _tear(self, how: int) -> None:
        """Keep half of what grew since the last fsync, and the size too where it is to be holed."""
        size = len(self.now.data)
        half = (len(self.kept.data) + size) // 2
        self.now.resize(min(half, size))
        if how == HOLED:
            self.now.resize(size)


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """One act on names, whole or not done: (directory, name, what it names from then on, or None)."""

    edits: Edits

    def touches(self, directories: set[Inode]) -> bool:
        return any(directory in directories for directory, _, _ in self.edits)

    def keep(self) -> None:
        """Make it durable."""
        for directory, name, inode in self.edits:
            _put(directory.kept_names, name, inode)


def _put(names: dict[bytes, Inode], name: bytes, inode: Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


class Watcher(Protocol):
    """Hears of what happens on a volume, whoever does it."""

    def naming(self, edits: Edits) -> None:
        """An act on names, in the instant before it is done."""

    def writing(self, inode: Inode) -> None:
        """The data of a file has just been changed."""


class Volume:
    """A filesystem. `room` in bytes and `inodes` are what it has in all.

    `generation` counts the power cuts: what was open before one is stale. `watcher` hears of every change, None where nobody does.
    `found`: what kernels remember of where paths lead, each until a name changes.
    """

    def __init__(self, name: str, device: int, *, room: int = _UNBOUNDED, inodes: int = _UNBOUNDED) -> None:
        self.name = name
        self.device = device
        self.room = room
        self.inodes = inodes
        self.generation = 0
        self.watcher: Watcher | None = None
        self.found: list[dict[Any, Any]] = []
        self.root = Inode(2, is_dir=True)
        self.pending: list[Change] = []
        self._numbers = 11
        self._pages = 0
        self._count = 1

    # Room

    @property
    def free_bytes(self) -> int:
        return max(0, self.room // PAGE - self._pages) * PAGE

    @property
    def free_inodes(self) -> int:
        return max(0, self.inodes - self._count)

    def new_inode(self, *, is_dir: bool, at_ns: int) -> Inode:
        """ENOSPC where there is none left."""
        if not self.free_inodes:
            raise refusal(errno.ENOSPC)
        self._numbers += 1
        self._count += 1
        inode = Inode(self._numbers, is_dir=is_dir, ctime_ns=at_ns)
        inode.now.mtime_ns = inode.kept.mtime_ns = at_ns
        return inode

    def write(self, inode: Inode, start: int, data: bytes, at_ns: int) -> int:
        """Write as much as there is room for and give how much that was; ENOSPC where it is nothing."""
        data = data[: self._fitting(inode, start, len(data))]
        before = len(inode.now.pages)
        inode.now.put(start, data)
        self._pages += len(inode.now.pages) - before
        self.touch(inode, at_ns)
        return len(data)

    def _fitting(self, inode: Inode, start: int, length: int) -> int:
        spare = self.free_bytes // PAGE
        for page in pages_of(start, length):
            spare -= page not in inode.now.pages
            if spare < 0:
                fits = max(0, page * PAGE - start)
                if not fits:
                    raise refusal(errno.ENOSPC)
                return fits
        return length

    def resize(self, inode: Inode, size: int, at_ns: int) -> None:
        before = len(inode.now.pages)
        inode.now.resize(size)
        self._pages += len(inode.now.pages) - before
        inode.spoiled = inode.spoiled and size > 0
        self.touch(inode, at_ns)

    def touch(self, inode: Inode, at_ns: int) -> None:
        inode.now.mtime_ns = inode.ctime_ns = at_ns
        inode.dirty = True
        if self.watcher is not None:
            self.watcher.writing(inode)

    # Names

    def change(self, edits: Edits, at_ns: int) -> None:
        """One act on names; durable only once one of its directories is synced."""
        if self.watcher is not None:
            self.watcher.naming(edits)
        self._forget_paths()
        for directory, name, inode in edits:
            _put(directory.names, name, inode)
            directory.now.mtime_ns = directory.ctime_ns = at_ns
        self.pending.append(Change(edits))

    def _forget_paths(self) -> None:
        for found in self.found:
            found.clear()

    def sync_names(self, directory: Inode) -> None:
        """Make durable what happened in a directory, and before it in those that it happened together with."""
        together, kept = {directory}, []
        for change in reversed(self.pending):
            if change.touches(together):
                together.update(where for where, _, _ in change.edits)
                kept.append(change)
        for change in reversed(kept):
            change.keep()
        done = set(kept)
        self.pending = [change for change in self.pending if change not in done]

    def forget(self, inode: Inode) -> None:
        """Give back the room of an inode that has neither name nor reader any more."""
        if not inode.linked and not inode.handles:
            self._pages -= len(inode.now.pages)
            self._count -= 1

    # Power

    def power_cut(self, choose: Choose) -> None:
        """Lose names and data that were not fsynced, as far as `choose` wants it; whatever was open is stale."""
        lost = choose(f"power {self.name} names", len(self.pending) + 1)
        for change in self.pending[: len(self.pending) - lost]:
            change.keep()
        self.pending = []
        self.generation += 1
        self._forget_paths()
        self._pages = self._count = 0
        for inode in self._surviving():
            self._come_back(inode, choose)

    def _surviving(self) -> Iterator[Inode]:
        waiting = [self.root]
        while waiting:
            inode = waiting.pop()
            waiting.extend(inode.kept_names[name] for name in sorted(inode.kept_names, reverse=True))
            yield inode

    def _come_back(self, inode: Inode, choose: Choose) -> None:
        inode.handles, inode.linked = [], True
        if inode.is_dir:
            inode.names = dict(inode.kept_names)
        elif inode.dirty:
            inode.lose(choose(f"power {self.name} data", 4))
        self._pages += len(inode.now.pages)
        self._count += 1
