"""The disk: looking, reading, writing, folders, all on real files."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import stat as modes
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.files import Writer
from qavix_watch.errors import FileError, FileGone, FileUnreadable, NameTaken, Stopped
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.probe import ignore_sigio
from tests.support.meters import Count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.ports import Files, Meter, Reader, Sink


@pytest.fixture(autouse=True)
def _no_sigio() -> None:
    ignore_sigio()


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.close()


@pytest.fixture
def root(tmp_path: object) -> bytes:
    return os.fsencode(str(tmp_path))


def put(path: bytes, data: bytes = b"content") -> bytes:
    with open(path, "wb") as file:
        file.write(data)
    return path


def everything(name: bytes, is_dir: bool) -> bool:
    return False


def test_disk_fits_the_protocols_of_ports(disk: Disk, root: bytes) -> None:
    files: Files = disk
    reader: Reader = disk.open(put(root + b"/f"))
    sink: Sink = disk.append(root + b"/g")
    meter: Meter = Count()
    files.fingerprint(root + b"/f", meter)
    reader.close()
    sink.close()


# Scanning


def test_a_scan_gives_files_and_directories_a_directory_first(disk: Disk, root: bytes) -> None:
    os.makedirs(root + b"/a/b")
    put(root + b"/a/b/deep")
    put(root + b"/top")
    found = [entry.path for entry in disk.scan(root, everything)]
    assert sorted(found) == [root + end for end in (b"/a", b"/a/b", b"/a/b/deep", b"/top")]
    assert found.index(root + b"/a") < found.index(root + b"/a/b") < found.index(root + b"/a/b/deep")


def test_a_scan_leaves_out_links_and_special_files_and_does_not_enter_linked_directories(disk: Disk, root: bytes) -> None:
    os.makedirs(root + b"/real")
    put(root + b"/real/f")
    os.symlink(root + b"/real", root + b"/linked")
    os.symlink(root + b"/real/f", root + b"/link")
    os.symlink(root + b"/nowhere", root + b"/broken")
    os.mkfifo(root + b"/pipe")
    assert {entry.path for entry in disk.scan(root, everything)} == {root + b"/real", root + b"/real/f"}


def test_a_scan_prunes_what_is_skipped_with_all_below_it(disk: Disk, root: bytes) -> None:
    os.makedirs(root + b"/@eaDir/x")
    put(root + b"/@eaDir/x/f")
    put(root + b"/a.part")
    put(root + b"/a")
    asked: list[tuple[bytes, bool]] = []

    def skip(name: bytes, is_dir: bool) -> bool:
        asked.append((name, is_dir))
        return name in {b"@eaDir", b"a.part"}

    assert [entry.path for entry in disk.scan(root, skip)] == [root + b"/a"]
    assert sorted(asked) == [(b"@eaDir", True), (b"a", False), (b"a.part", False)]


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"line\nbreak.mp4", b"x" * 255, "日本語.mp4".encode()])
def test_names_are_bytes_of_any_kind(disk: Disk, root: bytes, name: bytes) -> None:
    path = put(root + b"/" + name)
    assert [entry.path for entry in disk.scan(root, everything)] == [path]
    assert disk.listdir(root) == [name]
    assert disk.stat(path).size == 7
    disk.rename_new(path, root + b"/plain")
    disk.rename_new(root + b"/plain", path)
    assert disk.read(path, 7) == b"content"


def test_what_cannot_be_read_is_told_and_does_not_end_a_scan(disk: Disk, root: bytes) -> None:
    put(root + b"/f")
    unread: list[bytes] = []
    assert list(disk.scan(root + b"/f", everything, unread.append)) == []
    assert unread == [root + b"/f"]
    assert list(disk.scan(root + b"/gone", everything, unread.append)) == []
    assert unread == [root + b"/f"]


def test_what_vanishes_during_a_scan_does_not_hide_the_rest(disk: Disk, root: bytes) -> None:
    for number in range(20):
        put(root + b"/%d" % number)
    scanning = iter(disk.scan(root, everything))
    found = {next(scanning).path}
    kept = {root + b"/%d" % number for number in range(0, 20, 2)} | found
    for name in {root + b"/%d" % number for number in range(20)} - kept:
        os.unlink(name)
    assert found | {entry.path for entry in scanning} == kept


def test_a_scanned_stat_is_the_stat_of_the_path(disk: Disk, root: bytes) -> None:
    put(root + b"/f", b"x" * 1000)
    os.mkdir(root + b"/d")
    for entry in disk.scan(root, everything):
        assert entry.stat == disk.stat(entry.path)
    assert disk.stat(root + b"/f").is_file
    assert disk.stat(root + b"/d").is_dir


# Is it complete?


def test_the_lease_probe_sees_a_writer_and_that_it_has_gone(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f")
    assert disk.writer(path) is Writer.NONE
    with open(path, "ab"):
        assert disk.writer(path) is Writer.OPEN
    with open(path, "rb"):
        assert disk.writer(path) is Writer.NONE


def test_a_file_that_was_renamed_into_place_before_it_is_closed_still_has_its_writer(disk: Disk, root: bytes) -> None:
    with open(put(root + b"/.upload"), "ab") as file:
        os.rename(root + b"/.upload", root + b"/clip.mp4")
        assert disk.writer(root + b"/clip.mp4") is Writer.OPEN
        file.close()
        assert disk.writer(root + b"/clip.mp4") is Writer.NONE


def test_a_file_that_is_written_through_memory_has_a_writer(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"x" * 4096)
    with open(path, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 4096)
    assert disk.writer(path) is Writer.OPEN
    memory.close()
    assert disk.writer(path) is Writer.NONE


OPLOCK = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_that_samba_holds_an_oplock_on_has_a_writer_and_hangs_nobody(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f")
    command = [sys.executable, "-c", OPLOCK, os.fsdecode(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as samba:
        assert samba.stdout is not None
        assert samba.stdout.readline() == b"held\n"
        assert disk.writer(path) is Writer.OPEN
        with pytest.raises(FileUnreadable, match="kept open by another program"):
            disk.open(path)
        samba.kill()
    assert disk.writer(path) is Writer.NONE


UNSAFE = """
import os, sys, threading
from qavix_watch.fs.probe import ignore_sigio, writer_of
if sys.argv[2] == "ignored":
    ignore_sigio()
import fcntl
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
try:
    os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
except BlockingIOError:
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
print("alive")
"""


@pytest.mark.parametrize(("how", "code", "said"), [("ignored", 0, b"alive\n"), ("not ignored", -signal.SIGIO, b"")])
def test_a_broken_lease_ends_only_a_process_that_does_not_ignore_its_signal(
    root: bytes, how: str, code: int, said: bytes
) -> None:
    command = [sys.executable, "-c", UNSAFE, os.fsdecode(put(root + b"/f")), how]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    # A child inherits ignored signals; this one is to begin with the default.
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    ignore_sigio()
    assert (done.returncode, done.stdout) == (code, said)


def test_a_writer_may_open_the_file_at_any_moment_of_many_probes(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f")
    ended = threading.Event()

    def write() -> None:
        for _ in range(2000):
            os.close(os.open(path, os.O_WRONLY))
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not ended.is_set():
        seen.add(disk.writer(path))
    thread.join()
    assert seen <= {Writer.NONE, Writer.OPEN}
    assert disk.writer(path) is Writer.NONE


def test_no_filesystem_that_counts_as_remote_may_say_that_nobody_writes(
    disk: Disk, root: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(root + b"/f")
    monkeypatch.setattr(disk, "is_local", lambda path: False)
    assert disk.writer(path) is Writer.UNKNOWN
    with open(path, "ab"):
        assert disk.writer(path) is Writer.OPEN


def test_a_file_given_its_size_first_has_a_hole_until_all_of_it_is_written(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"")
    assert not disk.has_hole(path)
    with open(path, "r+b", buffering=0) as file:
        file.truncate(1_000_000)
        assert disk.has_hole(path)
        file.seek(999_999)
        file.write(b"x")
        assert disk.has_hole(path)
        file.seek(0)
        file.write(b"x" * 999_999)
        assert not disk.has_hole(path)


def test_what_is_only_reserved_is_a_hole_and_written_zeros_are_none(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"")
    with open(path, "r+b", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, 1_000_000)
        file.write(b"x" * 4096)
        assert disk.has_hole(path)
        file.write(b"\0" * (1_000_000 - 4096))
        assert not disk.has_hole(path)
        os.fsync(file.fileno())
        assert not disk.has_hole(path)


# Reading and writing


def test_a_reader_gives_the_bytes_and_the_stat_of_the_open_file(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"0123456789")
    with disk.open(path) as reader:
        os.rename(path, root + b"/g")
        assert reader.read(4) + reader.read(100) + reader.read(1) == b"0123456789"
        assert reader.stat() == disk.stat(root + b"/g")
        reader.close()


def test_read_refuses_what_is_larger_than_its_limit(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"x" * 100)
    assert disk.read(path, 100) == b"x" * 100
    with pytest.raises(FileUnreadable, match="more than the 99 bytes"):
        disk.read(path, 99)


@pytest.mark.parametrize("kind", ["directory", "pipe", "link"])
def test_only_regular_files_are_opened_and_a_pipe_does_not_hang(disk: Disk, root: bytes, kind: str) -> None:
    path = root + b"/x"
    if kind == "directory":
        os.mkdir(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        os.symlink(put(root + b"/f"), path)
    with pytest.raises(FileUnreadable):
        disk.open(path)


def test_write_replaces_at_once_and_leaves_no_temporary(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f", b"old")
    put(root + b"/.tmp", b"a killed predecessor's much longer text")
    disk.write(path, b"new", root + b"/.tmp")
    assert disk.read(path, 10) == b"new"
    assert disk.listdir(root) == [b"f"]


def test_a_write_that_fails_leaves_the_old_text_and_no_temporary(disk: Disk, root: bytes) -> None:
    os.mkdir(root + b"/d")
    with pytest.raises(FileUnreadable):
        disk.write(root + b"/d", b"new", root + b"/.tmp")
    assert disk.listdir(root) == [b"d"]


def test_of_what_could_not_be_made_durable_nothing_is_gone_on_with(disk: Disk, root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_fd: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    with disk.append(root + b"/f") as sink:
        sink.write(b"one")
        monkeypatch.setattr("qavix_watch.fs.streams.os.fsync", fails)
        with pytest.raises(FileUnreadable):
            sink.sync()
        monkeypatch.undo()
        assert sink.size() == 0
        sink.write(b"two")
        sink.sync()
    assert disk.read(root + b"/f", 10) == b"two"


def test_a_sink_goes_on_where_it_ended(disk: Disk, root: bytes) -> None:
    path = root + b"/f"
    with disk.append(path) as sink:
        sink.write(b"one")
        sink.sync()
    with disk.append(path) as sink:
        assert sink.size() == 3
        sink.write(b"two")
        assert disk.read(path, 10) == b"onetwo"
        sink.restart()
        assert sink.size() == 0
        sink.write(b"new")
        sink.close()
    assert disk.read(path, 10) == b"new"


def test_a_copy_has_the_content_the_times_and_tells_the_sha256(disk: Disk, root: bytes) -> None:
    source = put(root + b"/f", os.urandom(2_500_000))
    os.utime(source, ns=(1, 1_234_567_890_123_456_789))
    meter = Count()
    digest = disk.copy(source, root + b"/.copy", meter)
    assert disk.read(root + b"/.copy", 3_000_000) == disk.read(source, 3_000_000)
    assert disk.stat(root + b"/.copy").mtime_ns == 1_234_567_890_123_456_789
    assert digest == disk.fingerprint(source, Count()).sha256
    assert (meter.total, meter.done) == (2_500_000, 2_500_000)


def test_a_copy_that_is_stopped_leaves_nothing(disk: Disk, root: bytes) -> None:
    source = put(root + b"/f", os.urandom(2_500_000))
    with pytest.raises(Stopped):
        disk.copy(source, root + b"/.copy", Count(limit=1_000_000))
    assert disk.listdir(root) == [b"f"]


def test_remove_removes_and_does_not_mind_what_is_not_there(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f")
    disk.remove(path)
    disk.remove(path)
    disk.remove(path + b"/below")
    assert disk.listdir(root) == []


# Folders


def test_make_folder_takes_mode_with_setgid_and_group_from_its_model(disk: Disk, root: bytes) -> None:
    model = root + b"/model"
    os.mkdir(model)
    if os.geteuid() == 0:
        os.chown(model, -1, 4242)
    os.chmod(model, 0o2770)
    disk.make_folder(root + b"/a/b/c", like=model)
    disk.make_folder(root + b"/a/b/c", like=model)
    for folder in (b"/a", b"/a/b", b"/a/b/c"):
        made = os.stat(root + folder)
        assert modes.S_IMODE(made.st_mode) == 0o2770
        assert made.st_gid == os.stat(model).st_gid


def test_make_folder_says_which_file_is_in_the_way(disk: Disk, root: bytes) -> None:
    put(root + b"/f")
    with pytest.raises(NameTaken, match="is a file where a folder is needed"):
        disk.make_folder(root + b"/f/below")


def test_a_file_of_ours_may_be_used_by_whoever_may_use_the_folder(disk: Disk, root: bytes) -> None:
    path, folder = put(root + b"/f"), root + b"/d"
    os.chmod(path, 0o600)
    os.mkdir(folder)
    os.chmod(folder, 0o2775)
    disk.adopt(path, folder)
    assert modes.S_IMODE(os.stat(path).st_mode) == 0o664
    disk.adopt(root + b"/gone", folder)
    disk.adopt(path, root + b"/gone")


def test_in_a_folder_where_everybody_may_make_files_ours_are_not_everybodys(disk: Disk, root: bytes) -> None:
    path = put(root + b"/f")
    for mode, wanted in ((0o1777, 0o664), (0o777, 0o666)):
        os.chmod(root, mode)
        disk.adopt(path, root)
        assert modes.S_IMODE(os.stat(path).st_mode) == wanted


def test_configured_mode_and_group_go_before_those_of_the_folder(root: bytes) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files to any group")
    disk, path = Disk(mode=0o640, group=4343), put(root + b"/f")
    disk.adopt(path, root)
    disk.make_folder(root + b"/d", like=root)
    disk.close()
    assert (modes.S_IMODE(os.stat(path).st_mode), os.stat(path).st_gid) == (0o640, 4343)
    assert (modes.S_IMODE(os.stat(root + b"/d").st_mode), os.stat(root + b"/d").st_gid) == (0o750, 4343)


def test_remove_empty_climbs_as_far_as_folders_are_empty_and_never_past_its_stop(disk: Disk, root: bytes) -> None:
    os.makedirs(root + b"/stop/a/b/c")
    put(root + b"/stop/a/keep")
    disk.remove_empty(root + b"/stop/a/b/c", root + b"/stop")
    assert disk.listdir(root + b"/stop/a") == [b"keep"]
    disk.remove(root + b"/stop/a/keep")
    disk.remove_empty(root + b"/stop/a/b", root + b"/stop")
    assert disk.listdir(root + b"/stop") == []
    disk.remove_empty(root + b"/stop", root + b"/stop")
    assert disk.listdir(root) == [b"stop"]


def test_space_is_that_of_the_nearest_folder_that_is_there(disk: Disk, root: bytes) -> None:
    here, below = disk.space(root), disk.space(root + b"/not/yet/there")
    assert here.filesystem == below.filesystem
    assert here.free_bytes > 0


def test_a_name_with_a_zero_byte_is_an_error_of_ours(disk: Disk, root: bytes) -> None:
    with pytest.raises(FileError, match="zero byte"):
        disk.stat(root + b"/a\0b")


def test_a_name_that_the_filesystem_refuses_says_so(disk: Disk, root: bytes) -> None:
    with pytest.raises(FileError, match="refuses the name"):
        disk.append(root + b"/" + b"x" * 256)
    with pytest.raises(FileGone):
        disk.stat(root + b"/gone")
