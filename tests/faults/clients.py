"""The real clients that people bring films with, what becomes of what they bring, and how soon.

    python -m tests.faults.clients [--seed N] [--rounds N]

lets every client bring its films so often, with the service's own default settings, and prints one table. "Done" is the moment at which
the client's process ended, or had closed the file, if it says so; "taken" is the moment that the service's history has for the step from
waiting to settled.
"""

from __future__ import annotations

import argparse
import itertools
import random
import secrets
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from qavix_watch.config.sections import Watch
from tests.faults import bringing as by
from tests.faults.bringing import Tempo, alone
from tests.faults.fates import Client, bring, foreign, wait_for_fates
from tests.faults.ground import SIZE, Ground, ground
from tests.support import ftp, samba, smb_writers, ssh, webdav
from tests.support.needs import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from tests.faults.fates import Brought, Fate

SEVERAL = tuple("{order}/{client} {number} " + part + ".mp4" for part in ("one", "two", "three"))
TREE = tuple("{order}/{client} {number}/" + part for part in ("reel 1/one.mp4", "reel 1/two.mp4", "reel 2/deep/three.mp4"))
ORDER_TREE = tuple("{order} ({client} {number})/" + part for part in ("one.mp4", "reel/two.mp4", "reel/deep/three.mp4"))
STREAM = ("{order}/{client} {number}.ts",)
SMB = (*samba.TOOLS, *smb_writers.TOOLS)
RSYNC = (*ssh.TOOLS, "rsync")
HOLE, CUT = "hole", "cut short"


CLIENTS = (
    Client("cp", "creates, writes, closes", alone(by.cp)),
    Client("mv", "renames into place", alone(by.mv)),
    Client("slow writer", "long pauses, one opening", alone(by.writer("slow"))),
    Client("slow stream", "the same, of a .ts, which shows no cut", alone(by.writer("slow")), files=STREAM),
    Client("preallocating writer", "reserves its room first", alone(by.writer("preallocated"))),
    Client("atomic saver", "hidden name, fsync, rename", alone(by.writer("saver"))),
    Client("torrent", "full size, pieces at random, many openings", alone(by.writer("torrent"))),
    Client("torrent .part", "the same under NAME.part, renamed", alone(by.writer("part"))),
    Client("qBittorrent", "the same under NAME.!qB, renamed", alone(by.writer("qbittorrent"))),
    Client("browser", "empty NAME beside NAME.part, renamed over it", alone(by.writer("reserved"))),
    Client("cp -r", "a tree copied in", by.cp_tree, files=TREE),
    Client("file manager", "a tree copied in, with pauses", by.slow_tree, files=TREE),
    Client("mv tree", "a tree moved in", by.mv_tree, files=TREE),
    Client("mv order", "an order's folder moved in", by.mv_order, files=ORDER_TREE),
    Client("smbclient", "Samba: put", alone(by.smbclient), (*samba.TOOLS, "smbclient")),
    Client("Explorer", "Samba: full size first, then the content", alone(by.smb("explorer")), SMB),
    Client("Finder", "Samba: twin, made empty, opened again", alone(by.smb("finder")), SMB),
    Client("SMB reopening", "Samba: one opening for each chunk", alone(by.smb("reopening")), SMB),
    Client("SMB dying", "Samba: full size, a chunk, gone", alone(by.smb("dying")), SMB, leaves=HOLE),
    Client("scp", "ssh: creates, writes, closes", alone(by.scp), ssh.TOOLS),
    Client("scp killed", "ssh: kill -9 under way", alone(by.scp_dies), ssh.TOOLS, leaves=CUT),
    Client("sftp", "ssh: creates, writes, closes", alone(by.sftp), ssh.TOOLS),
    Client("rsync", "temporary name, rename", alone(by.rsync()), RSYNC),
    Client("rsync --inplace", "writes in place", alone(by.rsync("--inplace")), RSYNC),
    Client("rsync --delay-updates", "three files, all renamed at the end", by.rsync_many("--delay-updates"), RSYNC, SEVERAL),
    Client("rsync killed", "--partial, kill -9 under way", alone(by.rsync_dies), RSYNC, leaves=CUT),
    Client("rsync resumed", "--partial, kill -9, and again", alone(by.rsync_resumed), RSYNC),
    Client("FTP", "vsftpd: creates, writes, closes", alone(by.ftp), ftp.TOOLS),
    Client("FTP killed", "vsftpd: kill -9 under way", alone(by.ftp_dies), ftp.TOOLS, leaves=CUT),
    Client("FTP resumed", "vsftpd: kill -9, resumed by APPE", alone(by.ftp_resumed), ftp.TOOLS),
    Client("WebDAV", "nginx: PUT", alone(by.dav), webdav.TOOLS),
    Client("sshfs, cp", "another host copies it in", alone(by.cp), ssh.MOUNTING, remote=True),
    Client("sshfs, slow writer", "another host writes it slowly", alone(by.writer("slow")), ssh.MOUNTING, remote=True),
    Client("sshfs, slow stream", "the same, of a .ts", alone(by.writer("slow")), ssh.MOUNTING, STREAM, remote=True),
    Client("sshfs, torrent", "another host's pieces at random", alone(by.writer("torrent")), ssh.MOUNTING, remote=True),
    Client("sshfs, rsync", "another host renames into place", alone(by.rsync()), (*ssh.MOUNTING, "rsync"), remote=True),
    Client("sshfs, mv tree", "another host moves a tree in", by.mv_tree, ssh.MOUNTING, TREE, remote=True),
)
"""PRODUCT's table of clients, each by the program that does it."""

PAUSE = 1.5  # longer than `settle`: what a client pauses in could be taken
AT_ONCE = 4
SECONDS = 600.0
WIDTH = 160
DEFAULTS = {name: getattr(Watch(), name) for name in ("settle", "settle_remote", "settle_folder", "rescan")}
ABOUT = f"""\
Real clients bring films to the real program, each so many times, {AT_ONCE} clients at a time, with the settings that the program has by
itself. Prints what they brought, what became of it, and the seconds from a client's end until the service had taken its film: the median
and the longest. The exit status is 1 where a film was not taken once and whole, or where anything else was sent or billed."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.clients", description=ABOUT)
    parser.add_argument("--seed", type=int, metavar="N", help="decides content and order; without it a fresh one is drawn and told")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each client comes (%(default)s)")
    parser.add_argument("--only", metavar="WORD", default="", help="only clients whose name has this word")
    for name in ("settle-remote", "rescan"):
        usual = DEFAULTS[name.replace("-", "_")]
        parser.add_argument(f"--{name}", type=float, default=usual, metavar="SECONDS", help="of the service (%(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The whole command."""
    asked = arguments(argv)
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    watch = DEFAULTS | {"settle_remote": asked.settle_remote, "rescan": asked.rescan}
    chosen = [client for client in CLIENTS if asked.only in client.name]
    absent = {client.name: why for client in chosen if (why := missing(*client.tools))}
    clients = [client for client in chosen if client.name not in absent]
    began = time.monotonic()
    found, strange = many(clients, asked.rounds, seed, watch)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table(clients, found))
    settings = ", ".join(f"{name} {seconds:g} s" for name, seconds in watch.items())
    console.print(f"seed {seed}, {asked.rounds} rounds in {time.monotonic() - began:.0f} s; {settings}", highlight=False)
    for name, why in absent.items():
        console.print(f"left out: {name}: {why}", style="yellow", markup=False)
    troubles = [fate.trouble for fate in found if fate.trouble] + [f"sent or billed, and never brought: {sha256}" for sha256 in strange]
    for trouble in troubles:
        console.print(trouble, style="bold red", markup=False)
    return 1 if troubles else 0


def many(clients: Iterable[Client], rounds: int, seed: int, watch: dict[str, Any]) -> tuple[list[Fate], list[str]]:
    """Let each client come so often; gives what became of all films, and what was sent or billed that nobody brought."""
    found: list[Fate] = []
    strange: list[str] = []
    with tempfile.TemporaryDirectory(prefix="clients-") as base, ExitStack() as stack:
        grounds: dict[bool, Ground] = {}
        for remote in sorted({client.remote for client in clients}):
            place = Path(base) / ("remote" if remote else "local")
            grounds[remote] = stack.enter_context(ground(place, seed=seed + remote, remote=remote, watch=watch))
        brought = brought_by(clients, grounds, rounds, seed)
        for remote, here in grounds.items():
            found += wait_for_fates(here, [one for one in brought if one.client.remote is remote], SECONDS)
            strange += foreign(here)
    return found, strange


def brought_by(clients: Iterable[Client], grounds: dict[bool, Ground], rounds: int, seed: int) -> list[Brought]:
    """Everything that the clients bring, several of them at a time, in an order that the seed decides."""
    visits = [(client, grounds[client.remote], number) for client, number in itertools.product(clients, range(1, rounds + 1))]
    random.Random(seed).shuffle(visits)
    wares = [client.wares(here, number) for client, here, number in visits]
    tempo = Tempo(PAUSE, SIZE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        coming = [pool.submit(bring, client, here, films, tempo) for (client, here, _), films in zip(visits, wares, strict=True)]
        return [one for visit in coming for one in visit.result()]


def table(clients: Iterable[Client], found: list[Fate]) -> Table:
    """A line for each client."""
    made = Table("client", "what it does", *_right("files", "taken once", "whole", "median s", "worst s", "tasks billed", "wrong content"))
    for client in clients:
        fates = [fate for fate in found if fate.brought.client is client]
        seconds = [fate.seconds for fate in fates if fate.seconds is not None]
        figures = (len(fates), _count(fates, lambda fate: len(fate.taken) == 1), _count(fates, lambda fate: fate.whole))
        times = [f"{figure(seconds):.1f}" for figure in (statistics.median, max)] if seconds else ["waits", f"“{client.leaves}”"]
        bills = sum(fate.tasks for fate in fates), sum(fate.wrong for fate in fates)
        made.add_row(client.name, client.does, *map(str, figures), *times, *map(str, bills))
    return made


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]


def _count(fates: list[Fate], condition: Callable[[Fate], bool]) -> int:
    return sum(map(condition, fates))


if __name__ == "__main__":
    sys.exit(main())
