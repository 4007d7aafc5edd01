"""Giving a file a name without ever taking one: renames that cannot replace.

Three ways, the first that the filesystem offers:

1. `renameat2` with RENAME_NOREPLACE: one atomic step (ext4, xfs, btrfs, tmpfs, overlay, vfat, exfat, nfs by the
   kernel's check).
2. `link` and `unlink`: as safe; a kill in between leaves both names, which the next call completes.
3. Where there are no hard links either (some FUSE): an empty placeholder is made with O_EXCL, so that nobody else can
   make the name, and replaced. It never replaces what was there before. A program that opens the placeholder in that
   instant and writes into it would lose that; a kill in between leaves an empty file, which is not ours to touch any
   more: the name counts as taken.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat as modes
from contextlib import suppress

from qavix_watch.errors import FileGone
from qavix_watch.fs.failures import mapped
from qavix_watch.fs.streams import sync_folder

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1

_NOT_HERE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES}

_libc = ctypes.CDLL(None, use_errno=True)


ONE_STEP, LINK, PLACEHOLDER = "renameat2", "link", "placeholder"
"""The three ways, by name."""


def rename_new(source: bytes, target: bytes) -> str:
    """Rename `source` to `target` without ever replacing, then make both directories durable. Gives the way that was taken.

    NameTaken where `target` exists, FileGone where `source` (or the target's directory) does not, FileUnreadable on
    another filesystem.
    """
    with mapped(source, "rename"):
        os.lstat(source)
    with mapped(target, "make"):
        way = _rename(source, target)
    sync_folder(os.path.dirname(target))  # first: were the source's lost alone, there would be two names; the other way, none
    with suppress(FileGone):  # a folder that is gone has nothing to lose
        sync_folder(os.path.dirname(source))
    return way


def _rename(source: bytes, target: bytes) -> str:
    for name, way, passed_on in ((ONE_STEP, _in_one_step, _NOT_HERE), (LINK, _by_link, _NO_LINKS)):
        try:
            way(source, target)
        except OSError as error:
            if error.errno not in passed_on:
                raise
        else:
            return name
    _over_placeholder(source, target)
    return PLACEHOLDER


def _in_one_step(source: bytes, target: bytes) -> None:
    renameat2 = getattr(_libc, "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _by_link(source: bytes, target: bytes) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not _linked_already(source, target):
            raise
    os.unlink(source)


def _linked_already(source: bytes, target: bytes) -> bool:
    """Whether an earlier call was killed between link and unlink. The count of links guards against made-up inode
    numbers.
    """
    one, other = os.lstat(source), os.lstat(target)
    return one.st_nlink > 1 and other.st_nlink > 1 and os.path.samestat(one, other)


def _over_placeholder(source: bytes, target: bytes) -> None:
    is_folder = modes.S_ISDIR(os.lstat(source).st_mode)
    if is_folder:
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        os.rename(source, target)
    except OSError:
        (os.rmdir if is_folder else os.unlink)(target)
        raise
