"""Files held open: one to read, one of our own to grow."""

from __future__ import annotations

import errno
import os
import stat as modes
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from qavix_watch.core.files import Stat
from qavix_watch.errors import FileUnreadable
from qavix_watch.fs.asking import fstat
from qavix_watch.fs.failures import mapped, shown
from qavix_watch.fs.mounts import making_up_inodes, remote_devices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

# O_NONBLOCK: opening a FIFO, or a file that Samba holds an oplock on, must not hang; reading regular files is not
# changed by it.
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
OWN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}


class Progress(Protocol):
    """The shape of a Meter (`ports.Meter`), which this room may not import."""

    def start(self, total: int, done: int = 0) -> None: ...
    def advance(self, amount: int) -> None: ...


def stat_of(status: os.stat_result) -> Stat:
    """The part of a stat that the stages look at. The inode is 0 where its number would say nothing."""
    mode = status.st_mode
    return Stat(
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=0 if status.st_dev in making_up_inodes() else status.st_ino,
        device=status.st_dev,
        is_file=modes.S_ISREG(mode),
        is_dir=modes.S_ISDIR(mode),
    )


def stat_at(path: bytes) -> Stat:
    """The stat of a path, without following a symbolic link. OSError.

    What others may write to is opened for it: a file that grows elsewhere would look quiet for as long as a cache holds.
    """
    status = os.lstat(path)
    if modes.S_ISREG(status.st_mode) and status.st_dev in remote_devices():
        with suppress(OSError):  # one that may not be read has a stat all the same
            status = _asked_anew(path)
    return stat_of(status)


def _asked_anew(path: bytes) -> os.stat_result:
    fd = os.open(path, READ_FLAGS)
    try:
        return fstat(fd)
    finally:
        os.close(fd)


def open_regular(path: bytes) -> int:
    """A descriptor to read a regular file by. FileGone; FileUnreadable for anything else."""
    with mapped(path):
        fd = os.open(path, READ_FLAGS)
        try:
            regular = modes.S_ISREG(os.fstat(fd).st_mode)
        except OSError:
            os.close(fd)
            raise
    if not regular:
        os.close(fd)
        raise FileUnreadable(f"{shown(path)} is no regular file.")
    return fd


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte, however few the kernel takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


@contextmanager
def own_file(temporary: bytes) -> Iterator[int]:
    """A new file of our own, open to write; what a killed predecessor left under the name is replaced. Removed if the
    block fails.
    """
    with mapped(temporary, "write"):
        fd = os.open(temporary, OWN_FLAGS | os.O_TRUNC, 0o666)
    whole = False
    try:
        yield fd
        whole = True
    finally:
        if not whole:
            with suppress(OSError):
                os.unlink(temporary)
        with mapped(temporary, "write"):
            os.close(fd)


class _Open:
    """A descriptor and the path it was opened by."""

    def __init__(self, fd: int, path: bytes) -> None:
        self._fd = fd
        self._path = path

    def close(self) -> None:
        """Close it; closing twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with mapped(self._path, "close"):
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FileReader(_Open):
    """A regular file open for reading."""

    @classmethod
    def open(cls, path: bytes) -> Self:
        """FileGone; FileUnreadable for what is no regular file or may not be read."""
        fd = open_regular(path)
        advise_sequential(fd)
        return cls(fd, path)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. FileUnreadable where the disk fails."""
        with mapped(self._path):
            return os.read(self._fd, size)

    def read_into(self, buffer: bytearray) -> int:
        """Fill `buffer` from its start; the number of bytes, 0 at the end."""
        with mapped(self._path):
            return os.readv(self._fd, [buffer])

    def stat(self) -> Stat:
        """The stat of the open file, whatever its path names by now."""
        with mapped(self._path):
            return stat_of(fstat(self._fd))


class FileSink(_Open):
    """A file of our own that grows at its end."""

    def __init__(self, fd: int, path: bytes) -> None:
        super().__init__(fd, path)
        self._named = False

    @classmethod
    def open(cls, path: bytes) -> Self:
        """Open `path` at its end; made where it is not there."""
        with mapped(path, "write"):
            return cls(os.open(path, OWN_FLAGS | os.O_APPEND, 0o666), path)

    def size(self) -> int:
        with mapped(self._path):
            return os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """NoSpace or FileUnreadable where the disk does not take it."""
        with mapped(self._path, "write"):
            write_all(self._fd, data)

    def restart(self) -> None:
        """Empty it."""
        with mapped(self._path, "empty"):
            os.ftruncate(self._fd, 0)

    def sync(self) -> None:
        """Make what was written durable, and the first time its name too.

        Where that fails the file is emptied: the kernel forgets what it could not write, and calls the next try a success.
        """
        with mapped(self._path, "write"):
            try:
                os.fsync(self._fd)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._fd, 0)
                raise
        if not self._named:
            sync_folder(os.path.dirname(self._path))
            self._named = True


def advise_sequential(fd: int) -> None:
    """Tell the kernel to read far ahead."""
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    except OSError:
        return  # an advice: a filesystem that does not know it reads as well without


def sync_folder(path: bytes) -> None:
    """Make the names in a directory durable.

    A filesystem that cannot (EINVAL: some FUSE) and a directory that may be written but not read offer no way to; the
    rename was done all the same, and an error here would deny it.
    """
    with mapped(path, "make durable what lies in"):
        try:
            fd = os.open(path or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            return
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(fd)
