"""What the service tells its supervisor, systemd, by the protocol of sd_notify(3): that it is ready, reloads, lives, or ends.

Nothing is said where no supervisor asked for it. Written here, because the libraries on PyPI (sdnotify, sd-notify and their kin) are
years old and know neither reloading nor a start that takes longer.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

SEND_SECONDS = 1.0
LONGEST_STATUS = 400
"""Characters of the status line; a terminal shows no more of it."""

_PLAIN = ("uploading", "processing")


class Supervisor:
    """The other end of NOTIFY_SOCKET. Every method is without effect where there is none, and none of them fails."""

    def __init__(self, environ: MutableMapping[str, str], pid: int) -> None:
        """Takes the variables out of `environ`: children shall not speak in our name. `pid` is this process."""
        name = environ.pop("NOTIFY_SOCKET", "")
        asked, of = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        # A name that begins with @ is an abstract one (unix(7)); others that are no path, such as vsock:, are of no use to us.
        self._address = "\0" + name[1:] if name.startswith("@") else name if name.startswith("/") else ""
        ours = asked.isascii() and asked.isdigit() and of in {"", str(pid)}
        self.watchdog_seconds = int(asked) / 1e6 if self._address and ours and int(asked) else None
        """Within how many seconds each sign of life has to come; None where nobody waits for any."""
        self._status = ""

    @property
    def listens(self) -> bool:
        """Whether anybody does."""
        return bool(self._address)

    def ready(self) -> None:
        """The service is up, or has reloaded."""
        self._send(READY="1")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def stopping(self) -> None:
        """The service ends."""
        self._send(STOPPING="1", STATUS="Stopping: what is in hand comes to an end.")

    def extend(self, seconds: float) -> None:
        """The start takes longer: from now on it may take so many seconds more."""
        self._send(EXTEND_TIMEOUT_USEC=str(int(seconds * 1e6)))

    def alive(self) -> None:
        """A sign of life."""
        self._send(WATCHDOG="1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows; nothing is sent where it is what was said last."""
        line = " ".join(text.split())[:LONGEST_STATUS]
        if line != self._status and self._send(STATUS=line):
            self._status = line

    def _send(self, **fields: str) -> bool:
        if not self._address:
            return False
        message = "\n".join(f"{name}={value}" for name, value in fields.items()).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.settimeout(SEND_SECONDS)
                link.sendto(message, self._address)
        except OSError:
            return False
        return True


def summary(counts: Mapping[str, int], brakes: Iterable[tuple[str, str]]) -> str:
    """The service in one line. `counts`: "files" in work, "uploading", "processing", "held"; `brakes`: each with its reason."""
    files = counts.get("files", 0)
    parts = [f"{counts[name]} {name}" for name in _PLAIN if counts.get(name)]
    text = f"{_files(files)} in work" if files else "Nothing to do"
    text += f" ({', '.join(parts)})" if parts else ""
    if counts.get("held"):
        text += f"; {counts['held']} held for you"
    stopped = [f"{name} ({why.rstrip('.')})" for name, why in brakes]
    return f"{text}; stopped by {', '.join(stopped)}." if stopped else f"{text}."


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"
