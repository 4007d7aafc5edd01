"""From a task that has ended to results under a drop's names: followed cheaply, fetched whole, delivered never over anything."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Space
from qavix_watch.core.identity import task_name
from qavix_watch.core.outcomes import Brake, Done, Fail, Later, Retry
from qavix_watch.core.service import Download, Output, ResultHead, Task, TaskPage
from qavix_watch.errors import Fenced, NameRefused, NoMediaReader, Stopped, TransferError
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.filling import LOOK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

ORDER = "dub en to es"


class Killed(BaseException):
    """The process died here."""


def job(world: World) -> dict[str, Any]:
    return world.rows("SELECT * FROM jobs ORDER BY id DESC LIMIT 1")[0]


def delivery(world: World) -> dict[str, Any]:
    return world.rows("SELECT * FROM deliveries ORDER BY id DESC LIMIT 1")[0]


def until(world: World, lane: str, order: str = ORDER, name: str = "clip.mp4", data: bytes | None = None) -> Path:
    """Drop a film and work until this lane has something to do."""
    assert data is not None
    path = world.drop(order, name, data)
    world.notice()
    world.through(lane)
    return path


def killed(world: World, lane: str) -> None:
    piece = world.claim(lane)
    assert piece is not None
    with pytest.raises(Killed):
        world.run(piece.lane.stage(world.ports, world.rules, piece))
    world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))


# Following

class Told:
    """The real client, of which some calls are answered by a test."""

    def __init__(self, client: Any, **answers: Any) -> None:
        self._client = client
        self._answers = answers
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        answer = self._answers.get(name)
        if answer is None:
            return getattr(self._client, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            self.asked.append(name)
            return answer(*arguments, **named)

        return call


def task(world: World, status: str, **more: Any) -> Task:
    return Task(task_id=job(world)["task_id"], task_type="video_translation", status=status, **more)


@pytest.fixture
def submitted(world: World, video: Callable[..., bytes]) -> World:
    """A world with one task at the service."""
    until(world, "follow", data=video())
    world.later(5)
    return world


def test_where_nothing_is_open_nothing_is_asked(world: World) -> None:
    told = Told(world.client, list_tasks=lambda **_: pytest.fail("no task is ours"))
    world.with_ports(api=told)
    assert world.step("follow") == Later(None)


def test_a_task_that_is_looked_at_alone_and_still_open_is_followed_with_the_others(submitted: World) -> None:
    """Its round may have come to rest meanwhile, since its job was elsewhere: its results were expired, or a person was asked."""
    submitted.act(lambda tx: tx.work._connection.execute("UPDATE duties SET due = NULL WHERE name = 'follow'"))
    submitted.with_ports(api=Told(submitted.client, get_task=lambda _id: task(submitted, "processing")))
    submitted.act(lambda tx: tx.work.wake("job", 1, submitted.clock.now()))
    assert isinstance(submitted.step("look"), Later)
    submitted.later(submitted.rules.poll_max_seconds)
    assert submitted.is_due("follow")


def test_an_open_tasks_progress_is_noted_without_asking_for_it(submitted: World) -> None:
    page = lambda status, **_: TaskPage((task(submitted, status, progress=40),) if status == "processing" else (), None)  # noqa: E731
    submitted.with_ports(api=Told(submitted.client, list_tasks=page, get_task=lambda _: pytest.fail("not asked")))
    submitted.step("follow")
    assert (job(submitted)["progress"], job(submitted)["task_status"], job(submitted)["due"]) == (40, "processing", None)


def test_a_task_that_left_the_open_lists_is_asked_for(submitted: World) -> None:
    submitted.with_ports(api=Told(submitted.client, list_tasks=lambda **_: TaskPage((), None)))
    submitted.step("follow")
    assert submitted.is_due("look")


def test_a_task_that_was_submitted_while_the_lists_were_read_is_not_missed_in_them(submitted: World) -> None:
    def page(**_: Any) -> TaskPage:
        return TaskPage((), None)

    submitted.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET submitted_at = ?", (submitted.clock.now() + 100,)))
    submitted.with_ports(api=Told(submitted.client, list_tasks=page))
    submitted.step("follow")
    assert not submitted.is_due("look")


def test_among_very_many_tasks_that_are_not_ours_ours_are_asked_for_one_by_one(submitted: World) -> None:
    """The lists cannot be read to their end; a task of ours that has ended must not wait for ever."""
    told = Told(submitted.client, list_tasks=lambda **_: TaskPage((), "more"))
    submitted.with_ports(api=told)
    submitted.step("follow")
    assert len(told.asked) < 200
    assert submitted.is_due("look")


def test_a_task_between_two_tries_is_left_to_its_pause(submitted: World) -> None:
    """Or each round would use up a try, and the job be given up in minutes instead of days."""
    submitted.with_ports(api=Told(submitted.client, list_tasks=lambda **_: TaskPage((), None), get_task=_unknown))
    submitted.step("follow")
    assert isinstance(submitted.step("look"), Retry)
    due = job(submitted)["due"]
    submitted.later(10)
    submitted.step("follow")
    assert job(submitted)["due"] == due
    assert job(submitted)["tries"] == 1


def test_other_work_under_the_id_of_a_task_is_not_taken_for_its_result(submitted: World) -> None:
    """Ids are the account's own: in another one, or in a sandbox that began anew, the same id is somebody else's film."""
    other = replace(task(submitted, "completed"), name=task_name("another film", "qx1-another"))
    submitted.with_ports(api=Told(submitted.client, list_tasks=lambda **_: TaskPage((), None), get_task=lambda _: other))
    submitted.step("follow")
    assert isinstance(submitted.step("look"), Retry)
    assert "does not know task" in job(submitted)["reason"]
    assert job(submitted)["output_json"] is None


def _unknown(*_: Any) -> Any:
    from qavix_watch.errors import NotFound

    raise NotFound("no such task", operation="get_task", status=404, type="not_found")


@pytest.mark.parametrize(("age", "pause"), [(0, 5), (60, 5), (560, 50), (10**6, 300)])
def test_young_tasks_are_looked_at_often_and_old_ones_rarely(submitted: World, age: float, pause: float) -> None:
    submitted.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET submitted_at = ?", (submitted.clock.now() - age,)))
    submitted.with_ports(api=Told(submitted.client, list_tasks=lambda **_: TaskPage((), None)))
    said = submitted.step("follow")
    assert isinstance(said, Later)
    assert said.seconds == pytest.approx(pause, abs=1)


@pytest.mark.parametrize(
    ("answer", "kind", "state"),
    [
        ({"status": "processing", "progress": 70}, Later, "processing"),
        ({"status": "processing"}, Later, "processing"),
        ({"status": "failed", "error_message": "no speech in it"}, Fail, "failed"),
        ({"status": "failed"}, Fail, "failed"),
        ({"status": "completed"}, Retry, "processing"),
        ({"status": "completed", "output": Output()}, Retry, "processing"),
        ({"status": "completed", "output": Output({"video": "https://r/1"}), "credits_used": 9}, Done, "fetching"),
    ],
)
def test_what_get_task_says_decides(submitted: World, answer: dict[str, Any], kind: type[Any], state: str) -> None:
    told = Told(submitted.client, list_tasks=lambda **_: TaskPage((), None), get_task=lambda _: task(submitted, **answer))
    submitted.with_ports(api=told)
    submitted.step("follow")
    assert isinstance(submitted.step("look"), kind)
    assert job(submitted)["state"] == state
    if kind is Fail:
        assert answer.get("error_message", "did not say why") in job(submitted)["reason"]


# Fetching

@pytest.fixture
def completed(world: World, video: Callable[..., bytes]) -> World:
    """A world with one task whose result is to be fetched."""
    until(world, "fetch", data=video())
    return world


class Transfers:
    """Transfers that a test stands in for: what a real host does not do on demand."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self._act = act

    def download(self, url: str, sink: Any, known: Any, begin: Any, meter: Any, limit: int) -> Download:
        found: Download = self._act(url, sink, known, begin, meter, limit)
        return found


def bringing(data: bytes, content_type: str | None = "video/mp4", validator: str = '"v"') -> Transfers:
    def act(_url: str, sink: Any, _known: Any, begin: Any, meter: Any, _limit: int) -> Download:
        begin(ResultHead(len(data), content_type, validator))
        meter.start(len(data))
        sink.write(data)
        sink.sync()
        return Download(len(data), content_type, None)

    return Transfers(act)


HOSTILE_ADDRESSES = (
    "https://r/../../../etc/passwd", "https://r/%2e%2e%2f%2e%2e%2fetc%2fcron.d%2fx.mp4", "https://r/a.mp4/..",
    "https://r/" + "x" * 5000 + ".mp4",
    "https://r/a.mp4%00.exe", "https://r/a.php?f=../../b.mp4", "https://r//etc/passwd", "https://r/.mp4", "https://r/a.m\u202ep4",
)


@pytest.mark.parametrize("url", HOSTILE_ADDRESSES)
def test_the_address_of_a_result_decides_no_path(submitted: World, video: Callable[..., bytes], url: str) -> None:
    deliver_all(submitted, video(), {"video": url})
    assert submitted.files() == [f"{ORDER}/clip.es.mp4"]
    assert sorted(path.name for path in submitted.root.iterdir() if path.is_dir()) == ["archive", "failed", "inbox", "outbox"]


def test_a_result_that_is_larger_than_the_disk_waits_alone_ever_longer_and_people_are_told(completed: World) -> None:
    class Small(Disk):
        def space(self, path: bytes) -> Space:
            return Space(1000, None, "small")

    completed.with_rules(min_free_bytes=900)
    completed.with_ports(files=Small())
    pauses = []
    for tries in range(1, 5):
        said = completed.step("fetch")
        assert isinstance(said, Later)
        assert completed.rows("SELECT tries, reason FROM jobs") == [{"tries": tries, "reason": said.why}]
        pauses.append(said.seconds)
        completed.later(said.seconds or 0)
    assert pauses == [10, 20, 30, 30]
    assert completed.act(lambda tx: tx.brakes.on()) == []


def deliver_all(world: World, data: bytes, urls: dict[str, str]) -> None:
    """The task is completed with these results, each of which brings these bytes."""
    answer = {"status": "completed", "output": Output(urls), "credits_used": 9}
    told = Told(world.client, list_tasks=lambda **_: TaskPage((), None), get_task=lambda _: task(world, **answer))
    world.with_ports(api=told, transfers=bringing(data, "text/html; filename=../../x.php"))
    world.step("follow")
    world.step("look")
    world.steps("fetch", "deliver")


def test_results_of_kinds_that_nobody_knows_yet_are_delivered_beside_the_others(submitted: World, video: Callable[..., bytes]) -> None:
    """A later version of the service may have more of them; none may keep the others back."""
    deliver_all(submitted, video(), {"video": "https://r/a.mp4", "preview": "https://r/b.mp4", "poster_2": "https://r/c", "x": "https://r/c.exe"})
    wanted = ["clip.es.mp4", "clip.es.poster_2.mp4", "clip.es.preview.mp4", "clip.es.x.mp4"]
    assert submitted.files() == [f"{ORDER}/{name}" for name in wanted]


def test_a_name_template_does_not_bring_results_of_unknown_kinds_under_one_name(submitted: World, video: Callable[..., bytes]) -> None:
    submitted.with_rules(templates={"video_translation": "{stem} {target}{ext}"})
    deliver_all(submitted, video(), {"video": "https://r/a.mp4", "preview": "https://r/b.mp4"})
    assert submitted.files() == [f"{ORDER}/clip es.mp4", f"{ORDER}/clip.es.preview.mp4"]


def test_nothing_is_no_result_of_any_kind(submitted: World) -> None:
    with pytest.raises(AssertionError, match="nothing came"):
        deliver_all(submitted, b"", {"poster": "https://r/a.jpg"})


def test_a_fetched_result_waits_whole_under_a_private_name(completed: World) -> None:
    completed.steps("fetch")
    (result,) = completed.rows("SELECT kind, extension, size, staged FROM results")
    assert (result["kind"], result["extension"]) == ("video", "mp4")
    assert (completed.outbox / os.fsdecode(result["staged"])).stat().st_size == result["size"]
    assert [name for name in completed.files() if not name.startswith(".qavix-parts")] == []


def test_what_an_earlier_try_brought_in_is_not_fetched_again(completed: World) -> None:
    piece = completed.claim("fetch")
    assert piece is not None
    completed.outcome(piece)
    completed.act(lambda tx: tx.work.rescue("node", completed.clock.now(), 3600.0))
    completed.with_ports(transfers=Transfers(lambda *_: pytest.fail("it is here")))
    completed.steps("fetch")


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_staged_result_that_is_not_what_it_was_is_fetched_again(completed: World, how: str) -> None:
    piece = completed.claim("fetch")
    assert piece is not None
    completed.outcome(piece)
    completed.act(lambda tx: tx.work.rescue("node", completed.clock.now(), 3600.0))
    (staged,) = (completed.outbox / ".qavix-parts").iterdir()
    if how == "cut":
        staged.write_bytes(b"cut")
    else:
        staged.unlink()
    completed.steps("fetch")
    assert len(list((completed.outbox / ".qavix-parts").iterdir())) == 1


def test_a_download_goes_on_where_a_killed_one_ended(completed: World) -> None:
    seen: list[tuple[int, ResultHead | None]] = []

    def half(_url: str, sink: Any, known: Any, begin: Any, *_: Any) -> Download:
        seen.append((sink.size(), known))
        begin(ResultHead(10, "video/mp4", '"v"'))
        sink.write(b"12345")
        sink.sync()
        raise Killed

    completed.with_ports(transfers=Transfers(half))
    for _ in range(2):
        killed(completed, "fetch")
    assert seen == [(0, None), (5, ResultHead(10, "video/mp4", '"v"'))]
    completed.with_ports(transfers=completed.transfers)
    completed.steps("fetch")


def test_of_two_downloads_of_one_result_one_goes_on_and_the_other_goes(completed: World) -> None:
    """Two processes began it, each under a name of its own."""

    def half(_url: str, sink: Any, _known: Any, begin: Any, *_: Any) -> Download:
        begin(ResultHead(10, "video/mp4", '"v"'))
        sink.write(b"12345")
        sink.sync()
        raise Killed

    completed.with_ports(transfers=Transfers(half))
    killed(completed, "fetch")
    parts = completed.outbox / ".qavix-parts"
    for path in list(parts.iterdir()):
        number, kind, this, ending = path.name.split(".")
        path.with_name(f"{number}.{kind}.0-{this.partition('-')[2]}.{ending}").write_bytes(path.read_bytes())
    killed(completed, "fetch")
    assert sorted(path.suffix for path in parts.iterdir()) == [".head", ".part"]


def test_what_another_host_has_begun_is_not_gone_on_with(completed: World) -> None:
    """It may only be frozen, with the file open: what it wrote on waking would be in the result, under whatever name that has by then."""
    seen: list[int] = []

    def half(_url: str, sink: Any, _known: Any, begin: Any, *_: Any) -> Download:
        seen.append(sink.size())
        begin(ResultHead(10, "video/mp4", '"v"'))
        sink.write(b"12345")
        sink.sync()
        raise Killed

    completed.with_ports(transfers=Transfers(half))
    killed(completed, "fetch")
    parts = completed.outbox / ".qavix-parts"
    ours = [path.name for path in parts.iterdir()]
    for name in ours:
        (parts / name).rename(parts / re.sub("-[0-9a-f]+", "-another", name))
    frozen = next(parts.glob("*.part")).open("ab")
    killed(completed, "fetch")
    assert seen == [0, 0]
    frozen.write(b"what it still had to write")
    frozen.close()
    assert [path.read_bytes() for path in parts.glob("*.part")] == [b"12345"]


def test_whoever_was_fenced_out_leaves_the_files_of_the_next_one_alone_and_takes_its_own_away(completed: World) -> None:
    piece = completed.claim("fetch")
    assert piece is not None
    completed.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET fence = fence + 1, owner = 'node2:1'"))
    parts = completed.outbox / ".qavix-parts"
    parts.mkdir()
    theirs = [f"1.video.{piece.row.fence + 1}-another.{ending}" for ending in ("head", "part", "whole")]
    for name in theirs:
        (parts / name).write_bytes(b"theirs")
    with pytest.raises(Fenced):
        completed.outcome(piece)
    assert sorted(path.name for path in parts.iterdir()) == theirs


def test_a_reader_of_media_that_does_not_start_says_nothing_of_the_result(completed: World) -> None:
    class Away:
        def facts(self, path: bytes) -> Any:
            raise NoMediaReader("it does not start")

    media = completed.ports.media
    completed.with_ports(media=Away())
    assert not isinstance(completed.step("fetch"), (Done, Fail))
    assert any(path.suffix == ".part" for path in (completed.outbox / ".qavix-parts").iterdir()), "it is not fetched anew"
    completed.with_ports(media=media)
    completed.later(600)
    completed.steps("fetch")


def test_notes_that_make_no_sense_are_no_notes(completed: World) -> None:
    def half(_url: str, sink: Any, known: Any, begin: Any, *_: Any) -> Download:
        assert known is None
        begin(ResultHead(10, "video/mp4", '"v"'))
        sink.write(b"12345")
        raise Killed

    completed.with_ports(transfers=Transfers(half))
    killed(completed, "fetch")
    (head,) = (completed.outbox / ".qavix-parts").glob("*.head")
    head.write_bytes(b"{")
    killed(completed, "fetch")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "a page came"),
        (b"  <html>", "a page came"),
        (b"\0" * 5000, "no video"),
    ],
)
def test_what_is_no_video_is_not_taken_for_one(completed: World, data: bytes, why: str) -> None:
    completed.with_ports(transfers=bringing(data))
    said = completed.step("fetch")
    assert isinstance(said, Retry)
    assert why in said.why
    assert completed.files() == []


@pytest.mark.parametrize("data", [b"", b"\0\0\0binary"])
def test_what_is_no_text_is_not_taken_for_subtitles(world: World, video: Callable[..., bytes], data: bytes) -> None:
    until(world, "fetch", "subs en to es", data=video())
    world.with_ports(transfers=bringing(data, "text/plain"))
    said = world.step("fetch")
    assert isinstance(said, Retry)
    assert "no text" in said.why


def test_links_that_have_expired_are_asked_for_anew(completed: World) -> None:
    completed.sandbox.control("expire-links", {"purpose": "result"})
    assert isinstance(completed.step("fetch"), Retry)
    completed.later(60)
    completed.steps("fetch")


def test_an_address_that_nobody_goes_to_is_asked_for_anew(completed: World) -> None:
    """What was wrong once, a host inside for example, would else be tried for three days."""
    once = iter([TransferError("The address of the result leads to 10.0.0.1")])

    def refused(url: str, *more: Any) -> Download:
        for error in once:
            raise error
        return completed.transfers.download(url, *more)

    before = job(completed)["output_json"]
    completed.with_ports(transfers=Transfers(refused))
    said = completed.step("fetch")
    assert isinstance(said, Retry)
    assert "10.0.0.1" in said.why
    assert job(completed)["output_json"] != before
    completed.later(60)
    completed.steps("fetch")


def test_a_fetch_that_is_told_to_stop_asks_for_nothing(completed: World) -> None:
    def stopped(*_: Any) -> Download:
        raise Stopped("the service is stopping")

    completed.with_ports(transfers=Transfers(stopped), api=Told(completed.client, get_task=lambda _: pytest.fail("it was asked")))
    piece = completed.claim("fetch")
    assert piece is not None
    with pytest.raises(Stopped):
        completed.run(piece.lane.stage(completed.ports, completed.rules, piece))


def test_expired_links_without_new_ones_are_tried_later(completed: World) -> None:
    completed.sandbox.control("expire-links", {"purpose": "result"})
    completed.with_ports(api=Told(completed.client, get_task=lambda _: task(completed, "completed")))
    said = completed.step("fetch")
    assert isinstance(said, Retry)
    assert "no new ones" in said.why


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_host_of_results_that_fails_is_no_reason_to_stop_asking_the_service(completed: World, kind: str) -> None:
    completed.sandbox.faults({"operation": "result_get", "kind": kind, "times": 1})
    assert isinstance(completed.step("fetch"), Retry)
    completed.later(60)
    completed.steps("fetch")


def test_too_little_room_pulls_the_brake_before_anything_is_fetched(completed: World) -> None:
    completed.with_rules(min_free_bytes=1 << 62)
    said = completed.step("fetch")
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("disk", "results")


def small(completed: World, free: int) -> dict[str, int]:
    """Let the disk of results have so much room; what is written into `room["written"]` is gone from it."""
    room = {"free": free, "written": 0}

    class Small(Disk):
        def space(self, path: bytes) -> Space:
            return Space(room["free"] - room["written"], None, "small")

    completed.with_ports(files=Small())
    completed.with_rules(min_free_bytes=1_000_000)
    return room


def coming(room: dict[str, int], size: int | None) -> Transfers:
    """A result that says that it has so many bytes (None: nothing), and does not end."""

    def act(_url: str, sink: Any, _known: Any, begin: Any, *_: Any) -> Download:
        sink.restart()
        begin(ResultHead(size, "video/mp4", '"v"'))
        while True:
            sink.write(bytes(1_000_000))
            room["written"] += 1_000_000

    return Transfers(act)


def parts(completed: World) -> list[int]:
    return [path.stat().st_size for path in (completed.outbox / ".qavix-parts").glob("*.part")]


def test_a_result_that_does_not_end_fills_no_disk(completed: World) -> None:
    """What it has filled is free again, and what has to stay free stays so, but for what is written between two looks."""
    room = small(completed, 10_000_000)
    completed.with_ports(transfers=coming(room, None))
    said = completed.step("fetch")
    assert isinstance(said, Retry)
    assert "does not say how long it is" in said.why
    assert parts(completed) == [0]
    assert 9_000_000 <= room["written"] < 10_000_000 + LOOK_BYTES


def test_a_result_that_is_larger_than_the_disk_holds_up_no_other(completed: World) -> None:
    room = small(completed, 10_000_000)
    completed.with_ports(transfers=coming(room, 9_500_000))
    said = completed.step("fetch")
    assert isinstance(said, Later)
    assert "it has 9500000 bytes" in said.why
    assert room["written"] == 0


def test_a_result_whose_room_was_taken_by_others_waits_with_what_has_come(completed: World) -> None:
    room = small(completed, 20_000_000)

    def taken(_url: str, sink: Any, _known: Any, begin: Any, *_: Any) -> Download:
        sink.restart()
        begin(ResultHead(15_000_000, "video/mp4", '"v"'))
        sink.write(bytes(1_000_000))
        room["free"] = 500_000
        sink.write(bytes(LOOK_BYTES))
        raise AssertionError

    completed.with_ports(transfers=Transfers(taken))
    said = completed.step("fetch")
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("disk", "results")
    assert parts(completed) == [1_000_000]


def test_an_offline_root_fetches_nothing(completed: World) -> None:
    completed.unplug()
    said = completed.step("fetch")
    assert isinstance(said, Brake)
    assert said.name == "root"
    assert not (completed.outbox / ".qavix-parts").exists()


# Delivering

@pytest.fixture
def fetched(world: World, video: Callable[..., bytes]) -> World:
    """A world with one result that is to get its name."""
    until(world, "deliver", data=video())
    return world


def test_a_result_gets_its_name_at_once_and_whole(fetched: World) -> None:
    fetched.steps("deliver")
    (result,) = fetched.rows("SELECT sha256, size, staged FROM results")
    assert result["staged"] is None
    placed = fetched.outbox / ORDER / "clip.es.mp4"
    assert placed.stat().st_size == result["size"]
    assert fetched.rows("SELECT path, sha256 FROM result_files") == [{"path": b"dub en to es/clip.es.mp4", "sha256": result["sha256"]}]
    assert fetched.state() == "archiving"


def test_a_name_that_is_taken_gets_a_number(fetched: World) -> None:
    taken = fetched.outbox / ORDER / "clip.es.mp4"
    taken.parent.mkdir()
    taken.write_bytes(b"a person's own")
    fetched.steps("deliver")
    assert fetched.files() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]
    assert taken.read_bytes() == b"a person's own"


def test_other_content_of_the_same_length_is_not_taken_for_the_result(fetched: World) -> None:
    taken = fetched.outbox / ORDER / "clip.es.mp4"
    taken.parent.mkdir()
    taken.write_bytes(b"x" * int(fetched.one("SELECT size FROM results")))
    fetched.steps("deliver")
    assert fetched.files() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]


def test_the_very_same_content_is_left_as_it_is(fetched: World) -> None:
    staged = fetched.outbox / os.fsdecode(fetched.one("SELECT staged FROM results"))
    same = fetched.outbox / ORDER / "clip.es.mp4"
    same.parent.mkdir()
    same.write_bytes(staged.read_bytes())
    inode = same.stat().st_ino
    fetched.steps("deliver")
    assert (same.stat().st_ino, staged.exists()) == (inode, False)
    assert fetched.files() == [f"{ORDER}/clip.es.mp4"]


def test_a_kill_between_the_name_and_the_record_costs_nothing(fetched: World) -> None:
    """The result lies there: it is neither fetched again nor delivered twice."""

    class Dying(Disk):
        dies = True

        def rename_new(self, source: bytes, target: bytes) -> None:
            super().rename_new(source, target)
            if self.dies:
                self.dies = False
                raise Killed

    fetched.with_ports(files=Dying())
    killed(fetched, "deliver")
    fetched.with_ports(transfers=Transfers(lambda *_: pytest.fail("it is here")))
    fetched.steps("deliver")
    assert fetched.files() == [f"{ORDER}/clip.es.mp4"]


def test_a_name_that_is_taken_a_moment_before_is_not_replaced(fetched: World) -> None:
    class Racing(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            if target.endswith(b"/clip.es.mp4"):
                with open(target, "wb") as file:
                    file.write(b"a person was faster")
            super().rename_new(source, target)

    fetched.with_ports(files=Racing())
    fetched.steps("deliver")
    assert fetched.files() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]
    assert (fetched.outbox / ORDER / "clip.es.mp4").read_bytes() == b"a person was faster"


def test_where_every_name_is_taken_it_is_tried_later(fetched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetched.outbox / ORDER / "clip.es.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"another film")
    monkeypatch.setattr("qavix_watch.stages.deliver.MOST_NUMBERS", 2)
    said = fetched.step("deliver")
    assert isinstance(said, Later)
    assert "every name" in said.why


def test_a_file_where_a_folder_is_needed_is_tried_later(fetched: World) -> None:
    (fetched.outbox / ORDER).write_bytes(b"a person's own")
    assert isinstance(fetched.step("deliver"), Later)
    assert delivery(fetched)["due"] > fetched.clock.now()
    (fetched.outbox / ORDER).unlink()
    fetched.later(100)
    fetched.steps("deliver")


def test_a_name_that_the_outbox_refuses_is_escaped(world: World, video: Callable[..., bytes]) -> None:
    class Refusing(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            if b":" in target.rsplit(b"/", 1)[1]:
                raise NameRefused("no colons here")
            super().rename_new(source, target)

    until(world, "deliver", name="clip: one.mp4", data=video())
    world.with_ports(files=Refusing())
    world.steps("deliver")
    assert world.files() == [f"{ORDER}/clip%3A one.es.mp4"]


def test_a_name_taken_by_other_content_of_the_same_length_a_moment_before_is_not_taken_for_ours(fetched: World) -> None:
    size = int(fetched.one("SELECT size FROM results"))

    class Racing(Disk):
        def make_folder(self, path: bytes, like: bytes | None = None, below: bytes | None = None) -> None:
            super().make_folder(path, like, below)
            if path.endswith(ORDER.encode()):
                (fetched.outbox / ORDER / "clip.es.mp4").write_bytes(b"x" * size)

    fetched.with_ports(files=Racing())
    fetched.steps("deliver")
    assert fetched.files() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]


def test_a_second_drop_of_the_same_content_gets_a_copy_without_any_new_work(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    world.drop(ORDER, "one.mp4", data)
    world.notice()
    world.through()
    until(world, "deliver", name="two.mp4", data=data)
    world.with_ports(transfers=Transfers(lambda *_: pytest.fail("it is on disk")))
    world.steps("deliver")
    one, two = (world.outbox / ORDER / f"{name}.es.mp4" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_ino != two.stat().st_ino, "a copy, never a hard link"
    assert one.stat().st_nlink == 1


@pytest.mark.parametrize("how", ["deleted", "same length", "other length"])
def test_results_that_people_deleted_or_changed_are_fetched_again(world: World, video: Callable[..., bytes], how: str) -> None:
    data = video()
    world.drop(ORDER, "one.mp4", data)
    world.notice()
    world.through()
    first = world.outbox / ORDER / "one.es.mp4"
    good = first.read_bytes()
    if how == "deleted":
        first.unlink()
    else:
        first.write_bytes(b"x" * (len(good) if how == "same length" else 7))
    world.drop(ORDER, "two.mp4", data)
    world.notice()
    world.through()
    assert (world.outbox / ORDER / "two.es.mp4").read_bytes() == good
    assert first.exists() is (how != "deleted")


def test_results_that_are_gone_here_and_there_fail_the_drop(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    world.with_rules(give_up_after_seconds=100.0)
    world.drop(ORDER, "one.mp4", data)
    world.notice()
    world.through()
    (world.outbox / ORDER / "one.es.mp4").unlink()
    world.sandbox.control(f"tasks/{job(world)['task_id']}", {"status": "gone"})
    world.drop(ORDER, "two.mp4", data)
    world.notice()
    world.through(rounds=300)
    assert world.state() == "failed"


def test_a_result_taken_away_between_delivery_and_archive_stays_taken_away(fetched: World) -> None:
    fetched.steps("deliver")
    (fetched.outbox / ORDER / "clip.es.mp4").unlink()
    fetched.steps("archive")
    assert fetched.files() == []
    assert fetched.state() == "archived"


def test_a_drop_whose_folder_was_renamed_is_delivered_under_the_folders_name(world: World, video: Callable[..., bytes]) -> None:
    path = until(world, "deliver", data=video())
    path.parent.rename(world.inbox / "dub en to es (mine)")
    world.look()
    world.through()
    assert world.files() == ["dub en to es (mine)/clip.es.mp4"]
    assert world.files("archive") == ["dub en to es (mine)/clip.mp4"]


def test_two_sources_of_one_stem_keep_their_extension(world: World, video: Callable[..., bytes]) -> None:
    for suffix in ("mp4", "mov"):
        world.drop(ORDER, f"clip.{suffix}", video())
    world.notice()
    world.through()
    assert world.files() == [f"{ORDER}/clip.mov.es.mp4", f"{ORDER}/clip.mp4.es.mp4"]


def test_a_persons_own_template_names_results(world: World, video: Callable[..., bytes]) -> None:
    world.with_rules(templates={"video_translation": "{target} {stem}{ext}"})
    until(world, "deliver", data=video())
    world.through()
    assert world.files() == [f"{ORDER}/es clip.mp4"]


def test_one_number_serves_every_result_of_a_drop(world: World, video: Callable[..., bytes]) -> None:
    taken = world.outbox / "subs en to es embed=yes" / "clip.es.srt"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"a person's own")
    until(world, "deliver", "subs en to es embed=yes", data=video())
    world.through()
    assert world.files() == [
        "subs en to es embed=yes/clip (2).es.srt", "subs en to es embed=yes/clip (2).es.subbed.mp4", "subs en to es embed=yes/clip.es.srt"
    ]  # fmt: skip


def test_a_number_leaves_room_for_what_is_still_to_come(world: World, video: Callable[..., bytes]) -> None:
    """The name of a result that is not there yet is taken: what is there waits for no one, and both will have the same number."""
    order = "dub en to es,de"
    world.drop(order, "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order")
    world.rows("UPDATE jobs SET due = due + 1000000 WHERE language = 'de'")
    world.through("deliver")
    path = world.outbox / order / "clip.de.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"another film")
    world.steps("deliver")
    assert (path.parent / "clip (2).es.mp4").exists()


def test_a_name_taken_by_other_content_of_the_same_length_leaves_no_half_delivery(world: World, video: Callable[..., bytes]) -> None:
    order = "subs en to es embed=yes"
    until(world, "deliver", order, data=video())
    taken = world.outbox / order / "clip.es.subbed.mp4"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"x" * int(world.one("SELECT size FROM results WHERE kind = 'video'")))
    world.through()
    assert world.files() == [f"{order}/clip (2).es.srt", f"{order}/clip (2).es.subbed.mp4", f"{order}/clip.es.subbed.mp4"]


@pytest.mark.parametrize("again", [ORDER, f"{ORDER} (again)"])
def test_a_result_dropped_into_its_own_order_is_no_drop(world: World, video: Callable[..., bytes], again: str) -> None:
    """A label changes nothing of an order."""
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through()
    world.drop(again, "clip.es.mp4", (world.outbox / ORDER / "clip.es.mp4").read_bytes())
    world.notice()
    world.through()
    assert world.state() == "ignored"
    assert len(world.rows("SELECT id FROM jobs")) == 1


def test_a_small_text_of_our_own_is_made_again_for_each_drop_and_never_over_anything(world: World) -> None:
    """What Voice Clone gives is a text that the state holds."""
    from tests.stages.test_submit import noise

    data = noise()
    for number, name in enumerate(("one", "two")):
        order = f"clone voice name=v{abs(hash(str(world.base))) % 10**9}"
        world.drop(order, f"{name}.wav", data)
        if number:
            (world.outbox / order / "two.voice.json").write_bytes(b"{}")
        world.notice()
        world.through()
    texts = {path.name: json.loads(path.read_text()) for path in world.outbox.rglob("*.json")}
    assert texts["two.voice.json"] == {}
    assert texts["one.voice.json"]["voice_id"] == texts["two (2).voice.json"]["voice_id"]


def test_a_kill_between_a_small_text_and_its_record_leaves_one(world: World) -> None:
    from tests.stages.test_submit import noise

    class Dying(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            super().rename_new(source, target)
            raise Killed

    until(world, "deliver", f"clone voice name=w{abs(hash(str(world.base))) % 10**9}", "one.wav", noise())
    world.with_ports(files=Dying())
    killed(world, "deliver")
    world.with_ports(files=Disk())
    world.steps("deliver")
    assert [path.name for path in world.outbox.rglob("*.json")] == ["one.voice.json"]
