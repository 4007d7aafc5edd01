"""Turns what the operating system refuses into the errors of this program. No OSError leaves the room but through
here.
"""

from __future__ import annotations

import errno
import os

from qavix_watch.errors import FileError, FileGone, FileUnreadable, NameRefused, NameTaken, NoSpace

_RIGHTS = "Give the user that runs qavix-watch the right to it, then it goes on by itself."
_DISK = "Look at the disk or the network mount; it goes on by itself when that answers again."
_ROOM = "Make room there; it goes on by itself."
_NAME = "Give it a shorter or plainer name."

_NAMES = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}

# What the kernel says, the error that it is here, its sentence, and what to do now.
_TABLE: tuple[tuple[set[int], type[FileError], str, str], ...] = (
    ({errno.ENOENT, errno.ENOTDIR}, FileGone, "{name} is not there (any more).", ""),
    ({errno.EEXIST, errno.ENOTEMPTY}, NameTaken, "{name} exists already.", ""),
    ({errno.ENOSPC, errno.EDQUOT}, NoSpace, "There is no room to {doing} {name}: {why}.", _ROOM),
    (_NAMES, NameRefused, "The filesystem refuses the name {name}: {why}.", _NAME),
    ({errno.EXDEV}, FileUnreadable, "{name} is on another filesystem; a rename does not reach there.", ""),
    ({errno.EAGAIN}, FileUnreadable, "{name} is kept open by another program at the moment.", ""),
    ({errno.ELOOP}, FileUnreadable, "{name} is a symbolic link, and links are not followed.", ""),
    (_FORBIDDEN, FileUnreadable, "Could not {doing} {name}: {why}.", _RIGHTS),
)


def shown(path: bytes) -> str:
    """A path for a person: what is not UTF-8, or would break the line, as replacement characters."""
    text = path.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def file_error(error: OSError, path: bytes, doing: str) -> FileError:
    """The error to raise for `error`, met while `doing` ("read", "write" …) something with `path`."""
    code = error.errno or 0
    words = {"name": shown(path), "doing": doing, "why": os.strerror(code) if code else str(error)}
    for codes, kind, sentence, hint in _TABLE:
        if code in codes:
            return kind(sentence.format(**words), hint=hint)
    return FileUnreadable("Could not {doing} {name}: {why}.".format(**words), hint=_DISK)


def refuse_zero(path: bytes) -> None:
    """A zero byte ends a name for the kernel; Python refuses it with a ValueError. FileError for it."""
    if b"\0" in path:
        raise FileError(f"The name {shown(path)} holds a zero byte, which no filesystem takes.", hint=_NAME)


class mapped:  # noqa: N801 - read as a verb, like `suppress`; a class, since every look at a file passes here
    """Let the block's OSError leave as a FileError that names `path`."""

    __slots__ = ("_doing", "_path")

    def __init__(self, path: bytes, doing: str = "read") -> None:
        if b"\0" in path:
            refuse_zero(path)
        self._path = path
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise file_error(error, self._path, self._doing) from error
