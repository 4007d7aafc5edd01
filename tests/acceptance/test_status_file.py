"""`QAVIX-STATUS.txt`: how things stand, for people who only see the folders."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.statusfile import FIRST_LINE
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Home


def path_of(here: Home) -> Path:
    return here.root / "QAVIX-STATUS.txt"


def text(here: Home) -> str:
    """The text, "" where there is none."""
    try:
        return path_of(here).read_text("utf-8-sig")
    except FileNotFoundError:
        return ""


def says(here: Home, *words: str) -> str:
    """Wait until it says all of this."""
    wait_for(lambda: all(word in text(here) for word in words), what=f"{words} in the text, it is {text(here)!r}")
    return text(here)


def test_it_says_how_things_stand_and_when_the_service_was_stopped(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """A start says at once that it runs; what came later stands there a minute later, or when it is stopped."""
    here = home(start=False)
    here.drop("dub en to es", "film.mp4", clip())
    here.drop("dub en to es", "broken.mp4", b"no film")
    here.drop("dub en to de hold=yes", "later.mp4", clip())
    here.drop("dubb en to fr", "film.mp4", clip())
    here.drop("tts en voice=Nobody", "line.txt", b"hello")
    here.start()
    says(here, FIRST_LINE, "The service is running, since ", "* dub en to es\n    Dub from English into Spanish.")
    wait_for(lambda: here.results() == ["dub en to es/film.es.mp4"], what="the result")
    wait_for(lambda: here.query("SELECT 1 FROM drops WHERE state = 'failed'"), what="the broken one to fail")
    wait_for(lambda: here.query("SELECT 1 FROM drops WHERE question <> ''"), what="the voice to be asked about")
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'held'"), what="the held one to be held")
    assert here.stop() == 0
    said = text(here)
    for words in (
        "THE SERVICE IS NOT RUNNING since ",
        "* dub en to de hold=yes/later.mp4\n    Waits for approval",
        "qavix-watch approve ",
        "* tts en voice=Nobody/line.txt\n    There is no voice “Nobody”.",
        "* dub en to es/broken.mp4\n    This is not a video.\n    It lies in failed/dub en to es.",
        "* dubb en to fr\n",
        "Did you mean:  dub en to fr",
        "* dub en to es\n    Dub from English into Spanish. 60 credits a minute.",
    ):
        assert words in said, f"{words!r} is not in {said}"
    here.start()
    says(here, "The service is running, since ")
    here.kill()
    assert "one that is older than a day says that the service has come to a stop" in text(here)


def test_a_persons_file_of_that_name_is_left_and_status_says_so(home: Callable[..., Home]) -> None:
    """Until it has another name."""
    here = home(start=False)
    path_of(here).write_text("my own list\n")
    here.start()
    wait_for(lambda: "QAVIX-STATUS.txt is not ours" in here.command("status").stdout, what="the status to tell of it")
    assert here.stop() == 0
    assert path_of(here).read_text() == "my own list\n"


def test_without_a_key_it_says_what_to_do(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """People who drop files see why nothing comes."""
    here = home(start=False)
    here.key = None
    here.start()
    said = says(here, "STANDS STILL", "because of the API key")
    assert "What to do: Put " in said


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_it_is_written_once_a_minute_at_most(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """However much happens in between."""
    here = home()
    says(here, FIRST_LINE)
    first, written = path_of(here).stat().st_mtime_ns, time.monotonic()
    for number in range(3):
        here.drop("dub en to es", f"film {number}.mp4", clip())
        here.drop(f"holiday {number}", "film.mp4", b"x")
    wait_for(lambda: path_of(here).stat().st_mtime_ns != first, 90, what="the next text")
    assert time.monotonic() - written > 55
    assert "* holiday 2\n" in text(here)
