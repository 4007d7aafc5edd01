"""Writes a file into an SMB share the way real clients do; `tests.support.samba` is a share to try it on.

  explorer  the full size at once, then the content (a hole until the last chunk), then the times
  finder    a ._ twin, the file made empty and closed, then opened again and written
  reopening one opening for each chunk
  dying     the full size at once, the first chunk, and the client is gone: a hole remains

Prints when it had closed the file, in seconds since 1970.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.loopback import HOST
from tests.support.needs import missing
from tests.support.pace import Pace, add_pace
from tests.support.samba import SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ("smbprotocol",)
LONG_AGO = 132_223_104_000_000_000
"""A Windows time in 2020: clients give a copy the times of its original."""


class Share:
    """A share that this client is connected to, as a guest."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree

    def open(self, name: str, *, existing: bool | None = None) -> Any:
        """Open a file for writing: one that exists (True), one that is made anew (None), either (False)."""
        from smbprotocol import open as smb

        disposition = {
            True: smb.CreateDisposition.FILE_OPEN, False: smb.CreateDisposition.FILE_OPEN_IF, None: smb.CreateDisposition.FILE_OVERWRITE_IF,
        }[existing]  # fmt: skip
        mask = smb.FilePipePrinterAccessMask
        handle = smb.Open(self._tree, name)
        handle.create(
            smb.ImpersonationLevel.Impersonation, mask.GENERIC_READ | mask.GENERIC_WRITE | mask.DELETE,
            smb.FileAttributes.FILE_ATTRIBUTE_NORMAL, smb.ShareAccess.FILE_SHARE_READ, disposition,
            smb.CreateOptions.FILE_NON_DIRECTORY_FILE,
        )  # fmt: skip
        return handle

    def set_size(self, handle: Any, size: int) -> None:
        from smbprotocol.file_info import FileEndOfFileInformation

        info = FileEndOfFileInformation()
        info["end_of_file"] = size
        self._set(handle, info)

    def set_times(self, handle: Any) -> None:
        from smbprotocol.file_info import FileBasicInformation

        info = FileBasicInformation()
        for field in ("creation_time", "last_access_time", "change_time"):
            info[field] = 0  # as it is
        info["file_attributes"], info["last_write_time"] = 128, LONG_AGO
        self._set(handle, info)

    def _set(self, handle: Any, info: Any) -> None:
        from smbprotocol.open import SMB2SetInfoRequest

        request = SMB2SetInfoRequest()
        request["info_type"], request["file_info_class"] = 1, info.INFO_CLASS
        request["file_id"], request["buffer"] = handle.file_id, info
        connection = self._tree.session.connection
        connection.receive(connection.send(request, self._tree.session.session_id, self._tree.tree_connect_id))


@contextmanager
def connected(port: int, share: str = SHARE) -> Iterator[Share]:
    """A connection of a guest's."""
    from smbprotocol.connection import Connection
    from smbprotocol.session import Session
    from smbprotocol.tree import TreeConnect

    connection = Connection(uuid.uuid4(), HOST, port, require_signing=False)
    connection.connect()
    session = Session(connection, "nobody-known", "x", require_encryption=False)
    session.connect()
    tree = TreeConnect(session, rf"\\{HOST}\{share}")
    tree.connect(require_secure_negotiate=False)
    try:
        yield Share(tree)
    finally:
        connection.disconnect()


def explorer(share: Share, name: str, data: bytes, pace: Pace) -> None:
    file = share.open(name)
    share.set_size(file, len(data))
    _fill(share, file, data, pace)


def finder(share: Share, name: str, data: bytes, pace: Pace) -> None:
    folder, _, last = name.rpartition("\\")
    twin = share.open("\\".join(filter(None, (folder, f"._{last}"))))
    twin.write(b"x" * 4096, 0)
    twin.close()
    share.open(name).close()
    time.sleep(pace.pause)
    _fill(share, share.open(name, existing=True), data, pace)


def reopening(share: Share, name: str, data: bytes, pace: Pace) -> None:
    for offset, part in pace.pieces(data):
        file = share.open(name, existing=False)
        file.write(part, offset)
        file.close()


def dying(share: Share, name: str, data: bytes, pace: Pace) -> None:
    file = share.open(name)
    share.set_size(file, len(data))
    file.write(data[: pace.chunk], 0)
    time.sleep(pace.pause)
    os._exit(0)  # the connection breaks off, and the server closes the file


def _fill(share: Share, file: Any, data: bytes, pace: Pace) -> None:
    for offset, part in pace.pieces(data):
        file.write(part, offset)
    share.set_times(file)
    file.close()


MODES = {"explorer": explorer, "finder": finder, "reopening": reopening, "dying": dying}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.smb_writers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("file", type=Path, help="what to send")
    parser.add_argument("--port", type=int, required=True, help="where the server listens, on this machine")
    parser.add_argument("--share", default=SHARE, help="(%(default)s)")
    parser.add_argument("--to", default="", metavar="NAME", help="what it is to be called there, with its folders (its own name)")
    add_pace(parser)
    asked = parser.parse_args(argv)
    if why := missing(*TOOLS):
        print(why, file=sys.stderr)
        return 1
    name = (asked.to or asked.file.name).replace("/", "\\")
    with connected(asked.port, asked.share) as share:
        MODES[asked.mode](share, name, asked.file.read_bytes(), Pace(asked.chunk, asked.pause))
        print(time.time())  # when it let go of the file: to take leave of the server takes it half a second
    return 0


if __name__ == "__main__":
    sys.exit(main())
