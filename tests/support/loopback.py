"""Servers that tests start for themselves: real programs on loopback, at a free port, with all that they write in a folder of their own."""

from __future__ import annotations

import argparse
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.support.needs import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOST = "127.0.0.1"
START_SECONDS = 20.0
END_SECONDS = 5.0


class Served(Protocol):
    """What a server offers."""

    @property
    def ways(self) -> Sequence[str]:
        """Command lines that reach it, for a person to copy."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def user() -> str:
    """Whoever runs this."""
    return pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def listening(argv: Sequence[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that stays in the foreground, once it answers at its port. AssertionError, with what it wrote, where it does not come up.

    It and all that it starts are ended with the block.
    """
    with log.open("ab") as said:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
    try:
        _wait(process, port, log)
        yield process
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        ended = process.poll() is not None
        if ended or time.monotonic() > until:
            raise AssertionError(f"{process.args!r} did not come up:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def by_hand(
    module: str, doc: str | None, tools: Sequence[str], serve: Callable[[Path, Path], AbstractContextManager[Served]],
    argv: Sequence[str] | None = None,
) -> int:
    """`python -m MODULE FOLDER`: serve a folder until Ctrl-C, and say how to reach it. `serve` takes the folder and a private directory."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="what to serve; it is made where it is not there")
    folder: Path = parser.parse_args(argv).folder.absolute()
    if why := missing(*tools):
        print(why, file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server is to end with us
    with tempfile.TemporaryDirectory(prefix="served-") as private, serve(folder, Path(private)) as served:
        print(f"{folder} is served until Ctrl-C. To reach it:", *served.ways, sep="\n  ", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0
