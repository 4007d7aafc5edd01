"""Names that try to leave the tree, and things in an inbox that are no files of it."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.faults.pieces import OTHER, Piece, laid, made_from, noted
from tests.faults.verdict import content_of
from tests.support.trees import files_below

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.trial import Site

STEMS = (
    b"-rf", b"--help", b"a\nb", b"\n", b"dots ..", b"up\\..\\..\\up", b"a..b", b"trail.", b"trail ", b" lead", b"%2e%2e%2fup", b"C:up",
    b"x" * 251, "é".encode() * 125, b"\xff\xfe\xe9", "\u202eevil\u200f".encode(), b"$(touch up)", b"`up`", b"a\x01\x1b[2Jb", b"con", b"*",
)  # fmt: skip
"""Names that are taken like any other, of files and of folders; the last but a few have 255 bytes with their suffix."""
NOT_FOLLOWED = 9


def all_below(folder: Path) -> dict[str, bytes]:
    """Each file there, by its path."""
    return {str(path): path.read_bytes() for path in files_below(folder)}


def file_named(site: Site, stem: str) -> Piece:
    """A film of this name."""
    number = len(site.given) + 1
    return laid(site, "erase", f"erase ({number})", f"{stem}.mp4", site.wares.video(number))


def file_in(site: Site, folder: str) -> Piece:
    """A film in a sub-folder of this name."""
    number = len(site.given) + 1
    return laid(site, "erase", f"erase ({number})/{folder}", "clip.mp4", site.wares.video(number))


def hard_linked(site: Site) -> Piece:
    """A file like any other: what is put away is this name of it."""
    data, path = site.wares.video(OTHER + 1), site.home.inbox / "erase (linked)" / "linked.mp4"
    path.parent.mkdir()
    path.write_bytes(data)
    os.link(path, site.home.root.parent / "state" / "linked.mp4")
    return noted(site, "erase", path, data)


def not_followed(site: Site, outside: Path) -> list[Path]:
    """Things in the inbox that are no files of it."""
    place = site.home.inbox / "erase (odd)"
    place.mkdir()
    targets = {"file.mp4": outside / "secret.mp4", "folder": outside, "nowhere.mp4": outside / "none", "loop": place / "loop", "up": place}
    for name, target in targets.items():
        (place / name).symlink_to(target)
    (site.home.inbox / "erase (a link)").symlink_to(outside)
    os.mkfifo(place / "pipe.mp4")
    folder = os.open(place, os.O_PATH)  # the name of a socket may have no more than 108 bytes, and this folder may lie deep
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{folder}/socket.mp4")
    os.close(folder)
    with suppress(PermissionError):
        os.mknod(place / "device.mp4", stat.S_IFBLK | 0o644, os.makedev(7, 250))
    return [site.home.inbox / "erase (a link)", *place.iterdir()]


def results_beside(piece: Piece) -> list[str]:
    """The one result of a piece of work, by its content: in the folder of the outbox that is the original's in the inbox."""
    made = {
        result["sha256"] for task in piece.site.sandbox.ledger()["tasks"] if made_from(task, piece) for result in task["results"].values()
    }
    folder = piece.path.parent.relative_to(piece.site.home.inbox)
    found = [path for path in (piece.site.home.outbox / folder).iterdir() if content_of(path) in made]
    assert len(found) == 1, f"{piece.path!r} has come out as {found}"
    return [str(folder / found[0].name)]
