"""Names are bytes: every one that a disk takes comes out under its own name, once, and nothing is overwritten."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"

STEMS = [
    b"with spaces  and two",
    b"it's \"quoted\" `so`",
    "Füße 🎬 日本語".encode(),
    unicodedata.normalize("NFD", "Café Ñandú").encode(),
    unicodedata.normalize("NFC", "Café Ñandú").encode(),
    b"-rf",
    b"--help",
    b"two\nlines\r and a\ttab",
    b"latin-1 \xe9\xff\xfe bytes",
    b"[red]bold[/red] %s %(name)s %20",
    b"$(touch x) ; & | * ? \\ <a>",
    b"clip (2)",
    b"dots.in.the.name.v1",
    "zero\u200bwidth \u202edrow".encode(),
]


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tree(top: str | os.PathLike[str]) -> dict[bytes, bytes]:
    """What lies below a folder: contents by relative path, as bytes."""
    base = os.fsencode(top)
    found = {}
    for folder, _, names in os.walk(base):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, base)] = file.read()
    return found


def put(here: Home, path: bytes, data: bytes) -> None:
    """A file at this path below the inbox."""
    target = os.path.join(os.fsencode(here.inbox), path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)


def test_every_name_comes_out_under_itself(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """As a file, and as the name of the sub-folder that it lies in."""
    here = home()
    order = ORDER.encode()
    dropped = {order + b"/" + stem + b".mp4": clip() for stem in STEMS}
    dropped |= {order + b"/" + stem + b"/" + stem + b".mp4": clip() for stem in STEMS}
    for path, data in dropped.items():
        put(here, path, data)
    here.rest(len(dropped), 100)
    assert tree(here.root / "archive") == dropped
    made = promised(box)
    delivered = {path: sha256_of(data) for path, data in tree(here.outbox).items()}
    assert delivered == {path.removesuffix(b".mp4") + b".es.mp4": made[sha256_of(data)] for path, data in dropped.items()}


def promised(box: Running) -> dict[str, str]:
    """The SHA-256 of the one result of each finished task by that of its video. A content with two tasks fails."""
    found: dict[str, Any] = {}
    for task in box.ledger()["tasks"]:
        if task["status"] == "completed" and "video_url" in task["inputs"] and "video_url" in task["results"]:
            content = task["inputs"]["video_url"]["sha256"], task["target_language"]
            assert content not in found
            found[content] = task["results"]["video_url"]["sha256"]
    return {content: result for (content, language), result in found.items() if language == "es"}


@pytest.mark.parametrize("letter", [b"a", "é".encode(), b"\xff"], ids=["letters", "pairs", "bytes"])
def test_a_name_as_long_as_a_name_can_be_is_shortened_for_its_result_alone(
    home: Callable[..., Home], clip: Callable[[], bytes], letter: bytes
) -> None:
    """255 bytes: the original keeps them, the result has room for its ending."""
    here, data = home(), clip()
    stem = letter * (251 // len(letter))
    put(here, ORDER.encode() + b"/" + stem + b".mp4", data)
    here.rest(1)
    assert tree(here.root / "archive") == {ORDER.encode() + b"/" + stem + b".mp4": data}
    (name,) = os.listdir(os.fsencode(here.outbox / ORDER))
    assert name.endswith(b".es.mp4")
    assert stem.startswith(name.removesuffix(b".es.mp4"))
    assert 200 < len(name) <= 255


def test_two_long_names_that_begin_alike_get_two_results(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """What is shortened to the same gets a number."""
    here = home()
    for last in (b"1", b"2"):
        put(here, ORDER.encode() + b"/" + b"a" * 250 + last + b".mp4", clip())
    here.rest(2)
    assert len(tree(here.outbox)) == 2
    assert len(tree(here.root / "archive")) == 2


def test_two_sources_of_one_stem_keep_their_extension(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """`clip.mov` and `clip.mp4` in one folder."""
    here = home(start=False)
    put(here, b"dub en to es/clip.mp4", clip())
    put(here, b"dub en to es/clip.mov", clip())
    put(here, b"dub en to es/sub/clip.mp4", clip())
    here.start()
    here.rest(3)
    assert here.results() == [f"{ORDER}/clip.mov.es.mp4", f"{ORDER}/clip.mp4.es.mp4", f"{ORDER}/sub/clip.es.mp4"]


def test_a_taken_name_gets_a_number_and_is_not_touched(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """The number stands on the stem, and counts on where that is taken too."""
    here = home()
    theirs = {b"dub en to es/clip.es.mp4": b"mine", b"dub en to es/clip (2).es.mp4": b"mine too"}
    (here.outbox / ORDER).mkdir(parents=True)
    for path, data in theirs.items():
        (here.outbox / os.fsdecode(path)).write_bytes(data)
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1)
    found = tree(here.outbox)
    assert theirs.items() <= found.items()
    assert found.keys() - theirs.keys() == {b"dub en to es/clip (3).es.mp4"}


def test_all_results_of_a_drop_bear_one_number(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Burned-in subtitles come with a file of them: where one name is taken both are numbered."""
    here = home()
    order = "subs en to es embed=yes"
    (here.outbox / order).mkdir(parents=True)
    (here.outbox / order / "clip.es.srt").write_text("mine")
    here.drop(order, "clip.mp4", clip())
    here.rest(1)
    assert sorted(os.listdir(here.outbox / order)) == ["clip (2).es.srt", "clip (2).es.subbed.mp4", "clip.es.srt"]


def test_all_languages_of_a_drop_bear_one_number(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Also where only one of them finds its name taken, whichever is done first."""
    here = home()
    order = "dub en to de,es,fr"
    (here.outbox / order).mkdir(parents=True)
    (here.outbox / order / "clip.es.mp4").write_text("mine")
    here.drop(order, "clip.mp4", clip())
    here.rest(1)
    assert sorted(os.listdir(here.outbox / order)) == ["clip (2).de.mp4", "clip (2).es.mp4", "clip (2).fr.mp4", "clip.es.mp4"]


def test_a_name_taken_by_the_very_same_result_is_left_as_it_is(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """The same content dropped again under the same name: no second task, no second file."""
    here, data = home(), clip()
    here.drop(ORDER, "clip.mp4", data)
    here.rest(1)
    before = (here.outbox / ORDER / "clip.es.mp4").stat()
    here.drop(ORDER, "clip.mp4", data)
    here.rest(2)
    after = (here.outbox / ORDER / "clip.es.mp4").stat()
    assert here.results() == [f"{ORDER}/clip.es.mp4"]
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sum(sha256_of(data) in str(task["inputs"]) for task in box.ledger()["tasks"]) == 1
    assert tree(here.root / "archive") == {b"dub en to es/clip.mp4": data}


def test_several_languages_dropped_again_are_left_as_they_are(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """One number for all of them does not make new names for results that lie there already."""
    here, data = home(), clip()
    for drops in (1, 2):
        here.drop("dub en to es,fr", "clip.mp4", data)
        here.rest(drops)
    assert here.results() == ["dub en to es,fr/clip.es.mp4", "dub en to es,fr/clip.fr.mp4"]


def test_an_archived_name_that_is_taken_gets_a_number(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Another film of the same name: both originals and both results are there."""
    here, first, second = home(), clip(), clip()
    for number, data in enumerate((first, second), start=1):
        here.drop(ORDER, "clip.mp4", data)
        here.rest(number)
    assert tree(here.root / "archive") == {b"dub en to es/clip.mp4": first, b"dub en to es/clip (2).mp4": second}
    assert here.results() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]


def test_a_result_put_into_its_own_orders_inbox_is_no_drop(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """Else a person who drags everything back would have it dubbed for ever."""
    here = home()
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1)
    here.drop(ORDER, "clip.es.mp4", here.outbox / ORDER / "clip.es.mp4")
    here.rest(2)
    assert [state for (state,) in here.query("SELECT state FROM drops ORDER BY id")] == ["archived", "ignored"]
    assert here.query("SELECT count(*) FROM jobs") == [(1,)]
