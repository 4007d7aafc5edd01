"""How brakes let go: one piece of the work that they stop tries, or a look shows that the world is right again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Later, Retry
from qavix_watch.errors import FileUnreadable, NotFound, Unreachable
from qavix_watch.worker import lanes
from qavix_watch.worker.claiming import Claiming
from qavix_watch.worker.looking import BETWEEN_SECONDS
from tests.stages.test_steer import done
from tests.test_worker import ORDER, brakes, events, pulled, row, saying, until, with_stage, working

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.worker import Piece
    from tests.support.world import World

SUBMITTED = Done(JobState.PROCESSING, due=None)


@pytest.fixture
def submitting(world: World, video: Callable[..., bytes]) -> World:
    """A world with three jobs that are to be submitted."""
    for number in range(3):
        world.drop(ORDER, f"clip {number}.mp4", video())
    world.notice()
    world.through("submit")
    return world


def on(world: World, name: str, scope: str = "", *, probing: bool = True) -> None:
    """This brake is on, and one piece of the work that it stops may try."""
    pulled(world, name, scope)
    if probing:
        world.act(lambda tx: tx.brakes.probe(name, scope))


def claimed(world: World, *in_hand: Piece) -> list[Piece]:
    """What the worker would begin now, of the lane `submit`."""
    begun, _, _ = world.act(lambda tx: Claiming(world.worker, world.worker.lanes, in_hand, world.clock.now()).claim(tx))
    return [piece for piece in begun if piece.lane.name == "submit"]


def test_one_piece_of_the_work_tries_under_a_brake_and_no_second_one_beside_it(submitting: World) -> None:
    on(submitting, "credits")
    (piece,) = claimed(submitting)
    assert piece.probing
    assert claimed(submitting, piece) == []


def test_nothing_tries_while_another_brake_stops_it_as_well(submitting: World) -> None:
    on(submitting, "credits")
    on(submitting, "account", probing=False)
    assert claimed(submitting) == []


def test_one_piece_tries_under_all_brakes_that_may_be_tried(submitting: World) -> None:
    on(submitting, "credits")
    on(submitting, "api", "video_translation")
    (piece,) = claimed(submitting)
    assert {brake.name for brake in piece.probes} == {"credits", "api"}
    submitting.record(piece, SUBMITTED)
    assert brakes(submitting) == []


def test_an_operation_that_stands_still_leaves_the_others_alone(submitting: World, video: Callable[..., bytes]) -> None:
    on(submitting, "api", "smart_eraser", probing=False)
    assert len(claimed(submitting)) == 3
    submitting.act(lambda tx: tx.work.rescue("node", submitting.clock.now(), 3600.0))
    on(submitting, "api", "video_translation", probing=False)
    assert claimed(submitting) == []


def test_a_try_that_succeeds_lets_the_brake_go_and_is_told(submitting: World) -> None:
    on(submitting, "api", "video_translation")
    (piece,) = claimed(submitting)
    submitting.record(piece, SUBMITTED)
    assert brakes(submitting) == []
    assert events(submitting, "brake api") == [("off", "on"), ("on", "off")]
    assert [line[2]["scope"] for line in submitting.log.of("brake off")] == ["video_translation"]
    assert submitting.one("SELECT count FROM brakes") == 0


def test_a_try_that_fails_the_same_way_doubles_the_pause_and_gives_another_its_turn(submitting: World) -> None:
    pauses, tried = [], []
    for _ in range(3):
        on(submitting, "credits") if not brakes(submitting) else submitting.act(lambda tx: tx.brakes.probe("credits", ""))
        (piece,) = claimed(submitting)
        tried.append(piece.id)
        submitting.record(piece, Brake("credits", "no credits are left", level=3.0))
        until_then = submitting.one("SELECT until FROM brakes") - submitting.clock.now()
        pauses.append(round(until_then, -1))
        assert submitting.one("SELECT probing FROM brakes") == 0
        submitting.later(until_then + 1)
    assert pauses == [120, 240, 480]
    assert len(set(tried)) == 3
    assert submitting.log.of("brake on") == []


@pytest.mark.parametrize("outcome", [Later(5, "its file is away"), Fail("it is no video")])
def test_a_try_that_tells_nothing_leaves_the_next_one_its_turn(submitting: World, outcome: Any) -> None:
    on(submitting, "credits")
    (piece,) = claimed(submitting)
    submitting.record(piece, outcome)
    assert brakes(submitting) == [("credits", "")]
    (other,) = claimed(submitting)
    assert other.id != piece.id


@pytest.mark.parametrize("outcome", [Retry("a lost answer"), Brake("offline", "no route")])
def test_a_try_that_something_else_keeps_from_its_end_is_followed_by_a_rest(submitting: World, outcome: Any) -> None:
    """Or fifty jobs would try one after the other."""
    on(submitting, "credits")
    (piece,) = claimed(submitting)
    submitting.record(piece, outcome)
    assert ("credits", "") in brakes(submitting)
    assert submitting.one("SELECT probing FROM brakes WHERE name = 'credits'") == 0
    assert submitting.one("SELECT until FROM brakes WHERE name = 'credits'") > submitting.clock.now()


def test_what_a_person_approved_is_submitted_though_the_budget_is_used_up(submitting: World) -> None:
    on(submitting, "budget", "day", probing=False)
    assert claimed(submitting) == []
    submitting.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET approved = 1 WHERE id = 2"))
    begun, _, _ = submitting.act(lambda tx: Claiming(submitting.worker, submitting.worker.lanes, (), submitting.clock.now()).claim(tx))
    assert [piece.id for piece in begun if piece.lane.name == "submit approved"] == [2]


def let_go(world: World) -> None:
    """Run the worker until no brake is on."""

    async def wait() -> None:
        await until(lambda: not brakes(world))

    working(world, wait)


def test_more_credits_than_there_were_let_submitting_go(submitting: World) -> None:
    pulled(submitting, "paused")
    submitting.sandbox.control("credits", {"credits": 100})
    now = submitting.clock.now()
    submitting.act(lambda tx: tx.brakes.pull("credits", "", "no credits", "", now - 10, now - 1, level=100.0))

    async def wait() -> None:
        await until(lambda: submitting.one("SELECT probing FROM brakes WHERE name = 'credits'"))
        assert ("credits", "") in brakes(submitting)
        submitting.sandbox.control("credits", {"credits": 101})
        submitting.later(31)
        submitting.worker.wake()
        await until(lambda: submitting.log.of("brake off"))

    working(submitting, wait)
    assert brakes(submitting) == [("paused", "")]
    assert [line[2]["why"] for line in submitting.log.of("brake off")] == ["it works again"]


def test_while_the_balance_cannot_be_had_a_job_may_try(submitting: World) -> None:
    pulled(submitting, "paused")
    submitting.client.set_key(None)
    pulled(submitting, "credits")

    async def wait() -> None:
        await until(lambda: submitting.one("SELECT probing FROM brakes WHERE name = 'credits'"))

    working(submitting, wait)


def test_missing_credits_that_are_needed_once_something_is_uploaded_stay_in_sight(
    submitting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BETWEEN_SECONDS, "credits", 0.0)
    submitting.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET state = 'uploading', due = NULL"))
    submitting.sandbox.control("credits", {"credits": 100})
    now = submitting.clock.now()
    submitting.act(lambda tx: tx.brakes.pull("credits", "", "no credits", "", now - 10, now - 1, level=100.0))

    async def wait() -> None:
        await until(lambda: submitting.one("SELECT probing FROM brakes WHERE name = 'credits'"))

    working(submitting, wait)
    assert brakes(submitting) == [("credits", "")]


def test_missing_credits_that_no_work_needs_any_more_are_not_told_of_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that might have tried was refused for something else, or was cancelled."""
    monkeypatch.setitem(BETWEEN_SECONDS, "credits", 0.0)
    world.sandbox.control("credits", {"credits": 100})
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull("credits", "", "no credits", "", now - 10, now - 1, level=100.0))
    world.act(lambda tx: tx.brakes.probe("credits", ""))

    async def wait() -> None:
        await until(lambda: not brakes(world))

    working(world, wait)
    assert world.log.of("brake off")[0][2] == {"brake": "credits", "scope": "", "why": "nothing needs it any more"}


@pytest.mark.parametrize("operation", ["pricing", "list_voices"])
def test_what_costs_nothing_to_ask_is_asked(world: World, operation: str) -> None:
    pulled(world, "api", operation)
    world.worker = world.new_worker(lanes=tuple(lane for lane in lanes() if lane.name == "settle"))

    async def wait() -> None:
        world.act(lambda tx: tx.brakes.pull("api", operation, "because", "", world.clock.now(), world.clock.now()))
        await until(lambda: not brakes(world))

    working(world, wait)


def test_a_path_that_is_still_wrong_keeps_its_brake_on(world: World) -> None:
    class Wrong:
        pricing_asked = 0

        async def list_voices(self) -> None:
            self.pricing_asked += 1
            raise NotFound("nothing at this path", operation="list_voices", status=404)

        pricing = list_voices

        async def get_balance(self) -> None:
            raise Unreachable("no route", maybe_done=False)

    world.with_ports(api=Wrong())
    world.worker = world.new_worker(lanes=())

    async def wait() -> None:
        await until(lambda: world.worker.moved_at)
        pulled(world, "api", "pricing")
        world.worker.wake()
        await until(lambda: world.one("SELECT until FROM brakes") > world.clock.now())

    working(world, wait)
    assert brakes(world) == [("api", "pricing")]
    assert world.one("SELECT why FROM brakes") == "nothing at this path"


@pytest.mark.parametrize("probing", [False, True])
def test_a_wrong_path_that_no_work_needs_any_more_is_not_told_of_for_ever(
    submitting: World, monkeypatch: pytest.MonkeyPatch, probing: bool
) -> None:
    """What met it went another way, or was taken out; the next work that needs it shows how it is."""
    monkeypatch.setitem(BETWEEN_SECONDS, "api", 0.0)
    pulled(submitting, "paused")

    async def wait() -> None:
        await until(lambda: submitting.worker.moved_at)
        on(submitting, "api", "refresh_url", probing=probing)
        on(submitting, "api", "video_translation", probing=False)
        submitting.worker.wake()
        await until(lambda: ("api", "refresh_url") not in brakes(submitting))
        await until(lambda: submitting.one("SELECT probing FROM brakes WHERE scope = 'video_translation'"))

    working(submitting, wait)
    assert submitting.log.of("brake off")[-1][2] == {"brake": "api", "scope": "refresh_url", "why": "nothing needs it any more"}


@pytest.mark.parametrize("name", ["auth", "offline"])
def test_a_wrong_path_of_the_balance_is_no_matter_of_key_or_network(world: World, name: str) -> None:
    class Elsewhere:
        async def get_balance(self) -> None:
            raise NotFound("nothing at this path", operation="get_balance", status=404)

    world.with_ports(api=Elsewhere())
    world.worker = world.new_worker(lanes=())
    pulled(world, name)
    let_go(world)


def test_settings_that_were_read_again_let_wrong_paths_go_and_have_the_others_looked_at(world: World) -> None:
    on(world, "api", "smart_eraser", probing=False)
    pulled(world, "rate")
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull("paused", "", "by hand", "", now, now + 10**6))
    world.act(lambda tx: tx.brakes.pull("disk", "results", "full", "", now, now + 10**6))
    world.run(world.worker.look_again())
    assert ("api", "smart_eraser") not in brakes(world)
    assert world.log.of("brake off")[0][2] == {"brake": "api", "scope": "smart_eraser", "why": "the settings were read again"}
    assert world.one("SELECT until FROM brakes WHERE name = 'disk'") <= world.clock.now()
    assert world.one("SELECT until FROM brakes WHERE name = 'paused'") > now


def test_a_pause_is_let_go_by_nobody_but_a_person(world: World) -> None:
    pulled(world, "paused")

    async def wait() -> None:
        await until(lambda: world.worker.moved_at)

    working(world, wait)
    assert brakes(world) == [("paused", "")]


def test_the_state_stops_everything_before_its_disk_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qavix_watch.worker.loop.DISK_LOOK_SECONDS", 0.0)
    world.with_rules(min_free_bytes=1000)
    world.free_bytes = 999

    async def wait() -> None:
        await until(lambda: brakes(world))
        assert brakes(world) == [("disk", "state")]
        world.free_bytes = 1000
        world.later(60)
        world.worker.wake()
        await until(lambda: world.log.of("brake off"))

    working(world, wait)
    assert brakes(world) == []
    assert len(world.log.of("brake on")) == len(world.log.of("brake off")) == 1


def test_a_disk_of_the_state_that_cannot_be_asked_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qavix_watch.worker.loop.DISK_LOOK_SECONDS", 0.0)
    asked = []

    def failing(what: str) -> int:
        asked.append(what)
        raise FileUnreadable("the disk does not answer")

    world.worker = world.new_worker(free=failing)

    async def wait() -> None:
        await until(lambda: asked)

    working(world, wait)
    assert brakes(world) == []


def test_five_identical_refusals_running_are_taken_back(world: World, video: Callable[..., bytes]) -> None:
    """Names and numbers in them do not make them different."""
    for number in range(6):
        world.drop(ORDER, f"clip {number}.mp4", video())
    world.notice()
    world.through("submit")
    for number in range(5):
        with_stage(world, "submit", saying(Fail(f"the service refused “clip {number}”", refused_by="video_translation")))
        world.step("submit")
        assert [drop["state"] for drop in world.rows("SELECT state FROM drops")] == ["delivering"] * 6
    assert brakes(world) == [("api", "video_translation")]
    assert len(world.log.of("brake on")) == 1
    assert {job["state"] for job in world.rows("SELECT state FROM jobs")} == {"ready", "submitting"}
    assert row(world, "jobs")["claims"] == 0


def test_the_last_job_of_an_operation_ends_the_doubt_about_those_before_it(submitting: World) -> None:
    for said in ("it is too long", "it is too long", "it has no sound"):
        with_stage(submitting, "submit", saying(Fail(said, refused_by="video_translation")))
        submitting.step("submit")
    assert brakes(submitting) == []
    assert {drop["verdict"] for drop in submitting.rows("SELECT verdict FROM drops")} == {"failed"}


def test_doubts_end_when_the_others_were_taken_out(submitting: World) -> None:
    with_stage(submitting, "submit", saying(Fail("it is too long", refused_by="video_translation")))
    submitting.step("submit")
    submitting.act(lambda tx: tx.house.duty("doubts", 0.0))
    said = submitting.step("doubts")
    assert isinstance(said, Later)
    assert said.seconds
    submitting.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET state = 'cancelled' WHERE state = 'submitting'"))
    submitting.later(60)
    assert submitting.step("doubts") == Later(None)
    assert [drop["verdict"] for drop in submitting.rows("SELECT verdict FROM drops")].count("failed") == 1


@pytest.mark.parametrize("how", ["done again", "taken out"])
def test_what_nobody_wants_any_more_is_not_taken_back(world: World, video: Callable[..., bytes], how: str) -> None:
    """Its job would wait for ever for a file that it is not about any more."""
    for number in range(6):
        world.drop(ORDER, f"clip {number}.mp4", video())
    world.notice()
    world.through("submit")
    for number in range(5):
        with_stage(world, "submit", saying(Fail("it is too long", refused_by="video_translation")))
        world.step("submit")
        if number == 0:
            job = world.one("SELECT id FROM jobs WHERE state = 'failed'")
            _not_wanted_any_more(world, job, how)
    assert brakes(world) == [("api", "video_translation")]
    assert world.one(f"SELECT state FROM jobs WHERE id = {job}") == "failed"
    assert world.one(f"SELECT state FROM deliveries WHERE job = {job}") == "cancelled"


def _not_wanted_any_more(world: World, job: int, how: str) -> None:
    if how == "done again":
        assert "a new task" in done(world, "redo", str(job))
        return
    path = world.one(f"SELECT path FROM drops JOIN deliveries ON drop_id = drops.id WHERE job = {job}")
    (world.inbox / os.fsdecode(path)).unlink()
    world.look()


def test_uploads_that_are_refused_in_the_same_words_are_a_matter_of_the_path(world: World, video: Callable[..., bytes]) -> None:
    for number in range(5):
        world.drop(ORDER, f"clip {number}.mp4", video())
    world.notice()
    world.through("upload")
    for _ in range(5):
        with_stage(world, "upload", saying(Retry("the service says: not so", refused_by="get_upload_url")))
        world.step("upload")
    assert brakes(world) == [("api", "get_upload_url")]


def test_a_job_that_a_person_let_try_again_is_no_longer_in_doubt(submitting: World) -> None:
    with_stage(submitting, "submit", saying(Fail("it is too long", refused_by="video_translation"), SUBMITTED))
    submitting.step("submit")
    submitting.act(lambda tx: tx.work.move("job", 1, (JobState.FAILED,), JobState.READY, 0.0, "retried"))
    submitting.step("submit")
    assert {drop["state"] for drop in submitting.rows("SELECT state FROM drops")} == {"delivering"}
