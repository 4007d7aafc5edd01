"""A small internet of one's own: addresses that count as public, names that can go away, and nothing of the real one.

By hand (as root):

    python -m tests.support.internet --address 5.5.5.5 --name qavix.example=5.5.5.5 -- COMMAND …

runs COMMAND where those addresses are this machine's own, and no other name is known. It is a network namespace and a mount
namespace; whoever runs in it sees its own /etc/hosts, and a resolver that does not answer.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.needs import needed, needed_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

CLONE_NEWNET = 0x40000000
_SETUP = """
set -e
ip link set lo up
folder=$1; shift
for address in "$@"; do ip addr add "$address" dev lo; done
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/resolv.conf" /etc/resolv.conf
echo ready
exec sleep infinity
"""


@dataclass
class Internet:
    """One that runs. `prefix` is the command by which something runs in it."""

    folder: Path
    process: subprocess.Popen[str]
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> list[str]:
        """The beginning of a command line that runs in it."""
        return [needed("nsenter", "util-linux"), "-t", str(self.process.pid), "-n", "-m", "--"]

    def knows(self, names: Mapping[str, str]) -> None:
        """From now on these names are known, with these addresses, and no others."""
        self._names = dict(names)
        (self.folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in names.items()))

    def listener(self, address: str, port: int) -> socket.socket:
        """A socket of this internet, bound and not listening yet, that this process can use."""
        return self._inside(lambda: _bound(address, port))

    def _inside(self, act: Callable[[], socket.socket]) -> socket.socket:
        """Do something in a thread that lives there."""
        made: list[socket.socket | OSError] = []

        def work() -> None:
            try:
                _enter(self.process.pid)
                made.append(act())
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]


def _bound(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


def _enter(pid: int) -> None:
    """Bring the calling thread into another process's network."""
    libc = ctypes.CDLL(None, use_errno=True)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(there)


@contextmanager
def internet(folder: Path, addresses: Sequence[str]) -> Iterator[Internet]:
    """One in which these addresses are its own, besides 127.0.0.0/8; it knows no name yet. Skips where this machine does not allow it."""
    needed_root("a network of one's own")
    needed("ip", "iproute2")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts").write_text("")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    command = [needed("unshare", "util-linux"), "--net", "--mount", "--propagation", "private", "bash", "-c", _SETUP, "bash", str(folder)]
    process = subprocess.Popen(
        [*command, *addresses], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        yield Internet(folder, process)
    finally:
        process.kill()
        process.communicate()


class Trap:
    """Listens where nobody should ever call. `came`: the first bytes of each connection."""

    def __init__(self, listener: socket.socket) -> None:
        self.came: list[bytes] = []
        self.url = "http://{}:{}/trap".format(*listener.getsockname())
        self._listener = listener
        self._thread = threading.Thread(target=self._listen, name="trap", daemon=True)

    def __enter__(self) -> Self:
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with caller:
                caller.settimeout(2)
                try:
                    self.came.append(caller.recv(65536))
                except OSError:
                    self.came.append(b"")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.internet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--address", action="append", default=[], metavar="IP", help="an address that is this machine's own there")
    parser.add_argument("--name", action="append", default=[], metavar="NAME=IP", help="a name that is known there")
    parser.add_argument("command", nargs="+", help="what to run")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, internet(Path(folder), asked.address) as made:
        made.knows(dict(name.split("=", 1) for name in asked.name))
        return subprocess.run([*made.prefix, *asked.command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
