"""MD5 and SHA-256 of a whole file in one reading.

MD5 is a serial chain, and the slower of the two. The reader hashes SHA-256 itself and hands each buffer on to a
second thread for MD5 (the digests let go of the GIL), so that both together take as long as `md5sum` alone. Buffers
go round in a ring of four.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

from qavix_watch.core.files import Fingerprint
from qavix_watch.errors import FileChanged
from qavix_watch.fs.failures import mapped, shown
from qavix_watch.fs.streams import FileReader, stat_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.fs.streams import Progress

_Free = SimpleQueue[bytearray]
_Filled = SimpleQueue[tuple[bytearray, int] | None]

_CHUNK_BYTES = 256 * 1024
_RING = 4
_SMALL_BYTES = 1024 * 1024  # below it, starting a thread costs more than it saves


def fingerprint(path: bytes, meter: Progress) -> Fingerprint:
    """Read the whole file once. Stops where the file has grown past the size that it had at the start.

    `before` and `after` are stats of the open file, for the caller to compare. FileChanged where the path names
    another file, or another version of it, by then; FileGone, FileUnreadable; Stopped where the meter says so.
    """
    with FileReader.open(path) as reader:
        before = reader.stat()
        meter.start(before.size)
        digest = _both_at_once if before.size >= _SMALL_BYTES else _one_after_the_other
        sha256, md5, size = digest(reader, before.size, meter)
        after = reader.stat()
    with mapped(path):
        named = stat_of(os.lstat(path))
    if not named.same_file(after) or named.device != after.device:
        raise FileChanged(f"{shown(path)} was replaced by another file while it was read.")
    return Fingerprint(sha256, md5, size, before, after)


def _one_after_the_other(reader: FileReader, expected: int, meter: Progress) -> tuple[str, str, int]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while size <= expected and (chunk := reader.read(_CHUNK_BYTES)):
        sha256.update(chunk)
        md5.update(chunk)
        size += len(chunk)
        meter.advance(len(chunk))
    return sha256.hexdigest(), md5.hexdigest(), size


def _both_at_once(reader: FileReader, expected: int, meter: Progress) -> tuple[str, str, int]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with _second_thread(md5) as (free, filled):
        while size <= expected:
            buffer = free.get()
            count = reader.read_into(buffer)
            if not count:
                break
            filled.put((buffer, count))
            sha256.update(memoryview(buffer)[:count])
            size += count
            meter.advance(count)
    return sha256.hexdigest(), md5.hexdigest(), size


@contextmanager
def _second_thread(digest: hashlib._Hash) -> Iterator[tuple[_Free, _Filled]]:
    """A ring of buffers: taken from `free`, filled, put into `filled`; the thread hashes them and puts them back."""
    free: _Free = SimpleQueue()
    filled: _Filled = SimpleQueue()
    for _ in range(_RING):
        free.put(bytearray(_CHUNK_BYTES))

    def follow() -> None:
        while (item := filled.get()) is not None:
            buffer, count = item
            digest.update(memoryview(buffer)[:count])
            free.put(buffer)

    thread = threading.Thread(target=follow, name="md5", daemon=True)
    thread.start()
    try:
        yield free, filled
    finally:
        filled.put(None)
        thread.join()
