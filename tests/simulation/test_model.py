"""The simulated disk is held against the real one: the same acts on both give the same results, errors in the same words, and trees."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.errors import QavixWatchError
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.probe import ignore_sigio
from tests.simulation.disk import SimulatedDisk
from tests.simulation.kernel import Kernel, Program
from tests.simulation.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.core.files import Stat
    from qavix_watch.ports import Files, Reader, Sink

LIVES = 40
ACTS = 100
NAMES = (b"a", b"b", "ü".encode(), b"n" * 255, b"n" * 256, b"share")
WEIGHTS = (8, 8, 4, 1, 1, 4)
ROOM, INODES = 1 << 20, 16
SIZES = (0, 1, 4095, 4096, 4097, 70_000, 400_000)

class Meter:
    def start(self, total: int, done: int = 0) -> None: ...
    def advance(self, amount: int) -> None: ...


def told(found: Stat) -> tuple[object, ...]:
    """What must be the same on any two disks: not the numbers, the times, or the size of a directory."""
    return (found.is_file, found.is_dir, found.size if found.is_file else 0)


class Side:
    """One disk with what a program has open on it, and the acts of this test, each giving what is compared."""

    def __init__(self, root: bytes, files: Files, sparse: Callable[[bytes, int], None]) -> None:
        self.root = root
        self.files = files
        self.sparse = sparse
        self.readers: list[Reader] = []
        self.sinks: list[Sink] = []
        self.met: set[str] = set()

    def do(self, act: str, *arguments: Any) -> object:
        try:
            return getattr(self, act)(*arguments)
        except QavixWatchError as error:
            self.met.add(type(error).__name__)
            return type(error).__name__, str(error), error.hint

    def at(self, path: bytes) -> bytes:
        return self.root + path

    def stat(self, path: bytes) -> object:
        return told(self.files.stat(self.at(path)))

    def listdir(self, path: bytes) -> object:
        return self.files.listdir(self.at(path))

    def scan(self, path: bytes, name: bytes) -> object:
        unread: list[bytes] = []
        found = self.files.scan(self.at(path), lambda one, is_dir: is_dir and one == name, unread.append)
        return sorted((entry.path, told(entry.stat)) for entry in found), unread

    def space(self, path: bytes) -> object:
        found = self.files.space(self.at(path))
        # A removed file that is open keeps the inode of its removed directory too: a habit of the kernel's that is not simulated.
        return found.free_bytes, None if self.readers or self.sinks else found.free_inodes

    def writer(self, path: bytes) -> object:
        return self.files.writer(self.at(path))

    def hole(self, path: bytes) -> object:
        found = self.files.stat(self.at(path))
        return found.is_file and self.files.has_hole(self.at(path))

    def make_hole(self, path: bytes, size: int) -> None:
        if self.files.stat(self.at(path)).is_file:
            self.sparse(self.at(path), size)

    def read(self, path: bytes, limit: int) -> object:
        return self.files.read(self.at(path), limit)

    def fingerprint(self, path: bytes) -> object:
        found = self.files.fingerprint(self.at(path), Meter())
        return found.sha256, found.md5, found.size, told(found.before), told(found.after)

    def write(self, path: bytes, data: bytes, temporary: bytes) -> None:
        self.files.write(self.at(path), data, self.at(temporary), self.root)

    def rename_new(self, source: bytes, target: bytes) -> None:
        self.files.rename_new(self.at(source), self.at(target))

    def copy(self, source: bytes, temporary: bytes) -> object:
        made = self.files.copy(self.at(source), self.at(temporary), Meter())
        same = self.files.stat(self.at(source)).mtime_ns == self.files.stat(self.at(temporary)).mtime_ns
        return made, same or source == temporary

    def remove(self, path: bytes) -> None:
        self.files.remove(self.at(path))

    def remove_empty(self, path: bytes) -> None:
        self.files.remove_empty(self.at(path), self.root)

    def make_folder(self, path: bytes) -> None:
        self.files.make_folder(self.at(path), self.root)

    def same_filesystem(self, one: bytes, other: bytes) -> object:
        return self.files.same_filesystem(self.at(one), self.at(other))

    def open(self, path: bytes) -> object:
        self.readers.append(self.files.open(self.at(path)))
        return len(self.readers)

    def read_on(self, which: int, size: int) -> object:
        if not self.readers:
            return None
        reader = self.readers[which % len(self.readers)]
        return reader.read(size), told(reader.stat())

    def close_reader(self, which: int) -> None:
        if self.readers:
            self.readers.pop(which % len(self.readers)).close()

    def append(self, path: bytes) -> object:
        self.sinks.append(self.files.append(self.at(path)))
        return len(self.sinks)

    def grow(self, which: int, data: bytes) -> object:
        if not self.sinks:
            return None
        sink = self.sinks[which % len(self.sinks)]
        sink.write(data)
        return sink.size()

    def restart(self, which: int) -> None:
        if self.sinks:
            self.sinks[which % len(self.sinks)].restart()

    def sync(self, which: int) -> None:
        if self.sinks:
            self.sinks[which % len(self.sinks)].sync()

    def close_sink(self, which: int) -> None:
        if self.sinks:
            self.sinks.pop(which % len(self.sinks)).close()

    def close(self) -> None:
        for reader in self.readers:
            reader.close()
        for sink in self.sinks:
            sink.close()

    def tree(self) -> list[object]:
        """Everything below the root, with all bytes."""
        found = sorted(self.files.scan(self.root, lambda _name, _is_dir: False), key=lambda entry: entry.path)
        return [(one.path, told(one.stat), one.stat.is_file and self.files.read(one.path, 1 << 30)) for one in found]


def some_path(random: random.Random) -> bytes:
    depth = random.choice((1, 1, 2, 2, 3))
    return b"".join(b"/" + name for name in random.choices(NAMES, WEIGHTS, k=depth))


def some_act(random: random.Random) -> tuple[Any, ...]:
    """One act and what it is done with."""
    one, other, third = some_path(random), some_path(random), random.randrange(3)
    data = random.randbytes(random.choice(SIZES))
    return random.choice((
        ("stat", one), ("listdir", one), ("scan", random.choice((b"", one)), b"b"), ("writer", one), ("hole", one),
        ("make_hole", one, random.choice(SIZES)), ("read", one, random.choice((10, 1 << 20))), ("fingerprint", one),
        ("write", one, data, other), ("write", one, data, one + b".tmp"), ("write", one, data, one + b".tmp"),
        ("rename_new", one, other), ("rename_new", one, other), ("copy", one, other), ("remove", one), ("remove_empty", one),
        ("make_folder", one), ("make_folder", one), ("same_filesystem", one, other),
        ("open", one), ("read_on", third, 5000), ("close_reader", third),
        ("append", one), ("grow", third, data), ("restart", third), ("sync", third), ("close_sink", third),
    ))


def real_sparse(path: bytes, size: int) -> None:
    os.truncate(path, size)


def simulated(root: bytes, *, small: bool) -> Side:
    ticks = iter(range(1_800_000_000, 1 << 60))
    kernel = Kernel(Volume("disk", 1), now=lambda: next(ticks))
    program = Program(kernel)
    program.make_folders(root)
    if small:
        kernel.mount(root, Volume("one", 2, room=ROOM, inodes=INODES))
        program.make_folders(root + b"/share")
        kernel.mount(root + b"/share", Volume("other", 3, room=ROOM, inodes=INODES))

    def sparse(path: bytes, size: int) -> None:
        handle = program.open_to_write(path)
        handle.truncate(size)
        handle.close()

    return Side(root, SimulatedDisk(program), sparse)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Side]:
    ignore_sigio()
    disk, root = Disk(), os.fsencode(tmp_path / "root")
    os.mkdir(root)
    side = Side(root, disk, real_sparse)
    yield side
    side.close()
    disk.close()


@pytest.fixture
def small(real: Side) -> Iterator[Side]:
    """Two small filesystems, one in the other."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small filesystem")
    points = [os.fsdecode(real.root), os.fsdecode(real.root + b"/share")]
    for point in points:
        os.makedirs(point, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},nr_inodes={INODES}", "tmpfs", point]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"mounting is not possible here: {done.stderr!r}")
    yield real
    for point in reversed(points):
        subprocess.run(["umount", "-l", point], check=False)


def differences(real: Side, seed: int, *, small: bool = False) -> str:
    """Live one life on both disks; "" where they agree, else the acts to the first difference."""
    chance, model, story = random.Random(seed), simulated(real.root, small=small), []
    for _ in range(ACTS):
        act = some_act(chance)
        story.append(f"{shortened(act)} →")
        for asked in (act, ("space", b""), ("space", b"/share")) if small else (act,):
            wanted, found = real.do(*asked), model.do(*asked)
            story.append(f"    real {shortened(wanted)}, simulated {shortened(found)}")
            if wanted != found:
                return f"seed {seed}:\n" + "\n".join(story)
    return "" if real.tree() == model.tree() else f"seed {seed}: the trees differ\n" + "\n".join(story)


def shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else text[:140] + "…" + text[-140:]


def emptied(side: Side) -> None:
    side.close()
    side.readers.clear()
    side.sinks.clear()
    empty(side.root)


def empty(folder: bytes) -> None:
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.ismount(path):
            empty(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def test_the_simulated_disk_answers_as_the_real_one_does(real: Side) -> None:
    for seed in range(LIVES):
        assert differences(real, seed) == ""
        emptied(real)
    assert real.met == {"FileGone", "FileUnreadable", "NameRefused", "NameTaken"}


def test_two_small_simulated_filesystems_fill_up_and_refuse_as_real_ones_do(small: Side) -> None:
    for seed in range(LIVES):
        assert differences(small, seed, small=True) == ""
        emptied(small)
    assert small.met == {"FileGone", "FileUnreadable", "NameRefused", "NameTaken", "NoSpace"}


def test_the_comparison_notices_a_disk_that_replaces_what_it_must_not(real: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "rename", lambda self, one, other, *, replace=True, _way=Program.rename: _way(self, one, other))
    for seed in range(LIVES):
        if "NameTaken" in differences(real, seed).rpartition("\n")[2]:
            return
        emptied(real)
    pytest.fail("no life showed it")
