"""Files that were submitted by command: drops without a root, with a folder of their own for results, that nobody watches."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Space
from qavix_watch.core.outcomes import Later, Retry
from qavix_watch.errors import Fenced, FileError, FileGone, FileUnreadable, NameRefused, NoSpace
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.outlets import parts_of, roots_online
from qavix_watch.stages.submitted import SUBMIT, Wanted, ids_in, look_again, ready, said_of, submission_of, take_in, taken_in
from tests.stages.test_steer import done
from tests.stages.test_upload import Meddled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.core.records import Drop
    from tests.support.world import World

ORDER = "dub en to es"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somewhere outside every root."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    return place


@pytest.fixture
def clip(folder: Path, video: Callable[..., bytes]) -> Path:
    path = folder / "clip.mp4"
    path.write_bytes(video())
    return path


def wanted(path: Path, to: Path | None = None, partner: Path | None = None) -> Wanted:
    return Wanted(os.fsencode(path), os.fsencode(to or path.parent), None if partner is None else os.fsencode(partner))


def submit(world: World, *what: Wanted, order: str = ORDER) -> list[int]:
    """As the command does it; long enough ago for the files to be complete."""
    files = world.run(ready(world.ports, world.rules, order, what))
    numbers = world.act(lambda tx: take_in(tx, files, world.clock.now()))
    world.later(5)
    return numbers


def settle(world: World) -> None:
    """Until it is complete, with its partner."""
    while drop(world).state == "waiting":
        world.later(5)
        world.step("settle")


def drop(world: World, number: int = 1) -> Drop:
    found: Drop = world.act(lambda tx: tx.work.get("drop", number))
    return found


def test_a_submitted_file_is_done_while_the_root_is_away_and_nothing_else_is_left_beside_it(world: World, folder: Path, clip: Path) -> None:
    world.unplug()
    submit(world, wanted(clip))
    world.through()
    assert sorted(os.listdir(folder)) == ["clip.es.mp4", "clip.mp4"]
    found = drop(world)
    assert (found.state, found.after, found.target) == ("kept", "keep", os.fsencode(clip))
    assert world.files() == []


def test_the_same_command_again_goes_on_with_what_it_began(world: World, folder: Path, clip: Path, video: Callable[..., bytes]) -> None:
    first = submit(world, wanted(clip))
    assert submit(world, wanted(clip)) == first
    world.steps("settle", "fingerprint", "order")
    assert submit(world, wanted(clip)) == first
    assert submit(world, wanted(clip, folder / "other")) != first
    assert submit(world, wanted(clip), order="erase") != first
    clip.write_bytes(video())
    assert submit(world, wanted(clip)) != first


def test_a_result_may_be_submitted_for_other_work_beside_where_it_lies(world: World, folder: Path, clip: Path) -> None:
    submit(world, wanted(clip))
    world.through()
    submit(world, wanted(folder / "clip.es.mp4"), order="erase")
    world.through()
    assert "clip.es.erased.mp4" in os.listdir(folder)


def test_names_are_told_apart_among_what_was_submitted_alike_alone(
    world: World, folder: Path, clip: Path, video: Callable[..., bytes]
) -> None:
    """Two sources of one stem keep their extension where they are of one order; work of another kind is none of them."""
    other = folder / "clip.mov"
    other.write_bytes(video())
    submit(world, wanted(other), order="erase")
    submit(world, wanted(clip))
    world.through()
    assert {"clip.erased.mp4", "clip.es.mp4"} <= set(os.listdir(folder))
    submit(world, wanted(clip), wanted(other), order="dub en to fr")
    world.through()
    assert {"clip.mp4.fr.mp4", "clip.mov.fr.mp4"} <= set(os.listdir(folder))


@pytest.mark.parametrize("steps", [(), ("settle",), ("settle", "fingerprint"), ("settle", "fingerprint", "order", "prepare"), None])
def test_a_file_that_is_taken_away_before_it_is_submitted_is_undone(world: World, clip: Path, steps: tuple[str, ...] | None) -> None:
    """At any step: nobody watches its folder, so the step that misses it tells."""
    submit(world, wanted(clip))
    world.unplug()
    world.steps(*(("settle", "fingerprint", "order", "prepare", "upload") if steps is None else steps))
    clip.unlink()
    for lane in ("fingerprint", "order", "settle", "prepare", "upload", "submit"):
        world.later(120)
        if (piece := world.claim(lane)) is not None:
            said = world.outcome(piece)
            with suppress(Fenced):
                world.record(piece, said)
    assert drop(world).state == "gone"
    assert world.rows("SELECT state FROM jobs WHERE state <> 'cancelled' OR posted = 1") == []


def test_a_file_that_changes_under_the_upload_begins_again(world: World, clip: Path) -> None:
    def meddle() -> None:
        with clip.open("ab") as file:
            file.write(b"more")

    submit(world, wanted(clip))
    world.steps("settle", "fingerprint", "order", "prepare")
    world.unplug()
    world.with_ports(files=Meddled(meddle))
    assert isinstance(world.step("upload"), Retry)
    assert (drop(world).state, world.state("jobs")) == ("waiting", "cancelled")


def test_a_cancelled_file_stays_where_it_lies_and_nothing_is_written_beside_it(world: World, folder: Path, clip: Path) -> None:
    submit(world, wanted(clip))
    world.steps("settle", "fingerprint", "order")
    assert "nothing was submitted" in done(world, "cancel", "drop-1")
    world.through()
    assert (drop(world).state, os.listdir(folder)) == ("kept", ["clip.mp4"])


@pytest.mark.parametrize("steps", [("prepare",), ("prepare", "upload")])
def test_a_file_that_changes_before_it_is_submitted_begins_again(
    world: World, clip: Path, video: Callable[..., bytes], steps: tuple[str, ...]
) -> None:
    submit(world, wanted(clip))
    world.steps("settle", "fingerprint", "order", *steps)
    clip.write_bytes(video())
    piece = world.claim("submit" if "upload" in steps else "upload")
    assert piece is not None
    assert isinstance(world.outcome(piece), (Later, Retry))
    assert drop(world).state == "waiting"
    world.through()
    assert (clip.parent / "clip.es.mp4").exists()


def test_a_second_file_that_was_named_is_used_and_looked_after(
    world: World, folder: Path, clip: Path, picture: bytes
) -> None:
    """It needs no name of its own; one that is replaced or taken away is waited for."""
    face = folder / "somebody.jpg"
    face.write_bytes(picture)
    submit(world, wanted(clip, partner=face), order="face swap")
    settle(world)
    world.steps("fingerprint", "order")
    assert drop(world).partner == os.fsencode(face)
    face.write_bytes(picture + b"\0")
    world.run(look_again(world.ports, world.rules, [drop(world)]))
    assert (drop(world).state, drop(world).partner) == ("waiting", None)
    settle(world)
    face.unlink()
    world.run(look_again(world.ports, world.rules, [drop(world)]))
    assert drop(world).state == "waiting"


def test_a_second_file_of_the_same_name_is_found(world: World, folder: Path, clip: Path, picture: bytes) -> None:
    (folder / "clip.jpg").write_bytes(picture)
    submit(world, wanted(clip), order="face swap")
    world.through()
    assert sorted(os.listdir(folder)) == ["clip.jpg", "clip.mp4", "clip.swapped.mp4"]


def test_what_cannot_be_seen_or_is_no_longer_the_drops_is_left_as_it_is(world: World, clip: Path) -> None:
    class Blind(Disk):
        def stat(self, path: bytes) -> Any:
            raise FileUnreadable("no right to look there")

    submit(world, wanted(clip))
    world.with_ports(files=Blind())
    world.run(look_again(world.ports, world.rules, [drop(world)]))
    assert drop(world).state == "waiting"
    clip.unlink()
    world.with_ports(files=Disk())
    world.act(lambda tx: tx.drops.detach(1, world.clock.now(), "a test"))
    world.run(look_again(world.ports, world.rules, [drop(world)]))
    assert drop(world).state == "waiting"


class Full(Disk):
    """The real disk, of which what begins with `folder` is full, once it is told so."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = os.fsencode(folder)
        self.full = self.tight = False

    def append(self, path: bytes) -> Any:
        if self.full and path.startswith(self.folder):
            raise NoSpace("the disk is full")
        return super().append(path)

    def copy(self, source: bytes, temporary: bytes, meter: Any) -> str:
        if self.full and temporary.startswith(self.folder):
            raise NoSpace("the disk is full")
        return super().copy(source, temporary, meter)

    def space(self, path: bytes) -> Space:
        return Space(0, None, "full") if self.tight and path.startswith(self.folder) else super().space(path)


def test_a_full_folder_for_results_holds_up_that_file_alone(worlds: Callable[..., World], folder: Path, clip: Path) -> None:
    """No brake: the outbox and all that goes there have room."""
    world = worlds(min_free_bytes=1000)
    out = folder / "out"
    disk = Full(out)
    world.with_ports(files=disk)
    submit(world, wanted(clip, out))
    world.through("fetch")
    for disk.tight, disk.full in ((True, False), (False, True)):
        said = world.step("fetch")
        assert isinstance(said, Later)
        assert "make room there" in said.why
        assert [row["reason"] for row in world.rows("SELECT reason FROM jobs WHERE tries > 0")] == [said.why]
        world.later(30)
    disk.full = False
    world.through()
    assert os.listdir(out) == ["clip.es.mp4"]
    submit(world, wanted(clip, out / "again"))
    world.through("deliver")
    disk.full = True
    said = world.step("deliver")
    assert isinstance(said, Later)
    assert world.rows("SELECT * FROM brakes WHERE state = 'on'") == []
    disk.full = False
    world.later(20)
    world.through()
    assert os.listdir(out / "again") == ["clip.es.mp4"]


def test_no_space_in_the_outbox_is_still_everybodys_business(world: World, video: Callable[..., bytes]) -> None:
    disk = Full(world.outbox)
    world.with_ports(files=disk)
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through("fetch")
    disk.full = True
    world.step("fetch")
    assert world.one("SELECT name FROM brakes WHERE state = 'on'") == "disk"
    disk.full = False
    world.later(20)
    world.through()
    world.drop(ORDER, "copy.mp4", (world.root / "archive" / ORDER / "clip.mp4").read_bytes())
    world.act(lambda tx: tx.brakes.let_go("disk", "results", 0.0, "a test"))
    world.notice()
    world.through("deliver")
    disk.full = True
    world.step("deliver")
    assert world.one("SELECT name FROM brakes WHERE state = 'on'") == "disk"


def test_a_name_that_the_folder_refuses_is_escaped_and_the_folder_is_not(world: World, folder: Path, video: Callable[..., bytes]) -> None:
    class Narrow(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            if b":" in target.rpartition(b"/")[2]:
                raise NameRefused("no colon here")
            super().rename_new(source, target)

    clip = folder / "a: b.mp4"
    clip.write_bytes(video())
    out = folder / "c: d"
    world.with_ports(files=Narrow())
    submit(world, wanted(clip, out))
    world.through()
    assert os.listdir(out) == ["a%3A b.es.mp4"]


@pytest.mark.parametrize("outside", [True, False])
def test_a_folder_of_parts_that_goes_away_at_that_moment_is_made_again(
    world: World, folder: Path, video: Callable[..., bytes], outside: bool
) -> None:
    class Fleeting(Disk):
        gone = 0

        def append(self, path: bytes) -> Any:
            if path.endswith(b".part") and not self.gone:
                self.gone += 1
                raise FileGone("a delivery has just taken the empty folder away")
            return super().append(path)

    disk = Fleeting()
    world.with_ports(files=disk)
    clip = folder / "clip.mp4" if outside else world.drop(ORDER, "clip.mp4", b"")
    clip.write_bytes(video())
    if outside:
        submit(world, wanted(clip))
    else:
        world.notice()
    world.through()
    assert disk.gone == 1
    assert (folder / "clip.es.mp4").exists() or world.files() == [f"{ORDER}/clip.es.mp4"]


def test_what_was_begun_there_is_cleared_away_when_it_fails(world: World, folder: Path, clip: Path) -> None:
    """The reason is told where the results would have been, where that can be."""
    out = folder / "out"
    submit(world, wanted(clip, out))
    world.through("fetch")
    piece = world.claim("fetch")
    assert piece is not None
    parts = parts_of(world.rules, piece.row, drop(world))
    os.makedirs(parts)
    with open(os.path.join(parts, b"1.video.1.part"), "wb") as file:
        file.write(b"half")
    world.act(lambda tx: tx.work.settle(piece.claim, piece.row.state, 0.0, "", {}, due=None))
    world.act(lambda tx: tx.jobs.give_up(1, world.clock.now(), "gone at the service"))
    world.steps("archive")
    assert drop(world).state == "failed"
    assert os.listdir(out) == ["clip.mp4.why.txt"]


def test_a_submission_survives_its_way_through_the_state() -> None:
    odd = [Wanted(b"/a/caf\xe9.mp4", b"/\xff"), Wanted(b"/b", b"/", b"/c\xe9.jpg")]
    assert submission_of(json.loads(json.dumps(said_of(ORDER, odd)))) == (ORDER, odd)
    assert ids_in(taken_in([3, 12])) == [3, 12]


def test_a_submission_that_was_left_in_the_state_is_answered_with_its_ids_or_the_reason(world: World, clip: Path) -> None:
    def leave(*what: Wanted) -> int:
        number: int = world.act(lambda tx: tx.commands.add(SUBMIT, "", said_of(ORDER, what), 0.0))
        world.act(lambda tx: tx.house.duty("steer", 0.0))
        world.act(lambda tx: tx.house.hurry("steer", 0.0))
        return number

    good, bad = leave(wanted(clip)), leave(wanted(clip.parent / "none.mp4"))
    world.step("steer")
    answers = world.act(lambda tx: tx.commands.answers([good, bad]))
    assert answers[good] == (True, "taken in as drop-1")
    assert not answers[bad][0]
    assert "none.mp4" in answers[bad][1]


def test_what_cannot_be_worked_on_is_refused_with_what_to_do(world: World, folder: Path, clip: Path, picture: bytes) -> None:
    face = folder / "face.jpg"
    face.write_bytes(picture)
    (folder / "empty.mp4").touch()
    for what, order in (
        (wanted(folder), ORDER),
        (wanted(folder / "empty.mp4"), ORDER),
        (wanted(face), ORDER),
        (wanted(clip, partner=face), ORDER),
        (wanted(clip, partner=clip), "face swap"),
        (wanted(clip, world.inbox / "x"), ORDER),
        (wanted(clip, face), ORDER),
    ):
        with pytest.raises(FileError):
            submit(world, what, order=order)
    os.remove(face)
    with pytest.raises(FileError, match=r"put “clip\.jpg” beside it"):
        submit(world, wanted(clip), order="face swap")
    assert world.rows("SELECT * FROM drops") == []


def test_an_order_that_turns_out_to_be_none_fails_the_file_at_once(world: World, folder: Path) -> None:
    """A voice that nobody has: there is no folder whose name could be mended."""
    text = folder / "hello.txt"
    text.write_text("Hello.")
    submit(world, wanted(text), order="tts voice=Nobody")
    world.through()
    assert drop(world).state == "failed"
    assert "Nobody" in (folder / "hello.txt.why.txt").read_text()


def test_without_any_drop_the_root_is_what_counts(world: World) -> None:
    world.unplug()
    with pytest.raises(FileError, match="offline"):
        world.run(roots_online(world.ports))
