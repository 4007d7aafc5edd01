"""Small texts of our own among people's files: put in place whole, and never over what is theirs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.layout import parent
from qavix_watch.errors import FileError, FileGone, FileUnreadable, NameTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.ports import Files

LIMIT_BYTES = 1 << 16


def read_own(files: Files, path: bytes, is_ours: Callable[[bytes], bool]) -> tuple[bytes | None, bool]:
    """What lies at `path` (None: nothing that can be read as a text), and whether the name may be used for a text of ours."""
    try:
        old = files.read(path, LIMIT_BYTES)
    except FileGone:
        return None, True
    except FileUnreadable:  # a link, a folder, a long file: nothing that we have made
        return None, False
    return old, is_ours(old)


def put(files: Files, path: bytes, text: bytes, private: bytes, *, replacing: bool) -> bool:
    """Put a text in place, durable and at once; `private` is a name beside it. Group and mode are those of its folder.

    `replacing`: a text of ours lies there. Otherwise nothing is replaced: False where the name was taken meanwhile. FileError.
    """
    if replacing:
        files.write(path, text, private, parent(path))
        return True
    write_private(files, private, text)
    files.adopt(private, parent(path))
    try:
        files.rename_new(private, path)
    except FileError as error:
        with suppress(FileError):
            files.remove(private)
        if isinstance(error, NameTaken):
            return False
        raise
    return True


def write_private(files: Files, private: bytes, text: bytes) -> None:
    """Write a durable file under a private name, over what a process that was killed left there; none is left where that fails."""
    try:
        sink = files.append(private)
        try:
            sink.restart()
            sink.write(text)
            sink.sync()
        finally:
            sink.close()
    except FileError:
        with suppress(FileError):
            files.remove(private)
        raise
