"""A real Samba on loopback, at a high port: one share for guests, who write as the user that started it.

Everything that smbd keeps lies in a directory of its own; the machine's Samba, if there is one, is left alone.
`tests.support.smb_writers` writes into it as Explorer, Finder and others do.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.loopback import HOST, by_hand, free_port, listening, user
from tests.support.needs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = ("smbd",)
SHARE = "inbox"
_CONFIGURATION = """
[global]
  server role = standalone server
  smb ports = {port}
  interfaces = {host}/8
  bind interfaces only = yes
  disable netbios = yes
  disable spoolss = yes
  load printers = no
  map to guest = Bad User
  guest account = {user}
  log file = {private}/log.smbd
  log level = 1
  private dir = {private}/private
  lock directory = {private}/lock
  state directory = {private}/state
  cache directory = {private}/cache
  pid directory = {private}/pid
  ncalrpc dir = {private}/ncalrpc

[{share}]
  path = {folder}
  guest ok = yes
  read only = no
  force user = {user}
"""


@dataclass(frozen=True)
class Samba:
    """A share that is served."""

    port: int
    folder: Path

    @property
    def smbclient(self) -> list[str]:
        """The beginning of an smbclient command line; what it is to do follows `-c`."""
        return ["smbclient", "-N", "-p", str(self.port), f"//{HOST}/{SHARE}"]

    @property
    def ways(self) -> list[str]:
        return [
            f"{' '.join(self.smbclient)} -c 'put FILE'",
            f"python -m tests.support.smb_writers --port {self.port} explorer FILE",
        ]


@contextmanager
def serving(folder: Path, private: Path) -> Iterator[Samba]:
    """The share over `folder`, for as long as the block lasts."""
    private.mkdir(parents=True, exist_ok=True)
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
        (private / name).mkdir()
    port = free_port()
    configuration = private / "smb.conf"
    configuration.write_text(
        _CONFIGURATION.format(port=port, host=HOST, user=user(), private=private, folder=folder, share=SHARE)
    )
    argv = [program("smbd"), "--foreground", "--no-process-group", f"--configfile={configuration}"]
    with listening(argv, port, private / "smbd.out"):
        yield Samba(port, folder)


if __name__ == "__main__":
    sys.exit(by_hand("tests.support.samba", __doc__, TOOLS, serving))
