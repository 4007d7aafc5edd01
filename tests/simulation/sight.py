"""What the laws see of the disks: who gives which name to what, heard from the volumes in the instant before it is done.

Whatever runs for a host is ours; everything else on these disks is the hands of people.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join
from tests.simulation.hosts import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qavix_watch.core.layout import Layout
    from tests.simulation.volumes import Edits, Inode, Volume

OURS = b".qavix-"
"""How every private name of ours begins."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act of ours. `inode` went from the path `old` to `new`, each None where there is none; `over` bore the new name until then.

    Where both are None its data was changed. `theirs`: a person made it, or it is the copy of an original that was put in its place.
    """

    inode: Inode
    old: bytes | None = None
    new: bytes | None = None
    over: Inode | None = None
    theirs: bool = False


class Sight:
    """The names on some volumes, each mounted at a path, and whose the files below them are."""

    def __init__(self, volumes: Mapping[bytes, Volume], layout: Layout, *, remote: bool = False) -> None:
        """`remote`: they lie on a server, which keeps what it got."""
        self._volumes = dict(volumes)
        self._layout = layout
        self._remote = remote
        self._above: dict[Inode, tuple[Inode | None, bytes]] = {}
        self._theirs: set[Inode] = set()
        self._copies: set[Inode] = set()
        self._shown: set[Inode] = set()
        self._taken: dict[bytes, Inode] = {}
        self._taken_before: list[tuple[bytes, Inode]] = []
        self._acts: list[Act] = []
        self.look_anew()
        for volume in self._volumes.values():
            volume.watcher = self

    def look_anew(self) -> None:
        """After a power cut names are not where they were, and what we had put in its place may bear its private name again."""
        self._above = {volume.root: (None, point) for point, volume in self._volumes.items()}
        for volume in self._volumes.values():
            self._learn(volume.root)
        seen = {inode for point in self._volumes for path, inode in self.files(point) if OURS not in path}
        self._theirs -= self._copies - seen
        self._copies &= seen
        self._shown &= seen

    def _learn(self, folder: Inode) -> None:
        for name, inode in folder.names.items():
            if inode.is_dir:
                self._above[inode] = (folder, name)
                self._learn(inode)

    # What is told

    def naming(self, edits: Edits) -> None:
        """An act on names, before it is done."""
        act = self._act(edits)
        if act.inode.is_dir:
            self._follow(act.inode, edits)
        if HOST.get() is not None:
            self._acts.append(act)
            self._note_ours(act)
        else:
            self._note_theirs(act)

    def writing(self, inode: Inode) -> None:
        """The data of a file was changed."""
        if HOST.get() is not None and (inode in self._shown or inode in self._theirs):
            self._acts.append(Act(inode, theirs=inode in self._theirs))

    def done(self) -> list[Act]:
        """What was done by us since this was asked last."""
        done, self._acts = self._acts, []
        return done

    def _act(self, edits: Edits) -> Act:
        old = new = over = inode = None
        for folder, name, named in edits:
            if named is None:
                old, inode = self._path(folder, name), folder.names[name]
            else:
                new, over, inode = self._path(folder, name), folder.names.get(name), named
        assert inode is not None
        return Act(inode, old, new, over, inode in self._theirs)

    def _path(self, folder: Inode, name: bytes) -> bytes:
        above: Inode | None = folder
        path = name
        while above is not None:
            above, own = self._above[above]
            path = own + b"/" + path
        return path

    def _follow(self, folder: Inode, edits: Edits) -> None:
        above, name, named = edits[-1]
        if named is None:
            self._above.pop(folder, None)
        else:
            self._above[folder] = (above, name)

    def _note_ours(self, act: Act) -> None:
        if act.new is None or act.inode.is_dir or OURS in act.new:
            return
        self._shown.add(act.inode)
        if act.new in self._taken:
            self._taken_before.append((act.new, self._taken.pop(act.new)))
        if self.is_put_away(act.new) and act.inode not in self._theirs:  # a copy on another disk takes the place of the original
            self._theirs.add(act.inode)
            self._copies.add(act.inode)

    def _note_theirs(self, act: Act) -> None:
        if act.old is not None and self.is_result(act.old):
            self._taken[act.old] = act.inode
        if act.over is not None and act.new is not None and self.is_result(act.new):
            self._taken[act.new] = act.over
        if act.new is not None and not act.inode.is_dir:
            self._theirs.add(act.inode)

    # What may be asked

    def is_result(self, path: bytes) -> bool:
        """Whether a path is where results become visible: in the outbox, under no private name."""
        return path.startswith(self._layout.outbox + b"/") and OURS not in path

    def is_put_away(self, path: bytes) -> bool:
        """Whether an original that was put away may lie there."""
        rooms = (self._layout.archive + b"/", self._layout.failed + b"/")
        return path.startswith(rooms) and OURS not in path and not path.endswith(b".why.txt")

    def was_taken(self, path: bytes, sha256: str) -> bool:
        """Whether people removed, moved or replaced what lay at a path of the outbox, or a folder above it; `sha256`: what is missed."""
        if any(path == taken or path.startswith(taken + b"/") for taken in self._taken):
            return True
        return any(path == taken and sha256_of(inode) == sha256 for taken, inode in self._taken_before)

    def taken(self) -> Iterator[bytes]:
        """What was in the files that people took."""
        inodes = (inode for _, inode in (*self._taken_before, *self._taken.items()))
        return (bytes(inode.now.data) for inode in inodes if not inode.is_dir)

    def is_theirs(self, inode: Inode) -> bool:
        """Whether a person made this file, or it is the copy of an original that was put in its place."""
        return inode in self._theirs

    def files(self, folder: bytes, *, kept: bool = False) -> Iterator[tuple[bytes, Inode]]:
        """Every file below a folder, by its path; `kept`: as the platters have it."""
        kept = kept and not self._remote
        inode = self._find(folder, kept=kept)
        if inode is not None and inode.is_dir:
            yield from _below(folder, inode, kept=kept)

    def folders(self) -> Iterator[bytes]:
        """The path of every folder."""
        return (self._path(above, name) for above, name in self._above.values() if above is not None)

    def sha256(self, path: bytes, *, kept: bool = False) -> str | None:
        """The digest of what lies at a path, None where no file does; `kept`: as the platters have it."""
        kept = kept and not self._remote
        inode = self._find(path, kept=kept)
        return None if inode is None or inode.is_dir else sha256_of(inode, kept=kept)

    def text(self, path: bytes) -> str | None:
        """What a text says, None where there is none."""
        inode = self._find(path, kept=False)
        return None if inode is None or inode.is_dir else inode.now.data.decode("utf-8", "replace")

    def holds(self, folder: bytes, sha256: str, *, kept: bool = False) -> bool:
        """Whether any file below a folder has this content."""
        kept = kept and not self._remote
        return any(sha256_of(inode, kept=kept) == sha256 for _, inode in self.files(folder, kept=kept))

    def contents(self, folder: bytes) -> set[str]:
        """The digests of all files below a folder that the platters have."""
        kept = not self._remote
        return {sha256_of(inode, kept=kept) for _, inode in self.files(folder, kept=kept)}

    def _find(self, path: bytes, *, kept: bool) -> Inode | None:
        point = max((point for point in self._volumes if (path + b"/").startswith(point.rstrip(b"/") + b"/")), key=len)
        inode: Inode | None = self._volumes[point].root
        for name in filter(None, path[len(point) :].split(b"/")):
            if inode is not None:
                inode = (inode.kept_names if kept else inode.names).get(name)
        return inode


def sha256_of(inode: Inode, *, kept: bool = False) -> str:
    """The digest of a file's data."""
    return hashlib.sha256((inode.kept if kept else inode.now).data).hexdigest()


def _below(folder: bytes, inode: Inode, *, kept: bool) -> Iterator[tuple[bytes, Inode]]:
    names = inode.kept_names if kept else inode.names
    for name, found in sorted(names.items()):
        path = join(folder, name)
        if found.is_dir:
            yield from _below(path, found, kept=kept)
        else:
            yield path, found
