"""What the kernel tells of watched folders, as hints: a hint makes the truth be looked at sooner, and is never the
truth.

Built on watchdog's inotify reader (`InotifyFD`: the descriptor, its thread, the parsing) with a callback of our own
in place of its observer, since three things have to be right here that the observer's events hide:

- renames: an unpaired MOVED_FROM is held back there for half a second; here each half is a hint of its own, at once;
- an overflowed queue: there it is a line in a log; here it is a hint for every root, after the watches were made
  whole again;
- watches that the kernel refuses (ENOSPC): there they are passed over in silence; here they are trouble in words.

A new directory is watched first, then hinted at, so that scanning it finds what came before the watch. Hints come on
watchdog's thread, one at a time, in the kernel's order. Waiting costs nothing.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

from qavix_watch.fs.failures import refuse_zero, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

HintKind = Literal["closed", "appeared", "changed", "gone", "folder", "overflow"]

_IN = InotifyConstants
_ARRIVED = _IN.IN_CREATE | _IN.IN_MOVED_TO
_LEFT = _IN.IN_DELETE | _IN.IN_MOVED_FROM
_ROOT_LEFT = _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF | _IN.IN_UNMOUNT
# No IN_MODIFY: every write would be an event, and what is being written is asked of the lease probe instead.
_TOLD = _ARRIVED | _LEFT | _IN.IN_CLOSE_WRITE | _IN.IN_ATTRIB | _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF
_MASK = Mask(_TOLD | _IN.IN_ONLYDIR | _IN.IN_DONT_FOLLOW | _IN.IN_EXCL_UNLINK)

_NO_MORE = {errno.ENOSPC, errno.ENOMEM}
_FORBIDDEN = -1  # what watchdog answers for EACCES in place of raising; such a directory cannot be scanned either

_WATCHES = "/proc/sys/fs/inotify/max_user_watches"
_SCANNED = "Folders are scanned instead, so that drops are seen later. Set `sysctl fs.inotify.{key}={value}`, then restart."


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have happened to `path`.

    closed: a file was closed after writing. appeared: a name came to be, by making, linking or renaming. changed:
    rights or times. gone: it was removed or renamed away; of a root: it is not watched any more. folder: a directory
    is new here and is watched now, scan it. overflow: hints were lost below this root, scan it.
    """

    path: bytes
    kind: HintKind


class Watcher:
    """Watches folders and all below them.

    `on_hint` is called for each hint, on another thread, and should soon return. `on_trouble` is called with a
    sentence for a person, there or where a root is added. `skip(name)` says which directories need no watching.
    Nothing here raises for what the kernel refuses: it is `trouble`, a sentence while not everything is watched, else
    "".
    """

    def __init__(
        self,
        on_hint: Callable[[Hint], None],
        on_trouble: Callable[[str], None],
        skip: Callable[[bytes], bool],
    ) -> None:
        self._on_hint = on_hint
        self._on_trouble = on_trouble
        self._skip = skip
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._inotify: InotifyFD | None = None
        self._roots: set[bytes] = set()
        self._paths: dict[WatchDescriptor, bytes] = {}
        self._ids: dict[WatchDescriptor, CallbackId] = {}
        self._stopped = False
        self.trouble = ""

    # For the one who wants to know

    def add_root(self, root: bytes) -> bool:
        """Watch `root` and all below; whether everything is. Call it again when a root is back, or to try after
        trouble.
        """
        refuse_zero(root)
        self._roots.add(root)
        if not self._started():
            return False
        if not self._watch_tree(root):
            return False
        self.trouble = ""
        return self.is_watched(root)

    def remove_root(self, root: bytes) -> None:
        """Watch it no longer."""
        self._roots.discard(root)
        self._drop(root)

    def is_watched(self, root: bytes) -> bool:
        with self._lock:
            return root in self._paths.values()

    def stop(self) -> None:
        """End the thread and give back the watches; no hint comes after it."""
        self._stopped = True
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join()

    # For watchdog's thread (its WatchCallback)

    def on_event(self, event: InotifyEvent) -> None:
        with self._lock:
            folder = self._paths.get(event.wd)
        if folder is None or self._stopped:
            return
        if not event.name:
            self._of_the_folder_itself(folder, event.mask)
        elif event.mask & _IN.IN_ISDIR:
            self._of_a_folder(os.path.join(folder, event.name), event.mask)
        else:
            self._of_a_file(os.path.join(folder, event.name), event.mask)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        with self._lock:
            self._paths.pop(wd, None)
            self._ids.pop(wd, None)

    def on_queue_overflow(self) -> None:
        for root in sorted(self._roots):
            if not self._stopped:
                self._watch_tree(root)
                self._tell(root, "overflow")

    def _of_a_file(self, path: bytes, mask: int) -> None:
        if mask & _IN.IN_CLOSE_WRITE:
            self._tell(path, "closed")
        elif mask & _ARRIVED:
            self._tell(path, "appeared")
        elif mask & _LEFT:
            self._tell(path, "gone")
        elif mask & _IN.IN_ATTRIB:
            self._tell(path, "changed")

    def _of_a_folder(self, path: bytes, mask: int) -> None:
        if self._skip(os.path.basename(path)):
            return
        if mask & _LEFT:
            self._drop(path)
            self._tell(path, "gone")
        else:  # made, moved in, or given other rights, with which it may be read now
            self._watch_tree(path)
            self._tell(path, "folder")

    def _of_the_folder_itself(self, path: bytes, mask: int) -> None:
        if path in self._roots and mask & _ROOT_LEFT:
            self._drop(path)
            self._tell(path, "gone")
        elif mask & _IN.IN_UNMOUNT:
            self._watch_tree(path)
            self._tell(path, "folder")

    def _tell(self, path: bytes, kind: HintKind) -> None:
        if self._stopped:
            return
        try:
            self._on_hint(Hint(path, kind))
        except Exception as error:  # noqa: BLE001 - a listener's mistake must not end the thread that all hints come by
            self._on_trouble(f"A hint ({kind}) for {shown(path)} was not taken: {type(error).__name__}: {error}")

    # Watches

    def _started(self) -> bool:
        if self._stopped:
            return False
        if self._inotify is None:
            try:
                self._inotify = InotifyFD()
            except OSError as error:
                self._refused(error, b"")
                return False
            self._inotify.start()
        return True

    def _watch_tree(self, path: bytes) -> bool:
        """Watch a directory and all below it, each before it is listed. False where the kernel has no more watches."""
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            try:
                self._watch(folder)
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._refused(error, path)
                    return False
                continue  # gone meanwhile, or no directory any more
            waiting.extend(self._below(folder))
        return True

    def _below(self, folder: bytes) -> list[bytes]:
        try:
            with os.scandir(folder) as listing:
                return [entry.path for entry in listing if self._wanted(entry)]
        except OSError:
            return []  # gone, or not to be read: a scan will tell

    def _wanted(self, entry: os.DirEntry[bytes]) -> bool:
        return entry.is_dir(follow_symlinks=False) and not self._skip(entry.name)

    def _watch(self, path: bytes) -> None:
        """OSError where the kernel refuses. A directory that is watched already may have another path by now."""
        assert self._inotify is not None
        number = CallbackId(next(self._numbers))
        mask = Mask(_MASK & ~_IN.IN_DONT_FOLLOW) if path in self._roots else _MASK  # a root may be a link, named on purpose
        with self._lock:
            wd = self._inotify.add_callback(path, mask, self, number)
            if wd == _FORBIDDEN or wd in self._ids:
                self._inotify.remove_callbacks([(wd, number)])
            if wd != _FORBIDDEN:
                self._paths[wd] = path
                self._ids.setdefault(wd, number)

    def _drop(self, path: bytes) -> None:
        """Watch a directory and all below it no longer."""
        below = path.rstrip(b"/") + b"/"
        with self._lock:
            left = [wd for wd, known in self._paths.items() if known == path or known.startswith(below)]
            numbers = [(wd, self._ids.pop(wd)) for wd in left]
            for wd in left:
                del self._paths[wd]
        if self._inotify is not None:
            self._inotify.remove_callbacks(numbers)

    # Trouble

    def _refused(self, error: OSError, path: bytes) -> None:
        if error.errno == errno.ENOSPC:
            text = f"There are too few inotify watches to watch all of {shown(path)} ({_WATCHES}: {_setting(_WATCHES)}). "
            text += _SCANNED.format(key="max_user_watches", value=1_048_576)
        elif error.errno in {errno.EMFILE, errno.ENFILE}:
            text = "There are too few inotify instances to watch folders. "
            text += _SCANNED.format(key="max_user_instances", value=1024)
        else:
            text = f"Folders cannot be watched: {error.strerror}. They are scanned instead, so that drops are seen later."
        self._complain(text)
        if path:
            self._tell(path, "overflow")

    def _complain(self, text: str) -> None:
        """Once for each new trouble."""
        if text != self.trouble:
            self.trouble = text
            self._on_trouble(text)


def _setting(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"
