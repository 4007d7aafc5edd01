"""`QAVIX-READ-ME.txt`: for people who drop files into folders and have never seen a terminal."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.readme import FIRST_LINE
from tests.support.media import make_audio
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Home

NAME = "QAVIX-READ-ME.txt"


def note(folder: Path) -> str:
    """The note in a folder, "" where there is none."""
    try:
        return (folder / NAME).read_text("utf-8-sig")
    except FileNotFoundError:
        return ""


def notes(here: Home) -> list[str]:
    """Every folder below the inbox that has one."""
    return sorted(str(path.parent.relative_to(here.inbox)) for path in here.inbox.rglob(NAME))


def appears(folder: Path, *words: str) -> None:
    wait_for(lambda: all(word in note(folder) for word in words), what=f"a note with {words}, it is {note(folder)!r}")
    assert note(folder).startswith(FIRST_LINE)


def vanishes(folder: Path) -> None:
    wait_for(lambda: not note(folder), what="the note to be taken back")


def changes(path: Path, seconds: float) -> int:
    """How often a file or folder changed within so many seconds."""
    seen, until = set(), time.monotonic() + seconds
    while time.monotonic() < until:
        status = path.stat()
        seen.add((status.st_mtime_ns, status.st_ino))
        time.sleep(0.01)
    return len(seen) - 1


@pytest.fixture
def here(home: Callable[..., Home]) -> Home:
    """A service that goes by events: the next scan is a minute away."""
    return home(watch={"rescan": 60})


def test_a_misnamed_folder_says_what_is_meant_and_is_worked_on_once_it_is_mended(here: Home, clip: Callable[[], bytes]) -> None:
    """Nothing in it is touched until then; then the note goes away."""
    path = here.drop("dub en to spansh", "clip.mp4", clip())
    appears(path.parent, "dub en to spansh", "Did you mean:  dub en to es", "nothing has been billed")
    assert not here.query("SELECT 1 FROM drops")
    os.rename(path.parent, here.inbox / "dub en to es")
    vanishes(here.inbox / "dub en to es")
    here.rest(1)
    assert here.results() == ["dub en to es/clip.es.mp4"]


def test_an_empty_misnamed_folder_is_left_alone_for_a_minute(here: Home) -> None:
    """Somebody may be typing its name; and a file manager's own name is never complained about."""
    for name in ("dub en to spansh", "New folder", "New folder (3)"):
        (here.inbox / name).mkdir()
    (here.inbox / "New folder" / "clip.mp4").write_bytes(b"x")
    (here.inbox / "spanish please").mkdir()
    (here.inbox / "spanish please" / "clip.mp4").write_bytes(b"x")
    appears(here.inbox / "spanish please", "spanish please")
    assert notes(here) == ["spanish please"]


def test_a_misnamed_folder_has_one_note_however_deep_its_files_lie(here: Home) -> None:
    """It stands in the folder that is to be renamed, and does not come and go."""
    deep = here.inbox / "spanish please" / "season 1" / "part 2"
    deep.mkdir(parents=True)
    (deep / "clip.mp4").write_bytes(b"x")
    appears(here.inbox / "spanish please", "spanish please")
    (deep / "other.mp4").write_bytes(b"x")
    assert changes(here.inbox / "spanish please", 1.0) == 0
    assert notes(here) == ["spanish please"]


def test_a_misnamed_folder_that_holds_folders_alone_keeps_its_note(home: Callable[..., Home]) -> None:
    """Each look says the same, whether it goes below or not."""
    here = home(watch={"rescan": 1})
    (here.inbox / "spanish please" / "season 1").mkdir(parents=True)
    appears(here.inbox / "spanish please", "spanish please")
    assert changes(here.inbox / "spanish please", 2.5) == 0


def test_a_file_loose_in_the_inbox_is_told_where_to_go(here: Home, clip: Callable[[], bytes]) -> None:
    """And the note goes when the file does."""
    (here.inbox / "clip.mp4").write_bytes(clip())
    appears(here.inbox, "clip.mp4 lies in no order folder; make one here, for example `dub en to es`, and move it in.")
    (here.inbox / "notes.nfo").write_text("litter is no reason for a note")
    (here.inbox / "dub en to es").mkdir()
    os.rename(here.inbox / "clip.mp4", here.inbox / "dub en to es" / "clip.mp4")
    vanishes(here.inbox)
    here.rest(1)


def test_media_of_the_wrong_kind_is_named(here: Home, clip: Callable[[], bytes]) -> None:
    """A video in `clone voice`, a document in `tts`; not companions, and not second inputs."""
    here.drop("clone voice", "clip.mp4", clip())
    here.drop("clone voice", "cover.jpg", b"a companion")
    here.drop("tts es voice=Maria", "text.docx", b"a document")
    appears(here.inbox / "clone voice", "clone voice", "clip.mp4")
    appears(here.inbox / "tts es voice=Maria", "text.docx", "(.txt)")
    assert "cover.jpg" not in note(here.inbox / "clone voice")
    (here.inbox / "clone voice" / "clip.mp4").unlink()
    vanishes(here.inbox / "clone voice")


def test_a_second_input_is_not_called_wrong(here: Home, tmp_path: Path) -> None:
    """It waits for its video."""
    here.drop("lip sync", "clip.mp3", make_audio(tmp_path / "clip.mp3"))
    here.drop("lip sync", "marker.docx", b"no media")
    (here.inbox / "spanish please").mkdir()
    here.drop("spanish please", "clip.mp4", b"x")
    appears(here.inbox / "spanish please", "spanish please")
    assert notes(here) == ["spanish please"]


def test_an_order_inside_an_order_is_asked_about(here: Home, clip: Callable[[], bytes]) -> None:
    """Its files wait; those beside it do not."""
    inner = here.drop("dub en to es/dub en to fr", "inner.mp4", clip())
    here.drop("dub en to es", "outer.mp4", clip())
    appears(inner.parent, "dub en to fr", "inside “dub en to es”")
    here.rest(1)
    assert here.results() == ["dub en to es/outer.es.mp4"]
    os.rename(inner.parent, inner.parent.parent / "french ones")
    vanishes(inner.parent.parent / "french ones")
    here.rest(2)
    assert here.results() == ["dub en to es/french ones/inner.es.mp4", "dub en to es/outer.es.mp4"]


def test_broken_options_are_explained_with_their_line(here: Home, clip: Callable[[], bytes]) -> None:
    """In the folder where they lie; all below it waits."""
    options = here.drop("subs en to es", "qavix.toml", b'\xef\xbb\xbfpriority = "high"\nembed = perhaps\n')
    here.drop("subs en to es/sub", "clip.mp4", clip())
    appears(options.parent, "line 2")
    assert notes(here) == ["subs en to es"]
    assert not here.query("SELECT 1 FROM drops WHERE state <> 'waiting'")
    options.write_text("embed = false\n")
    vanishes(options.parent)
    here.rest(1)
    assert here.results() == ["subs en to es/sub/clip.es.srt"]


def test_broken_options_below_do_not_stop_what_is_above(here: Home, clip: Callable[[], bytes]) -> None:
    """The note stands beside the broken file."""
    options = here.drop("dub en to es/sub", "qavix.toml.txt", b"colour = 7\n")
    here.drop("dub en to es/sub", "below.mp4", clip())
    here.drop("dub en to es", "above.mp4", clip())
    appears(options.parent, "colour")
    here.rest(1)
    assert notes(here) == ["dub en to es/sub"]
    assert here.results() == ["dub en to es/above.es.mp4"]
    options.unlink()
    vanishes(options.parent)
    here.rest(2)


def test_a_voice_that_is_not_there_is_told_in_its_folder_until_it_is_named_right(here: Home) -> None:
    """Over a restart, too; the files in it wait, and are spoken then."""
    folder = here.drop("tts en voice=Avaa", "line.txt", b"Good morning.").parent
    appears(folder, "there is no voice “Avaa”. Did you mean “Ava”?", "line.txt")
    assert here.stop() == 0
    here.start()
    assert "Avaa" in note(folder)
    os.rename(folder, here.inbox / "tts en voice=Ava")
    vanishes(here.inbox / "tts en voice=Ava")
    here.rest(2)
    assert here.results() == ["tts en voice=Ava/line.mp3"]


def test_a_note_of_the_process_before_is_taken_back_by_the_next_one(here: Home, clip: Callable[[], bytes]) -> None:
    """It is known as ours by what stands in it."""
    folder = here.drop("dub en to spansh", "clip.mp4", clip()).parent
    appears(folder, "Did you mean:  dub en to es")
    here.kill()
    os.rename(folder, here.inbox / "dub en to es")
    here.start()
    vanishes(here.inbox / "dub en to es")


def test_a_note_that_a_person_has_written_is_left_alone(here: Home) -> None:
    """Only our own text is replaced or taken away."""
    folder = here.inbox / "spanish please"
    folder.mkdir()
    (folder / NAME).write_text("I like this name.\n")
    (folder / "clip.mp4").write_bytes(b"x")
    (here.inbox / "french please").mkdir()
    (here.inbox / "french please" / "clip.mp4").write_bytes(b"x")
    appears(here.inbox / "french please", "french please")
    assert note(folder) == "I like this name.\n"
    os.rename(folder, here.inbox / "dub en to es")
    wait_for(lambda: here.query("SELECT 1 FROM drops"), what="the file to be noticed")
    assert note(here.inbox / "dub en to es") == "I like this name.\n"


def test_a_note_keeps_up_with_its_folder(here: Home) -> None:
    """Renamed from one wrong name to another, it says what is wrong now."""
    folder = here.inbox / "spanish please"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(b"x")
    appears(folder, "spanish please")
    os.rename(folder, here.inbox / "translate en to es")
    appears(here.inbox / "translate en to es", "translate en to es", "Sound or text?")


def test_a_folder_name_that_is_no_text_gets_a_note(here: Home) -> None:
    """Bytes that are not UTF-8 are shown as what they are not."""
    folder = os.path.join(os.fsencode(here.inbox), b"dub en to es \xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"clip.mp4"), "wb") as file:
        file.write(b"x")
    target = os.path.join(folder, NAME.encode())
    wait_for(lambda: os.path.exists(target), what="a note")
    with open(target, encoding="utf-8-sig") as file:
        assert "UTF-8" in file.read()


def test_a_text_in_no_encoding_that_we_read_goes_to_failed_with_what_to_do(home):
    """Nobody guesses at an encoding: what would be spoken might be wrong."""
    one = home()
    one.drop("tts en voice=Ava", "old.txt", "Grüße aus Köln".encode("latin-1"))
    one.rest(1)
    why = (one.root / "failed" / "tts en voice=Ava" / "old.txt.why.txt").read_text()
    assert "save it again as plain text in UTF-8" in why
    assert "nothing was submitted" in why
