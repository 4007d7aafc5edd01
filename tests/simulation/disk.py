"""The `Files` of the simulated world: the same verbs and errors as `qavix_watch.fs.disk.Disk`, on a simulated kernel.

Every verb is taken apart into the acts of the real one, in its order, so that another task, a fault or a death can come between any two.
A death is an exception that is no `Exception` (or a greenlet that is never resumed): nothing here tidies up after it.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qavix_watch.core.files import UNTOLD_BYTES, Entry, Fingerprint, Space
from qavix_watch.errors import FileChanged, FileGone, FileUnreadable, NameTaken, RootOffline
from qavix_watch.fs.failures import mapped, shown
from tests.simulation.volumes import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.core.files import Stat, Writer
    from qavix_watch.ports import Meter
    from tests.simulation.handles import Handle, Mount
    from tests.simulation.kernel import Program

    Skip = Callable[[bytes, bool], bool]
    Unread = Callable[[bytes], None]

_READ_BYTES = 256 * 1024
_COPY_BYTES = 1024 * 1024
_KEPT = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


class SimulatedReader:
    """A regular file open for reading."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def read(self, size: int) -> bytes:
        with mapped(self._handle.path):
            return self._handle.read(size)

    def stat(self) -> Stat:
        with mapped(self._handle.path):
            return self._handle.stat()

    def close(self) -> None:
        self._handle.close()


class _closing:  # noqa: N801 - read as a verb
    """Close it after the block, but for a death, which runs nothing more."""

    def __init__(self, reader: SimulatedReader) -> None:
        self._reader = reader

    def __enter__(self) -> SimulatedReader:
        return self._reader

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, Exception):
            self._reader.close()


class SimulatedSink:
    """A file of our own that grows at its end."""

    def __init__(self, program: Program, handle: Handle) -> None:
        self._program = program
        self._handle = handle
        self._named = False

    def size(self) -> int:
        with mapped(self._handle.path):
            return self._handle.stat().size

    def write(self, data: bytes) -> None:
        with mapped(self._handle.path, "write"):
            self._handle.write(data)

    def restart(self) -> None:
        with mapped(self._handle.path, "empty"):
            self._handle.truncate(0)

    def sync(self) -> None:
        with mapped(self._handle.path, "write"):
            try:
                self._handle.sync()
            except OSError:
                with suppress(OSError):
                    self._handle.truncate(0)
                raise
        if not self._named:
            folder = os.path.dirname(self._handle.path)
            with mapped(folder, "make durable what lies in"):
                self._program.sync_folder(folder)
            self._named = True

    def close(self) -> None:
        self._handle.close()


class SimulatedDisk:
    """Files and folders as one program sees them; `guard(path)` as for the real disk. Owners and rights are not simulated."""

    def __init__(self, program: Program, *, guard: Callable[[bytes], None] = lambda _: None) -> None:
        self._program = program
        self._guard = guard

    # Looking

    def stat(self, path: bytes) -> Stat:
        with mapped(path):
            return self._program.stat(path)

    def listdir(self, path: bytes) -> list[bytes]:
        with mapped(path):
            return self._program.listdir(path)

    def scan(self, path: bytes, skip: Skip, unread: Unread | None = None) -> Iterator[Entry]:
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            for entry in self._listed(folder, skip, unread):
                if entry.stat.is_dir:
                    waiting.append(entry.path)
                yield entry

    def _listed(self, folder: bytes, skip: Skip, unread: Unread | None) -> Iterator[Entry]:
        try:
            names = self._program.listdir(folder)
        except OSError:
            self._tell_unless_gone(folder, unread)
            return
        for name in names:
            path = os.path.join(folder, name)
            try:
                found = self._program.stat(path)
            except OSError:
                self._tell_unless_gone(path, unread)
                continue
            if not skip(name, found.is_dir):
                yield Entry(path, found)

    def _tell_unless_gone(self, path: bytes, unread: Unread | None) -> None:
        if unread is not None and self._program.exists(path):
            unread(path)

    def writer(self, path: bytes) -> Writer:
        with mapped(path):
            return self._program.writer(path)

    def has_hole(self, path: bytes) -> bool:
        with mapped(path):
            self._program.look("seek", path)
            inode = self._program.kernel.find(path).inode
            return not inode.is_dir and inode.now.has_hole()

    def is_local(self, path: bytes) -> bool:
        return self._mount_of(path).local

    def same_filesystem(self, one: bytes, other: bytes) -> bool:
        return self._mount_of(one) is self._mount_of(other)

    def space(self, path: bytes) -> Space:
        self._program.look("space", path)
        volume = self._mount_of(path).volume
        return Space(min(volume.free_bytes, UNTOLD_BYTES), volume.free_inodes, volume.name)

    def _mount_of(self, path: bytes) -> Mount:
        with mapped(path):
            return self._program.kernel.find(self._program.standing(path)).mount

    # Reading

    def open(self, path: bytes) -> SimulatedReader:
        with mapped(path):
            handle = self._program.open(path)
        if handle.inode.is_dir:
            handle.close()
            raise FileUnreadable(f"{shown(path)} is no regular file.")
        return SimulatedReader(handle)

    def fingerprint(self, path: bytes, meter: Meter) -> Fingerprint:
        sha256, md5, size = hashlib.sha256(), hashlib.md5(), 0
        with _closing(self.open(path)) as reader:
            before = reader.stat()
            meter.start(before.size)
            while size <= before.size and (chunk := reader.read(_READ_BYTES)):
                sha256.update(chunk)
                md5.update(chunk)
                size += len(chunk)
                meter.advance(len(chunk))
            after = reader.stat()
        named = self.stat(path)
        if (named.inode, named.device) != (before.inode, before.device):
            raise FileChanged(f"{shown(path)} was replaced by another file while it was read.")
        return Fingerprint(sha256.hexdigest(), md5.hexdigest(), size, before, after)

    def read(self, path: bytes, limit: int) -> bytes:
        with _closing(self.open(path)) as reader:
            data = reader.read(limit + 1)  # the simulated kernel gives all there is
        if len(data) > limit:
            raise FileUnreadable(f"{shown(path)} has more than the {limit} bytes that such a file may have.")
        return data

    # Writing

    @contextmanager
    def _own_file(self, temporary: bytes) -> Iterator[Handle]:
        with mapped(temporary, "write"):
            handle = self._program.open_to_write(temporary, truncate=True)
        try:
            yield handle
        except Exception:
            with suppress(OSError):
                self._program.unlink(temporary)
            handle.close()
            raise
        handle.close()

    def write(self, path: bytes, data: bytes, temporary: bytes, like: bytes | None = None) -> None:
        with self._own_file(temporary) as handle:
            with mapped(path, "write"):
                handle.write(data)
            if like is not None:
                self.adopt(temporary, like)
            with mapped(path, "write"):
                handle.sync()
                self._program.rename(temporary, path)
        self._sync_folder(os.path.dirname(path))

    def append(self, path: bytes) -> SimulatedSink:
        with mapped(path, "write"):
            return SimulatedSink(self._program, self._program.open_to_write(path))

    def rename_new(self, source: bytes, target: bytes) -> None:
        with mapped(source, "rename"):
            self._program.stat(source)
        with mapped(target, "make"):
            self._program.rename(source, target, replace=False)
        self._sync_folder(os.path.dirname(target))
        with suppress(FileGone):
            self._sync_folder(os.path.dirname(source))

    def make_durable(self, path: bytes) -> None:
        with mapped(path, "make durable"):
            handle = self._program.open(path)
            handle.sync()
            handle.close()
        self._sync_folder(os.path.dirname(path))

    def copy(self, source: bytes, temporary: bytes, meter: Meter) -> str:
        digest = hashlib.sha256()
        with _closing(self.open(source)) as reader, self._own_file(temporary) as handle:
            start = reader.stat()
            meter.start(start.size)
            while part := reader.read(_COPY_BYTES):
                digest.update(part)
                with mapped(temporary, "write"):
                    handle.write(part)
                meter.advance(len(part))
            with mapped(temporary, "write"):
                handle.set_mtime(start.mtime_ns)
                handle.sync()
        self._sync_folder(os.path.dirname(temporary))
        return digest.hexdigest()

    def _sync_folder(self, folder: bytes) -> None:
        with mapped(folder, "make durable what lies in"):
            self._program.sync_folder(folder)

    def remove(self, path: bytes, *, durable: bool = False) -> None:
        with mapped(path, "remove"), suppress(FileNotFoundError, NotADirectoryError):
            self._program.unlink(path)
        if durable:
            with suppress(FileGone):
                self._sync_folder(os.path.dirname(path))

    # Folders

    def make_folder(self, path: bytes, like: bytes | None = None, below: bytes | None = None) -> None:
        base = self._program.standing(path)
        if not self.stat(base).is_dir:
            raise NameTaken(f"{shown(base)} is a file where a folder is needed.")
        missing = _missing(path, base)
        if missing:
            self._guard(path)
        for folder in missing:
            with mapped(folder, "make"), suppress(FileExistsError):
                self._program.mkdir(folder)
            self._sync_folder(os.path.dirname(folder))
        for folder in _missing(base, below) if below is not None and base.startswith(below + b"/") else ():
            self._sync_folder(os.path.dirname(folder))
        if missing:
            self._guard_made(path, missing)

    def _guard_made(self, path: bytes, made: list[bytes]) -> None:
        try:
            self._guard(path)
        except RootOffline:
            for folder in reversed(made):
                with suppress(OSError):
                    self._program.rmdir(folder)
            raise

    def remove_empty(self, folder: bytes, stop: bytes) -> None:
        while folder.startswith(stop.rstrip(b"/") + b"/"):
            with mapped(folder, "remove"):
                if not self._removed(folder):
                    return
            folder = os.path.dirname(folder)

    def _removed(self, folder: bytes) -> bool:
        try:
            self._program.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in _KEPT:
                return False
            raise
        return True

    def adopt(self, path: bytes, like: bytes) -> None:
        """A death can come in here; there are no owners and rights to change."""
        with suppress(OSError), self._program.act("adopt", path):
            if not (self._program.exists(path) and self._program.exists(like)):
                raise refusal(errno.ENOENT, path)


def _missing(path: bytes, base: bytes) -> list[bytes]:
    """The folders from below `base` down to `path`, in the order to make them."""
    folders: list[bytes] = []
    while path != base and len(path) > len(base):
        folders.append(path)
        path = os.path.dirname(path)
    return folders[::-1]
