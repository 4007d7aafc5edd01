"""The marker `.qavix-watch` that tells a watched folder from the empty mount point of one that is away (PRODUCT §1).

It names the folder (an id), the state that owns it, and counts the starts of services on it, so that a state that was
lost or restored is noticed. It is locked while a service runs, and changed while it is locked; a file put in its
place would be another inode, which the lock does not cover. So it has a fixed size and is overwritten where it is,
within one sector, and synced.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from qavix_watch.errors import FileError, FileGone, FileUnreadable, RootOffline, StateLocked
from qavix_watch.fs.failures import mapped, refuse_zero, shown
from qavix_watch.fs.lock import Held, is_flocked, this_process, try_flock
from qavix_watch.fs.rename import rename_new
from qavix_watch.fs.streams import FileReader, own_file, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

MARKER_NAME = b".qavix-watch"

_BYTES = 512
_NAME_LETTERS = 120
_ABOUT = "Qavix Watch works in this folder. Leave this file here."
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_MOUNT = "Mount the share or plug in the disk; work goes on by itself. A new folder needs `qavix-watch init`."
_AGAIN = "Run `qavix-watch init` on the folder."


@dataclass(frozen=True, slots=True)
class Marker:
    """`id` of the folder; `owner` is the id of the state that it belongs to, and `owner_name` what people know that by.

    `starts` counts the services that have started on it, `holder` names the last one.
    """

    id: str
    owner: str
    owner_name: str = ""
    starts: int = 0
    holder: str = ""


class RootState(StrEnum):
    """Whether a folder may be worked in."""

    ONLINE = "online"    # our marker is there
    OFFLINE = "offline"  # no marker, or that of another folder: what is seen here is not the folder that is meant
    FOREIGN = "foreign"  # the folder is there, and belongs to another state by now


def read_marker(folder: bytes) -> Marker:
    """FileGone where there is none; FileUnreadable where it cannot be read, or makes no sense."""
    path = _path(folder)
    with FileReader.open(path) as reader:
        return _parsed(reader.read(_BYTES * 2), path)


def create_marker(folder: bytes, marker: Marker) -> None:
    """Put a marker into a folder, durable. NameTaken where there is one already; NoSpace, FileUnreadable."""
    path, text = _path(folder), _text(marker)
    temporary = path + b".%d.new" % os.getpid()
    with own_file(temporary) as fd:
        with mapped(temporary, "write"):
            write_all(fd, text)
            os.fsync(fd)
        rename_new(temporary, path)


def marker_state(folder: bytes, place: str, owner: str) -> RootState:
    """Whether the folder is the one whose marker has the id `place`, and belongs to the state `owner`.

    A marker that cannot be read counts as none: a share that fails is as good as away. Never fails.
    """
    try:
        marker = read_marker(folder)
    except FileError:
        return RootState.OFFLINE
    if marker.id != place:
        return RootState.OFFLINE
    return RootState.ONLINE if marker.owner == owner else RootState.FOREIGN


class MarkedRoots:
    """The `Roots` of the real world: folders, each with the id that its marker must have, and the state they belong
    to. `held` are the markers that this service has locked.

    A folder that is away is let go of, or its disk, unmounted lazily, would stay in use; one that is back is locked anew.
    """

    def __init__(self, places: Mapping[bytes, str], owner: str, held: Mapping[bytes, HeldMarker] | None = None) -> None:
        self._places = dict(places)
        self._owner = owner
        self._held = dict(held or {})
        self._one_at_a_time = threading.Lock()

    def check(self, path: bytes | None = None) -> None:
        """RootOffline naming the first folder that is not there; with `path`, of those alone that it lies in."""
        with self._one_at_a_time:
            for folder, place in self._places.items():
                if path is None or path == folder or path.startswith(folder.rstrip(b"/") + b"/"):
                    self._check_and_keep(folder, place)

    def _check_and_keep(self, folder: bytes, place: str) -> None:
        held = self._held.get(folder)
        try:
            self.check_one(folder, place)
            if held is not None:
                held.keep()
        except RootOffline:
            if held is not None:
                held.release()
            raise
        except (FileError, StateLocked) as error:
            raise RootOffline(f"{shown(folder)} is back and cannot be used yet. {error}", hint=error.hint) from error

    def check_one(self, folder: bytes, place: str) -> None:
        """RootOffline where the folder is away, or belongs to another state by now."""
        state = marker_state(folder, place, self._owner)
        if state is RootState.OFFLINE:
            raise RootOffline(f"{shown(folder)} is offline: its marker {shown(MARKER_NAME)} {_why_away(folder)}", hint=_MOUNT)
        if state is RootState.FOREIGN:
            raise RootOffline(f"{shown(folder)} belongs to another Qavix Watch by now.", hint=_AGAIN)


def _why_away(folder: bytes) -> str:
    """What is wrong with the marker of a folder that is offline."""
    try:
        read_marker(folder)
    except FileGone:
        return "is not there."
    except FileError as error:
        return f"cannot be read. {error}"
    return "is another folder's."


class HeldMarker(Held):
    """A marker that is locked; who has it may change it.

    `locked` is False where the filesystem knows no locks; then nothing keeps a second service away but the owner's id.
    """

    def __init__(self, fd: int, path: bytes, marker: Marker, *, locked: bool) -> None:
        super().__init__(fd, path)
        self.marker = marker
        self.locked = locked
        self._over = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True  # a thread that comes late shall not lock it again
        super().__exit__(kind, error, trace)

    def keep(self) -> None:
        """Lock the marker that lies there now, where that is not the file that is held: its disk has been away.

        StateLocked naming who has it; FileGone, FileUnreadable. What was held before is let go of.
        """
        if self._over or (self._fd >= 0 and self._is_still_there()):
            return
        self.release()
        self._fd, self.marker, self.locked = _taken(self._path)

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), os.lstat(self._path))
        except OSError:
            return False  # of a share that was mounted anew, what was open before is stale

    def count_start(self) -> int:
        """One start more, durable; its number. The holder's name is written with it."""
        self._change(replace(self.marker, starts=self.marker.starts + 1, holder=this_process()))
        return self.marker.starts

    def change_owner(self, owner: str, owner_name: str) -> None:
        """Let it belong to another state, durable."""
        self._change(replace(self.marker, owner=owner, owner_name=owner_name))

    def _change(self, marker: Marker) -> None:
        with mapped(self._path, "write"):
            os.pwrite(self._fd, _text(marker), 0)
            os.fsync(self._fd)
        self.marker = marker


def set_aside_damaged(folder: bytes) -> bool:
    """Rename a marker that makes no sense to `.qavix-watch.damaged`, so that the folder can be marked anew; False where it makes sense.

    StateLocked where a service holds it; FileGone; FileUnreadable where it cannot be read, for then it may be whole.
    """
    path = _path(folder)
    with FileReader.open(path) as reader:
        data = reader.read(_BYTES * 2)
    if _understood(data) is not None:
        return False
    if is_held(folder):
        raise StateLocked(f"A service works in {shown(folder)}, whose marker is damaged.", hint="Stop that service first.")
    with mapped(path, "rename"):
        os.rename(path, path + b".damaged")
    return True


def is_held(folder: bytes) -> bool:
    """Whether a service works in a folder just now; False too where nobody may look, or the filesystem knows no locks."""
    try:
        return is_flocked(_path(folder))
    except OSError:
        return False


def hold_marker(folder: bytes) -> HeldMarker:
    """Lock the marker of a folder. StateLocked naming who has it; FileGone, FileUnreadable."""
    path = _path(folder)
    fd, marker, locked = _taken(path)
    return HeldMarker(fd, path, marker, locked=locked)


def _taken(path: bytes) -> tuple[int, Marker, bool]:
    """The marker at a path, open and locked; whether it could be."""
    with mapped(path, "lock"):
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return fd, *_read_locked(fd, path)
    except (FileError, StateLocked):
        os.close(fd)
        raise


def _read_locked(fd: int, path: bytes) -> tuple[Marker, bool]:
    with mapped(path, "lock"):
        locked = _locked(fd)
        data = os.pread(fd, _BYTES * 2, 0)
        same = os.path.samestat(os.fstat(fd), os.lstat(path))
    marker = _parsed(data, path)
    if locked is False or not same:
        who = marker.holder or "one that does not give its name"
        raise StateLocked(
            f"Another service ({who}, state {marker.owner_name or marker.owner}) works in {shown(os.path.dirname(path))}.",
            hint="Stop that one, or take the folder out of one of the two configurations.",
        )
    return marker, locked is True


def _locked(fd: int) -> bool | None:
    """None where the filesystem knows no locks."""
    try:
        return try_flock(fd)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise


def _path(folder: bytes) -> bytes:
    refuse_zero(folder)
    return os.path.join(folder, MARKER_NAME)


def _text(marker: Marker) -> bytes:
    """The whole sector. Names are shortened as far as they must be; ids never."""
    for letters in range(_NAME_LETTERS, -1, -20):
        fields = {
            "about": _ABOUT,
            "id": marker.id,
            "owner": marker.owner,
            "owner_name": marker.owner_name[:letters],
            "starts": marker.starts,
            "holder": marker.holder[:letters],
        }
        text = json.dumps(fields, ensure_ascii=False, separators=(",\n ", ": ")).encode("utf-8", "replace")
        if len(text) < _BYTES:
            return text.ljust(_BYTES - 1) + b"\n"
    raise FileError(f"The id of a marker may not be as long as {marker.id[:50]!r}.")


def _understood(data: bytes) -> Marker | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return _marker(found) if isinstance(found, dict) else None


def _parsed(data: bytes, path: bytes) -> Marker:
    marker = _understood(data)
    if marker is None:
        raise FileUnreadable(f"{shown(path)} is damaged: it is no marker of Qavix Watch any more.", hint=_AGAIN)
    return marker


def _marker(found: Mapping[str, Any]) -> Marker | None:
    texts = [found.get(key, "") for key in ("id", "owner", "owner_name", "holder")]
    starts = found.get("starts")
    if not all(isinstance(text, str) and len(text) <= _NAME_LETTERS for text in texts) or not texts[0]:
        return None
    if not isinstance(starts, int) or isinstance(starts, bool) or not 0 <= starts < 1 << 53:
        return None
    place, owner, owner_name, holder = texts
    return Marker(place, owner, owner_name, starts, holder)
