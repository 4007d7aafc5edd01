"""A real sshd on loopback with throw-away keys: scp, sftp and rsync over it, and sshfs, for which it is another host.

Whoever runs this logs in as himself, with a key that lies in the server's private directory and goes away with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.loopback import HOST, by_hand, free_port, listening, user
from tests.support.needs import FUSE, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = ("sshd", "ssh", "scp", "sftp", "ssh-keygen")
MOUNTING = (*TOOLS, "sshfs", "fusermount3", FUSE)
PRIVILEGE_SEPARATION = "/run/sshd"  # built into Debian's sshd; systemd makes it where it starts one
_SERVER = """
ListenAddress {host}:{port}
HostKey {private}/host
PidFile none
AuthorizedKeysFile {private}/me.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
MaxStartups 100
Subsystem sftp internal-sftp
"""
_CLIENT = """
Host there
  HostName {host}
  Port {port}
  User {user}
  IdentityFile {private}/me
  IdentitiesOnly yes
  UserKnownHostsFile {private}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
  BatchMode yes
"""


@dataclass(frozen=True)
class Ssh:
    """A server, and the configuration with which clients find it under the name `there`."""

    configuration: Path
    folder: Path

    @property
    def options(self) -> list[str]:
        """For ssh, scp and sftp alike."""
        return ["-F", str(self.configuration)]

    @property
    def shell(self) -> str:
        """What rsync goes through: `rsync -e`."""
        return f"ssh -F {self.configuration}"

    def at(self, path: Path | str) -> str:
        """A path there."""
        return f"there:{path}"

    @property
    def ways(self) -> list[str]:
        return [
            f"scp -F {self.configuration} FILE {self.at(self.folder)}/",
            f"sftp -F {self.configuration} {self.at(self.folder)}",
            f"rsync -e '{self.shell}' FILE {self.at(self.folder)}/",
            f"sshfs -F {self.configuration} {self.at(self.folder)} MOUNTPOINT",
        ]


@contextmanager
def serving(folder: Path, private: Path) -> Iterator[Ssh]:
    """A server, for as long as the block lasts; it serves every path, `folder` is where its hints lead."""
    private.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.makedirs(PRIVILEGE_SEPARATION, mode=0o755, exist_ok=True)
    for name in ("host", "me"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(private / name)], check=True)
    port = free_port()
    (private / "sshd_config").write_text(_SERVER.format(host=HOST, port=port, private=private))
    client = private / "ssh_config"
    client.write_text(_CLIENT.format(host=HOST, port=port, user=user(), private=private))
    with listening([program("sshd"), "-D", "-e", "-f", str(private / "sshd_config")], port, private / "sshd.out"):
        yield Ssh(client, folder)


@contextmanager
def mounted(ssh: Ssh, folder: Path, point: Path, *options: str) -> Iterator[Path]:
    """`folder` of the server, mounted at `point` with sshfs: what is written into `folder` itself is then another host's doing.

    `options` as for `sshfs -o`: `dcache_dir_timeout=1` shows new names sooner than after 20 seconds.
    """
    point.mkdir(parents=True, exist_ok=True)
    chosen = [word for one in options for word in ("-o", one)]
    subprocess.run(["sshfs", *ssh.options, *chosen, ssh.at(folder), str(point)], check=True, capture_output=True, timeout=30)
    try:
        yield point
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(point)], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(by_hand("tests.support.ssh", __doc__, TOOLS, serving))
