"""Makes system calls of a running process fail, by strace: a disk that gives errors, a name on another filesystem, a full one.

The calls are not made at all, which is what an error means.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.needs import needed, skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ATTACH_SECONDS = 20.0


@contextmanager
def failing(pid: int, calls: str, error: str, *, when: str = "", paths: Sequence[Path] = ()) -> Iterator[Callable[[], int]]:
    """Within the block `calls` ("fsync,fdatasync") of a process and its threads end in `error` ("EIO"); gives what tells how many have.

    `when`, for each thread: "3" the third of them alone, "3+" from the third, "1+2" every second. `paths`: only calls on these.
    """
    with tempfile.NamedTemporaryFile(prefix="failing-") as told, _tracing(pid, calls, error, when, paths, told.name):
        yield lambda: Path(told.name).read_text().count("(INJECTED)")


@contextmanager
def _tracing(pid: int, calls: str, error: str, when: str, paths: Sequence[Path], told: str) -> Iterator[None]:
    command = [needed("strace", "strace"), "-f", "-qq", "-o", told, "-p", str(pid), "-e", f"trace={calls}"]
    command += [word for path in paths for word in ("-P", str(path))]
    command += ["-e", f"inject={calls}:error={error}{f':when={when}' if when else ''}"]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_attached(tracer, pid)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=ATTACH_SECONDS)


def _wait_until_attached(tracer: subprocess.Popen[str], pid: int) -> None:
    until = time.monotonic() + ATTACH_SECONDS
    while not _is_attached(tracer.pid, pid):
        if tracer.poll() is not None:
            said = tracer.communicate()[1].strip()
            assert "No such process" not in said, said
            skip(f"strace may not trace here: {said}")
        assert time.monotonic() < until, f"strace has not attached in {ATTACH_SECONDS} s"
        time.sleep(0.01)


def _is_attached(tracer: int, pid: int) -> bool:
    """Whether every thread is traced."""
    with suppress(OSError):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return bool(threads) and all(f"TracerPid:\t{tracer}\n" in (thread / "status").read_text() for thread in threads)
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """By hand."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.failing", description="Make calls of a process fail until Ctrl-C.")
    parser.add_argument("pid", type=int)
    parser.add_argument("calls", help="names of system calls, with commas: fsync,fdatasync")
    parser.add_argument("error", help="what they end in: EIO, ENOSPC, EXDEV, EROFS …")
    parser.add_argument("--when", default="", help="3: the third of each thread alone; 3+: from the third; 1+2: every second")
    parser.add_argument("--path", type=Path, action="append", default=[], help="only calls on this file; may be said several times")
    asked = parser.parse_args(argv)
    with failing(asked.pid, asked.calls, asked.error, when=asked.when, paths=asked.path) as failed:
        print("they fail; Ctrl-C mends it")
        with suppress(KeyboardInterrupt):
            signal.pause()
        print(f"{failed()} calls failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
