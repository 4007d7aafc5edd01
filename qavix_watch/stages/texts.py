"""Small texts of our own among people's files: put in place whole, and never over what is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import parent
from qavix_watch.errors import FileGone, FileUnreadable, NameTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.ports import Files

LIMIT_BYTES = 1 << 16
NEW = b".new"


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
    files.write(private, text, private + NEW, parent(path))
    try:
        files.rename_new(private, path)
    except NameTaken:
        files.remove(private)
        return False
    return True
