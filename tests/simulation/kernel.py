"""A host's simulated kernel: its mounts, and the system calls of the programs on it, with the errors of the real one.

Programs are told apart, since each dies for itself: what it had open is closed then, and what it wrote stays. A kernel loses its power
with all of them.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from qavix_watch.core.files import Writer
from tests.simulation.handles import Handle, Mount, stat_of
from tests.simulation.volumes import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.files import Stat
    from tests.simulation.volumes import Choose, Inode, Volume

_NAME_BYTES = 255
_PATH_BYTES = 4095



@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path leads."""

    mount: Mount
    inode: Inode


class Kernel:
    """One host. `now` gives seconds since 1970; `tell(path, kind)` gets the hints of local mounts, of the kinds of `fs.watcher.Hint`."""

    def __init__(
        self, root: Volume, *, now: Callable[[], float], tell: Callable[[bytes, str], None] = lambda _path, _kind: None
    ) -> None:
        self._mounts = {b"/": Mount(b"/", root)}
        self._found: dict[bytes, Spot | int] = {}
        root.found.append(self._found)
        self._now = now
        self._tell = tell

    def now_ns(self) -> int:
        return round(self._now() * 1e9)

    def tell(self, mount: Mount, path: bytes, kind: str) -> None:
        if mount.local:
            self._tell(path, kind)

    # Mounts

    def mount(self, point: bytes, volume: Volume, *, local: bool = True) -> None:
        """Let `volume` appear at the folder `point`, which is there."""
        if not self.find(point).inode.is_dir:
            raise refusal(errno.ENOTDIR, point)
        self._mounts[point] = Mount(point, volume, local)
        volume.found.append(self._found)
        self._found.clear()

    def unmount(self, point: bytes) -> None:
        """Take it away, as a pulled plug does: an empty mount point stays, and what was open there is good for nothing."""
        mount = self._mounts.pop(point)
        mount.alive = False
        self._found.clear()
        self.tell(mount, point, "gone")

    def power_cut(self, choose: Choose) -> None:
        """End all programs at once; the local volumes lose what was not fsynced. Servers of remote ones keep what they got."""
        for point, mount in list(self._mounts.items()):
            mount.alive = False
            self._mounts[point] = Mount(point, mount.volume, mount.local)
        self._found.clear()
        for volume in dict.fromkeys(mount.volume for mount in self._mounts.values() if mount.local):
            volume.power_cut(choose)

    # Paths

    def find(self, path: bytes) -> Spot:
        """Where a path leads; ENOENT, ENOTDIR, ENAMETOOLONG."""
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = self._walked(path)
        if isinstance(found, int):
            raise refusal(found, path)
        return found

    def _walked(self, path: bytes) -> Spot | int:
        """Where it leads, or the errno of why nowhere."""
        try:
            return self._walk(path)
        except OSError as error:
            return error.errno or 0

    def _walk(self, path: bytes) -> Spot:
        if len(path) > _PATH_BYTES:
            raise refusal(errno.ENAMETOOLONG, path)
        mount = self._mounts[b"/"]
        inode = mount.volume.root
        for name, trail in _steps(path):
            if not inode.is_dir or len(name) > _NAME_BYTES:
                raise refusal(errno.ENAMETOOLONG if inode.is_dir else errno.ENOTDIR, path)
            entry = inode.names.get(name)
            if entry is None:
                raise refusal(errno.ENOENT, path)
            mount = self._mounts.get(trail, mount)
            inode = mount.volume.root if mount.point == trail else entry
        return Spot(mount, inode)

    def parent(self, path: bytes) -> tuple[Spot, bytes, Inode | None]:
        """The directory of a path, the last name, and what that names there, or None."""
        spot, name = self.folder(path)
        return spot, name, _entry(spot.inode, name, path)

    def folder(self, path: bytes) -> tuple[Spot, bytes]:
        """The directory of a path, and the last name, which was not looked at yet."""
        folder, name = _split(path)
        spot = self.find(folder)
        if not spot.inode.is_dir:
            raise refusal(errno.ENOTDIR, path)
        return spot, name

    def is_mount_point(self, path: bytes) -> bool:
        return b"/".join([b"", *_names(path)]) in self._mounts


def _names(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name not in (b"", b".")]


@lru_cache(maxsize=4096)
def _split(path: bytes) -> tuple[bytes, bytes]:
    """The path of its directory, and its last name."""
    folder, _, name = b"/".join([b"", *_names(path)]).rpartition(b"/")
    return folder or b"/", name


@lru_cache(maxsize=4096)
def _steps(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Each name on the way, and the whole path up to it."""
    names = _names(path)
    return tuple((name, b"/" + b"/".join(names[: at + 1])) for at, name in enumerate(names))


def _entry(directory: Inode, name: bytes, path: bytes) -> Inode | None:
    if not directory.is_dir:
        raise refusal(errno.ENOTDIR, path)
    if len(name) > _NAME_BYTES:
        raise refusal(errno.ENAMETOOLONG, path)
    return directory.names.get(name)


class _Acting:
    """Around one act of a program; what fails is not told of."""

    __slots__ = ("_act", "_paths", "_program")

    def __init__(self, program: Program, act: str, path: bytes, more: tuple[bytes, ...]) -> None:
        self._program, self._act, self._paths = program, act, (path, *more)

    def __enter__(self) -> None:
        self._program.begin(self._act, self._paths[0])

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self._program.end(self._act, *self._paths)


class Program:
    """A process, or a person at a keyboard: the system calls, all of which raise OSError.

    `point("before rename")` and `point("after rename")` are called around every act that leaves something on the disk, `point("at read")`
    before every other one. `fault(act, path)` gives the errno that the act shall fail with, or 0; `acted(act, path, …)` hears of each
    that changed something, in the same instant.
    """

    def __init__(
        self, kernel: Kernel, name: str = "", *, point: Callable[[str], None] = lambda _name: None,
        fault: Callable[[str, bytes], int] = lambda _act, _path: 0, acted: Callable[..., None] = lambda _act, *_paths: None,
    ) -> None:
        self.kernel = kernel
        self.name = name
        self._point = point
        self._fault = fault
        self._acted = acted
        self._open: dict[Handle, None] = {}

    def act(self, act: str, path: bytes, *more: bytes) -> _Acting:
        """Around what changes the disk."""
        return _Acting(self, act, path, more)

    def begin(self, act: str, path: bytes) -> None:
        """Before what changes the disk."""
        self._point(f"before {act}")
        if code := self._fault(act, path):
            raise refusal(code, path)

    def end(self, act: str, *paths: bytes) -> None:
        """After what has changed it."""
        self._acted(act, *paths)
        self._point(f"after {act}")

    def look(self, act: str, path: bytes) -> None:
        """Before what changes nothing."""
        self._point(f"at {act}")
        if code := self._fault(act, path):
            raise refusal(code, path)

    def die(self) -> None:
        """Close all that is open, as the kernel does for a killed process, and run nothing else."""
        for handle in list(self._open):
            handle.let_go()

    # Looking

    def stat(self, path: bytes) -> Stat:
        self.look("stat", path)
        spot = self.kernel.find(path)
        return stat_of(spot.mount.volume, spot.inode)

    def exists(self, path: bytes) -> bool:
        try:
            self.kernel.find(path)
        except OSError:
            return False
        return True

    def standing(self, path: bytes) -> bytes:
        """`path`, or the nearest of its parents that exists."""
        while not self.exists(path):
            path = os.path.dirname(path) or b"/"
        return path

    def listdir(self, path: bytes) -> list[bytes]:
        self.look("listdir", path)
        spot = self.kernel.find(path)
        if not spot.inode.is_dir:
            raise refusal(errno.ENOTDIR, path)
        return sorted(spot.inode.names)

    def writer(self, path: bytes) -> Writer:
        """What the lease probe says of a path."""
        self.look("lease", path)
        spot = self.kernel.find(path)
        if spot.inode.is_dir:
            return Writer.UNKNOWN
        if any(handle.writing and handle.kernel is self.kernel and handle.alive for handle in spot.inode.handles):
            return Writer.OPEN
        return Writer.NONE if spot.mount.local else Writer.UNKNOWN

    # Opening

    def open(self, path: bytes) -> Handle:
        """Open what is there to read it, a directory too."""
        self.look("open", path)
        spot = self.kernel.find(path)
        return self._handle(path, spot.mount, spot.inode, writing=False)

    def open_to_write(self, path: bytes, *, truncate: bool = False) -> Handle:
        """Open a file to write, made where it is not there; EISDIR for a directory."""
        self.look("open", path)
        handle = self._opened_to_write(path) or self._created(path)
        if truncate and handle.inode.now.data:
            handle.truncate(0)
        return handle

    def _opened_to_write(self, path: bytes) -> Handle | None:
        """None where there is nothing."""
        spot, _, inode = self.kernel.parent(path)
        if inode is None:
            return None
        if inode.is_dir or self.kernel.is_mount_point(path):
            raise refusal(errno.EISDIR, path)
        return self._handle(path, spot.mount, inode, writing=True)

    def _created(self, path: bytes) -> Handle:
        """Made and opened in one; another may have made it just before, or removed its folder."""
        with self.act("create", path):
            if there := self._opened_to_write(path):
                return there
            spot, name, _ = self.kernel.parent(path)
            inode = self._make(spot, name, is_dir=False)
            self.kernel.tell(spot.mount, path, "appeared")
            return self._handle(path, spot.mount, inode, writing=True)

    def _make(self, spot: Spot, name: bytes, *, is_dir: bool) -> Inode:
        volume = spot.mount.volume
        inode = volume.new_inode(is_dir=is_dir, at_ns=self.kernel.now_ns())
        volume.change(((spot.inode, name, inode),), self.kernel.now_ns())
        return inode

    def _handle(self, path: bytes, mount: Mount, inode: Inode, *, writing: bool) -> Handle:
        handle = Handle(self, path, mount, inode, writing=writing)
        inode.handles.append(handle)
        self._open[handle] = None
        return handle

    def closed(self, handle: Handle) -> None:
        self._open.pop(handle, None)

    # Names

    def mkdir(self, path: bytes) -> None:
        with self.act("mkdir", path):
            spot, name, there = self.kernel.parent(path)
            if there is not None or not name:
                raise refusal(errno.EEXIST, path)
            self._make(spot, name, is_dir=True)
            self.kernel.tell(spot.mount, path, "folder")

    def make_folders(self, path: bytes) -> None:
        """`mkdir -p`."""
        missing = []
        while not self.exists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            self.mkdir(folder)

    def unlink(self, path: bytes) -> None:
        with self.act("unlink", path):
            spot, name, inode = self.kernel.parent(path)
            if inode is None:
                raise refusal(errno.ENOENT, path)
            if inode.is_dir:
                raise refusal(errno.EISDIR, path)
            self._drop(spot, name, inode, path)

    def rmdir(self, path: bytes) -> None:
        with self.act("rmdir", path):
            spot, name, inode = self.kernel.parent(path)
            if inode is None:
                raise refusal(errno.ENOENT, path)
            if code := self._kept_for(path, inode):
                raise refusal(code, path)
            self._drop(spot, name, inode, path)

    def _kept_for(self, path: bytes, inode: Inode) -> int:
        if self.kernel.is_mount_point(path):
            return errno.EBUSY
        if not inode.is_dir:
            return errno.ENOTDIR
        return errno.ENOTEMPTY if inode.names else 0

    def _drop(self, spot: Spot, name: bytes, inode: Inode, path: bytes) -> None:
        volume = spot.mount.volume
        volume.change(((spot.inode, name, None),), self.kernel.now_ns())
        inode.linked = False
        volume.forget(inode)
        self.kernel.tell(spot.mount, path, "gone")

    def rename(self, source: bytes, target: bytes, *, replace: bool = True) -> None:
        """rename(2), or renameat2(2) with RENAME_NOREPLACE."""
        with self.act("rename", source, target):
            if self.kernel.folder(source)[0].mount is not self.kernel.folder(target)[0].mount:
                raise refusal(errno.EXDEV, source)
            old, old_name, inode = self.kernel.parent(source)
            new, new_name, there = self.kernel.parent(target)
            if inode is None:
                raise refusal(errno.ENOENT, source)
            if there is not None and not replace:
                raise refusal(errno.EEXIST, target)
            self._check_rename(inode, there, source, target)
            if there is not inode:
                self._move((old, old_name, source), (new, new_name, target), inode, there)

    def _check_rename(self, inode: Inode, there: Inode | None, source: bytes, target: bytes) -> None:
        if _names(target)[: len(_names(source))] == _names(source) and there is not inode:
            raise refusal(errno.EINVAL, source)
        if _names(source)[: len(_names(target))] == _names(target) and there is not inode:
            raise refusal(errno.ENOTEMPTY, target)
        if there is not None and there.is_dir is not inode.is_dir:
            raise refusal(errno.EISDIR if there.is_dir else errno.ENOTDIR, target)
        if self.kernel.is_mount_point(source) or self.kernel.is_mount_point(target):
            raise refusal(errno.EBUSY, source)
        if there is not None and there.names:
            raise refusal(errno.ENOTEMPTY, target)

    def _move(
        self, old: tuple[Spot, bytes, bytes], new: tuple[Spot, bytes, bytes], inode: Inode, there: Inode | None
    ) -> None:
        volume = old[0].mount.volume
        volume.change(((old[0].inode, old[1], None), (new[0].inode, new[1], inode)), self.kernel.now_ns())
        inode.ctime_ns = self.kernel.now_ns()
        if there is not None:
            there.linked = False
            volume.forget(there)
        self.kernel.tell(old[0].mount, old[2], "gone")
        self.kernel.tell(new[0].mount, new[2], "folder" if inode.is_dir else "appeared")

    def sync_folder(self, path: bytes) -> None:
        """Make the names in a directory durable."""
        with self.act("fsync of the directory", path):
            spot = self.kernel.find(path)
            if not spot.inode.is_dir:
                raise refusal(errno.ENOTDIR, path)
            spot.mount.volume.sync_names(spot.inode)
