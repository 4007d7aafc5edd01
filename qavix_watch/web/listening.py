"""The port of the callback receiver, the mark by which its answers are known, and a receiver that runs for a moment only."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qavix_watch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MARK = "Qavix-Watch"
"""A header of every answer, by which `check` tells our receiver from whatever else may stand at the public address."""
TAKEN, OURS, ELSEWHERE = "taken", "callback", "elsewhere"
"""Its values: a callback that is known; one that is not; a path where nothing is."""


def open_socket(host: str, port: int) -> socket.socket:
    """Bind the receiver's port. ConfigError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is said, or asyncio leaves Nagle on and each answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigError(
            f"callback.listen: {shown} cannot be listened on: {error.strerror}", hint="Stop what uses it, or choose another port."
        ) from error
    return listening


@contextmanager
def briefly(listening: socket.socket, called_back: Callable[[int, str], Awaitable[bool]]) -> Iterator[None]:
    """Receive callbacks on a bound socket, in a thread, until the block ends; see `callback.receiver`."""
    from qavix_watch.web.callback import Listener, receiver  # noqa: PLC0415 - heavy, and only where it is configured

    listening.listen(16)  # at once, so that nobody who asks before the thread is up is refused
    listener = Listener(receiver(called_back))
    thread = threading.Thread(target=lambda: asyncio.run(listener.run_on(listening)), name="callback", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.should_exit = True
        thread.join(5)
        listening.close()
