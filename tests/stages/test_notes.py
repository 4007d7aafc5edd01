"""`QAVIX-READ-ME.txt`: written, mended and taken back where it is ours, and never where it is a person's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.errors import FileUnreadable
from qavix_watch.fs.disk import Disk
from tests.support.media import make_audio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World


def note(world: World, folder: str = "") -> str | None:
    path = world.inbox / folder / "QAVIX-READ-ME.txt"
    return path.read_text() if path.exists() else None


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
