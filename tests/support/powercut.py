"""Cuts the power of a disk: of what was not made durable nothing is left.

The kernel shuts the filesystem down as it stands (ext4, xfs); from then on it refuses everything. Unmounted and mounted again, its
journal is replayed, as after a power cut. Use it on a disk of its own (`tests.support.loops`) only.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import struct
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN."""


class Keeps(IntEnum):
    """What comes through besides what was made durable (the kernel's own flags)."""

    NAMES = 1
    """The journal, up to now: files have their new names and sizes, and what was written into them is gone."""
    NOTHING = 2


def cut(folder: Path, keeps: Keeps = Keeps.NOTHING) -> None:
    """Cut the power of the disk that `folder` lies on. OSError where its filesystem knows no such thing."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", keeps))
    finally:
        os.close(fd)


def main(argv: Sequence[str] | None = None) -> int:
    """By hand."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.powercut", description=__doc__)
    parser.add_argument("folder", type=Path, help="any folder of that disk; it has to be a mount of its own")
    parser.add_argument("--keep-names", action="store_true", help="the journal comes through up to now: names without what was written")
    asked = parser.parse_args(argv)
    if os.stat(asked.folder).st_dev == os.stat("/").st_dev:
        parser.error(f"{asked.folder} lies on the disk of this system")
    cut(asked.folder, Keeps.NAMES if asked.keep_names else Keeps.NOTHING)
    print(f"{asked.folder} is cut off; unmount it, and mount it again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
