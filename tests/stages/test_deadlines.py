"""Tasks that take too long, that vanish, and that are not completed any more: reported, asked for, never submitted again by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Done, Later, Retry
from qavix_watch.core.service import Output, Task, TaskPage
from qavix_watch.errors import NotFound
from qavix_watch.stages.generations import failed_there
from tests.stages.test_results import Told, job, task, until
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

HOUR = 3600.0


@pytest.fixture
def submitted(world: World, video: Callable[..., bytes]) -> World:
    """A world with one task at the service, of a film of a second: it may take an hour and a quarter minute."""
    until(world, "follow", data=video())
    world.later(5)
    return world


@pytest.fixture
def completed(world: World, video: Callable[..., bytes]) -> World:
    """A world with one task whose result is to be fetched."""
    until(world, "fetch", data=video())
    return world


def says(world: World, answer: Callable[[], Task], *, lists: bool = True) -> Told:
    """The service answers so of the one task, which its list has as well."""

    def page(status: str, **_: Any) -> TaskPage:
        return TaskPage((answer(),) if lists and answer().status == status else (), None)

    told = Told(world.client, list_tasks=page, get_task=lambda _: answer())
    world.with_ports(api=told)
    return told


def at_99(world: World) -> Task:
    return task(world, "processing", progress=99)


def told(world: World) -> list[str]:
    """The lines of the log that tell of the task."""
    return [values["why"] for _, event, values in world.log.lines if event == "look"]


def noted(world: World) -> list[str]:
    rows = world.rows("SELECT why FROM events WHERE item = 'job' AND old = 'processing' AND new = 'processing'")
    return [row["why"] for row in rows]


def test_a_task_past_its_deadline_is_told_of_once_and_followed_rarely(submitted: World) -> None:
    api = says(submitted, lambda: at_99(submitted))
    submitted.later(HOUR - 60)
    submitted.step("follow")
    assert not submitted.is_due("look"), "it has a minute more"
    submitted.later(600)
    assert submitted.step("follow") == Later(submitted.rules.poll_max_seconds)
    said = submitted.step("look")
    assert isinstance(said, Later)
    assert (said.seconds, said.why) == (None, job(submitted)["reason"])
    assert "longer than such a task should (1 hour)" in said.why
    assert (job(submitted)["state"], job(submitted)["progress"]) == ("processing", 99)
    assert told(submitted) == noted(submitted) == [said.why]
    lists = submitted.act(lambda tx: tx.view(submitted.rules.layout).lists())
    assert [row["why"] for row in lists["waiting"]] == [said.why], "people without a terminal read of it"
    for _ in range(3):
        submitted.later(400)
        assert submitted.step("follow") == Later(submitted.rules.poll_max_seconds)
        assert not submitted.is_due("look"), "the list tells all that is new"
    assert api.asked.count("get_task") == 1
    assert told(submitted) == noted(submitted) == [said.why]


def test_one_that_is_in_no_list_is_asked_for_each_time_and_told_of_once(submitted: World) -> None:
    says(submitted, lambda: at_99(submitted), lists=False)
    submitted.later(2 * HOUR)
    for _ in range(2):
        submitted.step("follow")
        assert isinstance(submitted.step("look"), Later)
        submitted.later(400)
    assert len(told(submitted)) == len(noted(submitted)) == 1


def test_its_result_is_taken_when_it_comes(submitted: World) -> None:
    answers = [at_99(submitted)]
    says(submitted, lambda: answers[-1])
    submitted.later(2 * HOUR)
    submitted.steps("follow")
    submitted.step("look")
    answers.append(task(submitted, "completed", output=Output({"video": "https://r/1"})))
    submitted.later(400)
    submitted.steps("follow", "look")
    assert (job(submitted)["state"], job(submitted)["overdue_since"]) == ("fetching", None)
    assert job(submitted)["reason"] == "the task is completed"


def test_an_older_task_does_not_slow_down_the_younger_ones(submitted: World, video: Callable[..., bytes]) -> None:
    says(submitted, lambda: at_99(submitted))
    submitted.later(2 * HOUR)
    submitted.step("follow")
    submitted.step("look")
    submitted.act(lambda tx: tx.work._connection.execute("UPDATE duties SET due = ?", (submitted.clock.now() + HOUR,)))
    submitted.with_ports(api=submitted.client)
    submitted.drop("dub en to es", "young.mp4", video())
    submitted.notice()
    submitted.steps("settle", "fingerprint", "order", "prepare", "upload", "submit")
    submitted.later(5)
    submitted.with_ports(api=Told(submitted.client, list_tasks=lambda **_: TaskPage((), None)))
    assert submitted.step("follow") == Later(submitted.rules.poll_min_seconds)


def test_one_whose_file_turns_out_to_be_longer_is_in_time_again(submitted: World) -> None:
    says(submitted, lambda: at_99(submitted), lists=False)
    submitted.later(2 * HOUR)
    submitted.step("follow")
    submitted.step("look")
    submitted.act(lambda tx: tx.work._connection.execute("UPDATE contents SET duration = 10000"))
    submitted.later(400)
    submitted.step("follow")
    said = submitted.step("look")
    assert isinstance(said, Later)
    assert (said.seconds, said.why) == (None, "")
    assert said.fields == {"task_status": "processing", "progress": 99, "overdue_since": None}
    assert job(submitted)["overdue_since"] is None


def test_speech_has_a_deadline_by_its_text(world: World) -> None:
    until(world, "follow", "tts voice=sys-en-ava", "words.txt", b"A few words." * 300)
    says(world, lambda: Task(job(world)["task_id"], "text_to_speech", "processing", 99), lists=False)
    world.later(2 * HOUR)
    world.step("follow")
    assert world.step("look").why == "", "an hour and eight times twelve minutes"
    world.later(2 * HOUR)
    world.step("follow")
    assert "(3 hours)" in world.step("look").why


def gone() -> Task:
    raise NotFound("get_task: there is no such task.", operation="get_task", status=404, type="not_found", code="task_not_found")


def test_a_task_that_vanished_fails_in_the_end_and_only_a_person_makes_a_new_one(submitted: World) -> None:
    """Another task is known, so it is no matter of the account."""
    task_id = job(submitted)["task_id"]
    known = {**row_of(submitted), "key": "other", "identity": "other", "task_id": "known", "due": None}
    submitted.act(lambda tx: tx.jobs.add(known, JobState.DONE, 0.0, "before"))
    api = Told(
        submitted.client, list_tasks=lambda **_: TaskPage((), None),
        get_task=lambda asked: gone() if asked == task_id else Task(asked, "video_translation", "completed"),
    )  # fmt: skip
    submitted.with_ports(api=api)
    submitted.step("follow")
    said = submitted.step("look")
    assert isinstance(said, Retry)
    assert said.after >= 60
    (row,) = submitted.rows("SELECT * FROM jobs WHERE task_id = ?", task_id)
    assert (row["state"], row["task_status"]) == ("processing", "gone")
    submitted.with_rules(give_up_after_seconds=90.0)
    submitted.later(200)
    submitted.step("look")
    (row,) = submitted.rows("SELECT * FROM jobs WHERE task_id = ?", task_id)
    assert row["state"] == "failed"
    assert row["reason"].endswith(f"the service does not know task {task_id} any more")
    found = submitted.act(lambda tx: tx.jobs.find(row["id"]))
    assert failed_there(found), "its key leads nowhere"
    assert submitted.rows("SELECT count(*) AS n FROM jobs") == [{"n": 2}]


def row_of(world: World) -> dict[str, Any]:
    names = (
        "identity", "generation", "task", "operation", "canonical", "source", "language", "stem", "params_json", "text", "main_sha256",
        "partner_sha256", "token", "priority",
    )  # fmt: skip
    found = job(world)
    return {name: found[name] for name in names}


def test_a_task_that_is_not_completed_any_more_is_followed_again(completed: World) -> None:
    """Its result is taken when it is there once more."""
    before = completed.sandbox.ledger()["totals"]["tasks"]
    completed.sandbox.control("expire-links", {"purpose": "result"})
    completed.sandbox.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    completed.sandbox.control(f"tasks/{job(completed)['task_id']}", {"status": "processing"})
    said = completed.step("fetch")
    assert isinstance(said, Done)
    assert (job(completed)["state"], job(completed)["task_status"]) == ("processing", "processing")
    assert "not completed any more" in job(completed)["reason"]
    wait_for(lambda: completed.sandbox.control("faults")[0]["hits"], what="the task to be stuck")
    completed.sandbox.control(f"tasks/{job(completed)['task_id']}", {"status": "completed"})
    completed.through()
    assert completed.files() == ["dub en to es/clip.es.mp4"]
    assert completed.sandbox.ledger()["totals"]["tasks"] == before


def test_a_task_that_vanished_when_its_links_had_expired_is_missed(completed: World) -> None:
    completed.sandbox.control("expire-links", {"purpose": "result"})
    completed.with_ports(api=Told(completed.client, get_task=lambda _: gone()))
    said = completed.step("fetch")
    assert isinstance(said, Retry)
    assert "does not know task" in said.why
    assert job(completed)["task_status"] == "gone"


def test_results_asked_for_at_a_wrong_path_are_not_missed(completed: World) -> None:
    def elsewhere(_: str) -> Task:
        raise NotFound("get_task: no route.", operation="get_task", status=404, type="not_found", code="unknown_path")

    completed.sandbox.control("expire-links", {"purpose": "result"})
    completed.with_ports(api=Told(completed.client, get_task=elsewhere))
    assert completed.step("fetch").name == "api"
