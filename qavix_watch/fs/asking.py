"""Asking the server anew: what a network filesystem tells of a file may be as old as a cache, of which there can be two.

That of the program that serves a FUSE mount (sshfs: 20 seconds) is renewed where the file is opened, and so is that of
NFS (close to open). That of the kernel (FUSE: a second) is renewed by statx(2) with AT_STATX_FORCE_SYNC.
"""

from __future__ import annotations

import ctypes
import os

_AT_EMPTY_PATH = 0x1000
_AT_STATX_FORCE_SYNC = 0x2000
_STATX_BASIC_STATS = 0x7FF
_STATX_BYTES = 256

_statx = getattr(ctypes.CDLL(None), "statx", None)


def fstat(fd: int) -> os.stat_result:
    """As `os.fstat`, of what the server says now, as far as it can be made to."""
    if _statx is not None:  # what it is told the kernel remembers, and fstat tells that; where it fails, fstat says so
        _statx(fd, b"", _AT_EMPTY_PATH | _AT_STATX_FORCE_SYNC, _STATX_BASIC_STATS, ctypes.create_string_buffer(_STATX_BYTES))
    return os.fstat(fd)
