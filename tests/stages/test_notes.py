"""`QAVIX-READ-ME.txt`: written, mended and taken back where it is ours, and never where it is a person's."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.service import Voice
from qavix_watch.errors import FileUnreadable
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.notes import MOST_A_LOOK
from tests.support.media import make_audio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World


def note(world: World, folder: str = "") -> str | None:
    path = world.inbox / folder / "QAVIX-READ-ME.txt"
    return path.read_text("utf-8-sig") if path.exists() else None


def due(world: World) -> dict[bytes, float]:
    """The folders that are looked at again by themselves, and in how many seconds."""
    return {folder: at - world.clock.now() for folder, at in world.intake._revisits.items()}


def settled(world: World) -> None:
    """Everything in the inbox as far as the order."""
    world.notice()
    for lane in ("settle", "fingerprint", "order"):
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))


def test_a_folder_that_is_not_understood_says_why_and_what_is_nearest(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dubb en to es", "clip.mp4", video())
    world.look()
    said = note(world, "dubb en to es")
    assert said is not None
    assert "dub en to es" in said
    assert world.rows("SELECT id FROM drops") == []


def test_an_empty_folder_has_a_minute_to_get_its_name(world: World) -> None:
    (world.inbox / "dubb en to es").mkdir()
    world.look()
    assert note(world, "dubb en to es") is None
    world.later(61)
    world.look()
    assert note(world, "dubb en to es") is not None


def test_an_empty_folder_is_looked_at_again_when_its_minute_has_passed(world: World) -> None:
    (world.inbox / "dubb en to es").mkdir()
    world.look()
    assert 55 < due(world)[b"dubb en to es"] <= 60
    world.later(61)
    world.run(world.intake.look({b"dubb en to es": False}))
    assert note(world, "dubb en to es") is not None
    assert due(world) == {}


def test_the_minute_begins_again_with_another_name_and_goes_on_over_a_restart(world: World) -> None:
    folder = world.inbox / "dubb en to es"
    folder.mkdir()
    world.clock.ahead = -40.0  # the folder is from a moment that is still to come: only what we saw of it counts
    world.look()
    world.later(30)
    folder.rename(world.inbox / "spanish")
    world.look()
    world.later(40)
    world.intake = world.new_intake()
    world.look()
    assert note(world, "spanish") is None
    world.later(31)
    world.look()
    assert note(world, "spanish") is not None


def test_a_folder_that_was_named_a_minute_before_a_start_has_had_its_time(world: World) -> None:
    (world.inbox / "dubb en to es").mkdir()
    world.later(61)
    world.look()
    assert note(world, "dubb en to es") is not None


def test_a_service_that_runs_by_itself_writes_the_note_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing happens in the folder and the next scan is an hour away."""
    monkeypatch.setattr("qavix_watch.stages.notes.PATIENCE_SECONDS", 0.5)
    world.with_rules(rescan_seconds=3600.0)
    (world.inbox / "dubb en to es").mkdir()
    world.look()
    assert note(world, "dubb en to es") is None

    async def live() -> None:
        running = asyncio.create_task(world.intake.run())
        while note(world, "dubb en to es") is None:  # noqa: ASYNC110 - a file sets no event
            await asyncio.sleep(0.02)
        running.cancel()

    world.run(live())


@pytest.mark.parametrize("litter", [".DS_Store", "Thumbs.db", "desktop.ini", "._x", "qavix.toml"])
def test_what_a_system_leaves_in_a_new_folder_is_no_file_that_it_holds(world: World, litter: str) -> None:
    world.drop("dubb en to es", litter, b"x")
    world.look()
    assert note(world, "dubb en to es") is None


def test_thousands_of_misnamed_folders_do_not_hold_up_the_others(world: World, video: Callable[..., bytes]) -> None:
    """Each note waits for the disk, so that they are written a few at a time."""
    for number in range(MOST_A_LOOK * 2 + 10):
        world.drop(f"holiday {number:03}", "clip.mp4", b"x")
    world.drop("dub en to es", "clip.mp4", video())
    world.look()
    assert len([*world.inbox.rglob("QAVIX-READ-ME.txt")]) == MOST_A_LOOK
    assert world.state() == "waiting"
    for _ in range(2):
        world.run(world.intake.look(dict.fromkeys(due(world), False)))
    assert len([*world.inbox.rglob("QAVIX-READ-ME.txt")]) == MOST_A_LOOK * 2 + 10
    assert due(world) == {}


def test_a_folder_that_a_file_manager_just_made_is_left_in_peace(world: World, video: Callable[..., bytes]) -> None:
    world.drop("New folder", "clip.mp4", video())
    world.later(61)
    world.look()
    assert note(world, "New folder") is None


def test_a_note_goes_away_once_the_name_is_right(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dubb en to es", "clip.mp4", video())
    world.look()
    (world.inbox / "dubb en to es").rename(world.inbox / "dub en to es")
    world.look()
    assert note(world, "dub en to es") is None
    assert world.state() == "waiting"


def test_a_note_is_mended_where_the_reason_is_another(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop("dub en to es", "clip.mp4", video())
    options = path.with_name("qavix.toml")
    options.write_text("nothing = 1\n")
    world.look()
    first = note(world, "dub en to es")
    options.write_text("priority = 7\n")
    world.look()
    second = note(world, "dub en to es")
    assert first is not None
    assert second is not None
    assert "nothing" in first
    assert "priority" in second


def test_a_text_that_a_person_wrote_under_that_name_is_never_touched(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dubb en to es", "clip.mp4", video())
    (world.inbox / "dubb en to es" / "QAVIX-READ-ME.txt").write_text("my own list")
    world.look()
    (world.inbox / "dubb en to es").rename(world.inbox / "dub en to es")
    world.look()
    assert note(world, "dub en to es") == "my own list"


def test_where_a_person_has_a_file_of_that_name_ours_gets_a_number(world: World, video: Callable[..., bytes]) -> None:
    for folder in ("dubb en to es", "dubb en to fr"):
        world.drop(folder, "clip.mp4", video())
    theirs = world.drop("dubb en to es", "Qavix-Read-Me.TXT", b"my own list")
    (world.inbox / "dubb en to fr" / "QAVIX-READ-ME.txt").symlink_to(theirs)
    world.look()
    world.look()
    assert theirs.read_bytes() == b"my own list"
    for folder in ("dubb en to es", "dubb en to fr"):
        ours = world.inbox / folder / "QAVIX-READ-ME (2).txt"
        assert "Did you mean" in ours.read_text("utf-8-sig")
        (world.inbox / folder).rename(world.inbox / folder.replace("dubb", "dub"))
    world.look()
    assert sorted(os.listdir(world.inbox / "dub en to es")) == ["Qavix-Read-Me.TXT", "clip.mp4"]
    assert sorted(os.listdir(world.inbox / "dub en to fr")) == ["QAVIX-READ-ME.txt", "clip.mp4"]
    assert (world.inbox / "dub en to fr" / "QAVIX-READ-ME.txt").is_symlink()


def test_what_a_person_has_written_into_our_note_is_kept(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop("dubb en to es", "clip.mp4", video()).with_name("QAVIX-READ-ME.txt")
    world.look()
    path.write_bytes(path.read_bytes() + b"Ask Maria what this is.\r\n")
    written = path.read_bytes()
    (world.inbox / "dubb en to es").rename(world.inbox / "dub en to es")
    world.look()
    assert (world.inbox / "dub en to es" / "QAVIX-READ-ME.txt").read_bytes() == written


def test_a_copy_of_our_note_goes_with_it(world: World, video: Callable[..., bytes]) -> None:
    """Folders that are merged, or copied, bring theirs along."""
    path = world.drop("dubb en to es", "clip.mp4", video()).with_name("QAVIX-READ-ME.txt")
    world.look()
    path.with_name("QAVIX-READ-ME (3).txt").write_bytes(path.read_bytes())
    world.look()
    assert len([*path.parent.glob("QAVIX*")]) == 1
    (world.inbox / "dubb en to es").rename(world.inbox / "dub en to es")
    world.look()
    assert [*(world.inbox / "dub en to es").glob("QAVIX*")] == []


def test_a_note_that_was_taken_away_comes_back_while_it_is_needed(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop("dubb en to es", "clip.mp4", video()).with_name("QAVIX-READ-ME.txt")
    world.look()
    path.unlink()
    world.look()
    assert path.exists()


def test_what_a_killed_process_left_goes(world: World) -> None:
    world.drop("dub en to es/part 2", ".qavix-read-me", b"half a no")
    world.look()
    assert os.listdir(world.inbox / "dub en to es" / "part 2") == []


def test_a_copy_of_a_folder_is_told_to_take_a_label(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es - Copy", "clip.mp4", video())
    world.look()
    said = note(world, "dub en to es - Copy")
    assert said is not None
    assert "add a label: `dub en to es (2)`" in said


def test_what_is_loose_in_a_project_is_told_so_and_not_while_the_project_has_no_name(world: World, video: Callable[..., bytes]) -> None:
    world.with_layout(projects=True)
    world.drop("show", "clip.mp4", video())
    world.drop("New folder", "clip.mp4", video())
    world.drop("", "clip.mp4", video())
    world.drop("", "empty.mp4", b"")
    world.look()
    said, above = note(world, "show"), note(world)
    assert said is not None
    assert "This folder is the project “show”" in said
    assert above is not None
    assert "clip.mp4 lies in no order folder; make one here, for example `my project/dub en to es`, and move it in." in above
    assert note(world, "New folder") is None


def test_what_lies_loose_is_named_until_it_is_moved(world: World, video: Callable[..., bytes]) -> None:
    (world.inbox / "clip.mp4").write_bytes(video())
    (world.inbox / "notes.nfo").write_bytes(b"a companion")
    world.look()
    said = note(world)
    assert said is not None
    assert "clip.mp4" in said
    assert "notes.nfo" not in said
    (world.inbox / "clip.mp4").unlink()
    world.look()
    assert note(world) is None


def test_media_of_the_wrong_kind_is_named_and_litter_is_not(world: World, video: Callable[..., bytes], tmp_path: Path) -> None:
    world.drop("clone voice", "film.mp4", video())
    for name in ("poster.jpg", "film.nfo", "download.mp4.part"):
        world.drop("clone voice", name, b"x")
    world.look()
    said = note(world, "clone voice")
    assert said is not None
    assert "film.mp4" in said
    assert not any(name in said for name in ("poster.jpg", "film.nfo", ".part"))


def test_nothing_is_told_in_a_folder_that_is_never_looked_at(world: World, video: Callable[..., bytes]) -> None:
    """The watcher names it all the same, when a NAS puts its thumbnails there."""
    path = world.drop("clone voice/@eaDir", "clip.mp4", video())
    world.run(world.intake.look({b"clone voice/@eaDir": True, b"clone voice": False}))
    assert os.listdir(path.parent) == ["clip.mp4"]


def test_a_document_where_text_is_spoken_is_named(world: World) -> None:
    world.drop("tts voice=Maria", "letter.docx", b"x")
    world.look()
    said = note(world, "tts voice=Maria")
    assert said is not None
    assert "letter.docx" in said


def test_sound_beside_a_film_that_takes_sound_is_nothing_wrong(world: World, video: Callable[..., bytes], tmp_path: Path) -> None:
    world.drop("lip sync", "clip.mp4", video())
    world.drop("lip sync", "clip.mp3", make_audio(tmp_path / "s.mp3", seconds=1).read_bytes())
    world.look()
    assert note(world, "lip sync") is None


def test_a_voice_that_is_not_there_is_told_in_the_folder_until_it_is_mended(world: World) -> None:
    world.drop("tts en voice=Nobody", "one.txt", b"one")
    world.drop("tts en voice=Nobody/part 2", "two.txt", b"two")
    settled(world)
    assert world.intake._hints, "the folder is to be looked at, without waiting for the next scan"
    world.look()
    said = note(world, "tts en voice=Nobody")
    assert said is not None
    assert "there is no voice “Nobody”." in said
    assert "  one.txt\n  part 2/two.txt\n" in said
    world.intake = world.new_intake()
    world.look()
    assert note(world, "tts en voice=Nobody") == said, "a restart knows it as well"
    (world.inbox / "tts en voice=Nobody").rename(world.inbox / "tts en voice=Ava")
    world.look()
    assert note(world, "tts en voice=Ava") is None


def test_a_voice_of_which_there_are_two_is_told_with_both_ids_and_the_note_goes_once_one_is_named(world: World) -> None:
    twins = (Voice("v-1", "Twin", type="cloned"), Voice("v-2", "twin", type="cloned"))

    class Book:
        async def known(self, *, younger_than: float = 0.0) -> tuple[Voice, ...]:
            return twins

    world.with_ports(voices=Book())
    path = world.drop("tts en", "one.txt", b"one")
    options = path.with_name("qavix.toml")
    options.write_text('voice = "Twin"\n')
    settled(world)
    world.look()
    said = note(world, "tts en")
    assert said is not None
    assert "2 voices are called “Twin”. Say which by its id: `voice=v-1` and `voice=v-2`." in said
    options.write_text('voice = "v-2"\n')
    world.look()
    assert note(world, "tts en") is None
    settled(world)
    assert world.rows("SELECT question FROM drops") == [{"question": ""}]
    assert world.state() == "delivering"


def test_a_voice_that_comes_later_takes_its_note_back(world: World) -> None:
    known: list[Voice] = []

    class Book:
        async def known(self, *, younger_than: float = 0.0) -> tuple[Voice, ...]:
            return tuple(known)

    world.with_ports(voices=Book())
    world.drop("tts en voice=Twin", "one.txt", b"one")
    settled(world)
    world.look()
    assert note(world, "tts en voice=Twin") is not None
    known.append(Voice("v-1", "Twin", type="cloned"))
    world.later(61)
    world.intake._hints.clear()
    settled(world)
    assert world.state() == "delivering"
    assert world.intake._hints, "the folder is to be looked at"
    world.look()
    assert note(world, "tts en voice=Twin") is None


def test_an_order_inside_an_order_is_a_question(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es/subs en to de/deeper", "clip.mp4", video())
    world.look()
    said = note(world, "dub en to es/subs en to de")
    assert said is not None
    assert "dub en to es" in said
    assert note(world, "dub en to es/subs en to de/deeper") is None, "the folder above says it"
    assert world.rows("SELECT id FROM drops") == []


def test_a_folder_that_cannot_be_written_stops_nothing(world: World, video: Callable[..., bytes]) -> None:
    class ReadOnly(Disk):
        def write(self, path: bytes, data: bytes, temporary: bytes, like: bytes | None = None) -> None:
            raise FileUnreadable("no right")

    world.with_ports(files=ReadOnly())
    world.drop("dubb en to es", "clip.mp4", video())
    world.drop("dub en to es", "clip.mp4", video())
    world.look()
    assert len(world.rows("SELECT id FROM drops")) == 1


@pytest.mark.parametrize("projects", [False, True])
def test_the_folders_are_told_as_they_were_read(world: World, video: Callable[..., bytes], *, projects: bool) -> None:
    world.with_layout(projects=projects)
    above = "show/" if projects else ""
    world.drop(f"{above}dub en to es/a", "clip.mp4", video())
    world.drop(f"{above}what is this", "clip.mp4", video())
    world.look()
    told: dict[bytes, Any] = {row["path"]: (row["canonical"], row["problem"] is None) for row in world.rows("SELECT * FROM folders")}
    assert told[above.encode() + b"dub en to es"] == ("dub en to es", True)
    assert told[above.encode() + b"what is this"] == (None, False)
    assert above.encode() + b"dub en to es/a" not in told


def test_what_lies_in_hidden_folders_or_bears_the_name_of_litter_is_no_drop(world: World, video: Callable[..., bytes]) -> None:
    for place, name in ((".hidden", "clip.mp4"), ("@eaDir", "clip.mp4"), ("", "._clip.mp4"), ("", "clip.mp4.part"), ("", "clip.txt")):
        world.drop(f"dub en to es/{place}", name, video())
    world.drop("dub en to es", "growing.mp4", video())
    world.drop("dub en to es", "growing.mp4.part", b"x")
    world.look()
    world.look(b"dub en to es/.hidden")
    assert world.rows("SELECT path FROM drops") == []
