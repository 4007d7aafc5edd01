"""`why`: for every path, what is, was or will be done with it, and why."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.cli import context
from qavix_watch.cli.amounts import minute_of_day
from qavix_watch.cli.answers import sentence
from qavix_watch.cli.judging import judge
from qavix_watch.core.lifecycle import DropState, JobState
from qavix_watch.store.sqlite import Store
from tests.cli.conftest import HOSTILE, NOWHERE, add_drop, add_job

if TYPE_CHECKING:
    from qavix_watch.cli.answers import Answer
    from tests.cli.conftest import Quick


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("QAVIX_")]:
        monkeypatch.delenv(name)


def put(path: Path | bytes, content: bytes = b"x") -> Path:
    name = os.fsencode(path)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(content)
    return Path(os.fsdecode(name))


def asked(home: Quick, path: Path | bytes) -> Answer:
    """What `why` says, without its process."""
    settings = context.settings(str(home.config))
    with context.view(settings) as look:
        return judge(os.path.abspath(os.fsencode(path)), settings, look)


@pytest.mark.parametrize(
    ("name", "content", "state", "said"),
    [
        ("dub en to es/clip.mp4", b"x", "new", "It will be picked up when the service runs."),
        ("dub en to es/sub/clip.mp4", b"x", "new", "It will be picked up"),
        ("dub en to es/clip.mp4.part", b"x", "ignored", "a download or copy under way (*.part)"),
        ("dub en to es/.hidden.mp4", b"x", "ignored", "a hidden or private name"),
        ("dub en to es/@eaDir/clip.mp4", b"x", "ignored", "“@eaDir” is litter of a NAS"),
        ("dub en to es/QAVIX-READ-ME.txt", b"x", "ignored", "Qavix Watch's own"),
        ("dub en to es/qavix.toml", b"", "ignored", "Qavix Watch's own"),
        ("dub en to es/sample.mine", b"x", "ignored", "the pattern “*.mine” in `[watch] ignore`"),
        ("dub en to es/clip.mp4", b"", "ignored", "It is empty"),
        ("dub en to es/clip.nfo", b"x", "left alone", "beside media as a matter of course"),
        ("dub en to es/notes.docx", b"x", "left alone", "`dub` takes a video, and by its name this is none."),
        ("clone voice/clip.mp4", b"x", "left alone", "`clone voice` takes a sound file, and this is something else."),
        ("tts es voice=Ava/text.docx", b"x", "left alone", "`tts` takes a plain text file (.txt), and this is something else."),
        ("face swap/face.jpg", b"x", "partner", "It is no work by itself"),
        ("face swap/clip.mp4", b"x", "new", "It waits for a picture"),
        ("dubb en to es/clip.mp4", b"x", "not understood", "begins with no job"),
        ("tts es/text.txt", b"x", "not understood", "voice"),
        ("dub en to es/subs en to fr/clip.mp4", b"x", "not understood", "looks like an order of its own"),
        ("loose.mp4", b"x", "left alone", "It lies loose in the inbox"),
    ],
)
def test_a_file_that_was_not_noticed_yet(home: Quick, name: str, content: bytes, state: str, said: str) -> None:
    home.config.write_text(home.config.read_text().replace("[watch]", '[watch]\nignore = ["*.mine"]'))
    answer = asked(home, put(home.inbox / name, content))
    assert (answer.where, answer.state) == ("inbox", state)
    assert said in answer.why
    assert answer.known


def test_the_order_of_a_file_is_told_in_words(home: Quick) -> None:
    answer = asked(home, put(home.inbox / "DUB english to es" / "clip.mp4"))
    assert (answer.order, answer.does) == ("dub en to es", "Dub from English into Spanish")


def test_a_name_that_is_nearly_an_order_gets_its_mend(home: Quick) -> None:
    assert "Did you mean `dub en to es`?" in asked(home, put(home.inbox / "dubb en to es" / "clip.mp4")).hint


def test_a_broken_qavix_toml_is_the_reason_for_all_below_it(home: Quick) -> None:
    put(home.inbox / "erase" / "qavix.toml", b"hold = 1")
    answer = asked(home, put(home.inbox / "erase" / "sub" / "clip.mp4"))
    assert answer.state == "not understood"
    assert "qavix.toml, line 1" in answer.why


def test_a_file_beside_its_own_download_waits(home: Quick) -> None:
    put(home.inbox / "erase" / "clip.mp4.part")
    answer = asked(home, put(home.inbox / "erase" / "clip.mp4"))
    assert (answer.state, "still under way" in answer.why) == ("waiting", True)


def test_with_its_partner_a_video_waits_for_nothing(home: Quick) -> None:
    put(home.inbox / "face swap" / "clip.jpg")
    assert "picture" not in asked(home, put(home.inbox / "face swap" / "sub" / ".." / "clip.mp4")).why


def test_links_and_what_lies_behind_them_are_not_followed(home: Quick, tmp_path: Path) -> None:
    film = put(tmp_path / "films" / "clip.mp4")
    (home.inbox / "erase").mkdir()
    (home.inbox / "erase" / "link.mp4").symlink_to(film)
    (home.inbox / "erase" / "films").symlink_to(film.parent)
    os.mkfifo(home.inbox / "erase" / "pipe.mp4")
    for name in ("link.mp4", "films/clip.mp4", "pipe.mp4"):
        answer = asked(home, home.inbox / "erase" / name)
        assert (answer.state, "regular files" in answer.why or "links are not followed" in answer.why) == ("ignored", True)


def test_an_inbox_that_is_reached_through_a_link_is_the_inbox(home: Quick, tmp_path: Path) -> None:
    put(home.inbox / "erase" / "clip.mp4")
    (tmp_path / "short").symlink_to(home.inbox)
    assert asked(home, tmp_path / "short" / "erase" / "clip.mp4").order == "erase"


def test_without_its_marker_the_inbox_is_away(home: Quick) -> None:
    (home.root / ".qavix-watch").unlink()
    there, absent = asked(home, put(home.inbox / "erase" / "clip.mp4")), asked(home, home.inbox / "erase" / "gone.mp4")
    assert (there.state, absent.known) == ("new", False)
    for answer in (there, absent):
        assert "has no marker" in answer.why
        assert "qavix-watch init" in answer.hint


def test_with_projects_the_order_is_one_folder_deeper(home: Quick) -> None:
    home.config.write_text(home.config.read_text().replace("[folders]", "[folders]\nprojects = true"))
    assert asked(home, put(home.inbox / "spring" / "erase" / "clip.mp4")).order == "erase"
    assert asked(home, put(home.inbox / "spring" / "loose.mp4")).state == "left alone"
    assert asked(home, home.inbox / "spring").why.startswith("A project.")


def test_folders_are_answered_for_too(home: Quick) -> None:
    (home.inbox / "erase").mkdir()
    (home.inbox / "nonsense").mkdir()
    assert asked(home, home.inbox).why.startswith("The inbox.")
    assert asked(home, home.inbox / "erase").order == "erase"
    assert asked(home, home.inbox / "nonsense").state == "not understood"
    for folder in (home.root, home.outbox, home.root / "archive", home.root / "failed"):
        assert asked(home, folder).state == "a folder"


@pytest.mark.parametrize("name", [".qavix-watch", "QAVIX-STATUS.txt", "failed/erase/clip.mp4.why.txt", "outbox/.qavix-parts/1-video"])
def test_our_own_files_are_named(home: Quick, name: str) -> None:
    if name != ".qavix-watch":
        put(home.root / name)
    assert asked(home, home.root / name).state == "our own"


def test_state_and_configuration_are_our_own(filled: Quick) -> None:
    assert asked(filled, filled.state).state == "our own"
    assert asked(filled, filled.config).state == "our own"


def test_what_lies_elsewhere_is_outside(home: Quick, tmp_path: Path) -> None:
    outside = asked(home, put(tmp_path / "clip.mp4"))
    assert (outside.state, outside.known) == ("outside", True)
    assert str(home.inbox) in outside.hint
    assert asked(home, put(home.root / "clip.mp4")).state == "left alone"
    for name in (tmp_path / "none", home.root / "none", home.outbox / "none", home.root / "archive" / "none", home.inbox / "none"):
        assert not asked(home, name).known


def test_work_is_told_with_its_jobs_and_what_stands_still(filled: Quick) -> None:
    answer = asked(filled, put(filled.inbox / "dub en to es,fr" / "clip.mp4"))
    assert (answer.state, answer.order) == ("processing", "dub en to es,fr")
    assert [(job["target"], job["state"]) for job in answer.jobs] == [("fr", "processing"), ("es", "done")]
    assert "Work stands still: the balance does not cover the task." in answer.why
    assert answer.hint == "Add credits to the account."


def test_a_drop_that_waits_says_for_what_whatever_it_is_called(filled: Quick) -> None:
    path = os.path.join(os.fsencode(filled.inbox), b"erase", HOSTILE)
    put(path)
    done = filled.command("why", path)
    assert "it has ␛]0;pwned␇ a [bold]hole[/bold]" in done.stdout.lower()
    assert "\x1b" not in done.stdout
    told = json.loads(filled.command("why", "--json", path).stdout)
    assert (told["where"], told["state"], told["order"]) == ("inbox", "waiting", "erase")
    assert "\n" not in told["path"]


def test_a_film_that_is_cut_short_says_how_long_it_is_waited_for(filled: Quick) -> None:
    with closing(Store(str(filled.state), NOWHERE, "default", "owner")) as store:
        reason = "it looks cut short: 50 bytes are missing"
        store.now("add", lambda tx: add_drop(tx, b"erase/cut.mp4", DropState.WAITING, time.time(), reason=reason))
    answer = asked(filled, put(filled.inbox / "erase/cut.mp4"))
    assert answer.hint == "If nothing more comes, copy it again; after 1 h without a change it goes to failed."


def test_a_path_that_was_something_once_has_a_history(filled: Quick) -> None:
    gone = asked(filled, filled.inbox / "erase" / "old.mp4")
    assert (gone.state, gone.known) == ("done", True)
    assert f"It lies at {filled.root}/archive/erase/old.mp4 now." in gone.why
    again = asked(filled, put(filled.inbox / "erase" / "old.mp4"))
    assert again.state == "new"
    assert len(again.earlier) == 1
    assert "the original was put away" in again.earlier[0]


def test_originals_that_were_put_away_know_where_they_came_from(filled: Quick) -> None:
    archived = asked(filled, put(filled.root / "archive" / "erase" / "old.mp4"))
    assert (archived.where, archived.state, archived.order) == ("archive", "done", "erase")
    failed = asked(filled, put(filled.root / "failed" / "erase" / "bad.mp4"))
    assert (failed.state, "this is not a video" in failed.why) == ("failed", True)
    assert "drag it back" in failed.hint
    assert f"{filled.inbox}/erase/bad.mp4" in failed.why


def test_results_know_their_job(filled: Quick) -> None:
    answer = asked(filled, put(filled.outbox / "dub en to es,fr" / "clip.es.mp4"))
    assert (answer.state, answer.order, answer.jobs[0]["id"]) == ("a result", "dub en to es,fr", "1")
    assert "Job 1 made it (video) from dub en to es,fr/clip.mp4." in answer.why
    os.remove(filled.outbox / "dub en to es,fr" / "clip.es.mp4")
    assert "no longer there" in asked(filled, filled.outbox / "dub en to es,fr" / "clip.es.mp4").why
    assert asked(filled, put(filled.outbox / "other.mp4")).state == "left alone"


def _change(home: Quick, **fields: Any) -> None:
    """Set fields of the drop of clip.mp4, as a stage would."""
    sets = ", ".join(f"{name} = ?" for name in fields)
    with closing(Store(str(home.state), NOWHERE, "default", "owner")) as store:
        store.now("change", lambda tx: tx.work._connection.execute(f"UPDATE drops SET {sets} WHERE id = 1", tuple(fields.values())))


@pytest.mark.parametrize(
    ("fields", "state", "said"),
    [
        ({"held": "it has a hole", "state": "waiting"}, "held", "It is held for a person: it has a hole."),
        ({"state": "waiting", "reason": "it waits for a picture"}, "waiting", "It waits for a picture."),
        ({"state": "settled"}, "waiting", "its content is read next"),
        ({"state": "fingerprinted"}, "waiting", "its jobs are made next"),
        ({"state": "archiving"}, "archiving", "put away next"),
        ({"state": "kept"}, "done", "stays where it is"),
        ({"state": "ignored", "reason": "it is a result of this order"}, "ignored", "left alone: it is a result of this order."),
        ({"state": "failed", "reason": "no sound in it"}, "failed", "could not be done: no sound in it."),
        ({"state": "delivering", "detached": 1}, "new", "It will be picked up when the service runs."),
    ],
)
def test_each_state_of_a_drop_has_its_words(filled: Quick, fields: dict[str, Any], state: str, said: str) -> None:
    _change(filled, **fields)
    answer = asked(filled, put(filled.inbox / "dub en to es,fr" / "clip.mp4"))
    assert (answer.state, said in answer.why) == (state, True), answer


def test_a_drop_that_was_taken_out_cost_nothing(filled: Quick) -> None:
    _change(filled, state="gone")
    answer = asked(filled, filled.inbox / "dub en to es,fr" / "clip.mp4")
    assert (answer.state, "nothing was paid" in answer.why) == ("taken out", True)


def test_a_path_that_is_not_there_is_exit_1_and_one_that_is_unknown_is_not(home: Quick, tmp_path: Path) -> None:
    assert home.command("why", str(home.inbox / "none"), check=False).returncode == 1
    assert home.command("why", "/").returncode == 0
    assert home.command("why", str(home.inbox) + "/" + "x" * 300, check=False).returncode == 1


def test_sentences_begin_and_end_as_such() -> None:
    assert [sentence(text) for text in ("it waits", "Why?", " so. ", "")] == ["It waits.", "Why?", "So.", ""]


def test_a_drop_is_told_its_own_results_and_not_those_of_the_same_content_elsewhere(filled: Quick) -> None:
    with closing(Store(str(filled.state), NOWHERE, "default", "owner")) as store:
        store.now("the same once more", lambda tx: _delivered_twice(tx, filled))
    first, second = (asked(filled, filled.inbox / "dub en to es,fr" / name) for name in ("clip.mp4", "again.mp4"))
    assert [Path(one["path"]).name for one in first.jobs[-1]["results"]] == ["clip.es.mp4"]
    assert [Path(one["path"]).name for one in second.jobs[-1]["results"]] == ["again.es.mp4"]


def _delivered_twice(tx: Any, home: Quick) -> None:
    put(home.inbox / "dub en to es,fr" / "clip.mp4")
    put(home.inbox / "dub en to es,fr" / "again.mp4")
    drop = add_drop(tx, b"dub en to es,fr/again.mp4", DropState.DELIVERING, time.time())
    tx.jobs.expect_delivery(1, drop, time.time())
    (result,), delivery = tx.jobs.results(1), tx.jobs.deliveries(1)[-1]
    tx.jobs.placed(result.id, delivery.id, b"dub en to es,fr/again.es.mp4", 1234, "5" * 64)


def test_an_upload_outside_its_time_of_day_says_what_it_waits_for(filled: Quick) -> None:
    """The window is over an hour from now, whatever the time is."""
    minute = minute_of_day()
    window = "-".join(f"{(minute + more) % 1440 // 60:02}:{(minute + more) % 60:02}" for more in (120, 180))
    filled.config.write_text(filled.config.read_text() + f'[upload]\nwindow = "{window}"\n')
    with closing(Store(str(filled.state), NOWHERE, "default", "owner")) as store:
        store.now("one more", _uploading)
    put(filled.inbox / "dub en to es,fr" / "late.mp4")
    late = asked(filled, filled.inbox / "dub en to es,fr" / "late.mp4")
    assert f"Its upload waits for the time between {window} (`upload.window`)." in late.why
    printed = filled.command("status").stdout
    assert f"between {window} (`upload.window`), not now: files wait for that" in printed
    assert json.loads(filled.command("status", "--json").stdout)["uploads"] == {"window": window, "open": False}


def _uploading(tx: Any) -> None:
    drop = add_drop(tx, b"dub en to es,fr/late.mp4", DropState.DELIVERING, time.time())
    add_job(tx, drop, "it", JobState.UPLOADING, time.time())
