"""Is somebody still writing? The kernel's lease probe, and the question for holes.

Law 12: while a read lease is held, a program that opens the file for writing makes the kernel send SIGIO to this
process, and the default action of SIGIO ends it. `ignore_sigio` must have run before the first probe. The lease is
held for microseconds; a writer that opens in that moment is blocked for as long, or gets EWOULDBLOCK if it opened
with O_NONBLOCK (fcntl(2), Leases).
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal

from qavix_watch.core.files import Writer
from qavix_watch.fs.failures import mapped
from qavix_watch.fs.streams import READ_FLAGS


def ignore_sigio() -> None:
    """Keep the signal of a broken lease from ending this process. Call it once, in the main thread, before the first
    probe.
    """
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def writer_of(path: bytes) -> Writer:
    """Whether somebody on this kernel has the file open for writing, or mapped so (F_SETLEASE, F_RDLCK).

    UNKNOWN where the kernel will not say: another user's file without CAP_LEASE (EACCES), a filesystem without leases.
    FileGone, FileUnreadable where it cannot even be opened.
    """
    with mapped(path):
        try:
            fd = os.open(path, READ_FLAGS)
        except BlockingIOError:
            return Writer.OPEN  # Samba holds an oplock on it: a lease of its own, for a client that has it open
        try:
            return _ask(fd)
        finally:
            os.close(fd)


def _ask(fd: int) -> Writer:
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return Writer.OPEN
    except OSError:
        return Writer.UNKNOWN
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return Writer.NONE


def has_hole(path: bytes) -> bool:
    """Whether part of the file was never written (lseek(2), SEEK_HOLE before its end).

    Seen on ext4 and tmpfs: data that waits for delayed allocation is no hole; written zeros are no hole; what
    `fallocate` has only reserved is one until it is written, page by page, and so is a file truncated to its size or
    given its last byte first. A filesystem that does not know holes answers False. One that makes holes of zeros by
    itself (compressing ZFS, `cp --sparse`) answers True for a whole file with long runs of zeros: that is for a
    person to approve.
    """
    with mapped(path):
        fd = os.open(path, READ_FLAGS)
        try:
            return _hole_before_end(fd)
        finally:
            os.close(fd)


def _hole_before_end(fd: int) -> bool:
    size = os.fstat(fd).st_size
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE) < size
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.EINVAL, errno.ENOTSUP}:
            return False  # an empty file; a filesystem that does not know the question
        raise
