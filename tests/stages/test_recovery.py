"""A lost or restored state: the list is read once, page by page; what bears a mark of ours is adopted, and nothing is submitted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.identity import mark, task_name
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Later, Retry
from qavix_watch.core.service import Task, TaskPage
from qavix_watch.engine import Start, begin
from qavix_watch.errors import Fenced, InvalidRequest, UnexpectedAnswer
from qavix_watch.stages import recovery
from qavix_watch.stages.generations import plan_of
from qavix_watch.stages.recovery import is_due, said
from tests.stages.test_results import Told, job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

ORDER = "dub en to es"


def start(world: World, starts: int) -> None:
    """The service starts on a folder that has seen so many starts."""
    given = Start("node", "boot", 1, "", [("place", b"/root", starts)])
    world.act(lambda tx: begin(tx, given, world.clock.now(), 3600.0))
    world.act(lambda tx: tx.house.duty("recovery", world.clock.now()))


def brake(world: World) -> Any:
    return next((one for one in world.act(lambda tx: tx.brakes.on()) if one.name == "recovery"), None)


def listing(world: World, *tasks: Task, page: int = 100) -> Told:
    """The service's list is this."""

    def list_tasks(cursor: str | None = None, limit: int = 100) -> TaskPage:
        begin_at = int(cursor or 0)
        end = begin_at + min(page, limit)
        return TaskPage(tasks[begin_at:end], str(end) if end < len(tasks) else None)

    told = Told(world.client, list_tasks=list_tasks)
    world.with_ports(api=told)
    return told


def key_of(world: World, generation: int) -> str:
    number = job(world)["id"]
    found = world.act(lambda tx: tx.jobs.find(number))
    return plan_of(world.rules, found).key(generation)


def task_of(world: World, task_id: str, status: str = "completed", generation: int = 1, **more: Any) -> Task:
    """A task that this job may have become, once, under whatever name."""
    given = {"source_language": "en", "target_language": "es", "created_at": 1000.0, **more}
    return Task(task_id, "video_translation", status, name=task_name("any name", key_of(world, generation)), **given)


def read(world: World, *tasks: Task, **how: Any) -> Told:
    """The state has been lost, and the list is read to its end."""
    told = listing(world, *tasks, **how)
    start(world, 5)
    while world.act(is_due):
        assert isinstance(world.step("recovery"), Later)
    return told


def let_go(world: World) -> None:
    world.run(world.worker._look_at(world.act(lambda tx: tx.brakes.on())))


def history(world: World) -> list[str]:
    return [row["why"] for row in world.rows("SELECT why FROM events WHERE item = 'job' ORDER BY id")]


# Noticing it


def test_a_state_that_knows_of_every_start_reads_nothing(world: World) -> None:
    for starts in (1, 2, 3):
        start(world, starts)
        assert brake(world) is None
    assert world.step("recovery") == Later(None)


def test_a_state_that_lags_its_folders_submits_nothing_until_the_list_was_read(world: World, ready: Path) -> None:
    world.with_ports(api=Told(world.client, list_tasks=lambda **_: TaskPage((), "0")))
    start(world, 1)
    start(world, 4)
    assert "by 2" in brake(world).why
    assert "goes on by itself" in brake(world).hint
    world.run(world.worker._dispatch(world.worker.lanes))
    assert job(world)["owner"] is None, "submitting waits"
    start(world, 5)
    assert "by 2" in brake(world).why, "a start that comes in between does not make it forgotten"
    let_go(world)
    assert brake(world) is not None, "nor does a look at the brakes"
    read(world)
    let_go(world)
    assert brake(world) is None
    (line,) = world.log.of("brake off")
    assert line[2]["why"] == "the service's list of tasks was read"
    start(world, 6)
    assert brake(world) is None
    world.with_ports(api=world.client)
    world.steps("submit")


def test_a_loss_concerns_each_account_of_the_state(world: World) -> None:
    read(world)
    assert not world.act(is_due)
    world.act(lambda tx: tx.work._connection.execute("UPDATE facts SET name = 'of another account' WHERE name = 'tasks read'"))
    assert world.act(is_due)


# Reading the list


def test_the_list_is_read_page_by_page_and_only_marks_are_kept(world: World, ready: Path) -> None:
    strange = [Task(str(number), "face_swap", "completed", name=name) for number, name in enumerate([None, "x", "a qx-b", "y" * 999] * 60)]
    start(world, 5)
    told = listing(world, *strange, task_of(world, "ours"))
    for tasks in (100, 200, 241):
        assert world.step("recovery") == Later(0.0)
        assert f"({tasks} so far)" in world.act(said)
    assert world.step("recovery") == Later(None)
    assert told.asked.count("list_tasks") == 3
    assert world.rows("SELECT task_id FROM listed_tasks") == [{"task_id": "ours"}]


def test_a_kill_between_two_pages_goes_on_where_it_was(world: World, ready: Path) -> None:
    told = listing(world, *(task_of(world, f"task {number}") for number in range(3)), page=1)
    start(world, 5)
    world.step("recovery")
    assert "1 so far" in brake(world).why
    start(world, 6)
    world.later(1)
    for _ in range(2):
        world.step("recovery")
    assert told.asked.count("list_tasks") == 3
    assert not world.act(is_due)


def test_a_list_that_forgets_where_it_was_is_read_from_its_beginning(world: World) -> None:
    answers: list[Any] = [TaskPage((), "next"), InvalidRequest("no such cursor", operation="list_tasks", status=400), TaskPage((), None)]

    def list_tasks(cursor: str | None = None, limit: int = 100) -> TaskPage:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    world.with_ports(api=Told(world.client, list_tasks=list_tasks))
    start(world, 5)
    world.step("recovery")
    assert isinstance(world.step("recovery"), Retry)
    world.later(60)
    world.step("recovery")
    assert not world.act(is_due)


def test_a_list_that_is_refused_altogether_is_a_matter_of_its_path(world: World) -> None:
    def refused(**_: Any) -> TaskPage:
        raise InvalidRequest("`limit` is too large", operation="list_tasks", status=400)

    world.with_ports(api=Told(world.client, list_tasks=refused))
    start(world, 5)
    for _ in range(5):
        said_last = world.step("recovery")
        world.later(3600)
    assert isinstance(said_last, Retry)
    assert [one.scope for one in world.act(lambda tx: tx.brakes.on()) if one.name == "api"] == ["list_tasks"]


def test_a_list_without_end_is_read_so_far(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "MOST_PAGES", 3)
    told = Told(world.client, list_tasks=lambda cursor=None, limit=100: TaskPage((), str(int(cursor or 0) + 1)))
    world.with_ports(api=told)
    start(world, 5)
    for _ in range(3):
        assert world.act(is_due)
        world.step("recovery")
    assert not world.act(is_due)


def test_a_loss_that_is_noticed_while_the_list_is_read_begins_it_anew(world: World) -> None:
    def list_tasks(cursor: str | None = None, limit: int = 100) -> TaskPage:
        if len(told.asked) == 1:
            world.act(lambda tx: tx.recovery.declare(world.clock.now(), "another"))
        return TaskPage((), None)

    told = Told(world.client, list_tasks=list_tasks)
    world.with_ports(api=told)
    start(world, 5)
    world.step("recovery")
    assert world.act(is_due)
    world.step("recovery")
    assert not world.act(is_due)


# Adopting


@pytest.mark.parametrize(("status", "due"), [("pending", False), ("processing", False), ("completed", True)])
def test_a_job_that_waits_becomes_the_task_that_the_service_has(world: World, ready: Path, status: str, due: bool) -> None:
    read(world, task_of(world, "551", status, progress=40, credits_used=7))
    found = job(world)
    assert (found["state"], found["task_id"], found["task_status"], found["progress"]) == ("processing", "551", status, 40)
    assert (found["submitted_at"], found["reserved"], found["reserved_at"], found["posted"]) == (1000.0, 7.0, 1000.0, 1)
    assert (found["due"] is not None) is due
    assert history(world)[-1] == "the service has it already as task 551, found by its mark; nothing is billed again"


def test_times_of_the_list_that_cannot_be_are_none(world: World, ready: Path) -> None:
    now = world.clock.now()
    read(world, task_of(world, "551", created_at=32_000_000_000.0))
    assert now <= job(world)["submitted_at"] <= world.clock.now()


def test_a_drop_that_comes_after_the_list_was_read_is_neither_uploaded_nor_submitted(world: World, video: Callable[..., bytes]) -> None:
    """Nor held as one of many that cost much."""
    data = video()
    world.drop(ORDER, "clip.mp4", data)
    world.notice()
    world.steps("settle", "fingerprint", "order")
    tasks = [task_of(world, "551", created_at=None)]
    world.act(lambda tx: [tx.work._connection.execute(f"DELETE FROM {table}") for table in ("deliveries", "jobs", "drops")])
    world.with_ports()
    world.drop("dub en to es", "other.mp4", data)
    read(world, *tasks)
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert (job(world)["state"], job(world)["task_id"]) == ("processing", "551")
    assert not world.is_due("upload")


@pytest.mark.parametrize(
    "other",
    [{"task_type": "subtitle_translation"}, {"source_language": "fr"}, {"target_language": "de"}, {"name": "clip"}, {"name": None}],
)
def test_a_task_that_does_not_agree_is_not_adopted(world: World, ready: Path, other: dict[str, Any]) -> None:
    strange = "990551"  # far from where the sandbox begins to count, which is 551
    told = read(world, replace(task_of(world, strange), **other))
    assert job(world)["state"] == "submitting"
    told._answers.clear()
    world.steps("submit")
    assert job(world)["task_id"] != strange


def test_what_is_in_hand_when_the_list_ends_is_adopted_before_its_post(world: World, ready: Path) -> None:
    told = listing(world, task_of(world, "551"))
    start(world, 5)
    piece = world.claim("submit")
    assert piece is not None
    world.step("recovery")
    assert job(world)["state"] == "submitting"
    outcome = world.outcome(piece)
    assert isinstance(outcome, Done)
    world.record(piece, outcome)
    assert (job(world)["state"], job(world)["task_id"]) == ("processing", "551")
    assert "video_translation" not in told.asked


def test_what_somebody_took_out_meanwhile_stays_undone(world: World, ready: Path) -> None:
    listing(world, task_of(world, "551"))
    start(world, 5)
    piece = world.claim("submit")
    assert piece is not None
    world.step("recovery")
    ready.unlink()
    assert isinstance(world.outcome(piece), Later)


def test_a_task_that_another_job_has_is_not_adopted_twice(world: World, ready: Path) -> None:
    told = read(world, task_of(world, "551"))
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET state = 'ready', due = 0"))
    number = job(world)["id"]
    prepared = world.act(lambda tx: recovery.adoption_of(tx, world.rules, tx.jobs.find(number), world.clock.now()))
    assert prepared is None
    assert told.asked


# Generations


def rows(world: World) -> list[tuple[int, str, str | None]]:
    found = world.rows("SELECT generation, state, task_id FROM jobs ORDER BY generation")
    return [(row["generation"], row["state"], row["task_id"]) for row in found]


def test_the_newest_generation_that_the_list_shows_is_the_job(world: World, ready: Path) -> None:
    keys = {generation: key_of(world, generation) for generation in (1, 2, 3)}
    read(
        world, task_of(world, "c", "processing", 3), task_of(world, "b", "failed", 2), task_of(world, "a", "completed", 1),
    )  # fmt: skip
    assert rows(world) == [(2, "failed", "b"), (3, "processing", "c")]
    assert [row["key"] for row in world.rows("SELECT key FROM jobs ORDER BY generation")] == [keys[2], keys[3]]
    identity = job(world)["identity"]
    assert world.act(lambda tx: tx.jobs.failures(identity)) == 1


def test_failed_tasks_are_not_adopted_but_count(world: World, ready: Path) -> None:
    read(world, task_of(world, "b", "failed", 2), task_of(world, "a", "failed", 1))
    assert rows(world) == [(1, "failed", "a"), (2, "failed", "b"), (3, "submitting", None)]
    assert history(world)[-3] == "it failed at the service before; this is generation 3"
    world.with_ports(api=world.client)
    world.steps("submit")
    key = key_of(world, 3)
    (made,) = [one for one in world.sandbox.ledger()["tasks"] if one["idempotency_key"] == key]
    assert made["name"] == f"clip {mark(key)}"


@pytest.mark.parametrize(("approved", "state"), [(0, "held"), (1, "submitting")])
def test_what_failed_three_times_is_held_unless_a_person_said_yes(world: World, ready: Path, approved: int, state: str) -> None:
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET approved = ?", (approved,)))
    read(world, *(task_of(world, f"task {generation}", "failed", generation) for generation in (3, 2, 1)))
    assert [one[1] for one in rows(world)] == ["failed", "failed", "failed", state]
    if not approved:
        assert "failed 3 times" in job_of(world, 4)["reason"]


def job_of(world: World, generation: int) -> dict[str, Any]:
    return world.rows("SELECT * FROM jobs WHERE generation = ?", generation)[0]


def test_a_request_that_this_state_sent_itself_has_its_own_task_even_if_that_failed(world: World, ready: Path) -> None:
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET posted = 1"))
    read(world, task_of(world, "a", "failed"))
    assert rows(world) == [(1, "processing", "a")]
    assert world.is_due("look")


def test_what_waits_for_its_content_goes_on_waiting_as_another_generation(world: World, video: Callable[..., bytes]) -> None:
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare")
    read(world, task_of(world, "a", "failed"))
    assert (job_of(world, 2)["state"], job_of(world, 2)["due"]) == ("uploading", None)
    world.with_ports(api=world.client)
    world.steps("upload", "submit")


# A key that the service knows from another request


def refusing(world: World, error: Exception, *tasks: Task) -> Told:
    def create_task(*_: Any) -> None:
        raise error

    told = listing(world, *tasks)
    told._answers["create_task"] = create_task
    return told


MISMATCH = InvalidRequest(
    "another request", operation="video_translation", status=400, type="validation_error", code="idempotency_mismatch",
    param="idempotency_key",
)  # fmt: skip
CONFLICT = UnexpectedAnswer("conflict", operation="video_translation", status=409, type="conflict_error", code="conflict")


@pytest.mark.parametrize("error", [MISMATCH, CONFLICT], ids=["mismatch", "409"])
def test_a_key_that_is_taken_has_its_task_looked_for(world: World, ready: Path, error: Exception) -> None:
    refusing(world, error, task_of(world, "551"))
    start(world, 1)
    outcome = world.step("submit")
    assert isinstance(outcome, Brake)
    assert outcome.name == "recovery"
    assert "may have been lost" in brake(world).why
    assert (job(world)["posted"], job(world)["reserved"]) == (0, None)
    world.step("recovery")
    assert (job(world)["state"], job(world)["task_id"]) == ("processing", "551")


def test_where_the_list_was_read_while_the_request_was_on_its_way_it_is_adopted_at_once(world: World, ready: Path) -> None:
    told = listing(world, task_of(world, "551"))
    start(world, 1)

    async def beside(*_: Any) -> None:
        world.act(lambda tx: tx.recovery.declare(world.clock.now(), "another job's"))
        piece = world.claim("recovery")
        assert piece is not None
        await piece.lane.stage(world.ports, world.rules, piece)
        raise MISMATCH

    told.create_task = beside  # type: ignore[attr-defined]
    assert isinstance(world.step("submit"), Done)
    assert (job(world)["state"], job(world)["task_id"]) == ("processing", "551")
    assert brake(world) is None


def test_where_another_job_has_the_list_read_it_waits_for_that(world: World, ready: Path) -> None:
    refusing(world, MISMATCH)
    start(world, 5)
    assert isinstance(world.step("submit"), Brake)
    assert world.act(lambda tx: tx.recovery.last_loss()) == 1
    assert world.is_due("recovery")


def test_a_host_that_was_frozen_takes_nothing_back_of_what_another_has_read(world: World, ready: Path) -> None:
    told = listing(world, task_of(world, "551"))
    start(world, 5)

    async def slow(**_: Any) -> TaskPage:
        del told.list_tasks  # type: ignore[attr-defined]
        world.later(3600)
        theirs = world.claim("recovery")
        assert theirs is not None
        await theirs.lane.stage(world.ports, world.rules, theirs)
        return TaskPage((), "more")

    told.list_tasks = slow  # type: ignore[attr-defined]
    ours = world.claim("recovery")
    assert ours is not None
    with pytest.raises(Fenced):
        world.run(ours.lane.stage(world.ports, world.rules, ours))
    assert not world.act(is_due)
    assert world.rows("SELECT count(*) AS n FROM listed_tasks") == [{"n": 1}]


def test_a_mere_conflict_is_asked_again_and_not_the_end(world: World, ready: Path) -> None:
    """It may say that the first request is still carried out."""
    refusing(world, CONFLICT)
    start(world, 1)
    world.step("submit")
    world.step("recovery")
    said = world.step("submit")
    assert isinstance(said, Retry)
    assert said.after >= 60


def test_a_brake_that_is_recorded_when_the_list_was_read_already_does_not_stay(world: World) -> None:
    """Another job had it read, and was quicker."""
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull("recovery", "", "why", "", now, now + 1e9))
    looking, brakes = world.worker._looking, world.act(lambda tx: tx.brakes.on())
    assert looking.due(brakes, now) == []
    assert looking.due(brakes, now + 6) == brakes
    let_go(world)
    assert brake(world) is None


def test_a_key_whose_task_is_not_in_the_list_fails_and_says_what_to_do(world: World, ready: Path) -> None:
    refusing(world, MISMATCH)
    start(world, 1)
    world.step("submit")
    world.step("recovery")
    outcome = world.step("submit")
    assert isinstance(outcome, Fail)
    assert f"qavix-watch redo {job(world)['id']}" in outcome.why
    assert mark(job(world)["key"]) in outcome.why
    assert JobState(job(world)["state"]) is JobState.FAILED
