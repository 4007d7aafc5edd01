"""The real clients that people bring films with, what becomes of what they bring, and how soon.

    python -m tests.faults.clients [--seed N] [--rounds N]

lets every client bring its films so often, with the service's own default settings, and prints one table. "Done" is the moment at which
the client's process ended; "taken" is the moment that the service's history has for the step from waiting to settled.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults import bringing as by
from tests.faults.bringing import Tempo, one_by_one
from tests.faults.ground import ORDER, SIZE
from tests.support import ftp, samba, smb_writers, ssh, webdav
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.faults.bringing import Bring
    from tests.faults.ground import Ground, Ware

ONE = ("{order}/{client} {number}.mp4",)
SEVERAL = tuple("{order}/{client} {number} " + part + ".mp4" for part in ("one", "two", "three"))
TREE = tuple("{order}/{client} {number}/" + part for part in ("reel 1/one.mp4", "reel 1/two.mp4", "reel 2/deep/three.mp4"))
ORDER_TREE = tuple("{order} ({client} {number})/" + part for part in ("one.mp4", "reel/two.mp4", "reel/deep/three.mp4"))
SMB = (*samba.TOOLS, *smb_writers.TOOLS)
RSYNC = (*ssh.TOOLS, "rsync")
HOLE, CUT = "hole", "cut short"


@dataclass(frozen=True, slots=True)
class Client:
    """`does`: what it does to the file. `files`: what it brings at once. `leaves`: what the service says of what a dying one leaves."""

    name: str
    does: str
    bring: Bring
    tools: tuple[str, ...] = ()
    files: tuple[str, ...] = ONE
    leaves: str = ""
    remote: bool = False

    def wares(self, ground: Ground, number: int) -> list[Ware]:
        """Films for it to bring."""
        names = [name.format(order=ORDER, client=self.name, number=number) for name in self.files]
        return [ground.film(name, SIZE // len(names)) for name in names]


CLIENTS = (
    Client("cp", "creates, writes, closes", one_by_one(by.cp)),
    Client("mv", "renames into place", one_by_one(by.mv)),
    Client("slow writer", "long pauses, one opening", one_by_one(by.writer("slow"))),
    Client("preallocating writer", "reserves its room first", one_by_one(by.writer("preallocated"))),
    Client("atomic saver", "hidden name, fsync, rename", one_by_one(by.writer("saver"))),
    Client("torrent", "full size, pieces at random, many openings", one_by_one(by.writer("torrent"))),
    Client("torrent .part", "the same under NAME.part, renamed", one_by_one(by.writer("part"))),
    Client("qBittorrent", "the same under NAME.!qB, renamed", one_by_one(by.writer("qbittorrent"))),
    Client("browser", "empty NAME beside NAME.part, renamed over it", one_by_one(by.writer("reserved"))),
    Client("cp -r", "a tree copied in", by.cp_tree, files=TREE),
    Client("file manager", "a tree copied in, with pauses", by.slow_tree, files=TREE),
    Client("mv tree", "a tree moved in", by.mv_tree, files=TREE),
    Client("mv order", "an order's folder moved in", by.mv_order, files=ORDER_TREE),
    Client("smbclient", "Samba: put", one_by_one(by.smbclient), (*samba.TOOLS, "smbclient")),
    Client("Explorer", "Samba: full size first, then the content", one_by_one(by.smb("explorer")), SMB),
    Client("Finder", "Samba: twin, made empty, opened again", one_by_one(by.smb("finder")), SMB),
    Client("SMB reopening", "Samba: one opening for each chunk", one_by_one(by.smb("reopening")), SMB),
    Client("SMB dying", "Samba: full size, a chunk, gone", one_by_one(by.smb("dying")), SMB, leaves=HOLE),
    Client("scp", "ssh: creates, writes, closes", one_by_one(by.scp), ssh.TOOLS),
    Client("scp killed", "ssh: kill -9 under way", one_by_one(by.scp_dies), ssh.TOOLS, leaves=CUT),
    Client("sftp", "ssh: creates, writes, closes", one_by_one(by.sftp), ssh.TOOLS),
    Client("rsync", "temporary name, rename; three files", by.rsync_many(), RSYNC, SEVERAL),
    Client("rsync --inplace", "writes in place", one_by_one(by.rsync("--inplace")), RSYNC),
    Client("rsync --delay-updates", "renames all three at the end", by.rsync_many("--delay-updates"), RSYNC, SEVERAL),
    Client("rsync killed", "--partial, kill -9 under way", one_by_one(by.rsync_dies), RSYNC, leaves=CUT),
    Client("rsync resumed", "--partial, kill -9, and again", one_by_one(by.rsync_resumed), RSYNC),
    Client("FTP", "vsftpd: creates, writes, closes", one_by_one(by.ftp), ftp.TOOLS),
    Client("FTP killed", "vsftpd: kill -9 under way", one_by_one(by.ftp_dies), ftp.TOOLS, leaves=CUT),
    Client("FTP resumed", "vsftpd: kill -9, resumed by APPE", one_by_one(by.ftp_resumed), ftp.TOOLS),
    Client("WebDAV", "nginx: PUT", one_by_one(by.dav), webdav.TOOLS),
    Client("sshfs, cp", "another host copies it in", one_by_one(by.cp), ssh.MOUNTING, remote=True),
    Client("sshfs, slow writer", "another host writes it slowly", one_by_one(by.writer("slow")), ssh.MOUNTING, remote=True),
    Client("sshfs, torrent", "another host's pieces at random", one_by_one(by.writer("torrent")), ssh.MOUNTING, remote=True),
    Client("sshfs, rsync", "another host renames into place", one_by_one(by.rsync()), (*ssh.MOUNTING, "rsync"), remote=True),
    Client("sshfs, mv tree", "another host moves a tree in", by.mv_tree, ssh.MOUNTING, TREE, remote=True),
)
"""PRODUCT's table of clients, each by the program that does it."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A film, and when (seconds since 1970) the client that brought it was done."""

    client: Client
    ware: Ware
    done_at: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a film. `taken`: when, each time. `wrong`: what was read, sent or kept of it that is not what was sent."""

    brought: Brought
    drops: int
    state: str
    reason: str
    taken: tuple[float, ...]
    tasks: int
    whole: bool
    wrong: int

    @property
    def seconds(self) -> float | None:
        """From the client being done until the film was taken."""
        return self.taken[0] - self.brought.done_at if self.taken else None

    @property
    def trouble(self) -> str:
        """What is not as promised; "" where all is."""
        leaves = self.brought.client.leaves
        if leaves:
            promised = self.state == "waiting" and leaves in self.reason and not self.taken and not self.tasks
        else:
            promised = self.state == "archived" and len(self.taken) == 1 and self.tasks == 1 and self.whole
        return "" if promised and self.drops == 1 and not self.wrong else str(self)


def bring(client: Client, ground: Ground, wares: list[Ware], tempo: Tempo) -> list[Brought]:
    """Let a client bring films."""
    client.bring(ground, wares, tempo)
    done_at = time.time()
    return [Brought(client, ware, done_at) for ware in wares]


def wait_for_fates(ground: Ground, brought: list[Brought], seconds: float) -> list[Fate]:
    """Wait until each film is at rest, or the service says what it waits for; gives what became of them all by then."""
    with suppress(AssertionError):  # what did not come to rest shows it
        wait_for(lambda: all(_at_rest(ground, one) for one in brought), seconds)
    return fates(ground, brought)


def _at_rest(ground: Ground, one: Brought) -> bool:
    rows = _drops(ground, one.ware)
    if one.client.leaves:
        return any(one.client.leaves in reason for _, _, reason, _ in rows)
    return bool(rows) and rows[-1][1] == "archived"


def _drops(ground: Ground, ware: Ware) -> list[tuple[int, str, str, str | None]]:
    """Every drop that was ever made of it: id, state, reason, SHA-256."""
    return ground.home.query("SELECT id, state, reason, sha256 FROM drops WHERE path = ? ORDER BY id", os.fsencode(ware.name))


def fates(ground: Ground, brought: Iterable[Brought]) -> list[Fate]:
    """What became of these films so far."""
    tasks: list[dict[str, Any]] = ground.sandbox.ledger()["tasks"]
    return [_fate(ground, one, tasks) for one in brought]


def _fate(ground: Ground, one: Brought, tasks: list[dict[str, Any]]) -> Fate:
    ware = one.ware
    rows = _drops(ground, ware)
    taken = ground.home.query(
        "SELECT at FROM events WHERE item = 'drop' AND old = 'waiting' AND new = 'settled'"
        " AND item_id IN (SELECT id FROM drops WHERE path = ?) ORDER BY id", os.fsencode(ware.name)
    )  # fmt: skip
    inputs = Counter(task["inputs"]["video_url"]["sha256"] for task in tasks)
    kept = _sha256(ground.home.root / "archive" / ware.name)
    _, state, reason, _ = rows[-1] if rows else (0, "not seen", "", None)
    return Fate(
        brought=one, drops=len(rows), state=state, reason=reason, taken=tuple(at for (at,) in taken), tasks=inputs[ware.sha256],
        whole=kept == ware.sha256, wrong=sum(sha256 not in {None, ware.sha256} for *_, sha256 in rows) + (kept not in {None, ware.sha256}),
    )


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def foreign(ground: Ground) -> list[str]:
    """What was uploaded or billed though nobody sent it: a film that was not whole yet."""
    ledger = ground.sandbox.ledger()
    seen = {upload["sha256"] for upload in ledger["uploads"]}
    seen |= {task["inputs"]["video_url"]["sha256"] for task in ledger["tasks"]}
    return sorted(seen - ground.sent)


if __name__ == "__main__":
    import sys

    from tests.faults.clients_table import main

    sys.exit(main())
