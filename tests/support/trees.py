"""Trees that change while they are looked at: what goes meanwhile is passed over. pathlib's `rglob` raises FileNotFoundError then."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def below(folder: Path, named: str = "*") -> Iterator[Path]:
    """All in a folder and further down, files and folders, whose names are like that."""
    for above, folders, files in os.walk(folder):
        yield from (Path(above, name) for name in fnmatch.filter([*folders, *files], named))


def files_below(folder: Path, named: str = "*") -> Iterator[Path]:
    """The files among them."""
    return (path for path in below(folder, named) if path.is_file())


def hashes_of(paths: Iterable[Path]) -> Iterator[str]:
    """The SHA-256 of each file."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield hashlib.sha256(path.read_bytes()).hexdigest()
