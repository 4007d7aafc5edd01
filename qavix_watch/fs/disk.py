"""The `Files` of the real world: this host's disks, and whatever is mounted on them."""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes
from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.files import UNTOLD_BYTES, Entry, Fingerprint, Space, Stat, Writer
from qavix_watch.errors import FileGone, FileUnreadable, NameTaken, RootOffline
from qavix_watch.fs import probe
from qavix_watch.fs.failures import mapped, shown
from qavix_watch.fs.fingerprint import fingerprint
from qavix_watch.fs.mounts import MountTable, mount_number, standing
from qavix_watch.fs.rename import rename_new
from qavix_watch.fs.scan import scan
from qavix_watch.fs.streams import FileReader, FileSink, own_file, stat_at, sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qavix_watch.fs.streams import Progress

_COPY_BYTES = 1024 * 1024
_KEPT = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


class Disk:
    """Files and folders by bytes paths. Every method may block; errors are FileGone, FileUnreadable, NoSpace,
    NameTaken, FileChanged.

    `mode`, `owner` and `group` (numbers) are what `[deliver]` sets for everything that is made; None takes them from
    the folder that each call names. A folder gets execute rights where `mode` has read rights. `guard(path)` raises
    RootOffline where `path` lies in a watched folder that is away.
    """

    def __init__(
        self, *, mode: int | None = None, owner: int | None = None, group: int | None = None,
        guard: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._mode = mode
        self._owner = -1 if owner is None else owner
        self._group = group
        self._guard = guard
        self._mounts = MountTable()

    def close(self) -> None:
        self._mounts.close()

    # Looking

    def stat(self, path: bytes) -> Stat:
        with mapped(path):
            return stat_at(path)

    def listdir(self, path: bytes) -> list[bytes]:
        """The names in a directory, sorted."""
        with mapped(path):
            return sorted(os.listdir(path))

    def scan(
        self, path: bytes, skip: Callable[[bytes, bool], bool], unread: Callable[[bytes], None] | None = None
    ) -> Iterable[Entry]:
        """Every regular file and directory below `path`; see `qavix_watch.fs.scan.scan`."""
        return scan(path, skip, unread)

    def writer(self, path: bytes) -> Writer:
        """Who writes, as far as this kernel knows: on what may be written from elsewhere, "nobody" is not for it to
        say.
        """
        found = probe.writer_of(path)
        return Writer.UNKNOWN if found is Writer.NONE and not self.is_local(path) else found

    def has_hole(self, path: bytes) -> bool:
        return probe.has_hole(path)

    def is_local(self, path: bytes) -> bool:
        """Whether every write to it passes this kernel; False for a filesystem that is not known to be so."""
        with mapped(path):
            return self._mounts.is_local(path)

    def same_filesystem(self, one: bytes, other: bytes) -> bool:
        """Whether a rename between two folders can work. A folder that is not there yet counts as the parent that is.

        The kernel refuses it between two mounts of one filesystem too (rename(2), EXDEV), so the device alone does
        not tell.
        """
        return _room_of(one) == _room_of(other)

    def space(self, path: bytes) -> Space:
        """Room for this user on the filesystem of `path`, or of its nearest parent that exists."""
        path = standing(path)
        with mapped(path):
            found, device = os.statvfs(path), os.stat(path).st_dev
        inodes = found.f_favail if found.f_files else None
        # A tmpfs without a limit, and some FUSE filesystems, have no blocks at all: that is no full disk.
        free = found.f_bavail * found.f_frsize if found.f_blocks else UNTOLD_BYTES
        return Space(free, inodes, f"{device:x}-{found.f_fsid:x}")

    # Reading

    def open(self, path: bytes) -> FileReader:
        return FileReader.open(path)

    def fingerprint(self, path: bytes, meter: Progress) -> Fingerprint:
        return fingerprint(path, meter)

    def read(self, path: bytes, limit: int) -> bytes:
        """The whole of a small file; FileUnreadable where it has more than `limit` bytes."""
        with FileReader.open(path) as reader:
            parts, size = [], 0
            while size <= limit and (part := reader.read(limit + 1 - size)):
                parts.append(part)
                size += len(part)
        if size > limit:
            raise FileUnreadable(f"{shown(path)} has more than the {limit} bytes that such a file may have.")
        return b"".join(parts)

    # Writing

    def write(self, path: bytes, data: bytes, temporary: bytes, like: bytes | None = None) -> None:
        """Put a small text of our own in place, durable and at once, replacing what is there."""
        with own_file(temporary) as fd:
            with mapped(path, "write"):
                write_all(fd, data)
            if like is not None:
                self.adopt(temporary, like)
            with mapped(path, "write"):
                os.fsync(fd)
                os.rename(temporary, path)
        sync_folder(os.path.dirname(path))

    def append(self, path: bytes) -> FileSink:
        return FileSink.open(path)

    def rename_new(self, source: bytes, target: bytes) -> None:
        rename_new(source, target)

    def make_durable(self, path: bytes) -> None:
        """Make a file as it is, and its name, durable, whoever wrote it."""
        with mapped(path, "make durable"):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_folder(os.path.dirname(path))

    def copy(self, source: bytes, temporary: bytes, meter: Progress) -> str:
        """A durable copy under a name of our own, with the source's times. Gives the SHA-256 of what was copied."""
        digest, buffer = hashlib.sha256(), bytearray(_COPY_BYTES)
        with FileReader.open(source) as reader, own_file(temporary) as fd:
            start = reader.stat()
            meter.start(start.size)
            while count := reader.read_into(buffer):
                part = memoryview(buffer)[:count]
                digest.update(part)
                with mapped(temporary, "write"):
                    write_all(fd, part)
                meter.advance(count)
            with mapped(temporary, "write"):
                os.utime(fd, ns=(start.mtime_ns, start.mtime_ns))
                os.fsync(fd)
        sync_folder(os.path.dirname(temporary))
        return digest.hexdigest()

    def remove(self, path: bytes, *, durable: bool = False) -> None:
        """Remove a file; nothing happens where there is none. `durable`: a power cut shall not bring it back."""
        with mapped(path, "remove"), suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
        if durable:
            with suppress(FileGone):
                sync_folder(os.path.dirname(path))

    # Folders

    def make_folder(self, path: bytes, like: bytes | None = None, below: bytes | None = None) -> None:
        """Make a folder and its parents, durable; group and mode from the folder `like`. NameTaken where a file is in
        the way; RootOffline where it would lie in an empty mount point.

        What is there already and lies below the folder `below` is made durable as well: who made it may not have come to
        that yet, or have died before.
        """
        base = standing(path)
        with mapped(base):
            if not modes.S_ISDIR(os.stat(base).st_mode):
                raise NameTaken(f"{shown(base)} is a file where a folder is needed.")
        missing = _missing(path, base)
        if missing:
            self._guard(path)
        for folder in missing:
            with mapped(folder, "make"), suppress(FileExistsError):
                os.mkdir(folder)
            if like is not None:
                self.adopt(folder, like)
            sync_folder(os.path.dirname(folder))
        for folder in _missing(base, below) if below is not None and base.startswith(below + b"/") else ():
            sync_folder(os.path.dirname(folder))
        if missing:
            self._guard_made(path, missing)

    def _guard_made(self, path: bytes, made: list[bytes]) -> None:
        """A share that was unmounted in the very instant shall not keep folders of ours below its mount point."""
        try:
            self._guard(path)
        except RootOffline:
            for folder in reversed(made):
                with suppress(OSError):
                    os.rmdir(folder)
            raise

    def remove_empty(self, folder: bytes, stop: bytes) -> None:
        """Remove `folder` and its parents below `stop` as far as they are empty and may be removed."""
        while folder.startswith(stop.rstrip(b"/") + b"/"):
            with mapped(folder, "remove"):
                if not _removed(folder):
                    return
            folder = os.path.dirname(folder)

    def adopt(self, path: bytes, like: bytes) -> None:
        """Give what we made the group and rights of the folder `like`, so that whoever may use that may use this.
        Never fails.
        """
        with suppress(OSError):
            is_folder, pattern = modes.S_ISDIR(os.lstat(path).st_mode), os.stat(like)
            self._own(path, pattern.st_gid)
            with suppress(OSError):
                os.chmod(path, self._rights(pattern.st_mode, is_folder=is_folder))

    def _own(self, path: bytes, group: int) -> None:
        with suppress(OSError):  # a user who is not in that group may not give it away
            os.chown(path, self._owner, group if self._group is None else self._group, follow_symlinks=False)

    def _rights(self, pattern: int, *, is_folder: bool) -> int:
        if self._mode is None:
            # Where everybody may make files but not touch one another's (/tmp), not everybody may write into ours.
            others = 0o664 if pattern & modes.S_ISVTX else 0o666
            return modes.S_IMODE(pattern) if is_folder else pattern & others | 0o600
        return self._mode | (self._mode & 0o444) >> 2 | pattern & modes.S_ISGID if is_folder else self._mode


def _missing(path: bytes, base: bytes) -> list[bytes]:
    """The folders from below `base` down to `path`, in the order to make them."""
    folders: list[bytes] = []
    while path != base and len(path) > len(base):
        folders.append(path)
        path = os.path.dirname(path)
    return folders[::-1]


def _removed(folder: bytes) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in _KEPT:
            return False
        raise
    return True


def _room_of(folder: bytes) -> tuple[int | None, int]:
    folder = standing(folder)
    with mapped(folder):
        return mount_number(folder), os.stat(folder).st_dev
