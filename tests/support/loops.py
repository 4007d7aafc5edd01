"""Disks of a test's own: small, of any filesystem, that fill up, become read-only, go away and come back.

A tmpfs is mounted as such; any other kind is made by its mkfs in a sparse file, and loop-mounted from there.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.needs import needed, needed_root, skip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs", "vfat": "dosfstools"}
OPTIONS = {"ext4": ["-q", "-F", "-m", "0"], "xfs": ["-q", "-f"], "btrfs": ["-q", "-f"], "vfat": []}
"""What mkfs is told: to be quiet, to take a file for a disk, and to keep no room back for the superuser."""
FILLER = ".filler"
BUSY_SECONDS = 20.0
LOOP_SECONDS = 0.5


@dataclass
class Disk:
    """A disk that is mounted at `at`. `image`: the file that it lies in, None for a tmpfs."""

    at: Path
    kind: str
    options: str = ""
    image: Path | None = None

    def mount(self) -> None:
        """Mount it (again). The test is skipped where this host does not let it."""
        self.at.mkdir(parents=True, exist_ok=True)
        self._leave_to_others()
        options = ",".join(filter(None, [self.options, "loop" if self.image else ""]))
        done = _run("mount", "-t", self.kind, *(["-o", options] if options else []), str(self.image or self.kind), str(self.at))
        if done.returncode:
            skip(f"a {self.kind} cannot be mounted here: {done.stderr.strip()}")

    def _leave_to_others(self) -> None:
        """A container that began meanwhile has this mount too, and keeps the filesystem from ending: ours is a copy of it from now on."""
        if self.image is None or not (loops := _loops_of(self.image)):
            return
        until = time.monotonic() + BUSY_SECONDS
        while any(Path(f"/sys/block/{Path(loop).name}/inflight").read_text().split() != ["0", "0"] for loop in loops):
            assert time.monotonic() < until, f"{loops} are being written to for {BUSY_SECONDS} s"
            time.sleep(0.005)
        fresh = self.image.with_name(f"{time.monotonic_ns()}.{self.kind}")
        _run("cp", "--sparse=always", str(self.image), str(fresh), check=True)
        self.image.unlink()
        self.image = fresh

    def unmount(self) -> None:
        """Take it away, as soon as nobody has a file of it open; AssertionError after BUSY_SECONDS."""
        _until_not_busy("umount", str(self.at))

    def remount(self, options: str) -> None:
        """Mount it otherwise: "ro", "rw"; "abort" is what ext4 does by itself when it finds an error."""
        _until_not_busy("mount", "-o", f"remount,{options}", str(self.at))

    def sync(self) -> None:
        """Make everything on it durable."""
        _run("sync", "--file-system", str(self.at), check=True)

    def fill(self, leave: int = 0) -> None:
        """Fill it up to the last `leave` bytes."""
        with (self.at / FILLER).open("ab", buffering=0) as file:
            step = 1 << 20
            while step:
                free = os.statvfs(self.at).f_bavail * os.statvfs(self.at).f_frsize - leave
                step = min(step, max(free, 0))
                try:
                    file.write(bytes(step))
                    os.fsync(file.fileno())
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def fill_inodes(self, leave: int = 0) -> None:
        """Use up its inodes but for so many."""
        folder = self.at / f"{FILLER}s"
        folder.mkdir(exist_ok=True)
        with suppress(OSError):
            while (free := os.statvfs(self.at).f_favail) > leave:
                for _ in range(free - leave):
                    (folder / f"{time.monotonic_ns()}").touch()

    def empty(self) -> None:
        """Give back what `fill` and `fill_inodes` took."""
        (self.at / FILLER).unlink(missing_ok=True)
        folder = self.at / f"{FILLER}s"
        if folder.exists():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


@contextmanager
def mounted(at: Path, kind: str = "tmpfs", *, megabytes: int = 8, inodes: int | None = None, options: str = "") -> Iterator[Disk]:
    """A new disk of that size at the folder `at`; an image lies beside that. `inodes`: so many and no more (tmpfs, ext4)."""
    needed_root("to mount")
    image = None
    if kind == "tmpfs":
        options = ",".join(filter(None, [options, f"size={megabytes}m", f"nr_inodes={inodes}" if inodes else ""]))
    else:
        image = at.with_name(f"{at.name}.{kind}")
        _make(image, kind, megabytes, inodes)
    disk = Disk(at, kind, options, image)
    try:
        disk.mount()
        yield disk
    finally:
        with suppress(AssertionError):
            if at.is_mount():
                disk.unmount()
        _run("umount", "--lazy", str(at))
        if disk.image is not None:
            disk.image.unlink(missing_ok=True)


def _make(image: Path, kind: str, megabytes: int, inodes: int | None) -> None:
    mkfs = needed(f"mkfs.{kind}", PACKAGES[kind])
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _run(mkfs, *OPTIONS[kind], *(["-N", str(inodes)] if inodes else []), str(image), check=True)


def _loops_of(image: Path) -> list[str]:
    """The loop devices that a filesystem in this image still has, for a moment or as long as anybody has it mounted."""
    until = time.monotonic() + LOOP_SECONDS
    while loops := _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(image)).stdout.split():
        if time.monotonic() > until:
            break
        time.sleep(0.005)
    return loops


def _until_not_busy(*command: str) -> None:
    until = time.monotonic() + BUSY_SECONDS
    while (done := _run(*command)).returncode:
        assert "busy" in done.stderr, f"{' '.join(command)}: {done.stderr}"
        assert time.monotonic() < until, f"{' '.join(command)}: {done.stderr} (after {BUSY_SECONDS} s)"
        time.sleep(0.005)


def _run(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=check)


def main(argv: Sequence[str] | None = None) -> int:
    """By hand."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.loops", description="Mount a small disk at a folder until Ctrl-C.")
    parser.add_argument("folder", type=Path, help="where it is mounted; an image lies beside it while it is")
    parser.add_argument("--kind", default="tmpfs", choices=["tmpfs", *PACKAGES], help="its filesystem (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=8, metavar="N", help="its size (%(default)s)")
    parser.add_argument("--inodes", type=int, metavar="N", help="so many files and folders, and no more (tmpfs, ext4)")
    parser.add_argument("--options", default="", help="for mount -o")
    parser.add_argument("--full", action="store_true", help="fill it up")
    asked = parser.parse_args(argv)
    with mounted(asked.folder.absolute(), asked.kind, megabytes=asked.megabytes, inodes=asked.inodes, options=asked.options) as disk:
        if asked.full:
            disk.fill()
        print(f"{disk.at} is mounted; Ctrl-C takes it away")
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
