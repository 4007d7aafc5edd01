"""Files held open on a simulated kernel, each on the mount that it was opened through."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.files import Stat
from tests.simulation.volumes import refusal

if TYPE_CHECKING:
    from tests.simulation.kernel import Program
    from tests.simulation.volumes import Inode, Volume

_WRITE_BYTES = 128 * 1024  # so that a death can come amid a large write


@dataclass(eq=False)
class Mount:
    """A volume at a place. `local`: every write to it passes this kernel. Not `alive`: unmounted, whatever was open is lost."""

    point: bytes
    volume: Volume
    local: bool = True
    alive: bool = True


class Handle:
    """A file held open. It stays with its inode, whatever becomes of the name."""

    def __init__(self, program: Program, path: bytes, mount: Mount, inode: Inode, *, writing: bool) -> None:
        self._program = program
        self.kernel = program.kernel
        self.path = path
        self.inode = inode
        self.writing = writing
        self.position = 0
        self._mount = mount
        self._volume = mount.volume
        self._generation = mount.volume.generation
        self._changed = False
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the disk below it is still the one that it was opened on."""
        return self._mount.alive and self._generation == self._volume.generation

    def _check(self) -> None:
        if self._closed:
            raise refusal(errno.EBADF, self.path)
        if not self.alive:
            raise refusal(errno.EIO, self.path)

    def stat(self) -> Stat:
        self._check()
        return stat_of(self._volume, self.inode)

    def read(self, size: int) -> bytes:
        self._program.look("read", self.path)
        self._check()
        if self.inode.is_dir:
            raise refusal(errno.EISDIR, self.path)
        part = bytes(self.inode.now.data[self.position : self.position + size])
        self.position += len(part)
        return part

    def write(self, data: bytes, at: int | None = None) -> None:
        """Write all of it, at the end of the file or where it is said; what there is room for stays where ENOSPC comes."""
        while data:
            with self._program.act("write", self.path):
                self._check()
                start = len(self.inode.now.data) if at is None else at
                count = self._volume.write(self.inode, start, data[:_WRITE_BYTES], self.kernel.now_ns())
            data, at = data[count:], None if at is None else at + count

    def truncate(self, size: int) -> None:
        """Cut it, or let it grow by a hole."""
        with self._program.act("truncate", self.path):
            self._check()
            self._volume.resize(self.inode, size, self.kernel.now_ns())

    def set_mtime(self, mtime_ns: int) -> None:
        with self._program.act("utime", self.path):
            self._check()
            self._volume.touch(self.inode, self.kernel.now_ns())
            self.inode.now.mtime_ns = mtime_ns
            self.kernel.tell(self._mount, self.path, "changed")

    def sync(self) -> None:
        """fsync(2) of a file. Where it fails, what was written until then is never made durable any more."""
        try:
            with self._program.act("fsync", self.path):
                self._check()
                self.inode.sync()
        except OSError:
            if self.alive:  # of what was unplugged the kernel knows nothing any more
                self.inode.spoiled = self.inode.dirty
            raise

    def close(self) -> None:
        """Close it; closing twice does no harm."""
        if not self._closed:
            if self.writing:
                self._program.look("close", self.path)
            self.let_go()

    def let_go(self) -> None:
        """Close it without asking anybody."""
        if self._closed:
            return
        self._closed = True
        self._program.closed(self)
        if not self.alive:
            return
        self.inode.handles.remove(self)
        self._volume.forget(self.inode)
        if self.writing:
            self.kernel.tell(self._mount, self.path, "closed")


def stat_of(volume: Volume, inode: Inode) -> Stat:
    """A stat as the port gives it; a directory has the size of one page."""
    size = 4096 if inode.is_dir else len(inode.now.data)
    return Stat(size, inode.now.mtime_ns, inode.ctime_ns, inode.number, volume.device, not inode.is_dir, inode.is_dir)
