"""What reaches out of a life into the real world is caught: a file, a folder, a process, a socket, a database of its own.

Python tells an audit hook of each of these, whoever does it. It does not tell of the clock, of random numbers, of `stat` and, before
3.12, of threads: tests/test_architecture.py bans those from the flow, and the trace of a life shows what slips through.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.simulation.loop import Outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_REACHES = (
    "open", "os.", "shutil.", "tempfile.", "glob.", "pathlib.", "fcntl.", "mmap.", "sqlite3.connect",
    "socket.", "subprocess.", "pty.", "signal.pthread_kill", "_thread.start_new_thread", "urllib.", "http.", "webbrowser.",
)  # fmt: skip
_READS = ("open", "os.listdir", "os.scandir")
_INSTALLED = (sys.prefix, sys.base_prefix)
_PROGRAMS = tuple(os.path.abspath(path) for path in sys.path)
_OF_PROGRAMS = (".py", ".pyc", "__pycache__")


class Watch:
    """One life that is watched: the thread that lives it, who is told, and the folder where it may keep a real state."""

    def __init__(self, tell: Callable[[str], object], folder: str | None) -> None:
        self.thread = threading.get_ident()
        self.tell = tell
        self.folder = folder

    def allows(self, event: str, values: Sequence[object]) -> bool:
        """Whether it stays inside, after all: a database in memory, the real state of a few lives, a module that is imported late."""
        what = values[0] if values else None
        if event.startswith("sqlite3.connect"):
            return event != "sqlite3.connect" or what == ":memory:" or self._is_own(what)
        return self._is_own(what) or (event in _READS and _is_of_programs(what, *values[1:2]))

    def _is_own(self, path: object) -> bool:
        return self.folder is not None and isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(self.folder)


def _is_of_programs(path: object, mode: object = "r") -> bool:
    """Whether a module that is imported late reads itself, or its tables, or a traceback its lines."""
    if not isinstance(path, str) or mode not in {"r", "rb"}:
        return False
    return path.startswith(_INSTALLED) or (path.startswith(_PROGRAMS) and (path.endswith(_OF_PROGRAMS) or os.path.isdir(path)))


_watch: Watch | None = None


@contextmanager
def watched(tell: Callable[[str], object], folder: str | None = None) -> Iterator[None]:
    """While it lasts this thread reaches nothing outside: what it tries raises Outside there, and `tell` is told, in case that
    somebody catches it. In `folder` all is allowed.
    """
    global _watch  # noqa: PLW0603 - an audit hook stays until the process ends; it can only be told to look away
    before, _watch = _watch, Watch(tell, folder)
    try:
        yield
    finally:
        _watch = before


def _hook(event: str, values: Sequence[object]) -> None:
    watch = _watch
    if watch is None or not event.startswith(_REACHES) or threading.get_ident() != watch.thread or watch.allows(event, values):
        return
    why = f"{event}{values!r} reaches out of the simulated world, at {_where()}"
    watch.tell(why)
    raise Outside(why)


def _where() -> str:
    """The innermost line that is not the standard library's."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((os.path.dirname(os.__file__), "<")):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


sys.addaudithook(_hook)
