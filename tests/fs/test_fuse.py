"""Files on a share that another program serves (FUSE): what is known of them there, and what is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qavix_watch.fs.disk import Disk
from tests.support import ssh
from tests.support.needs import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of another host's, by sshfs."""
    require(*ssh.MOUNTING)
    base = tmp_path_factory.mktemp("sshfs")
    there = base / "there"
    there.mkdir()
    with ssh.serving(there, base / "ssh") as server, ssh.mounted(server, there, base / "here") as here:
        yield here


def test_a_file_that_gets_another_name_is_the_same_version_of_it(share: Path) -> None:
    """There are no renames there that cannot replace, so it is linked, and its inode number is another one then."""
    disk, one, other = Disk(), os.fsencode(share / "one"), os.fsencode(share / "other")
    (share / "one").write_bytes(b"x")
    before = disk.stat(one)
    disk.rename_new(one, other)
    assert disk.stat(other).version == before.version
    with disk.open(other) as reader:
        assert reader.stat().version == before.version
    (entry,) = (entry for entry in disk.scan(os.fsencode(share), lambda *_: False) if entry.path == other)
    assert entry.stat.version == before.version


def test_a_file_that_is_replaced_while_it_is_read_has_changed(share: Path) -> None:
    """Its inode number cannot tell; its size or its time does."""
    from qavix_watch.errors import FileChanged

    disk, path = Disk(), share / "film"
    path.write_bytes(b"x" * 3_000_000)
    with pytest.raises(FileChanged):
        disk.fingerprint(os.fsencode(path), _Replacing(path))
    path.unlink()
    path.write_bytes(b"x" * 3_000_000)
    assert disk.fingerprint(os.fsencode(path), _Reading()).size == 3_000_000


class _Reading:
    def start(self, total: int, done: int = 0) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass


class _Replacing(_Reading):
    """Puts another file in its place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def start(self, total: int, done: int = 0) -> None:
        newer = self._path.with_name("newer")
        newer.write_bytes(b"y" * (total - 1))
        newer.rename(self._path)


def test_a_file_that_another_host_goes_on_writing_is_seen_to_grow(share: Path) -> None:
    """The share's own cache would tell for 20 seconds what it was told first, and a file that grows would look quiet."""
    disk, path, there = Disk(), share / "growing", share.parent / "there" / "growing"
    there.write_bytes(b"x")
    assert [disk.stat(os.fsencode(path)).size, path.stat().st_size] == [1, 1]
    with there.open("ab") as file:
        file.write(b"x")
    assert disk.stat(os.fsencode(path)).size == 2
    with disk.open(os.fsencode(path)) as reader:
        assert reader.stat().size == 2


def test_what_cannot_be_opened_there_is_looked_at_all_the_same(share: Path) -> None:
    """Folders, links and files that may not be read have a stat as well."""
    disk = Disk()
    (share / "folder").mkdir()
    (share / "link").symlink_to("nowhere")
    assert disk.stat(os.fsencode(share / "folder")).is_dir
    link = disk.stat(os.fsencode(share / "link"))
    assert (link.is_dir, link.is_file) == (False, False)
