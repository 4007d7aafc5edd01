"""Media facts, read by child processes that may die (`media_child.py`), so that this one does not."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

from qavix_watch.core.files import Facts
from qavix_watch.errors import FileUnreadable, MediaError, NoMediaReader, Stopped
from qavix_watch.fs.failures import file_error, refuse_zero, shown

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_START_SECONDS = 60.0
_GRACE_SECONDS = 5.0  # the child ends itself first; this is for one that cannot
_FILES_PER_CHILD = 500  # then a fresh one, whatever the library may have leaked
_ANSWER_BYTES = 1 << 20
_DAMAGED = "It may be damaged. Try whether it plays; approving the file tries it once more."


class MediaReader:
    """Reads the facts of one file per child at a time, in any number of threads. Children start when they are first
    needed.

    `timeout_seconds` is for one file, `memory_bytes` the address space of a child.
    """

    def __init__(
        self, *, timeout_seconds: float = 120.0, memory_bytes: int = 1 << 30, children: int = 2
    ) -> None:
        self._timeout = timeout_seconds
        self._memory = memory_bytes
        self._closed = False
        self._lock = threading.Lock()
        self._living: set[_Child] = set()
        self._places: LifoQueue[_Child | None] = LifoQueue()
        self._children = children
        for _ in range(children):
            self._places.put(None)

    def facts(self, path: bytes) -> Facts:
        """What the container says, and whether it is cut short.

        Where a cut hides the tracks, `kind` is what such a container usually holds. MediaError where the reader died
        on the file or took too long (it is not tried again by itself); FileGone, FileUnreadable; Stopped after `close`.
        """
        refuse_zero(path)
        child = self._places.get()
        try:
            child = self._ready(child)
            if not child.send(path):  # it died before it got the file, which is not to blame
                child = self._ready(child)
                child.send(path)
            return _facts(child.answer(path), path)
        except MediaError:
            self._refuse_closed()  # then the file is not to blame
            raise
        finally:
            self._places.put(self._kept(child))

    def close(self) -> None:
        """End the children, also those that work; whoever waits for one gets Stopped."""
        self._closed = True
        with self._lock:
            living = list(self._living)
        for child in living:
            child.kill()
        for _ in range(self._children):
            self._kept(self._places.get())
        for _ in range(self._children):
            self._places.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self, child: _Child | None) -> _Child:
        if child is not None and child.alive() and not self._closed:
            return child
        if child is not None:
            self._end(child)
        self._refuse_closed()
        child = _Child(self._timeout, self._memory)
        with self._lock:
            self._living.add(child)
        if self._closed:  # while it started
            self._end(child)
        self._refuse_closed()
        return child

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Stopped("No media facts are read any more: the service stops.")

    def _kept(self, child: _Child | None) -> _Child | None:
        if child is not None and child.alive() and child.asked < _FILES_PER_CHILD and not self._closed:
            return child
        if child is not None:
            self._end(child)
        return None

    def _end(self, child: _Child) -> None:
        with self._lock:
            self._living.discard(child)
        child.end()


class _Child:
    """One child process, ready for files."""

    def __init__(self, timeout: float, memory: int) -> None:
        self.asked = 0
        self._timeout = timeout
        command = [sys.executable, "-P", "-m", "qavix_watch.fs.media_child", str(memory), str(timeout)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, with numbers
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env=_environment(),
            )
        except OSError as error:
            raise _no_start(error.strerror or str(error)) from error
        if self._line(_START_SECONDS) is None:
            self.end()
            raise _no_start(_death(self._process))

    def alive(self) -> bool:
        """Whether it waits for a file. One that has something to say now is at its end, dead or not yet."""
        assert self._process.stdout is not None
        return self._process.poll() is None and not select.select([self._process.stdout], [], [], 0)[0]

    def send(self, path: bytes) -> bool:
        """Give it a file; False where it is not there to take it."""
        assert self._process.stdin is not None
        self.asked += 1
        try:
            self._process.stdin.write(base64.b64encode(path) + b"\n")
        except OSError:
            return False
        return True

    def answer(self, path: bytes) -> dict[str, Any]:
        """What it says of the file that it was given. MediaError naming the file where that is nothing."""
        line = self._line(self._timeout + _GRACE_SECONDS)
        if line is None:
            self.end()
            raise MediaError(f"{shown(path)}: reading its media facts {_death(self._process)}.", hint=_DAMAGED)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.end()
            raise MediaError(f"{shown(path)}: reading its media facts gave no sense.", hint=_DAMAGED)
        return answer

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """End it, now. One that hangs in the kernel, on a dead mount, is left behind."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return

    def _line(self, seconds: float) -> bytes | None:
        """One line of its output; None when it ends, goes on too long, or says too much."""
        assert self._process.stdout is not None
        fd, line, deadline = self._process.stdout.fileno(), b"", time.monotonic() + seconds
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while len(line) < _ANSWER_BYTES and (left := deadline - time.monotonic()) > 0:
            if not poll.poll(left * 1000):
                break
            part = os.read(fd, 1 << 16)
            if not part:
                break
            line += part
            if line.endswith(b"\n"):
                return line
        return None


def _environment() -> dict[str, str]:
    """Nothing of ours reaches the child but where its modules are: no key, no address."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join(entry for entry in sys.path if os.path.isabs(entry))
    return kept | {"PYTHONPATH": path, "PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def _no_start(why: str) -> NoMediaReader:
    return NoMediaReader(
        f"The reader of media facts does not start: {why}.",
        hint="Is pymediainfo installed? Try `python -m qavix_watch.fs.media_child 1000000000 10`.",
    )


def _death(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    if code is None or -code in {signal.SIGKILL, signal.SIGALRM, signal.SIGXCPU}:
        return "took too long, or more memory than there is"
    if code < 0:
        return f"killed its process ({signal.Signals(-code).name})"
    return f"failed (exit status {code})"


def _facts(answer: dict[str, Any], path: bytes) -> Facts:
    if answer.get("irregular"):
        raise FileUnreadable(f"{shown(path)} is no regular file.")
    if isinstance(answer.get("errno"), int):
        raise file_error(OSError(answer["errno"], ""), path, "read")
    return Facts(
        kind=_text(answer.get("kind")),
        duration=_seconds(answer.get("duration")),
        container=_text(answer.get("container")),
        cut=_text(answer.get("cut")),
        width=_count(answer.get("width")),
        height=_count(answer.get("height")),
        has_audio=answer.get("has_audio") is True,
    )


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < 1 << 31 else None
