"""A real FTP server (vsftpd) on loopback: anonymous users may upload, make folders, and resume what broke off."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.loopback import HOST, by_hand, free_port, listening, user
from tests.support.needs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = ("vsftpd", "curl")
# It is one user throughout: becoming others, and shutting itself in, needs what not every machine gives.
_CONFIGURATION = """
listen=YES
listen_address={host}
listen_port={port}
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
secure_chroot_dir={empty}
ftp_username={user}
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
write_enable=YES
anon_root={folder}
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
allow_writeable_chroot=YES
"""


@dataclass(frozen=True)
class Ftp:
    """A folder that is served."""

    port: int

    def url(self, path: str) -> str:
        """Of a path below the folder."""
        return f"ftp://{HOST}:{self.port}/{quote(path)}"

    @property
    def ways(self) -> list[str]:
        return [f"curl -T FILE {self.url('')}", f"curl -C - -T FILE {self.url('')}    # resume"]


@contextmanager
def serving(folder: Path, private: Path) -> Iterator[Ftp]:
    """The folder, for as long as the block lasts."""
    empty = private / "empty"
    empty.mkdir(parents=True)
    port = free_port()
    configuration = private / "vsftpd.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, host=HOST, user=user(), folder=folder, empty=empty).lstrip())
    with listening([program("vsftpd"), str(configuration)], port, private / "vsftpd.out"):
        yield Ftp(port)


if __name__ == "__main__":
    sys.exit(by_hand("tests.support.ftp", __doc__, TOOLS, serving))
