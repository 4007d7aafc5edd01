"""Writes a file into a folder of this machine the way real programs do.

  slow         one opening, chunk by chunk
  preallocated its room reserved at once (fallocate), then filled in order
  torrent      its full size at once, the pieces in random order, an opening for each
  part         as torrent, under NAME.part, renamed at the end
  qbittorrent  as torrent, under NAME.!qB, renamed at the end
  reserved     NAME made empty beside NAME.part, which replaces it at the end (browsers)
  saver        a hidden name beside it, synced, renamed into place (editors)
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from pathlib import Path

from tests.support.pace import Pace, add_pace


def slow(path: Path, data: bytes, pace: Pace) -> None:
    with path.open("wb", buffering=0) as file:
        for _, part in pace.pieces(data):
            file.write(part)


def preallocated(path: Path, data: bytes, pace: Pace) -> None:
    with path.open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, len(data))
        for _, part in pace.pieces(data):
            file.write(part)


def torrent(path: Path, data: bytes, pace: Pace) -> None:
    path.touch()
    os.truncate(path, len(data))
    pieces = [data[start : start + pace.chunk] for start in range(0, len(data), pace.chunk)]
    order = random.Random(data).sample(range(len(pieces)), len(pieces))
    for number in order:
        if number != order[0]:
            time.sleep(pace.pause)
        with path.open("r+b", buffering=0) as file:
            file.seek(number * pace.chunk)
            file.write(pieces[number])


def part(path: Path, data: bytes, pace: Pace) -> None:
    _renamed(path, ".part", data, pace)


def qbittorrent(path: Path, data: bytes, pace: Pace) -> None:
    _renamed(path, ".!qB", data, pace)


def reserved(path: Path, data: bytes, pace: Pace) -> None:
    path.touch()
    unfinished = path.with_name(path.name + ".part")
    slow(unfinished, data, pace)
    unfinished.rename(path)


def saver(path: Path, data: bytes, pace: Pace) -> None:
    hidden = path.with_name(f".{path.name}.saving")
    with hidden.open("wb", buffering=0) as file:
        for _, piece in pace.pieces(data):
            file.write(piece)
        os.fsync(file.fileno())
    hidden.rename(path)


def _renamed(path: Path, suffix: str, data: bytes, pace: Pace) -> None:
    unfinished = path.with_name(path.name + suffix)
    torrent(unfinished, data, pace)
    unfinished.rename(path)


MODES = {
    "slow": slow, "preallocated": preallocated, "torrent": torrent, "part": part, "qbittorrent": qbittorrent, "reserved": reserved,
    "saver": saver,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.writers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("file", type=Path, help="what to write")
    parser.add_argument("to", type=Path, help="where it is to lie in the end")
    add_pace(parser)
    asked = parser.parse_args(argv)
    MODES[asked.mode](asked.to, asked.file.read_bytes(), Pace(asked.chunk, asked.pause))
    return 0


if __name__ == "__main__":
    sys.exit(main())
