"""What the mount table says of paths, read from the kernel and from texts that it writes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from qavix_watch.fs.disk import Disk
from qavix_watch.fs.mounts import LOCAL_TYPES, MountTable, mount_by_prefix, parse_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = rb"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/nas rw shared:1 - nfs4 nas:/films rw
31 22 0:41 / /mnt/nas\040two\134x rw - cifs //nas/two rw
32 30 254:0 /films /mnt/nas/local rw,relatime shared:2 master:1 - ext4 /dev/vda rw
33 22 0:42 / /mnt/over rw - fuse.sshfs host: rw
34 33 0:43 / /mnt/over rw - tmpfs tmpfs rw
nonsense
35 22 broken line - xfs
36 22 0:44 / /mnt/\377 rw - btrfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/", b"ext4"),
        (b"/home/x", b"ext4"),
        (b"/mnt/nas", b"nfs4"),
        (b"/mnt/nas/deep/file", b"nfs4"),
        (b"/mnt/nasty", b"ext4"),
        (b"/mnt/nas two\\x/f", b"cifs"),
        (b"/mnt/nas/local/f", b"ext4"),
        (b"/mnt/over/f", b"tmpfs"),
        (b"/mnt/\xff/f", b"btrfs"),
    ],
)
def test_the_longest_mount_point_above_a_path_counts_and_of_two_the_later(path: bytes, kind: bytes) -> None:
    found = mount_by_prefix(parse_mounts(TABLE), path)
    assert found is not None
    assert found.kind == kind


def test_what_others_may_write_to_is_never_local() -> None:
    remote = b"nfs nfs4 cifs smb3 fuse fuse.sshfs fuse.rclone fuseblk 9p virtiofs ceph afs autofs"
    assert LOCAL_TYPES.isdisjoint(remote.split())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "mount point"
    point.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", point], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting is not possible here: {done.stderr!r}")
    yield point
    subprocess.run(["umount", "-l", point], check=False)


def test_the_table_follows_mounts_and_links(mounted: Path) -> None:
    table, link = MountTable(), mounted.parent / "link"
    link.symlink_to(mounted)
    for path in (mounted, mounted / "not" / "yet", link / "x"):
        found = table.mount_of(os.fsencode(path))
        assert found is not None
        assert (found.point, found.kind) == (os.fsencode(mounted), b"tmpfs")
    inner = mounted / "later"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inner], check=True)
    found = table.mount_of(os.fsencode(inner))
    assert found is not None
    assert found.point == os.fsencode(inner)
    subprocess.run(["umount", inner, mounted], check=True)
    found = table.mount_of(os.fsencode(mounted))
    assert found is not None
    assert found.point != os.fsencode(mounted)
    table.close()


def test_no_rename_reaches_from_one_mount_of_a_filesystem_into_another(mounted: Path) -> None:
    disk, bound = Disk(), mounted / "bound"
    (mounted / "a").mkdir()
    (mounted / "b").mkdir()
    bound.mkdir()
    assert disk.same_filesystem(os.fsencode(mounted / "a"), os.fsencode(mounted / "b" / "not yet"))
    assert not disk.same_filesystem(os.fsencode(mounted / "a"), os.fsencode(mounted.parent))
    subprocess.run(["mount", "--bind", mounted / "b", bound], check=True)
    assert not disk.same_filesystem(os.fsencode(mounted / "a"), os.fsencode(bound))
    with pytest.raises(OSError, match="Invalid cross-device link"):
        os.rename(mounted / "a", bound / "a")
    subprocess.run(["umount", bound], check=True)
    disk.close()


def test_this_machine_s_own_disk_is_local_and_proc_is_not(tmp_path: Path) -> None:
    disk = Disk()
    assert disk.is_local(os.fsencode(tmp_path))
    assert not disk.is_local(b"/proc/self")
    disk.close()
