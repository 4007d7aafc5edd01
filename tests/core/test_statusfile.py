"""The text of QAVIX-STATUS.txt."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core import statusfile
from qavix_watch.core.statusfile import Item, Standing

AT = datetime(2026, 11, 2, 9, 5)  # noqa: DTZ001 - the text shows what it is given
EVERYTHING = Standing(
    brakes=[statusfile.brake("auth", "", "the API key is missing", "Put it into a file.")],
    troubles=[Item("watching is limited")],
    asks=[statusfile.gathered("waits for approval", ["a.mp4"])],
    failed=[Item("b.mp4", ("It is cut short.",))],
    misnamed=[statusfile.misnamed("dubb en to es", "it begins with no job", "Begin with `dub`.", "dub en to es")],
    work=[statusfile.act("c.mp4", "uploading", 25, 100), statusfile.task("d.mp4", "Spanish", 40)],
    waits=[statusfile.gathered("it is still being written", ["e.mp4"])],
    folders=[statusfile.folder("dub en to es", "Dub from English into Spanish", {"Spanish": 60.0})],
    files={"waiting": 1, "in work": 2, "lost": 0},
)


def shown(standing: Standing) -> str:
    return statusfile.whole(statusfile.body(standing), at=AT, since=AT).decode("utf-8-sig").replace("\r\n", "\n")


def test_everything_that_somebody_should_know_stands_in_it() -> None:
    text = shown(EVERYTHING)
    for line in (
        "The service is running, since 2 November 2026, 09:05.",
        "* Nothing goes to Qavix and nothing comes back, because of the API key.",
        "    The API key is missing.",
        "    What to do: Put it into a file.",
        "* watching is limited",
        "* a.mp4\n    Waits for approval.",
        "* b.mp4\n    It is cut short.",
        "* dubb en to es\n    It begins with no job. Begin with `dub`.\n    Did you mean:  dub en to es",
        "* c.mp4: it is being sent to Qavix, 25 %",
        "* d.mp4 (into Spanish): Qavix is working on it, 40 %",
        "* e.mp4\n    It is still being written.",
        "* dub en to es\n    Dub from English into Spanish. 60 credits a minute.",
        "Altogether: 1 file waiting, 2 files in work.",
    ):
        assert line in text


def test_what_is_to_be_done_comes_first_and_what_is_always_so_last() -> None:
    text = shown(EVERYTHING)
    titles = ["STANDS STILL", "WAITS FOR SOMEBODY", "COULD NOT BE DONE", "NOT UNDERSTOOD", "IN WORK", "\nWAITS\n", "FOLDERS, AND WHAT"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_where_nothing_is_wrong_it_says_so_and_how_to_begin() -> None:
    text = shown(Standing())
    assert "Nothing stands still: no brake is on." in text
    assert "There is no order folder yet. Make one in the inbox, for example `dub en to es`" in text
    assert "---" not in text


def test_a_service_that_was_stopped_is_told_from_one_that_has_nothing_new_to_say() -> None:
    text = statusfile.whole(statusfile.body(EVERYTHING), at=AT, since=None).decode("utf-8-sig")
    assert "THE SERVICE IS NOT RUNNING since 2 November 2026, 09:05." in text
    assert "once a day" not in text
    assert "one that is older than a day says that the service has come to a stop" in shown(EVERYTHING)
    assert "make a folder called `are you there` in the inbox:" in shown(EVERYTHING)
    in_projects = statusfile.whole("", at=AT, since=AT, projects=True).decode("utf-8-sig")
    assert "make a folder called `are you there` in a project's folder in the inbox:" in in_projects


def test_editors_of_every_system_show_it() -> None:
    data = statusfile.whole("Grüße “an” alle\nein 字幕", at=AT, since=AT)
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert "Grüße “an” alle\r\nein 字幕" in data.decode()


def test_our_text_is_known_as_ours_and_no_other_is() -> None:
    data = statusfile.whole("", at=AT, since=AT)
    assert statusfile.is_ours(data)
    assert statusfile.is_ours(data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n"))
    assert not statusfile.is_ours(b"my own")
    assert not statusfile.is_ours(b"")


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({None: 1.0}, " 1 credit a minute."),
        ({"Spanish": 12.5}, " 12.5 credits a minute."),
        ({"Spanish": 12.0, "French": 12.0}, " 12 credits a minute for each language."),
        ({"Spanish": 12.0, "French": 14.0}, " A minute costs 12 credits for Spanish, 14 credits for French."),
        ({"Spanish": 12.0, "French": None}, ""),
        ({"Spanish": None}, ""),
        ({}, ""),
    ],
)
def test_a_price_is_told_for_each_target_once_all_are_known(prices: dict[str | None, float | None], said: str) -> None:
    assert statusfile.folder("x", "Do it", prices).more == ("Do it." + said,)


def test_a_brake_names_what_it_is_about_and_the_one_thing_to_do() -> None:
    disk = statusfile.brake("disk", "archive", "only 3 MB are free", "Make room.")
    assert disk.line == "The disk of the archive is full, and what needs room on it waits."
    assert disk.more == ("Only 3 MB are free.", "What to do: Make room.")
    away = statusfile.brake("root", "0f3a", "/srv is offline", "")
    assert away.more == ("/srv is offline.", "What to do: nothing, it goes on by itself.")
    assert statusfile.brake("strange", "", "why", "").line == "Some work stands still: strange."


def test_long_lists_are_counted() -> None:
    many = [f"{number}.mp4" for number in range(100)]
    text = shown(Standing(waits=[Item(name) for name in many], asks=[statusfile.gathered("wait", many)]))
    assert "  … and 85 more" in text
    assert "* 0.mp4, 1.mp4, 10.mp4 and 97 more\n" in text
    assert statusfile.gathered("wait", ["a", "b", "a", "c", "d"]).line == "a, b, c, d"


@given(st.text(st.characters(), max_size=40))
def test_no_name_breaks_the_text(name: str) -> None:
    standing = Standing(
        waits=[statusfile.gathered(name, [name])], folders=[statusfile.folder(name, name, {name: 1.0})],
        work=[statusfile.act(name, name, 1, 0)], misnamed=[statusfile.misnamed(name, name, name, name)],
        brakes=[statusfile.brake(name, name, name, name)],
    )  # fmt: skip
    lines = statusfile.whole(statusfile.body(standing), at=AT, since=AT).split(b"\r\n")
    assert statusfile.is_ours(b"\n".join(lines))
    assert len(lines) == len(statusfile.whole(statusfile.body(standing), at=AT, since=AT).split(b"\n"))
