"""How people's programs bring files, act by act (PRODUCT §3). Each is a generator that stops after every act, so that time can pass there.

`dies_after`: how many chunks arrive before the client is gone for good; None lets it finish. What it had open is closed then, as it is
where the generator is closed, or ended by an error.
"""

from __future__ import annotations

import os
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.simulation.handles import Handle
    from tests.simulation.kernel import Program

    Way = Callable[..., Generator[None, None, None]]

CHUNK = 64 * 1024


def _chunks(data: bytes, chunk: int) -> Iterator[tuple[int, bytes]]:
    return ((start, data[start : start + chunk]) for start in range(0, len(data), chunk))


def _arriving(handle: Handle, data: bytes, chunk: int, dies_after: int | None) -> Iterator[None]:
    """The data, piece by piece, at its place."""
    for start, part in islice(_chunks(data, chunk), dies_after):
        handle.write(part, at=start)
        yield


def _temporary(who: Program, path: bytes) -> bytes:
    """A name that no two clients have, even where a folder was renamed under one of them."""
    folder, name = os.path.split(path)
    return os.path.join(folder, b".%b.%b" % (name, f"Xa81b{who.name}".encode()))


def plain(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = None) -> Iterator[None]:
    """cp, scp, sftp, FTP, smbclient: create, write, close. One that dies leaves a short file that is closed."""
    with closing(who.open_to_write(path, truncate=True)) as handle:
        yield
        yield from _arriving(handle, data, chunk, dies_after)


def explorer(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = None) -> Iterator[None]:
    """Windows Explorer over SMB: the full size at once, a hole until the last chunk. One that dies leaves the hole."""
    with closing(who.open_to_write(path, truncate=True)) as handle:
        handle.truncate(len(data))
        yield
        yield from _arriving(handle, data, chunk, dies_after)


def finder(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = None) -> Iterator[None]:
    """Finder, torrent clients, FTP resume: made empty and closed, then opened and closed again for every chunk."""
    who.open_to_write(path, truncate=True).close()
    yield
    for start, part in islice(_chunks(data, chunk), dies_after):
        with closing(who.open_to_write(path)) as handle:
            handle.write(part, at=start)
            yield
        yield


def rsync(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = None) -> Iterator[None]:
    """rsync and atomic savers: grown under a name of its own, closed, then renamed into place. One that dies leaves that name."""
    temporary = _temporary(who, path)
    yield from plain(who, temporary, data, chunk=chunk, dies_after=dies_after)
    if dies_after is None:
        yield
        who.rename(temporary, path)


def dav(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = None) -> Iterator[None]:
    """nginx DAV: renamed into place while it is open, and written to the end there."""
    temporary = path + b"." + who.name.encode() + b".dav-part"
    half = -(-len(data) // (2 * chunk)) * chunk
    with closing(who.open_to_write(temporary, truncate=True)) as handle:
        yield
        yield from _arriving(handle, data[:half], chunk, dies_after)
        if dies_after is None:
            who.rename(temporary, path)
            yield
            for start, part in _chunks(data[half:], chunk):
                handle.write(part, at=half + start)
                yield


def partial(who: Program, path: bytes, data: bytes, *, chunk: int = CHUNK, dies_after: int | None = 1) -> Iterator[None]:
    """rsync --partial that is killed: what came by then is renamed into place, short, with an mtime of 1970."""
    temporary = _temporary(who, path)
    with closing(who.open_to_write(temporary, truncate=True)) as handle:
        yield
        yield from _arriving(handle, data, chunk, dies_after)
        handle.set_mtime(0)
    who.rename(temporary, path)


def move(who: Program, source: bytes, target: bytes) -> Iterator[None]:
    """`mv` on one filesystem, of a file or a whole tree: one event, whatever lies in it."""
    who.rename(source, target)
    yield


WAYS: dict[str, Way] = {"plain": plain, "explorer": explorer, "finder": finder, "rsync": rsync, "dav": dav, "partial": partial}
"""All that bring data, by name."""
