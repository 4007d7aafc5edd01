"""One service per state: a lock on a file that names its holder. The kernel lets go of it when the process ends,
however.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from typing import TYPE_CHECKING

from qavix_watch.errors import StateLocked
from qavix_watch.fs.failures import mapped, shown

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_STOP = "Stop that one first; `qavix-watch status` shows it."
_NAME_BYTES = 200
_UNNAMED = "one that does not give its name"
_PAUSES = (0.02, 0.05, 0.1)


def this_process() -> str:
    """How a holder is named to people: `process 4711 on nas`."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def try_flock(fd: int) -> bool:
    """Lock an open file against everybody else, this process included; False where it is locked already.

    Whoever only looks whether it is locked (`is_flocked`) holds it for an instant; that is waited for.
    """
    for pause in (*_PAUSES, None):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause is not None:
                time.sleep(pause)
        else:
            return True
    return False


def is_flocked(path: bytes) -> bool:
    """Whether somebody holds the lock on a file; False where there is no such file, or no locks. OSError where it cannot be asked."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def holder(path: bytes) -> str:
    """Who holds the lock on a file, as `this_process` names it; "" where nobody does, or nobody may look."""
    try:
        if not is_flocked(path):
            return ""
        with open(path, "rb") as file:
            return shown(file.read(_NAME_BYTES).strip()) or _UNNAMED
    except OSError:
        return ""


class Held:
    """A lock that is held until `release`, or until the process ends."""

    def __init__(self, fd: int, path: bytes) -> None:
        self._fd = fd
        self._path = path

    def release(self) -> None:
        """Let go of it; twice does no harm. The file stays: two who made it anew would each hold one of their own."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with mapped(self._path, "unlock"):
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def hold(path: bytes) -> Held:
    """Lock the file `path`, made where it is not there, and write this process into it.

    StateLocked naming the holder where somebody else has it; FileGone, FileUnreadable, NoSpace.
    """
    with mapped(path, "lock"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            taken = _taken_by(fd, path)
        except OSError:
            os.close(fd)
            raise
    if taken:
        os.close(fd)
        raise StateLocked(f"Another service ({taken}) runs on the state in {shown(os.path.dirname(path))}.", hint=_STOP)
    return Held(fd, path)


def _taken_by(fd: int, path: bytes) -> str:
    """"" where the lock is ours now, else who has it."""
    if not try_flock(fd):
        return shown(os.pread(fd, _NAME_BYTES, 0).strip()) or _UNNAMED
    if not os.path.samestat(os.fstat(fd), os.lstat(path)):
        return "one that was starting at the same moment"
    name = this_process().encode()[:_NAME_BYTES] + b"\n"
    os.ftruncate(fd, 0)
    os.pwrite(fd, name, 0)
    return ""
