"""What is known of a file without its name: the values that the `fs` room makes and the stages read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Stat:
    """One look at a path, without following a symbolic link. Sizes in bytes, times in nanoseconds since 1970.

    `inode` is 0 on a filesystem that makes its numbers up (FUSE): there they say nothing.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    is_file: bool
    is_dir: bool

    @property
    def version(self) -> tuple[int, int, int]:
        """Which version of a file it is: all that a writer leaves behind, its size, mtime and inode."""
        return (self.size, self.mtime_ns, self.inode)

    def same_file(self, other: Stat) -> bool:
        """Whether nothing that a writer leaves behind differs."""
        return self.version == other.version


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file or a directory that a scan found: its absolute path and its stat."""

    path: bytes
    stat: Stat


class Writer(StrEnum):
    """What the kernel's lease probe says of writers (fcntl(2), F_SETLEASE)."""

    NONE = "none"        # nobody has it open for writing
    OPEN = "open"        # somebody has
    UNKNOWN = "unknown"  # it cannot be asked here: another user's file, or a filesystem without leases


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one reading of a whole file found, and the stat of the open file before and after it."""

    sha256: str
    md5: str
    size: int
    before: Stat
    after: Stat


@dataclass(frozen=True, slots=True)
class Facts:
    """Media facts of a file, as its container tells them.

    `kind` is "video", "audio", "image", or "" for what is no media; `duration` in seconds, None where it is not known (images,
    broken containers); `cut` is "" or the sentence that says why the container looks cut short.
    """

    kind: str
    duration: float | None = None
    container: str = ""
    cut: str = ""
    width: int | None = None
    height: int | None = None
    has_audio: bool = False


UNTOLD_BYTES = 1 << 62
"""More than any disk has: the room of a filesystem that does not tell its size."""


@dataclass(frozen=True, slots=True)
class Space:
    """Room left on the filesystem of a path: bytes, inodes (None where it does not count them), and an id of the filesystem.

    One that does not tell its size has UNTOLD_BYTES free.
    """

    free_bytes: int
    free_inodes: int | None
    filesystem: str

    @property
    def for_a_file(self) -> int:
        """The bytes that a new file may have: none where the filesystem has room, but no inode for it."""
        return 0 if self.free_inodes == 0 else self.free_bytes
