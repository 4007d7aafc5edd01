"""Which filesystem a path lies on, from the kernel's mount table (proc(5), /proc/pid/mountinfo)."""

from __future__ import annotations

import os
import re
import select
import threading
from dataclasses import dataclass

from qavix_watch.errors import FileError
from qavix_watch.fs.failures import mapped

# Filesystems whose every write passes this kernel. What is not listed counts as remote, for then nothing is missed,
# only later.
LOCAL_TYPES = frozenset(
    b"ext2 ext3 ext4 xfs btrfs f2fs tmpfs ramfs overlay zfs bcachefs jfs reiserfs nilfs2 erofs squashfs"
    b" vfat msdos exfat ntfs ntfs3 hfs hfsplus ufs udf iso9660 ubifs jffs2".split()
)
_TABLE = "/proc/self/mountinfo"
_DEVICE = re.compile(rb"(\d+):(\d+)")
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table; `kind` is the filesystem's type, as `ext4` or `fuse.sshfs`, `device` as stat(2) has it."""

    number: int
    point: bytes
    kind: bytes
    device: int

    @property
    def is_local(self) -> bool:
        return self.kind in LOCAL_TYPES

    @property
    def makes_up_inodes(self) -> bool:
        """Whether its inode numbers say nothing. With FUSE (libfuse's path interface) a file has one for as long as the
        kernel remembers it, and another one under the name of a hard link.
        """
        return self.kind.startswith(b"fuse")


def parse_mounts(text: bytes) -> tuple[Mount, ...]:
    """The mounts of a mountinfo text, in its order; lines of another shape are passed over."""
    return tuple(mount for mount in map(_parse_line, text.splitlines()) if mount)


def _parse_line(line: bytes) -> Mount | None:
    head, dash, tail = line.partition(b" - ")
    fields, kind = head.split(b" "), tail.split(b" ")[0]
    device = _DEVICE.fullmatch(fields[2]) if dash and len(fields) >= 6 else None
    if device is None or not fields[0].isdigit():
        return None
    return Mount(int(fields[0]), _plain(fields[4]), kind, os.makedev(int(device[1]), int(device[2])))


def _plain(field: bytes) -> bytes:
    return _OCTAL.sub(lambda code: bytes([int(code[1], 8) & 0xFF]), field)


def mount_by_prefix(mounts: tuple[Mount, ...], path: bytes) -> Mount | None:
    """The mount with the longest point above `path` (resolved, absolute); of two at one point the later one, which
    hides the other.
    """
    best: Mount | None = None
    for mount in mounts:
        above = path == mount.point or path.startswith(mount.point.rstrip(b"/") + b"/")
        if above and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


class MountTable:
    """The mount table, read again only when the kernel says that it changed (poll(2) on mountinfo: POLLPRI)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mounts: tuple[Mount, ...] = ()
        self._by_number: dict[int, Mount] = {}
        self._made_up: frozenset[int] = frozenset()
        self._remote: frozenset[int] = frozenset()
        self._fd = -1
        self._poll = select.poll()

    def mount_of(self, path: bytes) -> Mount | None:
        """The mount that `path` lies on, or that its nearest existing parent does; None where the kernel does not
        say.
        """
        number = mount_number(standing(path))
        with self._lock:
            self._refresh()
            if number is not None:
                return self._by_number.get(number)
            return mount_by_prefix(self._mounts, os.path.realpath(path))

    def is_local(self, path: bytes) -> bool:
        mount = self.mount_of(path)
        return mount is not None and mount.is_local

    def making_up_inodes(self) -> frozenset[int]:
        """The devices (st_dev) whose inode numbers say nothing."""
        with self._lock:
            self._refresh()
            return self._made_up

    def remote(self) -> frozenset[int]:
        """The devices to which others may write."""
        with self._lock:
            self._refresh()
            return self._remote

    def close(self) -> None:
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _refresh(self) -> None:
        if self._fd >= 0 and not self._poll.poll(0):
            return
        with mapped(_TABLE.encode()):
            if self._fd < 0:
                self._fd = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
                self._poll.register(self._fd, select.POLLPRI)
                self._poll.poll(0)
            self._mounts = parse_mounts(_read_from_start(self._fd))
        self._by_number = {mount.number: mount for mount in self._mounts}
        self._made_up = frozenset(mount.device for mount in self._mounts if mount.makes_up_inodes)
        self._remote = frozenset(mount.device for mount in self._mounts if not mount.is_local)


def _read_from_start(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    parts: list[bytes] = []
    while part := os.read(fd, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def standing(path: bytes) -> bytes:
    """`path`, or the nearest of its parents that exists."""
    while not os.path.exists(path):
        parent = os.path.dirname(path)
        if parent == path or not parent:
            return b"/"
        path = parent
    return path


def mount_number(path: bytes) -> int | None:
    """The kernel's own answer: the mount that the path leads to, through symbolic links, bind mounts and mounts over
    mounts.
    """
    with mapped(path):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            with open(f"/proc/self/fdinfo/{fd}", "rb") as info:
                found = re.search(rb"^mnt_id:\s*(\d+)", info.read(), re.MULTILINE)
        except FileNotFoundError:
            return None  # no /proc here
        finally:
            os.close(fd)
    return int(found[1]) if found else None


_OURS = MountTable()


def making_up_inodes() -> frozenset[int]:
    """The devices (st_dev) of this host whose inode numbers say nothing; none where there is no /proc."""
    try:
        return _OURS.making_up_inodes()
    except FileError:
        return frozenset()


def remote_devices() -> frozenset[int]:
    """The devices (st_dev) of this host to which others may write; none where there is no /proc."""
    try:
        return _OURS.remote()
    except FileError:
        return frozenset()
