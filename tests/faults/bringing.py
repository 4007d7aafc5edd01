"""How real clients bring films, one function a client: each returns when the client is done.

It may give when that was, in seconds since 1970, where the client lets go of the film and has more to do.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.faults.ground import PACKET, module, run, start
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.faults.ground import Ground, Ware

    Bring = Callable[["Ground", list["Ware"], "Tempo"], float | None]
    One = Callable[["Ground", "Ware", "Tempo"], float | None]

PIECES = 4
CUT_AT = 300_000
"""A client that is killed has sent at least so much, and its film is four times as long."""


class Tempo:
    """How slowly clients send: `pause` seconds between two pieces, of which a film has a few."""

    def __init__(self, pause: float, size: int) -> None:
        self.pause = pause
        self.chunk = (size // PIECES // PACKET + 1) * PACKET  # a stream that ends with a packet looks whole
        self.bytes_a_second = round(size / max(pause * PIECES, 0.5))

    @property
    def words(self) -> list[str]:
        """For tests/support's writers."""
        return ["--chunk", str(self.chunk), "--pause", str(self.pause)]


def alone(bring: One) -> Bring:
    """A client that brings one film."""

    def one(ground: Ground, wares: list[Ware], tempo: Tempo) -> float | None:
        (ware,) = wares
        return bring(ground, ware, tempo)

    return one


# On this machine


def cp(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run("cp", ware.source, ground.target(ware))


def mv(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run("mv", ware.source, ground.target(ware))


def writer(mode: str) -> One:
    """One of tests/support/writers."""

    def bring(ground: Ground, ware: Ware, tempo: Tempo) -> None:
        run(*module("writers", mode, ware.source, ground.target(ware), *tempo.words))

    return bring


def cp_tree(ground: Ground, wares: list[Ware], tempo: Tempo) -> None:
    run("cp", "-r", *_trees(ground, wares, _order(wares)), ground.inbox / _order(wares))


def slow_tree(ground: Ground, wares: list[Ware], tempo: Tempo) -> None:
    """Folder by folder and film by film, as a file manager copies."""
    for ware in wares:
        if ware is not wares[0]:
            time.sleep(tempo.pause)
        folder = ground.target(ware).parent
        run("sh", "-c", 'mkdir -p "$1" && cp "$2" "$1/"', "sh", folder, ware.source)


def mv_tree(ground: Ground, wares: list[Ware], tempo: Tempo) -> None:
    run("mv", *_trees(ground, wares, _order(wares)), ground.inbox / _order(wares))


def mv_order(ground: Ground, wares: list[Ware], tempo: Tempo) -> None:
    """The order's folder itself, with all that is in it."""
    (tree,) = _trees(ground, wares, "")
    run("mv", tree, ground.inbox)


def _order(wares: list[Ware]) -> str:
    return wares[0].name.partition("/")[0]


def _trees(ground: Ground, wares: Iterable[Ware], below: str) -> list[Path]:
    """Lay the films out in folders outside, as they are to lie below `below` in the inbox; gives the topmost ones."""
    tops: dict[Path, None] = {}
    for ware in wares:
        path = ground.outside / ware.name
        path.parent.mkdir(parents=True, exist_ok=True)
        ware.source.rename(path)
        within = path.relative_to(ground.outside / below)
        tops[ground.outside / below / within.parts[0]] = None
    return list(tops)


# Samba


def smbclient(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run(*ground.samba.smbclient, "-c", f'put "{ware.source}" "{_backslashed(ware)}"')


def smb(mode: str) -> One:
    """One of tests/support/smb_writers."""

    def bring(ground: Ground, ware: Ware, tempo: Tempo) -> float | None:
        said = run(*module("smb_writers", mode, ware.source, "--port", ground.samba.port, "--to", ware.name, *tempo.words))
        return float(said) if said else None

    return bring


def _backslashed(ware: Ware) -> str:
    return ware.name.replace("/", "\\")


# ssh


def scp(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run(*_scp(ground, ware, tempo))


def scp_dies(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    _cut(_scp(ground, ware, tempo), ground.target(ware))


def _scp(ground: Ground, ware: Ware, tempo: Tempo) -> list[str | Path]:
    kilobits = str(tempo.bytes_a_second * 8 // 1000)
    return ["scp", *ground.ssh.options, "-l", kilobits, ware.source, ground.ssh.at(ground.target(ware))]


def sftp(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    kilobits = str(tempo.bytes_a_second * 8 // 1000)
    batch = f'put "{ware.source}" "{ground.target(ware)}"\n'
    run("sftp", *ground.ssh.options, "-l", kilobits, "-b", "-", "there", given=batch)


def rsync(*options: str) -> One:
    def bring(ground: Ground, ware: Ware, tempo: Tempo) -> None:
        run(*_rsync(ground, ware, tempo, *options))

    return bring


def rsync_many(*options: str) -> Bring:
    """Several films by one call."""

    def bring(ground: Ground, wares: list[Ware], tempo: Tempo) -> None:
        sources = [ware.source for ware in wares]
        there = ground.ssh.at(ground.target(wares[0]).parent)
        run("rsync", *options, f"--bwlimit={_kibibytes(tempo)}", "-e", ground.ssh.shell, *sources, f"{there}/")

    return bring


def rsync_dies(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    """It is killed under way; what came by then is put in place by the other end."""
    _cut(_rsync(ground, ware, tempo, "--partial"), ground.target(ware), grown=False)


def rsync_resumed(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    rsync_dies(ground, ware, tempo)
    time.sleep(tempo.pause)
    run(*_rsync(ground, ware, tempo, "--partial"))


def _rsync(ground: Ground, ware: Ware, tempo: Tempo, *options: str) -> list[str | Path]:
    there = ground.ssh.at(ground.target(ware))
    return ["rsync", *options, f"--bwlimit={_kibibytes(tempo)}", "-e", ground.ssh.shell, ware.source, there]


def _kibibytes(tempo: Tempo) -> int:
    return max(1, tempo.bytes_a_second // 1024)


# FTP and WebDAV


def ftp(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run(*_curl(ground.ftp.url(ware.name), ware, tempo))


def ftp_dies(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    _cut(_curl(ground.ftp.url(ware.name), ware, tempo), ground.target(ware))


def ftp_resumed(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    ftp_dies(ground, ware, tempo)
    time.sleep(tempo.pause)
    run(*_curl(ground.ftp.url(ware.name), ware, tempo), "-C", "-")


def dav(ground: Ground, ware: Ware, tempo: Tempo) -> None:
    run(*_curl(ground.webdav.url(ware.name), ware, tempo))


def _curl(url: str, ware: Ware, tempo: Tempo) -> list[str | Path]:
    return ["curl", "-sS", "--fail", "--limit-rate", str(tempo.bytes_a_second), "-T", ware.source, url]


def _cut(argv: list[str | Path], target: Path, *, grown: bool = True) -> None:
    """Start a client, and kill it once a part of the film is there (`grown`: at its place, else under another name beside it).

    Returns when that part lies at its place.
    """
    client = start(*argv)
    try:
        wait_for(lambda: _size(target) > CUT_AT if grown else _grows_beside(target), 30, f"a part of {target.name} to come")
        assert client.poll() is None, f"{argv} was done too soon"
    finally:
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
    wait_for(lambda: _size(target) > 0, 30, f"what came of {target.name}")


def _grows_beside(target: Path) -> bool:
    beside = target.parent.glob(f".{target.name}.??????")
    return any(_size(path) > CUT_AT for path in beside)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def take_out(ground: Ground, wares: list[Ware]) -> None:
    """A person deletes what a dead client left."""
    for ware in wares:
        ground.target(ware).unlink()

