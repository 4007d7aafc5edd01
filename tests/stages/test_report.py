"""`QAVIX-STATUS.txt`: written when something changes, at most once a minute, and never over what is a person's."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.statusfile import FIRST_LINE
from qavix_watch.errors import FileUnreadable, StoreError
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.report import LONGEST_SECONDS, Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.fs.streams import FileSink
    from tests.support.world import World


def report(world: World) -> Report:
    return Report(world.ports, world.rules, world.log)


def path_of(world: World) -> Path:
    return world.root / "QAVIX-STATUS.txt"


def text(world: World) -> str:
    return path_of(world).read_text("utf-8-sig")


def mark(path: Path) -> tuple[int, int]:
    """What any write to it changes."""
    there = path.stat()
    return there.st_ino, there.st_mtime_ns


def test_it_says_what_there_is_and_nothing_else_is_left_beside_it(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es", "clip.mp4", video())
    world.drop("dubb en to es", "clip.mp4", video())
    (world.inbox / "New folder").mkdir()
    world.look()
    world.run(report(world).look())
    said = text(world)
    assert said.startswith(FIRST_LINE)
    assert "* dub en to es\n    Dub from English into Spanish.\n" in said
    assert "* dubb en to es\n" in said
    assert "Did you mean:  dub en to es" in said
    assert "New folder" not in said
    assert sorted(os.listdir(world.root)) == [".qavix-watch", "QAVIX-STATUS.txt", "archive", "failed", "inbox", "outbox"]


def test_prices_are_told_once_they_are_known(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es,fr", "clip.mp4", video())
    world.drop("clone voice", "clip.nfo", b"x")
    told = report(world)
    world.look()
    world.run(told.look())
    assert "credits" not in text(world)
    prices = [
        {"task_type": "video_translation", "credits_per_minute": 60.0, "description": "", "language": None},
        {"task_type": "video_translation", "credits_per_minute": 70.0, "description": "", "language": "fr"},
    ]
    world.act(lambda tx: tx.house.learn("pricing", prices, world.clock.now()))
    world.later(60)
    world.run(told.look())
    assert "A minute costs 60 credits for Spanish, 70 credits for French." in text(world)
    assert "Clone the voice and call it like the file.\n" in text(world), "no price is known of that"


def test_it_is_written_when_something_changes_and_at_most_once_a_minute(world: World, video: Callable[..., bytes]) -> None:
    told = report(world)
    world.run(told.look())
    first = mark(path_of(world))
    world.drop("dub en to es", "clip.mp4", video())
    world.look()
    world.later(59)
    world.run(told.look())
    assert mark(path_of(world)) == first
    world.later(2)
    world.run(told.look())
    assert mark(path_of(world)) != first
    assert "dub en to es" in text(world)


def test_while_nothing_happens_nothing_is_written_but_once_a_day(world: World) -> None:
    told = report(world)
    world.run(told.look())
    first, changes = mark(path_of(world)), world.one("SELECT total_changes()")
    for _ in range(5):
        world.later(3600)
        world.run(told.look())
        world.later(5)
        world.run(told.look())
    assert mark(path_of(world)) == first
    assert world.one("SELECT total_changes()") == changes, "the state rests as well"
    world.later(LONGEST_SECONDS)
    world.run(told.look())
    assert mark(path_of(world)) != first


def test_one_that_was_thrown_away_comes_back(world: World) -> None:
    told = report(world)
    world.run(told.look())
    path_of(world).unlink()
    world.later(61)
    world.run(told.look())
    assert FIRST_LINE in text(world)


def test_a_start_replaces_what_the_one_before_wrote(world: World) -> None:
    world.run(report(world).look())
    world.later(120)
    world.run(report(world).end())
    assert "THE SERVICE IS NOT RUNNING" in text(world)
    world.run(report(world).look())
    assert "The service is running" in text(world)


@pytest.mark.parametrize("kind", ["text", "link", "folder", "long"])
def test_what_is_a_persons_is_left_and_told_of(world: World, tmp_path: Path, kind: str) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_text(FIRST_LINE + "\n")
    path = path_of(world)
    if kind == "text":
        path.write_text("my own list")
    elif kind == "long":
        path.write_text("x" * 100_000)
    elif kind == "link":
        path.symlink_to(theirs)
    else:
        path.mkdir()
    told = report(world)
    world.run(told.look())
    assert path.is_symlink() == (kind == "link")
    assert theirs.read_text() == FIRST_LINE + "\n"
    (trouble,) = world.rows("SELECT text FROM troubles")
    assert "QAVIX-STATUS.txt is not ours" in trouble["text"]
    path.rename(tmp_path / "moved")
    world.later(61)
    world.run(told.look())
    assert "is not ours" not in text(world)
    assert world.rows("SELECT text FROM troubles") == []


def test_a_file_that_takes_the_name_meanwhile_is_not_replaced(world: World) -> None:
    class Late(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            path_of(world).write_text("my own list")
            super().rename_new(source, target)

    world.with_ports(files=Late())
    world.run(report(world).look())
    assert path_of(world).read_text() == "my own list"
    assert [name for name in os.listdir(world.root) if name.startswith(".qavix-status")] == []


def test_nothing_is_written_into_the_mount_point_of_a_root_that_is_away(world: World) -> None:
    told = report(world)
    world.unplug()
    world.run(told.look())
    assert not path_of(world).exists()
    assert world.rows("SELECT text FROM troubles") == [], "the brake tells of it"
    world.plug_in()
    world.later(61)
    world.run(told.look())
    assert path_of(world).exists()


def test_a_root_that_may_not_be_written_is_told_of(world: World) -> None:
    class ReadOnly(Disk):
        def append(self, path: bytes) -> FileSink:
            raise FileUnreadable("no right to write there")

    world.with_ports(files=ReadOnly())
    world.run(report(world).look())
    (trouble,) = world.rows("SELECT text FROM troubles")
    assert trouble["text"] == "QAVIX-STATUS.txt cannot be written: no right to write there"


def test_it_takes_mode_and_group_of_the_root(world: World) -> None:
    world.root.chmod(0o2775)
    world.run(report(world).look())
    assert path_of(world).stat().st_mode & 0o777 == 0o664


def test_what_failed_is_told_with_its_place_until_it_is_taken_away(world: World) -> None:
    world.drop("dub en to es/part 2", "clip.mp4", b"no video at all")
    world.notice()
    world.through()
    told = report(world)
    world.run(told.look())
    said = text(world)
    assert "* dub en to es/part 2/clip.mp4\n    This is not a video.\n" in said
    assert "It lies in failed/dub en to es/part 2. “clip.mp4.why.txt” beside it says more." in said
    assert "To try again, drag it back into inbox/dub en to es/part 2." in said
    (world.root / "failed" / "dub en to es" / "part 2" / "clip.mp4").unlink()
    world.later(61)
    world.run(told.look())
    assert "clip.mp4" not in text(world)


def test_what_failed_and_was_left_in_the_inbox_is_told_so(world: World) -> None:
    world.with_layout(after="keep")
    world.drop("dub en to es", "clip.mp4", b"no video at all")
    world.notice()
    world.through()
    world.run(report(world).look())
    assert "It lies in inbox/dub en to es." in text(world)
    assert "To try again, move it out of its folder and back in." in text(world)


def test_what_waits_for_a_person_is_told_with_what_to_type(world: World, video: Callable[..., bytes]) -> None:
    for name in ("a.mp4", "b.mp4"):
        world.drop("dub en to es hold=yes", name, video())
    world.drop("face swap", "clip.mp4", video())
    world.drop("tts en voice=Nobody", "a.txt", b"hello")
    world.notice()
    for lane in ("settle", "fingerprint", "order"):
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))
    world.run(report(world).look())
    asks, waits = text(world).split("WAITS FOR SOMEBODY")[1].split("\nWAITS\n")
    assert "* dub en to es hold=yes/a.mp4, dub en to es hold=yes/b.mp4\n" in asks
    assert "qavix-watch approve 1 2" in asks
    assert "There is no voice “Nobody”." in asks
    assert "* face swap/clip.mp4\n    It waits for a picture" in waits


def test_work_in_hand_is_told_in_per_cent_and_not_once_it_has_ended(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare", "upload", "submit")
    world.act(lambda tx: tx.house.progress([("drop", 1, "hashing", 25, 100, 1.0, 0.0)]))
    world.act(lambda tx: tx.jobs.seen(1, "processing", 40))
    told = report(world)
    world.run(told.look())
    assert "* dub en to es/clip.mp4: it is being read, 25 %" in text(world)
    assert "* dub en to es/clip.mp4 (into Spanish): Qavix is working on it, 40 %" in text(world)
    world.run(told.end())
    assert "it is being read" not in text(world)
    assert "Qavix is working on it, 40 %" in text(world)


def test_brakes_and_troubles_are_told_with_the_one_thing_to_do(world: World) -> None:
    def act(tx):  # type: ignore[no-untyped-def]
        tx.brakes.pull("auth", "", "the API key is missing", "Put it into a file.", 0.0, 0.0)
        tx.house.trouble("watch", "watching is limited", 0.0)

    world.act(act)
    world.run(report(world).look())
    said = text(world).split("STANDS STILL")[1]
    assert "* Nothing goes to Qavix and nothing comes back, because of the API key.\n    The API key is missing." in said
    assert "What to do: Put it into a file." in said
    assert "* watching is limited" in said


def test_options_that_are_broken_and_orders_within_orders_are_told_without_a_guess(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es", "qavix.toml", b"priority = 7\n")
    world.drop("tts es", "qavix.toml", b"voice = 7\n")
    world.drop("dub en to fr/subs en to de/deeper", "clip.mp4", video())
    world.look()
    world.run(report(world).look())
    said = text(world).split("NOT UNDERSTOOD")[1]
    assert "* dub en to es\n" in said
    assert "* dub en to fr/subs en to de\n" in said
    assert "* tts es\n" in said
    assert "deeper" not in said
    assert "Did you mean" not in said


def test_a_voice_for_each_language_does_not_fit_a_name_and_is_told_in_words(world: World) -> None:
    world.drop("tts en", "qavix.toml", b'voice = "a/b"\n')
    world.look()
    world.run(report(world).look())
    assert "* tts en\n    Speak the text in English, with the voice a/b.\n" in text(world)


def test_it_goes_on_until_it_is_told_to_stop_whatever_goes_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qavix_watch.stages.report.FIRST_SECONDS", 0.01)
    monkeypatch.setattr("qavix_watch.stages.report.LOOK_SECONDS", 0.01)
    failures = [StoreError("the disk is away"), ValueError("a defect")]
    transaction = world.store.transaction

    async def failing(name: str, act):  # type: ignore[no-untyped-def]
        if failures:
            raise failures.pop()
        return await transaction(name, act)

    monkeypatch.setattr(world.store, "transaction", failing)
    told = report(world)

    async def life() -> None:
        running = asyncio.create_task(told.run())
        while failures or not path_of(world).exists():
            await asyncio.sleep(0.01)
            world.later(61)
        told.stop()
        await running

    world.run(life())
    assert "THE SERVICE IS NOT RUNNING" in text(world)
    assert len(world.log.of("unexpected error")) == 1
    assert world.rules is told._rules
    told.go_by(world.rules)
