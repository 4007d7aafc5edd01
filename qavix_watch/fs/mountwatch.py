"""Notices at once that a disk or share was mounted or unmounted where a watched folder lies (proc(5): mountinfo wakes poll(2)).

Without it a folder that is unmounted lazily is only missed by the next scan, and its disk stays in use until then: the marker
that the service has locked is a file that is open on it.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

from qavix_watch.errors import FileError
from qavix_watch.fs.mounts import mount_number, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TABLE = "/proc/self/mountinfo"


class MountWatch:
    """Calls `on_change`, in a thread of its own, whenever one of `folders` leads to another mount than before.

    Where there is no mount table (no /proc) it does nothing: scans find it, later.
    """

    def __init__(self, folders: Iterable[bytes], on_change: Callable[[], None]) -> None:
        self._folders = tuple(folders)
        self._on_change = on_change
        self._table = _opened()
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="mounts", daemon=True)
        self._known = self._mounts()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; no call comes after it. One that hangs on a dead share is left behind."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
            self._thread.join(1.0)

    def _watch(self) -> None:
        waiting = select.poll()
        waiting.register(self._ended, select.POLLHUP)
        if self._table >= 0:
            waiting.register(self._table, select.POLLPRI)
        while not any(fd == self._ended for fd, _ in waiting.poll()):
            _read_away(self._table)
            found = self._mounts()
            if found != self._known and self._end >= 0:
                self._known = found
                self._on_change()
        for fd in {self._ended, self._table} - {-1}:
            os.close(fd)

    def _mounts(self) -> list[int | None]:
        return [_mount(folder) for folder in self._folders]


def _opened() -> int:
    """The mount table, read once: only what changes after that wakes poll."""
    try:
        fd = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    _read_away(fd)
    return fd


def _read_away(fd: int) -> None:
    if fd >= 0:
        os.lseek(fd, 0, os.SEEK_SET)
        while os.read(fd, 1 << 16):
            pass


def _mount(folder: bytes) -> int | None:
    try:
        return mount_number(standing(folder))
    except FileError:
        return None
