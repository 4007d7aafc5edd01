"""What `faultfs` shows: the calls of a FUSE filesystem, each of which looks first whether it has to go wrong."""

from __future__ import annotations

import errno
import functools
import json
import os
import random
import time
from typing import TYPE_CHECKING, Any

import mfusepy

if TYPE_CHECKING:
    from collections.abc import Callable

STAT = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
ROOM = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail", "f_namemax")


def may_fail(call: Callable[..., Any]) -> Callable[..., Any]:
    """Have a call go wrong first, where the control file says so of it."""

    @functools.wraps(call)
    def answer(self: View, *values: Any) -> Any:
        self.misbehave(call.__name__)
        return call(self, *values)

    return answer


class View(mfusepy.Operations):  # type: ignore[misc]
    """A folder, as it is but for what the file `control` says."""

    use_ns = True

    def __init__(self, folder: str, control: str) -> None:
        self._folder = folder
        self._control = control
        self._dice = random.Random()

    def misbehave(self, op: str) -> None:
        """Be late, and fail, as is said for this call."""
        fault = self._fault(op)
        time.sleep(fault.get("delay", 0))
        if "errno" in fault:
            raise mfusepy.FuseOSError(getattr(errno, fault["errno"]))

    def _fault(self, op: str) -> dict[str, Any]:
        try:
            with open(self._control) as file:
                fault: dict[str, Any] = json.load(file)
        except (OSError, ValueError):
            return {}
        meant = fault.get("op") in {op, "*"} and self._dice.random() < fault.get("share", 1.0)
        return fault if meant else {}

    def _real(self, path: str) -> str:
        return os.path.join(self._folder, path.lstrip("/"))

    @may_fail
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._real(path))
        times = {"st_mtime": found.st_mtime_ns, "st_atime": found.st_atime_ns, "st_ctime": found.st_ctime_ns}
        return {name: getattr(found, name) for name in STAT} | times

    @may_fail
    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path))]

    @may_fail
    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags & ~os.O_APPEND)  # the kernel says where each write goes

    @may_fail
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT, mode)

    @may_fail
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        short = self._fault("read").get("short")
        return os.pread(fh, self._dice.randint(1, size) if short else size, offset)

    @may_fail
    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    @may_fail
    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._real(path), length)
        return 0

    @may_fail
    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    @may_fail
    def rename(self, old: str, new: str) -> int:
        os.rename(self._real(old), self._real(new))
        return 0

    def link(self, target: str, source: str) -> int:
        raise mfusepy.FuseOSError(errno.EPERM)

    @may_fail
    def unlink(self, path: str) -> int:
        os.unlink(self._real(path))
        return 0

    @may_fail
    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._real(path), mode)
        return 0

    @may_fail
    def rmdir(self, path: str) -> int:
        os.rmdir(self._real(path))
        return 0

    @may_fail
    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._real(path), mode)
        return 0

    @may_fail
    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._real(path), uid, gid)
        return 0

    @may_fail
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._real(path), ns=times)
        return 0

    @may_fail
    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._real(path))
        return {name: getattr(found, name) for name in ROOM}


class Mount(mfusepy.FUSE):  # type: ignore[misc]
    """Refuses the renames that must not replace: the binding passes their flag on to nobody, and they would."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        return -errno.EINVAL if flags else int(super().rename_fuse_3(old, new, flags))


def show(folder: str, at: str, control: str) -> None:
    """Show the view until it is unmounted. Nothing of it is kept by the kernel: each call is answered anew."""
    view = View(folder, control)
    Mount(view, at, foreground=True, fsname="faultfs", direct_io=True, attr_timeout=0, entry_timeout=0, allow_other=True)
