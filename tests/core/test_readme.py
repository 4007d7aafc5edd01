"""The texts of QAVIX-READ-ME.txt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core import readme
from qavix_watch.core.grammar import parse
from qavix_watch.core.options import parse_options
from qavix_watch.core.tasks import TaskType
from qavix_watch.errors import OrderError


def refused(name: str) -> OrderError:
    with pytest.raises(OrderError) as caught:
        parse(name)
    return caught.value


def every_text() -> list[str]:
    with pytest.raises(OrderError) as broken:
        parse_options(b"hold = maybe", "qavix.toml")
    return [
        readme.not_understood("dubb en to es", refused("dubb en to es")),
        readme.not_understood("Holiday", refused("Holiday")),
        readme.loose_file(["clip.mp4"]),
        readme.loose_file(["clip.mp4", "b.mp4", "c.mp4"]),
        readme.wrong_kind(["clip.mp4"], TaskType.VOICE_CLONE),
        readme.wrong_kind(["letter.docx"], TaskType.TEXT_TO_SPEECH),
        readme.wrong_kind(["a.txt"], TaskType.LIP_SYNC),
        readme.options_broken(broken.value),
        readme.order_inside_order("subs en to es", "dub en to es"),
        readme.voice_unclear({"there is no voice “Maria”.": ["a.txt"], "2 voices are called “Ava”.": [f"{n}.txt" for n in range(20)]}),
    ]


def test_our_texts_are_known_as_ours_and_no_others_are() -> None:
    for text in every_text():
        assert readme.is_ours(text.encode())
        assert readme.is_ours(text.removeprefix("\ufeff").replace("\r\n", "\n").encode()), "as an editor may save it"
        assert readme.is_ours(text.encode() + b"\r\n")
        assert "\r\n" in text
        assert "\n" not in text.replace("\r\n", "")
    assert not readme.is_ours(b"")
    assert not readme.is_ours(b"my notes")
    assert not readme.is_ours(readme.FIRST_LINE.encode() + b" and mine")


def test_a_text_of_ours_that_a_person_wrote_into_is_theirs() -> None:
    for text in every_text():
        lines = text.encode().split(b"\r\n")
        assert not readme.is_ours(text.encode() + b"\r\nI shall ask Maria.")
        assert not readme.is_ours(b"\r\n".join([lines[0], b"I shall ask Maria.", *lines[1:]]))
        assert not readme.is_ours(b"\r\n".join(lines[:-2])), "without its last line"


def test_windows_shows_every_letter_of_it() -> None:
    for text in every_text():
        assert text.encode().startswith(b"\xef\xbb\xbfQAVIX WATCH")


def test_the_files_that_wait_for_a_voice_are_named_with_the_reason() -> None:
    text = readme.voice_unclear({"there is no voice “Maria”.": ["a.txt"], "2 voices are called “Ava”.": [f"{n}.txt" for n in range(20)]})
    assert "there is no voice “Maria”.\r\n\r\n  a.txt\r\n" in text
    assert "  14.txt\r\n  … and 5 more" in text


def test_thousands_of_names_stay_a_short_text() -> None:
    text = readme.wrong_kind([f"{number}.mp4" for number in range(5000)], TaskType.VOICE_CLONE)
    assert "… and 4985 more" in text
    assert len(text) < 3000


def test_what_is_not_understood_is_told_with_reason_nearest_name_and_examples() -> None:
    text = readme.not_understood("dubb en to es", refused("dubb en to es"))
    assert "dubb en to es" in text
    assert "begins with no job" in text
    assert "Did you mean:  dub en to es" in text
    assert "Names that work:" in text
    assert "Did you mean" not in readme.not_understood("Holiday", refused("Holiday"))


def test_a_loose_file_is_told_where_to_go() -> None:
    assert "clip.mp4 lies in no order folder; make one here, for example `dub en to es`, and move it in." in readme.loose_file(["clip.mp4"])
    several = readme.loose_file(["clip.mp4", "b.mp4"])
    assert "clip.mp4 (and 1 more) lie in no order folder; make one here, for example `dub en to es`, and move them in." in several


def test_with_projects_a_loose_file_is_told_of_the_folder_between() -> None:
    assert "make one here, for example `my project/dub en to es`, and" in readme.loose_file(["clip.mp4"], projects=True)
    inside = readme.loose_file(["clip.mp4"], projects=True, project="dub en to de")
    assert "make one here, for example `dub en to es`, and" in inside
    assert "This folder is the project “dub en to de”; each folder in it is an order." in inside


def test_a_file_of_the_wrong_kind_is_told_what_is_wanted() -> None:
    text = readme.wrong_kind(["clip.mp4"], TaskType.VOICE_CLONE)
    assert "`clone voice`, which takes a sound file." in text
    assert "  clip.mp4" in text
    assert "takes a video with a picture" in readme.wrong_kind(["a.txt"], TaskType.FACE_SWAP)


def test_the_examples_are_all_valid_names() -> None:
    text = readme.loose_file(["x"])
    examples = [line[2:31].strip() for line in text.split("\r\n") if line.startswith("  ")]
    assert len(examples) == 9
    for example in examples:
        assert parse(example).canonical() == example


@settings(deadline=None)
@given(st.text(st.characters(), max_size=50))
def test_no_name_breaks_the_text(name: str) -> None:
    for text in (readme.loose_file([name]), readme.wrong_kind([name], TaskType.LIP_SYNC), readme.order_inside_order(name, name)):
        assert readme.is_ours(text.encode())
    assert readme.is_ours(readme.not_understood(name, OrderError("It is wrong.", suggestion="erase")).encode())


@pytest.mark.parametrize(
    "name",
    [
        "New folder",
        "new folder (2)",
        "New Folder 3",
        "untitled folder",
        "Neuer Ordner",
        "Neuer Ordner (2)",
        "Nouveau dossier",
        "Nueva carpeta",
        "新建文件夹",
        "新建文件夹 (2)",
        "新建文件夹(2)",
        "新しいフォルダー",
        "새 폴더",
        "Новая папка",
        "New folder - Copy",
        "New folder - Copy (2)",
        "untitled folder 2 copy",
        "Neuer Ordner - Kopie",
        "Nouveau dossier (12)",
        "مجلد جديد (٢)",
        "پوشه جدید",
        "Folder baharu",
    ],
)
def test_what_file_managers_call_a_new_folder(name: str) -> None:
    assert readme.is_default_name(name)


@pytest.mark.parametrize("name", ["dub en to es", "Holiday", "", "folder", "My new folder", "(2)"])
def test_other_names_are_meant(name: str) -> None:
    assert not readme.is_default_name(name)
