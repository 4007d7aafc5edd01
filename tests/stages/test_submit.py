"""The POST: with its key and body durable before its first byte goes out, and never twice."""

from __future__ import annotations

import io
import json
import os
import wave
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.outcomes import Brake, Done, Fail, Hold, Later, Retry
from qavix_watch.errors import FileUnreadable, NotFound
from qavix_watch.fs.disk import Disk
from qavix_watch.worker import MOST_CLAIMS
from tests.stages.test_steer import done

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

ORDER = "dub en to es"


def job(world: World) -> dict[str, Any]:
    return world.rows("SELECT * FROM jobs ORDER BY id DESC LIMIT 1")[0]


def tasks(world: World) -> list[dict[str, Any]]:
    """What the service has of our jobs."""
    keys = {row["key"] for row in world.rows("SELECT key FROM jobs")}
    return [task for task in world.sandbox.ledger()["tasks"] if task["idempotency_key"] in keys]


def test_a_submitted_job_knows_its_task(world: World, ready: Path) -> None:
    world.steps("submit")
    (task,), found = tasks(world), job(world)
    assert (found["state"], found["task_id"], found["posted"]) == ("processing", task["task_id"], 1)
    assert found["credits_estimated"] == task["credits_estimated"]
    assert task["name"].startswith("clip qx-")
    assert task["target_language"] == "es"


def test_the_callback_address_is_the_jobs_own(world: World, ready: Path) -> None:
    world.with_rules(callback_url="https://watch.example")
    world.steps("submit")
    found = job(world)
    assert json.loads(found["body"])["callback_url"] == f"https://watch.example/callback/{found['id']}/{found['token']}"


def test_a_lost_answer_is_asked_for_again_with_the_very_same_body(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    said = world.step("submit")
    assert isinstance(said, Retry)
    assert job(world)["posted"] == 1
    body = job(world)["body"]
    world.later(60)
    world.steps("submit")
    assert job(world)["body"] == body
    assert [task["posts"] for task in tasks(world)] == [2]


def test_a_job_whose_post_may_have_gone_out_is_asked_for_even_if_the_file_was_taken_out(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    world.step("submit")
    ready.unlink()
    world.look()
    world.later(60)
    world.steps("submit")
    assert world.state() == "delivering"
    assert len(tasks(world)) == 1


def test_a_file_that_is_taken_out_a_moment_before_is_not_submitted(world: World, ready: Path) -> None:
    ready.unlink()
    assert isinstance(world.step("submit"), Later)
    world.look()
    assert (world.state(), world.state("jobs"), tasks(world)) == ("gone", "cancelled", [])


def test_a_file_that_comes_back_before_anybody_looked_is_submitted(world: World, ready: Path, tmp_path: Path) -> None:
    ready.rename(tmp_path / "away.mp4")
    assert isinstance(world.step("submit"), Later)
    (tmp_path / "away.mp4").rename(ready)
    world.look()
    world.later(60)
    world.steps("submit")


def test_a_fan_out_of_which_one_was_submitted_comes_to_its_end_without_its_file(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop("dub en to es,de", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare", "prepare", "upload", "submit")
    path.unlink()
    assert isinstance(world.step("submit"), Later)
    world.look()
    world.through()
    assert world.state() == "kept"
    assert world.files() == ["dub en to es,de/clip.es.mp4"], "what was not submitted is undone"
    assert world.rows("SELECT count(*) AS n FROM jobs WHERE state = 'cancelled' AND task_id IS NULL") == [{"n": 1}]


def test_an_offline_root_submits_nothing_and_cancels_nothing(world: World, ready: Path) -> None:
    ready.unlink()
    world.unplug()
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, world.state("jobs")) == ("root", "submitting")


def test_another_drop_of_the_same_content_carries_the_job(world: World, ready: Path) -> None:
    world.drop(ORDER, "same.mp4", ready.read_bytes())
    world.notice()
    world.steps("settle", "fingerprint", "order")
    ready.unlink()
    world.steps("submit")
    assert len(tasks(world)) == 1


@pytest.mark.parametrize(("status", "brake"), [(402, "credits"), (401, "auth"), (429, "rate")])
def test_a_refusal_that_is_not_the_jobs_fault_leaves_it_unsubmitted(world: World, ready: Path, status: int, brake: str) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": status, "times": 1})
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, job(world)["posted"], job(world)["state"]) == (brake, 0, "submitting")
    world.steps("submit")


def test_a_refused_job_fails_and_says_why(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400, "times": 1})
    said = world.step("submit")
    assert isinstance(said, Fail)
    assert job(world)["state"] == "failed"


def test_a_refused_job_that_is_dropped_again_keeps_its_key(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400, "times": 1})
    world.step("submit")
    key = job(world)["key"]
    world.step("archive")
    world.look()
    (world.root / "failed" / ORDER / "clip.mp4").rename(ready)
    world.notice()
    world.through()
    assert [(row["key"], row["state"]) for row in world.rows("SELECT key, state FROM jobs")] == [(key, "done")]


def test_a_task_that_failed_and_is_dropped_again_is_a_new_generation_and_the_fourth_is_held(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "fail_task"})
    for generation in (1, 2, 3):
        world.through()
        assert job(world)["generation"] == generation
        assert world.state() == "failed"
        world.look()
        (world.root / "failed" / ORDER / "clip.mp4").rename(ready)
        (world.root / "failed" / ORDER / "clip.mp4.why.txt").unlink()
        world.notice()
        world.steps("settle", "fingerprint", "order")
    assert (job(world)["generation"], job(world)["state"]) == (4, "held")
    assert len(tasks(world)) == 3


def test_an_old_link_is_renewed_before_the_post(world: World, ready: Path) -> None:
    before = world.one("SELECT url FROM contents")
    world.act(lambda tx: tx.work._connection.execute("UPDATE contents SET url_expires = ?", (world.clock.now() + 100,)))
    world.steps("submit")
    assert world.one("SELECT url FROM contents") != before
    assert world.one("SELECT uploads FROM contents") == 1


def test_a_file_that_the_service_has_forgotten_goes_up_again(world: World, ready: Path) -> None:
    world.sandbox.control("forget-files", {"file_ids": [world.one("SELECT file_id FROM contents")]})
    world.act(lambda tx: tx.work._connection.execute("UPDATE contents SET url_expires = 0"))
    world.step("submit")
    assert (job(world)["state"], world.one("SELECT state FROM contents")) == ("uploading", "absent")
    world.steps("upload", "submit")
    assert world.one("SELECT uploads FROM contents") == 2


def test_a_link_that_is_renewed_at_a_wrong_path_is_no_forgotten_file(world: World, ready: Path) -> None:
    class Elsewhere(Passing):
        async def refresh_url(self, file_id: str) -> Any:
            raise NotFound("no such path", operation="refresh_url", status=404, type="not_found", code="unknown_path")

    world.act(lambda tx: tx.work._connection.execute("UPDATE contents SET url_expires = 0"))
    world.with_ports(api=Elsewhere(world.client))
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, said.scope, world.one("SELECT state FROM contents")) == ("api", "refresh_url", "stored")


def test_a_content_that_another_job_found_forgotten_is_waited_for(world: World, ready: Path) -> None:
    world.act(lambda tx: tx.contents.forgotten(world.one_of(tx, "SELECT sha256 FROM contents"), world.clock.now(), "another job said so"))
    world.step("submit")
    assert job(world)["state"] == "uploading"
    world.steps("upload", "submit")


def test_a_refused_link_is_renewed_once_and_uploaded_again_once(world: World, ready: Path) -> None:
    world.sandbox.control("forget-files", {"file_ids": [world.one("SELECT file_id FROM contents")]})
    said = world.step("submit")
    assert isinstance(said, Done)
    assert job(world)["posted"] == 0
    world.step("submit")
    assert job(world)["state"] == "uploading"
    world.steps("upload", "submit")
    assert job(world)["state"] == "processing"


def test_a_refused_link_that_another_job_found_forgotten_meanwhile_stays_forgotten(world: World, ready: Path) -> None:
    world.with_ports(api=Refusing(world.client, "video_url"))
    piece = world.claim("submit")
    assert piece is not None
    said = world.outcome(piece)
    world.act(lambda tx: tx.contents.forgotten(world.one_of(tx, "SELECT sha256 FROM contents"), world.clock.now(), "another job said so"))
    world.record(piece, said)
    assert world.one("SELECT url FROM contents") is None


def test_a_link_that_is_refused_again_and_again_fails_the_job(world: World, ready: Path) -> None:
    world.with_ports(api=Refusing(world.client, "video_url"))
    for _ in range(20):
        for lane in ("upload", "submit"):
            if (piece := world.claim(lane)) is not None:
                world.record(piece, world.outcome(piece))
        world.later(60)
        if job(world)["state"] == "failed":
            break
    assert job(world)["state"] == "failed"
    assert all(row["at"] > 10**9 for row in world.rows("SELECT at FROM events")), "history tells when"


class Passing:
    """The real client, but for what a test answers itself."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Refusing(Passing):
    """One whose POSTs are refused because of one field."""

    def __init__(self, client: Any, param: str) -> None:
        super().__init__(client)
        self._param = param

    async def create_task(self, operation: str, body: Any) -> Any:
        from qavix_watch.errors import InvalidRequest

        raise InvalidRequest("it cannot be read", operation=operation, status=400, param=self._param)


def test_an_answer_that_makes_no_sense_may_mean_that_it_was_done(world: World, ready: Path) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "garbage", "times": 1})
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("api", "video_translation")
    assert job(world)["posted"] == 1


# Two inputs, and text

def test_each_input_of_a_pair_has_its_own_field(world: World, video: Callable[..., bytes], picture: bytes) -> None:
    world.drop("face swap", "clip.jpg", picture)
    world.drop("face swap", "clip.mp4", video())
    world.notice()
    world.through("submit")
    world.steps("submit")
    body = json.loads(job(world)["body"])
    assert body["video_url"] != body["image_url"]


def test_a_pair_of_which_one_part_was_taken_out_is_not_submitted(world: World, video: Callable[..., bytes], picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.drop("face swap", "clip.mp4", video())
    world.notice()
    world.through("submit")
    face.unlink()
    assert isinstance(world.step("submit"), Later)


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_a_missing_one(world: World, ready: Path) -> None:
    class Blind(Disk):
        def stat(self, path: bytes) -> Any:
            if path == os.fsencode(ready):
                raise FileUnreadable("the disk does not answer")
            return super().stat(path)

    world.with_ports(files=Blind())
    world.steps("submit")


def test_text_is_sent_as_text(world: World) -> None:
    voice = world.run(world.client.list_voices())[0]
    world.drop(f"tts voice={voice.voice_id}", "line.txt", "Grüß Gott".encode("utf-16"))
    world.notice()
    world.through("follow")
    body = json.loads(job(world)["body"])
    assert body["text"] == "Grüß Gott"
    assert "name" not in body


# Voice Clone

@pytest.fixture
def sample(world: World) -> Callable[[str], Path]:
    """Drops a voice sample, up to where it is to be cloned."""

    def make(name: str) -> Path:
        path = world.drop("clone voice", f"{name}.wav", noise())
        world.notice()
        world.steps("settle", "fingerprint", "order", "prepare", "upload")
        return path

    return make


def noise() -> bytes:
    """A second of sound that nobody has heard before."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(os.urandom(16_000))
    return file.getvalue()


def clones(world: World, name: str) -> int:
    return sum(clone["name"] == name for clone in world.sandbox.ledger()["clones"])


def unique(world: World) -> str:
    return "v" + format(abs(hash(str(world.base))) % 10**9, "d")


def test_a_voice_is_cloned_and_named_in_a_small_text(world: World, sample: Callable[[str], Path]) -> None:
    name = unique(world)
    sample(name)
    world.steps("submit")
    world.through()
    (text,) = world.outbox.rglob("*.voice.json")
    told = json.loads(text.read_text())
    assert (told["name"], told["voice_id"]) == (name, job(world)["task_id"])
    assert world.act(lambda tx: tx.jobs.voices())[0].voice_id == told["voice_id"]
    billed = next(clone["credits"] for clone in world.sandbox.ledger()["clones"] if clone["name"] == name)
    assert billed
    assert (job(world)["credits_used"], job(world)["reserved"]) == (billed, billed)


@pytest.mark.parametrize("fault", [{"kind": "lost_answer"}, {"kind": "garbage"}])
def test_a_clone_whose_answer_was_lost_is_found_and_not_made_twice(
    world: World, sample: Callable[[str], Path], fault: dict[str, Any]
) -> None:
    name = unique(world)
    sample(name)
    world.sandbox.faults({"operation": "voice_clone", "times": 1, **fault})
    assert isinstance(world.step("submit"), Later)
    world.sandbox.faults()
    for _ in range(3):
        world.later(10)
        world.step("submit")
        if job(world)["state"] == "done":
            break
    made = clones(world, name)
    assert made == (1 if fault["kind"] == "lost_answer" else 0)
    assert job(world)["state"] == ("done" if made else "submitting")
    assert job(world)["credits_used"] is None, "nothing tells what it has cost"
    assert job(world)["reserved"] == (job(world)["estimate"] or 0.0)


def test_a_clone_that_was_under_way_at_five_deaths_is_looked_for_when_a_person_lets_it_go_on(
    world: World, sample: Callable[[str], Path]
) -> None:
    """What became of its request nobody could ask yet; that is no reason to pay for it twice."""
    name = unique(world)
    sample(name)
    world.sandbox.faults({"operation": "voice_clone", "times": 1, "kind": "lost_answer"})
    world.step("submit")
    world.sandbox.faults()
    for _ in range(MOST_CLAIMS):
        world.later(10)
        assert world.claim("submit") is not None
        world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    assert isinstance(world.step("submit"), Hold)
    done(world, "approve", "1")
    world.step("submit")
    assert (job(world)["state"], clones(world, name)) == ("done", 1)


def test_a_clone_that_does_not_appear_is_left_to_a_person(world: World, sample: Callable[[str], Path]) -> None:
    sample(unique(world))
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 500, "times": 1})
    assert isinstance(world.step("submit"), Later)
    world.later(10)
    assert isinstance(world.step("submit"), Later)
    world.later(700)
    assert isinstance(world.step("submit"), Hold)
    assert job(world)["state"] == "held"
    assert done(world, "approve", "1") == "it goes on"
    assert (job(world)["state"], job(world)["posted"], job(world)["reserved"]) == ("ready", 0, None), "a person asks for a new one"


def test_a_refused_clone_fails(world: World, sample: Callable[[str], Path]) -> None:
    sample(unique(world))
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 400, "times": 1})
    assert isinstance(world.step("submit"), Fail)


def test_a_clone_that_was_surely_not_taken_is_tried_again(world: World, sample: Callable[[str], Path]) -> None:
    name = unique(world)
    sample(name)
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 402, "times": 1})
    assert isinstance(world.step("submit"), Brake)
    assert job(world)["posted"] == 0
    world.later(100)
    world.steps("submit")
    assert clones(world, name) == 1


def test_a_voice_of_that_name_that_is_not_ours_is_looked_at_by_a_person_first(world: World, sample: Callable[[str], Path]) -> None:
    name = unique(world)
    world.run(world.client.voice_clone(_any_url(world, sample, "other" + name), name))
    sample(name)
    assert isinstance(world.step("submit"), Hold)
    assert clones(world, name) == 1


def _any_url(world: World, sample: Callable[[str], Path], name: str) -> str:
    sample(name)
    world.steps("submit")
    return str(world.rows("SELECT url FROM contents ORDER BY id DESC LIMIT 1")[0]["url"])


def test_two_clones_of_one_name_go_one_after_the_other(world: World, sample: Callable[[str], Path]) -> None:
    name = unique(world)
    sample(name)
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 500, "times": 1})
    world.step("submit")
    world.drop(f"clone voice name={name}", "take 2.wav", noise())
    world.notice()
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET due = due + 1000 WHERE id = 1"))
    world.steps("settle", "fingerprint", "order", "prepare", "upload")
    said = world.step("submit")
    assert isinstance(said, Later)
    assert "another voice" in said.why


def test_a_voice_that_another_job_made_is_never_taken_for_the_one_of_a_lost_answer(world: World, sample: Callable[[str], Path]) -> None:
    """Although List Voices, asked before the POST, did not tell of it: another account may have answered, or an old copy."""
    name = unique(world)
    sample(name)
    world.step("submit")
    world.drop(f"clone voice name={name}", "take 2.wav", noise())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare", "upload")
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 500, "times": 1})
    world.step("submit")
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET known_voices = '[]' WHERE id = 2"))
    world.later(10)
    assert isinstance(world.step("submit"), Later)
    assert [row["task_id"] is None for row in world.rows("SELECT task_id FROM jobs ORDER BY id")] == [False, True]


def test_several_new_voices_of_one_name_are_left_to_a_person(world: World, sample: Callable[[str], Path]) -> None:
    name = unique(world)
    sample(name)
    world.sandbox.faults({"operation": "voice_clone", "kind": "status", "status": 500, "times": 1})
    world.step("submit")
    url = world.one("SELECT url FROM contents")
    for _ in range(2):
        world.run(world.client.voice_clone(url, name))
    world.later(10)
    said = world.step("submit")
    assert isinstance(said, Hold)
    assert "2 new voices" in said.why
