"""The Unix socket beside the state: who has left a command there wakes the running service. It carries no orders, only a nudge."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_PATH_BYTES = 107
"""What `sun_path` holds besides its closing NUL (unix(7))."""
LONGEST_NAME_BYTES = 80
MODE = 0o600
ANSWER_SECONDS = 2.0
LONGEST_WORD_BYTES = 16
SCAN = "scan"
"""The nudge that has the inbox looked at as a whole; any other only wakes the worker."""


def address_of(state: str) -> str:
    """The socket of the state at this path: its name and `.sock`, or a short name of its own beside it where that would be too long."""
    folder, name = os.path.split(os.path.abspath(state))
    own = f"{name}.sock"
    if len(os.fsencode(own)) > LONGEST_NAME_BYTES:
        own = hashlib.sha256(os.fsencode(name)).hexdigest()[:32] + ".sock"
    return os.path.join(folder, own)


@contextlib.contextmanager
def _reachable(address: str) -> Iterator[str]:
    """The address as the kernel takes it: one whose folders make it too long is reached through its folder, held open."""
    if len(os.fsencode(address)) <= LONGEST_PATH_BYTES:
        yield address
        return
    folder = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(address)}"
    finally:
        os.close(folder)


def nudge(state: str, word: str = "") -> bool:
    """Wake the service that runs on this state. False where none listens: then what was left is done at its next start."""
    try:
        with socket.socket(socket.AF_UNIX) as link, _reachable(address_of(state)) as address:
            link.settimeout(ANSWER_SECONDS)
            link.connect(address)
            link.sendall(word.encode() + b"\n")
    except OSError:
        return False
    return True


async def listen(state: str, woken: Callable[[str], None]) -> None:
    """Call `woken` with each nudge until cancelled; the socket is its owner's alone, and goes at the end. OSError where it cannot be.

    Only who holds the lock of the state may call this: the socket of a dead process is removed.
    """
    address = address_of(state)
    listening = _bound(address)
    try:
        server = await asyncio.start_unix_server(lambda reader, writer: _hear(reader, writer, woken), sock=listening)
        async with server:
            await server.serve_forever()
    finally:
        listening.close()
        with contextlib.suppress(OSError):
            os.unlink(address)


def _bound(address: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(address).st_mode):
            os.unlink(address)
    listening = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(listening.fileno(), MODE)  # before it has a name: nobody else could connect even for a moment
        with _reachable(address) as reached:
            listening.bind(reached)
    except OSError:
        listening.close()
        raise
    return listening


async def _hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, woken: Callable[[str], None]) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            word = await reader.read(LONGEST_WORD_BYTES)
            woken(word.decode("ascii", "replace").strip())
    writer.close()
