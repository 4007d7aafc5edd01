"""No OSError leaves the room: every method meets the real conditions, and answers with an error of ours."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Writer
from qavix_watch.errors import FileError, FileGone, FileUnreadable, NameRefused, NameTaken, NoSpace
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.probe import ignore_sigio
from tests.support.meters import Count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Act = Callable[[Disk, bytes], object]


def grow(disk: Disk, path: bytes) -> None:
    with disk.append(path) as sink:
        sink.write(b"x" * 4_000_000)
        sink.sync()


@functools.cache
def large() -> bytes:
    """A file of four megabytes, kept until the tests end."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x" * 4_000_000)
    atexit.register(os.unlink, file.name)
    os.chmod(file.name, 0o644)
    return os.fsencode(file.name)


READING: dict[str, Act] = {
    "stat": lambda disk, path: disk.stat(path),
    "writer": lambda disk, path: disk.writer(path),
    "has_hole": lambda disk, path: disk.has_hole(path),
    "open": lambda disk, path: disk.open(path),
    "fingerprint": lambda disk, path: disk.fingerprint(path, Count()),
    "read": lambda disk, path: disk.read(path, 100),
    "copy from": lambda disk, path: disk.copy(path, os.path.dirname(path) + b"/.copy", Count()),
    "rename from": lambda disk, path: disk.rename_new(path, os.path.dirname(path) + b"/new"),
    "listdir": lambda disk, path: disk.listdir(path),
    "make_durable": lambda disk, path: disk.make_durable(path),
}
WRITING: dict[str, Act] = {
    "append": grow,
    "write": lambda disk, path: disk.write(path, b"x" * 4_000_000, path + b".tmp", like=os.path.dirname(path)),
    "copy to": lambda disk, path: disk.copy(large(), path, Count()),
}
NAMING: dict[str, Act] = {
    "rename to": lambda disk, path: disk.rename_new(os.path.dirname(path) + b"/source", path),
    "make_folder": lambda disk, path: disk.make_folder(path),
}
QUIET: dict[str, Act] = {
    "scan": lambda disk, path: list(disk.scan(path, lambda name, is_dir: False)),
    "adopt": lambda disk, path: disk.adopt(path, path),
    "is_local": lambda disk, path: disk.is_local(path),
    "space": lambda disk, path: disk.space(path),
    "same_filesystem": lambda disk, path: disk.same_filesystem(path, path),
    "remove_empty": lambda disk, path: disk.remove_empty(path, os.path.dirname(path)),
    "remove": lambda disk, path: disk.remove(path),
}


@pytest.fixture
def disk() -> Iterator[Disk]:
    ignore_sigio()
    made = Disk()
    yield made
    made.close()


def test_every_method_is_in_one_of_these_tables() -> None:
    named = {name.split()[0] for table in (READING, WRITING, NAMING, QUIET) for name in table}
    assert {name.replace("rename", "rename_new") for name in named} | {"close"} == {
        name for name in dir(Disk) if not name.startswith("_")
    }


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("end", ["gone", "file/below"])
def test_what_is_not_there_is_gone(disk: Disk, tmp_path: Path, name: str, end: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(FileGone, match="is not there"):
        READING[name](disk, os.fsencode(tmp_path / end))


@pytest.mark.parametrize("name", WRITING)
def test_a_folder_that_is_not_there_is_gone(disk: Disk, tmp_path: Path, name: str) -> None:
    with pytest.raises(FileGone):
        WRITING[name](disk, os.fsencode(tmp_path / "gone" / "x"))


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("end", ["gone", "file/below"])
def test_what_may_be_asked_of_anything_does_not_fail(disk: Disk, tmp_path: Path, name: str, end: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    QUIET[name](disk, os.fsencode(tmp_path / end))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one mebibyte and sixteen inodes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small filesystem")
    options = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=16"]
    done = subprocess.run(["mount", *options, "tmpfs", tmp_path], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting is not possible here: {done.stderr!r}")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=False)


@pytest.mark.parametrize("name", WRITING)
def test_a_full_filesystem_is_no_space_and_half_made_files_go_away(disk: Disk, small: Path, name: str) -> None:
    with pytest.raises(NoSpace, match="There is no room"):
        WRITING[name](disk, os.fsencode(small / "x"))
    assert sorted(os.listdir(small)) == (["x"] if name == "append" else [])


@pytest.mark.parametrize("name", [*WRITING, "make_folder"])
def test_a_filesystem_without_inodes_is_no_space(disk: Disk, small: Path, name: str) -> None:
    number = 0
    while disk.space(os.fsencode(small)).free_inodes:
        (small / str(number)).touch()
        number += 1
    with pytest.raises(NoSpace):
        (WRITING | NAMING)[name](disk, os.fsencode(small / "x"))


def as_nobody(run: Callable[[], str]) -> str:
    """What `run` answers in a child process without rights."""
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            answer = run()
        except Exception as error:  # noqa: BLE001 - the answer is which error it was
            answer = f"{type(error).__name__}: {error}"
        os.write(into, answer.encode())
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with open(out, "rb") as file:
        return file.read().decode()


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that others may enter and read, with a file and a folder that they may not."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "file").write_bytes(b"x" * 100)
        (root / "source").write_bytes(b"x" * 100)
        (root / "file").chmod(0o600)
        (root / "folder").mkdir(mode=0o700)
        root.chmod(0o755)
        yield root


@pytest.mark.parametrize("name", ["writer", "has_hole", "open", "fingerprint", "read", "copy from"])
def test_what_another_user_may_not_read_is_unreadable(disk: Disk, locked: Path, name: str) -> None:
    answer = as_nobody(lambda: str(READING[name](disk, os.fsencode(locked / "file"))))
    assert answer.startswith("FileUnreadable: Could not")
    assert answer.endswith("file: Permission denied.")


@pytest.mark.parametrize("name", [*WRITING, *NAMING, "remove"])
def test_where_another_user_may_not_write_is_unreadable(disk: Disk, locked: Path, name: str) -> None:
    path = os.fsencode(locked / ("source" if name == "remove" else "new"))
    answer = as_nobody(lambda: str((WRITING | NAMING | QUIET)[name](disk, path)))
    assert answer.startswith("FileUnreadable: Could not")
    assert "Permission denied" in answer


def test_a_folder_that_may_not_be_read_is_told_by_a_scan(disk: Disk, locked: Path) -> None:
    unread: list[bytes] = []

    def look() -> str:
        found = [entry.path for entry in disk.scan(os.fsencode(locked), lambda name, is_dir: False, unread.append)]
        return f"{len(found)} {unread}"

    assert as_nobody(look) == f"3 [{os.fsencode(locked / 'folder')!r}]"


def test_of_another_user_s_file_the_kernel_does_not_tell_who_writes(disk: Disk, locked: Path) -> None:
    (locked / "file").chmod(0o644)
    assert as_nobody(lambda: disk.writer(os.fsencode(locked / "file")).value) == Writer.UNKNOWN.value


@pytest.mark.parametrize("code", range(1, 134))
def test_every_number_that_the_kernel_knows_has_an_error_of_ours(code: int) -> None:
    from qavix_watch.fs.failures import mapped

    def act() -> Any:
        raise OSError(code, os.strerror(code))

    with pytest.raises(FileError) as caught, mapped(b"/some/\xffpath"):
        act()
    assert type(caught.value) in {FileError, FileGone, FileUnreadable, NameRefused, NameTaken, NoSpace}
    assert "/some/\N{REPLACEMENT CHARACTER}path" in str(caught.value)


FAILING = """
import os, sys
from qavix_watch.fs.disk import Disk
disk, root = Disk(), sys.argv[2].encode()
acts = {
    "write": lambda: disk.write(root + b"/f", b"x", root + b"/.f"),
    "append": lambda: disk.append(root + b"/f").sync(),
    "make_folder": lambda: disk.make_folder(root + b"/d"),
    "have_folder": lambda: (os.mkdir(root + b"/d"), disk.make_folder(root + b"/d", below=root)),
    "make_durable": lambda: (open(root + b"/f", "w").close(), disk.make_durable(root + b"/f")),
    "scan": lambda: print("unread" if list(disk.scan(root, lambda *_: False, lambda path: print(path))) == [] else "read"),
    "listdir": lambda: disk.listdir(root),
    "rename": lambda: (open(root + b"/source", "w").close(), disk.rename_new(root + b"/source", root + b"/f")),
}
try:
    acts[sys.argv[1]]()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("act", "call", "error", "expected"),
    [
        ("write", "fsync", "EIO", "FileUnreadable Could not write"),
        ("append", "fsync", "EDQUOT", "NoSpace There is no room"),
        ("make_folder", "fsync", "EIO", "FileUnreadable Could not make durable what lies in"),
        ("make_folder", "fsync", "EINVAL", ""),
        ("have_folder", "fsync", "EIO", "FileUnreadable Could not make durable what lies in"),
        ("make_durable", "fsync", "EIO", "FileUnreadable Could not make durable"),
        ("rename", "renameat2", "ESTALE", "FileUnreadable Could not make"),
        ("rename", "renameat2", "ENOSYS", ""),
        ("listdir", "getdents64", "EIO", "FileUnreadable Could not read"),
        ("scan", "getdents64", "EIO", "b'"),
    ],
)
def test_a_disk_that_fails_is_an_error_of_ours(tmp_path: Path, act: str, call: str, error: str, expected: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace makes calls fail, and is not installed")
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(tmp_path), "-P", str(tmp_path / ".f")]
    trace += ["-P", str(tmp_path / "f"), "-P", str(tmp_path / "source"), "-e", f"inject={call}:error={error}"]
    command = [*trace, sys.executable, "-c", FAILING, act, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "."})
    assert done.stderr == ""
    assert done.stdout.startswith(expected)
    assert bool(done.stdout) == bool(expected)
