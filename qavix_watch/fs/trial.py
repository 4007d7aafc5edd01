"""What a folder really allows, and what its filesystem can do: tried with files of our own, whose names nobody picks up.

Rights are not computed from mode bits: shares, ACLs, quotas and read-only mounts have the last word.
"""

from __future__ import annotations

import os
import secrets
import stat as modes
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.files import Writer
from qavix_watch.errors import FileUnreadable
from qavix_watch.fs.failures import mapped, shown
from qavix_watch.fs.probe import has_hole, writer_of
from qavix_watch.fs.rename import ONE_STEP, rename_new
from qavix_watch.fs.streams import OWN_FLAGS, write_all

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = b".qavix-check-"
_ABANDONED_SECONDS = 60.0
_SPARSE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What worked. `way` is how a rename that cannot replace is done there (`fs.rename`).

    `lease`: whether the kernel tells of writers; `holes`: whether what was never written can be told from zeros; `mode` and `group`
    are what a new file had in the end.
    """

    way: str
    lease: bool
    holes: bool
    mode: int
    group: int

    @property
    def in_one_step(self) -> bool:
        """Whether a rename that cannot replace is one atomic step."""
        return self.way == ONE_STEP


def try_folder(folder: bytes, adopt: Callable[[bytes, bytes], None]) -> Trial:
    """Make, write, rename and delete a file and a folder in `folder`; `adopt(path, like)` gives what is made its group and mode.

    What was made is taken away again, and what an earlier trial that was killed has left. `probe.ignore_sigio` must have run.
    FileGone, FileUnreadable, NoSpace where something of it is refused; the message names the act.
    """
    _sweep(folder)
    name = os.path.join(folder, PREFIX + secrets.token_hex(8).encode())
    second, inner = name + b".2", name + b".d"
    names = [name, second, inner]
    try:
        found = _tried(folder, name, second, inner, adopt)
    finally:
        left = _cleared(names)
    if left:
        raise FileUnreadable(f"Could not delete {shown(left[0])}, which was made to try it: {_reason(left[0])}.", hint=_DELETE)
    return found


_DELETE = "Give the user of the service the right to delete there: originals are moved away, and temporary files are removed."


def _tried(folder: bytes, name: bytes, second: bytes, inner: bytes, adopt: Callable[[bytes, bytes], None]) -> Trial:
    with mapped(name, "make"):
        fd = os.open(name, OWN_FLAGS | os.O_EXCL, 0o666)
    try:
        with mapped(name, "write"):
            os.ftruncate(fd, _SPARSE_BYTES)
            write_all(fd, b"qavix-watch check\n")
            os.fsync(fd)
        writing = writer_of(name)
    finally:
        os.close(fd)
    lease = writing is Writer.OPEN and writer_of(name) is Writer.NONE
    holes = has_hole(name)
    adopt(name, folder)
    with mapped(name):
        status = os.lstat(name)
    way = rename_new(name, second)
    with mapped(inner, "make"):
        os.mkdir(inner)
    return Trial(way, lease, holes, modes.S_IMODE(status.st_mode), status.st_gid)


def _cleared(names: list[bytes]) -> list[bytes]:
    """Take these files and folders away; gives those that are still there."""
    for name in names:
        with suppress(OSError):
            (os.rmdir if name.endswith(b".d") else os.unlink)(name)
    return [name for name in names if os.path.lexists(name)]


def _reason(path: bytes) -> str:
    try:
        (os.rmdir if path.endswith(b".d") else os.unlink)(path)
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "it took two attempts"


def _sweep(folder: bytes) -> None:
    """Take away what a trial that was killed has left."""
    with suppress(OSError):
        old = time.time() - _ABANDONED_SECONDS
        ours = [entry for entry in os.scandir(folder) if entry.name.startswith(PREFIX)]
        _cleared([entry.path for entry in ours if entry.stat(follow_symlinks=False).st_mtime < old])
