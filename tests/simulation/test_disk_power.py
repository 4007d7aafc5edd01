"""What the simulated disk keeps and loses, and how it fails: the facts that the simulated lives are judged by."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.files import Writer
from qavix_watch.errors import FileGone, FileUnreadable, NameTaken, NoSpace, RootOffline
from tests.simulation.disk import SimulatedDisk
from tests.simulation.kernel import Kernel, Program
from tests.simulation.volumes import HOLED, LOST, PAGE, SHORT, Volume

if TYPE_CHECKING:
    from qavix_watch.ports import Files
    from tests.simulation.volumes import Choose

DATA = bytes(range(256)) * 1024  # four chunks


class Died(BaseException):
    """A death, which no `except Exception` sees."""


class World:
    """One host with a disk, a share on `/share`, and what it was told."""

    def __init__(self, *, room: int = 1 << 30, inodes: int = 1 << 20, local: bool = True) -> None:
        self.time = 1_800_000_000.0
        self.hints: list[tuple[bytes, str]] = []
        self.points: list[str] = []
        self.faults: dict[str, int] = {}
        self.dies_at = ""
        self.volume = Volume("root", 1)
        self.share = Volume("share", 2, room=room, inodes=inodes)
        self.kernel = Kernel(self.volume, now=lambda: self.time, tell=lambda path, kind: self.hints.append((path, kind)))
        self.person = Program(self.kernel, "person")
        self.program = Program(self.kernel, "service", point=self._point, fault=lambda act, _path: self.faults.get(act, 0))
        self.files = SimulatedDisk(self.program)
        self.person.make_folders(b"/in")
        self.person.make_folders(b"/share")
        self.person.sync_folder(b"/")
        self.kernel.mount(b"/share", self.share, local=local)
        self.hints.clear()

    def _point(self, name: str) -> None:
        self.points.append(name)
        if name == self.dies_at:
            self.program.die()
            raise Died


def everything_lost(stream: str, count: int) -> int:
    return count - 1 if stream.endswith("names") else LOST


def data_only(how: int) -> Choose:
    return lambda stream, _count: how if stream.endswith("data") else 0


def harmless(_stream: str, _count: int) -> int:
    return 0


def put(world: World, path: bytes, data: bytes = DATA) -> None:
    """As a person does it: nothing is fsynced."""
    handle = world.person.open_to_write(path)
    handle.write(data)
    handle.close()


def content(world: World, path: bytes) -> bytes:
    return world.files.read(path, 1 << 30)


def as_the_port(files: SimulatedDisk) -> Files:
    """The type checker's word that the shape is right."""
    return files


# Power


def test_what_was_not_fsynced_is_lost_at_a_power_cut() -> None:
    world = World()
    put(world, b"/in/a")
    world.kernel.power_cut(everything_lost)
    assert world.files.listdir(b"/in") == []


def test_a_power_cut_that_is_harmless_loses_nothing() -> None:
    world = World()
    put(world, b"/in/a")
    world.kernel.power_cut(harmless)
    assert content(world, b"/in/a") == DATA


def test_a_name_that_was_synced_without_its_data_is_an_empty_file() -> None:
    world = World()
    put(world, b"/in/a")
    world.person.sync_folder(b"/in")
    world.kernel.power_cut(everything_lost)
    assert content(world, b"/in/a") == b""


def test_data_that_was_synced_without_its_name_is_lost() -> None:
    world = World()
    handle = world.person.open_to_write(b"/in/a")
    handle.write(DATA)
    handle.sync()
    world.kernel.power_cut(everything_lost)
    assert world.files.listdir(b"/in") == []


@pytest.mark.parametrize(("how", "size", "hole"), [(SHORT, len(DATA) // 2, False), (HOLED, len(DATA), True)])
def test_data_can_be_torn(how: int, size: int, hole: bool) -> None:
    world = World()
    put(world, b"/in/a")
    world.kernel.power_cut(data_only(how))
    assert world.files.stat(b"/in/a").size == size
    assert world.files.has_hole(b"/in/a") is hole
    assert content(world, b"/in/a")[: len(DATA) // 2] == DATA[: len(DATA) // 2]


def test_every_verb_that_promises_durability_keeps_its_promise() -> None:
    world = World()
    files = world.files
    files.make_folder(b"/in/x/y")
    files.write(b"/in/x/note", b"text", b"/in/x/.note")
    sink = files.append(b"/in/x/part")
    sink.write(DATA)
    sink.sync()
    files.copy(b"/in/x/part", b"/in/x/copy", NoMeter())
    files.rename_new(b"/in/x/part", b"/in/x/y/whole")
    world.kernel.power_cut(everything_lost)
    assert [entry.path for entry in files.scan(b"/in", lambda _name, _is_dir: False)] == [
        b"/in/x", b"/in/x/copy", b"/in/x/note", b"/in/x/y", b"/in/x/y/whole",
    ]
    assert (content(world, b"/in/x/note"), content(world, b"/in/x/copy"), content(world, b"/in/x/y/whole")) == (b"text", DATA, DATA)


def test_what_grew_after_the_last_sync_of_a_sink_is_lost_and_no_more() -> None:
    world = World()
    sink = world.files.append(b"/in/part")
    sink.write(b"kept")
    sink.sync()
    sink.write(b" and lost")
    world.kernel.power_cut(everything_lost)
    assert content(world, b"/in/part") == b"kept"


def test_a_rename_without_fsync_of_the_directory_may_be_lost_and_is_never_half_done() -> None:
    world = World()
    world.files.make_folder(b"/in/out")
    world.files.write(b"/in/a", DATA, b"/in/.a")
    world.person.rename(b"/in/a", b"/in/out/a")
    world.kernel.power_cut(everything_lost)
    assert (world.files.listdir(b"/in"), world.files.listdir(b"/in/out")) == ([b"a", b"out"], [])


@pytest.mark.parametrize("synced", [b"/in", b"/in/out"])
def test_the_fsync_of_either_directory_keeps_a_rename_whole(synced: bytes) -> None:
    world = World()
    world.files.make_folder(b"/in/out")
    world.files.write(b"/in/a", DATA, b"/in/.a")
    world.person.rename(b"/in/a", b"/in/out/a")
    world.person.sync_folder(synced)
    world.kernel.power_cut(everything_lost)
    assert (world.files.listdir(b"/in"), world.files.listdir(b"/in/out")) == ([b"out"], [b"a"])


def test_acts_on_names_are_lost_from_the_last_one_backwards() -> None:
    world = World()
    for name in (b"1", b"2", b"3"):
        put(world, b"/in/" + name)
    world.kernel.power_cut(lambda stream, _count: 1 if stream == "power root names" else 0)
    assert world.files.listdir(b"/in") == [b"1", b"2"]


def test_an_fsync_keeps_what_led_to_the_names_in_its_directory() -> None:
    world = World()
    for folder in (b"/in/1", b"/in/2", b"/in/3"):
        world.files.make_folder(folder)
    world.files.write(b"/in/1/a", DATA, b"/in/1/.a")
    world.person.rename(b"/in/1/a", b"/in/2/a")
    world.person.rename(b"/in/2/a", b"/in/3/a")
    world.person.sync_folder(b"/in/3")
    world.kernel.power_cut(everything_lost)
    assert [world.files.listdir(folder) for folder in (b"/in/1", b"/in/2", b"/in/3")] == [[], [], [b"a"]]


def test_a_file_that_was_removed_without_fsync_of_its_directory_may_come_back() -> None:
    world = World()
    world.files.write(b"/in/a", DATA, b"/in/.a")
    world.files.remove(b"/in/a")
    world.kernel.power_cut(everything_lost)
    assert content(world, b"/in/a") == DATA


def test_after_a_failed_fsync_the_next_one_succeeds_and_keeps_nothing() -> None:
    world = World()
    sink = world.files.append(b"/in/a")
    sink.write(DATA)
    world.faults["fsync"] = errno.EIO
    with pytest.raises(FileUnreadable):
        sink.sync()
    world.faults.clear()
    sink.sync()
    world.kernel.power_cut(everything_lost)
    assert content(world, b"/in/a") == b""


def test_what_was_open_at_a_power_cut_is_stale_and_holds_no_file_open() -> None:
    world = World()
    put(world, b"/in/a")
    reader, sink = world.files.open(b"/in/a"), world.files.append(b"/in/a")
    world.kernel.power_cut(harmless)
    for act in (lambda: reader.read(1), lambda: sink.write(b"x")):
        with pytest.raises(FileUnreadable):
            act()
    assert world.files.writer(b"/in/a") is Writer.NONE


def test_what_was_open_at_a_power_cut_keeps_no_room() -> None:
    world = World(room=2 * PAGE)
    sink = world.files.append(b"/share/a")
    sink.write(b"x")
    sink.sync()
    world.kernel.power_cut(harmless)
    world.files.remove(b"/share/a")
    assert world.files.space(b"/share").free_bytes == 2 * PAGE


def test_a_server_that_lost_its_power_makes_stale_what_its_clients_had_open() -> None:
    world = World(local=False)
    put(world, b"/share/a")
    world.kernel.power_cut(everything_lost)
    assert content(world, b"/share/a") == DATA  # of the client's power cut the server knows nothing
    reader = world.files.open(b"/share/a")
    world.share.power_cut(harmless)
    with pytest.raises(FileUnreadable):
        reader.read(1)
    assert content(world, b"/share/a") == DATA


# Deaths


def test_a_write_can_die_between_any_two_of_its_acts_and_leaves_what_it_had() -> None:
    seen = []
    for death in ("before create", "after create", "after write", "after fsync", "after rename", "after fsync of the directory"):
        world = World()
        world.files.write(b"/in/a", b"old", b"/in/.a")
        world.dies_at = death
        with pytest.raises(Died):
            world.files.write(b"/in/a", b"new", b"/in/.a")
        seen.append((world.files.listdir(b"/in"), content(world, b"/in/a")))
    assert seen == [
        ([b"a"], b"old"), ([b".a", b"a"], b"old"), ([b".a", b"a"], b"old"), ([b".a", b"a"], b"old"), ([b"a"], b"new"), ([b"a"], b"new"),
    ]


def test_every_act_of_a_write_is_a_point() -> None:
    world = World()
    world.files.write(b"/in/a", b"text", b"/in/.a")
    acts = ("create", "write", "fsync", "rename", "fsync of the directory")
    durable = [point for point in world.points if not point.startswith("at ")]
    assert durable == [f"{when} {act}" for act in acts for when in ("before", "after")]


def test_a_dead_program_holds_no_file_open() -> None:
    world = World()
    world.files.append(b"/in/a").write(b"x")
    assert world.files.writer(b"/in/a") is Writer.OPEN
    world.program.die()
    assert world.files.writer(b"/in/a") is Writer.NONE


# Room and faults


def test_a_full_disk_takes_what_fits_and_says_so() -> None:
    world = World(room=2 * PAGE)
    sink = world.files.append(b"/share/a")
    with pytest.raises(NoSpace):
        sink.write(DATA)
    assert (sink.size(), world.files.space(b"/share").free_bytes) == (2 * PAGE, 0)
    sink.close()
    world.files.remove(b"/share/a")
    assert world.files.space(b"/share").free_bytes == 2 * PAGE


def test_a_full_disk_still_fills_the_page_that_a_file_has() -> None:
    world = World(room=PAGE)
    sink = world.files.append(b"/share/a")
    sink.write(b"x")
    sink.write(b"y" * (PAGE - 1))
    with pytest.raises(NoSpace):
        sink.write(b"z")
    assert sink.size() == PAGE


def test_a_removed_file_gives_back_its_room_when_it_is_closed() -> None:
    world = World(room=2 * PAGE)
    sink = world.files.append(b"/share/a")
    sink.write(b"x")
    world.files.remove(b"/share/a")
    assert world.files.space(b"/share").free_bytes == PAGE
    sink.close()
    assert world.files.space(b"/share").free_bytes == 2 * PAGE


def test_a_disk_can_be_out_of_inodes() -> None:
    world = World(inodes=2)
    world.files.append(b"/share/a").close()
    assert world.files.space(b"/share").for_a_file == 0
    with pytest.raises(NoSpace):
        world.files.append(b"/share/b")


def test_a_failed_write_leaves_nothing_behind() -> None:
    world = World(room=PAGE)
    with pytest.raises(NoSpace):
        world.files.write(b"/share/a", DATA, b"/share/.a")
    assert world.files.listdir(b"/share") == []


def test_a_rename_does_not_reach_another_filesystem() -> None:
    world = World()
    put(world, b"/in/a")
    assert not world.files.same_filesystem(b"/in", b"/share/x")
    with pytest.raises(FileUnreadable, match="another filesystem"):
        world.files.rename_new(b"/in/a", b"/share/a")
    assert content(world, b"/in/a") == DATA


def test_any_act_can_be_made_to_fail() -> None:
    world = World()
    put(world, b"/in/a")
    world.faults["read"] = errno.EIO
    with pytest.raises(FileUnreadable):
        content(world, b"/in/a")


# Mounts


def test_a_share_that_is_away_is_an_empty_folder_and_comes_back_with_what_it_had() -> None:
    world = World()
    put(world, b"/share/a")
    reader = world.files.open(b"/share/a")
    world.kernel.unmount(b"/share")
    assert world.files.listdir(b"/share") == []
    assert world.hints[-1] == (b"/share", "gone")
    with pytest.raises(FileGone):
        world.files.stat(b"/share/a")
    world.kernel.mount(b"/share", world.share)
    assert content(world, b"/share/a") == DATA
    with pytest.raises(FileUnreadable):
        reader.read(1)


def test_a_guard_keeps_folders_out_of_an_empty_mount_point() -> None:
    world = World()
    away = iter([False, True])

    def guard(path: bytes) -> None:
        if next(away):
            raise RootOffline("away")

    with pytest.raises(RootOffline):
        SimulatedDisk(world.program, guard=guard).make_folder(b"/share/x/y")
    assert world.files.listdir(b"/share") == []


def test_a_remote_mount_knows_no_writers_from_elsewhere_and_tells_no_events() -> None:
    world = World(local=False)
    other = Kernel(Volume("other root", 3), now=lambda: world.time)
    nas = Program(other, "a person at the server")
    nas.make_folders(b"/export")
    other.mount(b"/export", world.share)
    handle = nas.open_to_write(b"/export/a")
    handle.write(b"x")
    put(world, b"/share/b")
    assert world.files.writer(b"/share/a") is Writer.UNKNOWN
    assert (world.files.is_local(b"/share/a"), world.files.is_local(b"/in/a"), world.hints) == (False, True, [])


# Names


def test_what_is_open_survives_rename_and_removal() -> None:
    world = World()
    put(world, b"/in/a")
    reader = world.files.open(b"/in/a")
    world.files.rename_new(b"/in/a", b"/in/b")
    assert reader.read(10) == DATA[:10]
    world.files.remove(b"/in/b")
    assert reader.read(10) == DATA[10:20]


def test_a_rename_never_replaces() -> None:
    world = World()
    put(world, b"/in/a", b"a")
    put(world, b"/in/b", b"b")
    with pytest.raises(NameTaken):
        world.files.rename_new(b"/in/a", b"/in/b")
    assert (content(world, b"/in/a"), content(world, b"/in/b")) == (b"a", b"b")


class NoMeter:
    def start(self, total: int, done: int = 0) -> None: ...
    def advance(self, amount: int) -> None: ...
