"""The worker: what it records, when it gives up, what its brakes stop, and how it survives."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import ContentState, DropState, JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Hold, Later, Retry
from qavix_watch.errors import (
    AuthenticationRefused,
    Fenced,
    FileChanged,
    FileUnreadable,
    InsufficientCredits,
    InvalidRequest,
    MediaError,
    NoSpace,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServiceFailed,
    Stopped,
    StoreError,
    UnexpectedAnswer,
    Unreachable,
)
from qavix_watch.sandbox import SandboxOptions, running
from qavix_watch.worker import MOST_CLAIMS, Gauge, lanes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.worker import Piece, Worker
    from tests.support.world import World

ORDER = "dub en to es"


@pytest.fixture
def dropped(world: World, video: Callable[..., bytes]) -> World:
    """A world with one drop, which is complete."""
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    return world


@pytest.fixture
def ordered(dropped: World) -> World:
    """A world with one job, which is ready."""
    dropped.steps("settle", "fingerprint", "order")
    return dropped


def saying(*outcomes: Outcome | Exception) -> Any:
    """A stage that says one thing after the other, the last one for ever."""
    left = list(outcomes)

    async def stage(*_: Any) -> Outcome:
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Exception):
            raise said
        return said

    return stage


def with_stage(world: World, name: str, stage: Any) -> Worker:
    """A worker of which one lane has another stage."""
    world.worker = world.new_worker(lanes=tuple(replace(lane, stage=stage) if lane.name == name else lane for lane in lanes()))
    return world.worker


def only(world: World, name: str, stage: Any, **more: Any) -> Worker:
    """A worker of one lane."""
    lane = next(lane for lane in lanes() if lane.name == name)
    world.worker = world.new_worker(lanes=(replace(lane, stage=stage),), **more)
    return world.worker


def say(world: World, lane: str, outcome: Outcome | Exception) -> None:
    """Have one piece of a lane's work end so."""
    with_stage(world, lane, saying(outcome))
    world.step(lane)


def row(world: World, table: str = "drops") -> dict[str, Any]:
    return world.rows(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1")[0]


def events(world: World, item: str) -> list[tuple[str, str]]:
    return [(event["old"], event["new"]) for event in world.rows("SELECT old, new FROM events WHERE item = ? ORDER BY id", item)]


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for a condition while a loop runs."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is a row of the state
            await asyncio.sleep(0.01)


def working(world: World, what: Callable[[], Awaitable[Any]]) -> None:
    """Run the worker while `what` runs, then stop it and let it drain."""

    async def both() -> None:
        task = asyncio.create_task(world.worker.run())
        try:
            await what()
        finally:
            world.worker.stop()
            await asyncio.wait_for(task, 20)

    world.run(both())


# Outcomes

def test_done_moves_on_saves_its_fields_and_runs_what_belongs_to_it(dropped: World) -> None:
    ran: list[Any] = []
    say(dropped, "settle", Done(DropState.SETTLED, "complete", {"number": 7}, also=ran.append, due=None))
    found = row(dropped)
    assert (found["state"], found["number"], found["reason"], found["due"], found["claims"]) == ("settled", 7, "complete", None, 0)
    assert len(ran) == 1
    assert events(dropped, "drop")[-1] == ("waiting", "settled")


def test_what_belongs_to_an_outcome_and_fails_takes_it_back_whole(dropped: World) -> None:
    def broken(_: Any) -> None:
        raise Fenced("somebody else was faster")

    piece = dropped.claim("settle")
    assert piece is not None
    with pytest.raises(Fenced):
        dropped.record(piece, Done(DropState.SETTLED, "complete", also=broken))
    assert row(dropped)["state"] == "waiting"


def test_later_keeps_the_state_and_leaves_no_history(dropped: World) -> None:
    say(dropped, "settle", Later(30, "it is still being written", {"number": 7}))
    found = row(dropped)
    assert (found["state"], found["reason"], found["number"], found["claims"]) == ("waiting", "it is still being written", 7, 0)
    assert found["due"] == pytest.approx(dropped.clock.now() + 30, abs=2)
    assert events(dropped, "drop") == [("", "waiting")]


def test_retries_back_off_and_count(dropped: World) -> None:
    pauses = []
    for tries in (1, 2, 3):
        say(dropped, "settle", Retry("it did not work"))
        found = row(dropped)
        assert found["tries"] == tries
        pauses.append(found["due"] - dropped.clock.now())
        dropped.later(found["due"] - dropped.clock.now() + 0.01)
    assert 0.04 < pauses[0] <= 0.1 < pauses[2] <= 0.4
    assert row(dropped)["waited"] == pytest.approx(sum(pauses), abs=0.1)


def test_a_retry_waits_at_least_as_long_as_it_asks_for(dropped: World) -> None:
    say(dropped, "settle", Retry("not yet", after=60))
    assert row(dropped)["due"] == pytest.approx(dropped.clock.now() + 60, abs=2)


def test_a_success_forgets_the_tries_before_it(ordered: World) -> None:
    say(ordered, "prepare", Retry("no"))
    ordered.later(5)
    say(ordered, "prepare", Done(JobState.UPLOADING, "on", due=0))
    assert (row(ordered, "jobs")["tries"], row(ordered, "jobs")["waited"]) == (0, 0)


def test_work_is_given_up_after_the_time_that_its_retries_waited(ordered: World) -> None:
    """Not the time on the clock: what a brake or a stop of the service cost does not count."""
    ordered.with_rules(give_up_after_seconds=100.0, first_retry_seconds=30.0)
    ordered.later(10**6)
    tries = 0
    while row(ordered, "jobs")["state"] != "failed":
        say(ordered, "prepare", Retry("the service does not know it"))
        say_brake = Brake("offline", "no route")
        ordered.later(4000)
        if row(ordered, "jobs")["state"] != "failed":
            say(ordered, "prepare", say_brake)
        ordered.later(10**6)
        tries += 1
        assert tries < 20
    assert tries > 2
    assert "given up after" in row(ordered, "jobs")["reason"]
    assert "the service does not know it" in row(ordered, "jobs")["reason"]


def test_what_the_last_try_has_learnt_is_kept_when_work_is_given_up(ordered: World) -> None:
    ordered.with_rules(give_up_after_seconds=0.0)
    say(ordered, "prepare", Retry("the service does not know its task", fields={"task_status": "gone"}))
    assert (row(ordered, "jobs")["state"], row(ordered, "jobs")["task_status"]) == ("failed", "gone")


@pytest.mark.parametrize("lane", ["deliver", "archive", "follow"])
def test_what_only_waits_for_a_disk_or_for_the_service_is_never_given_up(world: World, video: Callable[..., bytes], lane: str) -> None:
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through(lane)
    world.with_rules(give_up_after_seconds=0.0)
    state = world.state()
    say(world, lane, Retry("no"))
    assert world.state() == state


def test_a_failed_job_fails_its_deliveries_and_sends_its_drop_away(ordered: World) -> None:
    say(ordered, "prepare", Fail("the service refused it"))
    job = row(ordered, "jobs")
    assert (job["state"], job["reason"]) == ("failed", "the service refused it")
    assert job["ended_at"] is not None
    assert row(ordered, "deliveries")["state"] == "failed"
    drop = row(ordered)
    assert (drop["state"], drop["verdict"], drop["reason"]) == ("archiving", "failed", "the service refused it")


def test_a_failed_drop_is_put_away(dropped: World) -> None:
    say(dropped, "settle", Fail("it is no video"))
    assert (row(dropped)["state"], row(dropped)["verdict"]) == ("archiving", "failed")


def test_a_content_that_cannot_be_had_fails_the_jobs_that_wait_for_it(ordered: World) -> None:
    ordered.steps("prepare")
    say(ordered, "upload", Fail("no file has this content any more"))
    assert (row(ordered, "jobs")["state"], row(ordered, "contents")["state"]) == ("failed", "absent")
    assert row(ordered)["verdict"] == "failed"


def test_a_failed_delivery_fails_its_drop(world: World, video: Callable[..., bytes]) -> None:
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through("deliver")
    say(world, "deliver", Fail("the outbox takes no such name"))
    assert (row(world, "deliveries")["state"], row(world)["verdict"]) == ("failed", "failed")


def test_a_held_job_waits_for_a_person(ordered: World) -> None:
    say(ordered, "prepare", Hold("look at it"))
    job = row(ordered, "jobs")
    assert (job["state"], job["reason"], job["due"]) == ("held", "look at it", None)


def test_a_held_drop_is_not_looked_at_again(dropped: World) -> None:
    say(dropped, "settle", Hold("the media reader died on it"))
    found = row(dropped)
    assert (found["state"], found["held"], found["due"]) == ("waiting", "the media reader died on it", None)
    dropped.later(10**6)
    assert dropped.claim("settle") is None


def test_a_held_content_holds_the_jobs_that_wait_for_it(ordered: World) -> None:
    ordered.steps("prepare")
    say(ordered, "upload", Hold("it was begun too often"))
    assert (row(ordered, "jobs")["state"], row(ordered, "contents")["due"]) == ("held", None)


def test_five_claims_without_an_outcome_hold_the_work_before_it_kills_again(dropped: World) -> None:
    for _ in range(MOST_CLAIMS):
        assert dropped.claim("settle") is not None
        dropped.act(lambda tx: tx.work.rescue("node", dropped.clock.now(), 3600.0))  # the process died, and another one starts
    piece = dropped.claim("settle")
    assert piece is not None
    said = dropped.outcome(piece)
    assert isinstance(said, Hold)
    dropped.record(piece, said)
    assert row(dropped)["held"]


def test_a_duty_is_never_held(world: World) -> None:
    for _ in range(MOST_CLAIMS + 3):
        assert world.claim("follow") is not None
        world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    piece = world.claim("follow")
    assert piece is not None
    assert isinstance(world.outcome(piece), Later)


# Errors

def api(kind: type[Any], status: int = 400) -> Any:
    return kind("the service said so", operation="get_task", status=status)


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (Stopped("stop"), Later, ""),
        (api(AuthenticationRefused, 401), Brake, "auth"),
        (RateLimited("slow down", operation="get_task", retry_after=7.0), Brake, "rate"),
        (RateLimited("slow down", operation="get_task", retry_after=None), Brake, "rate"),
        (api(InsufficientCredits, 402), Brake, "credits"),
        (NoSpace("full"), Brake, "disk"),
        (Unreachable("no route", maybe_done=False), Brake, "offline"),
        (Unreachable("a lost answer", maybe_done=True), Retry, ""),
        (api(ServiceFailed, 500), Retry, ""),
        (ServiceFailed("storage is down", operation="storage", status=503), Retry, ""),
        (MediaError("the reader died"), Hold, ""),
        (FileUnreadable("no right"), Later, ""),
        (FileChanged("it changed"), Later, ""),
        (NotFound("no such task", operation="get_task", status=404, type="not_found"), Retry, ""),
        (api(NotFound, 404), Brake, "api"),
        (NotFound("no such path", operation="list_tasks", status=404, type="not_found"), Brake, "api"),
        (UnexpectedAnswer("not allowed", operation="get_task", status=405), Brake, "api"),
        (UnexpectedAnswer("no envelope", operation="pricing", status=200), Brake, "api"),
        (PermissionRefused("you may only read", operation="get_upload_url", status=403), Brake, "api"),
        (PermissionRefused("you may not ask", operation="get_balance", status=403), Brake, "auth"),
        (api(InvalidRequest, 400), Retry, ""),
        (StoreError("locked"), Retry, ""),
    ],
)
def test_every_error_means_an_outcome(ordered: World, error: Exception, kind: type[Any], name: str) -> None:
    with_stage(ordered, "prepare", saying(error))
    piece = ordered.claim("prepare")
    assert piece is not None
    said = ordered.outcome(piece)
    assert isinstance(said, kind)
    assert getattr(said, "name", "") == name


def test_a_pause_that_the_service_asks_for_is_kept_but_not_for_ever(ordered: World) -> None:
    for asked, kept in ((7.0, 7.0), (10**6, 900.0)):
        with_stage(ordered, "prepare", saying(RateLimited("slow down", operation="x", retry_after=asked)))
        piece = ordered.claim("prepare")
        assert piece is not None
        said = ordered.outcome(piece)
        assert isinstance(said, Brake)
        assert said.after == kept
        ordered.later(61)


def test_three_lost_answers_running_are_no_bad_luck(ordered: World) -> None:
    with_stage(ordered, "submit", saying(api(ServiceFailed, 500)))
    ordered.steps("prepare", "upload")
    said = []
    for _ in range(3):
        said.append(ordered.step("submit"))
        ordered.later(60)
    assert [type(one) for one in said] == [Retry, Retry, Brake]


def test_an_unexpected_error_is_tried_again_told_and_loses_nothing(ordered: World) -> None:
    say(ordered, "prepare", ZeroDivisionError("a defect of ours"))
    job = row(ordered, "jobs")
    assert (job["state"], job["tries"]) == ("ready", 1)
    assert "ZeroDivisionError" in job["reason"]
    ((level, _, values),) = ordered.log.of("unexpected error")
    assert (level, values["stage"], values["job"], values["exc_info"]) == ("error", "prepare", 1, True)
    ordered.later(5)
    with_stage(ordered, "prepare", saying(Done(JobState.UPLOADING)))
    ordered.steps("prepare")


def _broken(_: Any) -> None:
    raise ZeroDivisionError("a defect of ours")


@pytest.mark.parametrize("defect", [Done(JobState.UPLOADING, also=_broken), Done(JobState.DONE)], ids=["raises", "no step of a job"])
def test_an_unexpected_error_while_an_outcome_is_recorded_is_told_and_tried_again(ordered: World, defect: Done) -> None:
    """The transaction is taken back whole; the lease keeps the work from being tried at once, and it is not lost."""
    worker = only(ordered, "prepare", saying(defect, Done(JobState.UPLOADING)), lease_seconds=0.5)

    async def wait() -> None:
        await until(lambda: ordered.state("jobs") == "uploading")

    working(ordered, wait)
    assert worker.idle
    assert [line[2]["stage"] for line in ordered.log.of("unexpected error")] == ["prepare"]


# Brakes

def brakes(world: World) -> list[tuple[str, str]]:
    return [(brake.name, brake.scope) for brake in world.act(lambda tx: tx.brakes.on())]


def test_a_brake_is_told_once_and_the_work_under_it_is_due_when_it_lets_go(ordered: World) -> None:
    ordered.steps("prepare", "upload")
    for _ in range(3):
        say(ordered, "submit", Brake("credits", "no credits are left", "add some"))
    assert len(ordered.log.of("brake on")) == 1
    assert events(ordered, "brake credits") == [("off", "on")]
    job = row(ordered, "jobs")
    assert (job["state"], job["tries"], job["waited"], job["claims"]) == ("submitting", 0, 0, 0)
    assert job["due"] <= ordered.clock.now()


def test_a_brake_that_an_earlier_process_left_on_is_told_at_the_start(ordered: World) -> None:
    ordered.act(lambda tx: tx.brakes.pull("credits", "", "no credits are left", "add some", ordered.clock.now(), ordered.clock.now() + 60))
    worker = only(ordered, "prepare", saying(Done(JobState.UPLOADING, due=None)))

    async def wait() -> None:
        await until(lambda: ordered.state("jobs") == "uploading")

    working(ordered, wait)
    assert worker.idle
    ((level, _, values),) = ordered.log.of("brake still on")
    assert (level, values["brake"], values["why"], values["hint"]) == ("warning", "credits", "no credits are left", "add some")


def test_a_brake_that_keeps_coming_back_pauses_longer_until_something_works(ordered: World) -> None:
    ordered.steps("prepare", "upload")

    def pull() -> float:
        say(ordered, "submit", Brake("credits", "no credits are left", after=60))
        pause: float = ordered.one("SELECT until FROM brakes") - ordered.clock.now()
        ordered.act(lambda tx: tx.brakes.let_go("credits", "", 0.0, "try"))
        return pause

    assert [round(pull(), -1) for _ in range(3)] == [60, 120, 240]
    say(ordered, "submit", Done(JobState.PROCESSING, due=None))
    assert ordered.one("SELECT count FROM brakes") == 0


SUBMIT = {"submit", "submit approved"}
API = {"order", "upload", "account", "follow", "look", "recovery"} | SUBMIT


@pytest.mark.parametrize(
    ("name", "scope", "stopped"),
    [
        ("credits", "", SUBMIT),
        ("account", "", SUBMIT),
        ("budget", "day", {"submit"}),
        ("recovery", "", {"prepare", "upload"} | SUBMIT),
        ("paused", "", {"settle", "fingerprint", "order", "prepare", "upload"} | SUBMIT),
        ("rate", "", API),
        ("auth", "", API),
        ("offline", "", API | {"fetch"}),
        ("disk", "results", {"fetch", "deliver"}),
        ("disk", "archive", {"archive"}),
        ("disk", "failed", {"put into failed"}),
        ("disk", "state", {lane.name for lane in lanes()} - {"steer"}),
        ("root", "place", {"settle", "fingerprint", "order", "upload", "sweep", "fetch", "deliver", "archive", "put into failed"} | SUBMIT),
        ("window", "", {"upload"}),
    ],
)
def test_a_brake_stops_what_it_concerns_and_nothing_more(name: str, scope: str, stopped: set[str]) -> None:
    assert {lane.name for lane in lanes() if lane.stopped_by & {name, f"{name}:{scope}"}} == stopped


def test_a_lane_under_a_brake_claims_nothing_and_the_others_go_on(ordered: World, video: Callable[..., bytes]) -> None:
    ordered.act(lambda tx: tx.brakes.pull("rate", "", "slow down", "", ordered.clock.now(), ordered.clock.now() + 3600))
    ordered.drop(ORDER, "second.mp4", video())
    ordered.notice()

    async def wait() -> None:
        await until(lambda: ordered.state() == "fingerprinted")
        await until(lambda: ordered.state("jobs") == "uploading")

    working(ordered, wait)
    assert row(ordered, "contents")["state"] == "absent"


def test_uploads_wait_for_their_time_of_day(ordered: World) -> None:
    opened = [False]
    ordered.worker = ordered.new_worker(window_open=lambda: opened[0])
    ordered.steps("prepare")

    async def wait() -> None:
        await until(lambda: ordered.worker.moved_at)
        assert row(ordered, "contents")["claims"] == 0
        opened[0] = True
        ordered.worker.wake()
        await until(lambda: row(ordered, "contents")["state"] == ContentState.STORED)

    working(ordered, wait)


def pulled(world: World, name: str, scope: str = "") -> None:
    """This brake is on, and it is time to look whether it must be."""
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull(name, scope, "because", "", now - 10, now - 1))


@pytest.mark.parametrize("name", ["auth", "offline", "rate"])
def test_a_brake_lets_go_by_itself(world: World, name: str) -> None:
    pulled(world, name)

    async def wait() -> None:
        await until(lambda: world.log.of("brake off"))  # which is written when the state has it

    working(world, wait)
    assert events(world, f"brake {name}") == [("off", "on"), ("on", "off")]
    assert len(world.log.of("brake off")) == 1


def test_a_brake_stays_on_while_its_probe_fails(worlds: Callable[..., World]) -> None:
    with running(SandboxOptions(api_key="another key")) as sandbox:
        world = worlds(sandbox)
        world.client.set_key(None)
        pulled(world, "auth")

        async def wait() -> None:
            await until(lambda: world.one("SELECT until FROM brakes") > world.clock.now())

        working(world, wait)
        assert brakes(world) == [("auth", "")]
        assert events(world, "brake auth") == [("off", "on")]


def test_a_disk_brake_lets_go_when_there_is_room(worlds: Callable[..., World]) -> None:
    world = worlds(min_free_bytes=1000)
    world.free_bytes = 999
    pulled(world, "disk", "results")

    async def wait() -> None:
        await until(lambda: world.one("SELECT until FROM brakes") > world.clock.now())
        assert brakes(world) == [("disk", "results")]
        world.free_bytes = 1000
        world.later(1000)
        world.worker.wake()
        await until(lambda: not brakes(world))

    working(world, wait)


def test_a_disk_that_cannot_be_asked_keeps_its_brake_on_and_the_worker_alive(world: World) -> None:
    def failing(_: str) -> int:
        raise FileUnreadable("the disk does not answer")

    world.worker = world.new_worker(free=failing)
    pulled(world, "disk", "results")

    async def wait() -> None:
        await until(lambda: world.one("SELECT until FROM brakes") > world.clock.now())

    working(world, wait)
    assert brakes(world) == [("disk", "results")]


def test_the_root_brake_is_left_to_whoever_looks_at_the_inbox(world: World) -> None:
    pulled(world, "root", "place")

    async def wait() -> None:
        await until(lambda: world.worker.moved_at)

    working(world, wait)
    assert brakes(world) == [("root", "place")]
    world.look()
    assert brakes(world) == []


def test_a_slow_probe_does_not_keep_the_other_work_waiting(dropped: World) -> None:
    """The service does not answer; what needs no service goes on."""

    class Slow:
        async def get_balance(self) -> None:
            await asyncio.sleep(3600)

    dropped.with_ports(api=Slow())
    pulled(dropped, "offline")

    async def wait() -> None:
        await until(lambda: dropped.state() == "fingerprinted", 10)

    working(dropped, wait)


def test_a_brake_that_does_not_stop_its_own_lane_does_not_make_it_spin(world: World, video: Callable[..., bytes]) -> None:
    """Fetching asks the service only for new links: a 429 there is no reason to ask again at once."""
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through("fetch")
    say(world, "fetch", Brake("rate", "slow down", after=30))
    assert row(world, "jobs")["due"] == pytest.approx(world.clock.now() + 30, abs=2)


# Leases, stops, and a state that fails

class Endless:
    """A long act in a thread of the pool, which ends where its meter says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[Exception] = []

    async def __call__(self, ports: Any, _rules: Any, hand: Piece) -> Outcome:
        meter = hand.meter("uploading")
        await ports.blocking(self._act, meter)
        return Later(None)

    def _act(self, meter: Gauge) -> None:
        self.begun += 1
        meter.start(1000)
        try:
            while True:
                meter.advance(1)
                time.sleep(0.005)
        except Stopped as error:
            self.ended.append(error)
            raise


def test_a_stop_ends_what_is_long_and_waits_for_it(dropped: World) -> None:
    stage = Endless()
    only(dropped, "settle", stage)

    async def wait() -> None:
        await until(lambda: stage.begun)

    working(dropped, wait)
    assert len(stage.ended) == 1
    found = row(dropped)
    assert (found["owner"], found["claims"], found["state"]) == (None, 0, "waiting")
    assert found["due"] <= dropped.clock.now(), "it goes on at the next start"


def test_a_stop_claims_nothing_more(dropped: World) -> None:
    dropped.worker.stop()
    dropped.run(dropped.worker.run())
    assert row(dropped)["fence"] == 0


def test_a_lost_lease_ends_the_transfer_and_records_nothing(dropped: World) -> None:
    stage = Endless()
    worker = only(dropped, "settle", stage, lease_seconds=3.0)

    async def wait() -> None:
        await until(lambda: stage.begun)
        dropped.act(lambda tx: tx.work.move("drop", 1, (DropState.WAITING,), DropState.GONE, 0.0, "taken out"))
        await until(lambda: stage.ended)
        await until(lambda: worker.idle)

    working(dropped, wait)
    assert row(dropped)["state"] == "gone"
    assert dropped.log.of("work was taken over")


def test_a_lease_is_kept_as_long_as_the_work_takes(dropped: World) -> None:
    stage = Endless()
    only(dropped, "settle", stage, lease_seconds=3.0)

    async def wait() -> None:
        await until(lambda: stage.begun)
        first = row(dropped)["lease_until"]
        await until(lambda: row(dropped)["lease_until"] > first)
        assert row(dropped)["fence"] == 1
        await until(lambda: dropped.rows("SELECT act, total FROM progress") == [{"act": "uploading", "total": 1000}])

    working(dropped, wait)


def test_a_clock_that_is_set_back_does_not_let_leases_end(dropped: World) -> None:
    stage = Endless()
    only(dropped, "settle", stage, lease_seconds=30.0)

    async def wait() -> None:
        await until(lambda: stage.begun)
        dropped.later(-86400)
        dropped.act(lambda tx: tx.work.shift(-86400.0))
        before = row(dropped)["lease_until"]
        await until(lambda: row(dropped)["lease_until"] > before)

    working(dropped, wait)


@pytest.mark.parametrize(("refusals", "tries"), [(1, 1), (3, 2)], ids=["soon", "not before the lease ends"])
def test_an_outcome_that_cannot_be_written_waits_for_the_state_and_in_the_end_the_work_is_tried_again(
    dropped: World, refusals: int, tries: int
) -> None:
    """A disk that is full for a moment costs no work, and nobody waits for a lease to end."""
    store = dropped.store

    class Failing:
        broken = refusals

        async def transaction(self, name: str, act: Any) -> Any:
            if name == "outcome" and self.broken:
                self.broken -= 1
                raise NoSpace("the state could not be written", hint="Make room.")
            return await store.transaction(name, act)

    dropped.with_ports(store=Failing())
    only(dropped, "settle", saying(Done(DropState.SETTLED)), lease_seconds=1.5)

    async def wait() -> None:
        await until(lambda: dropped.state() == "settled")

    working(dropped, wait)
    assert dropped.log.of("an outcome waits for the state")
    assert bool(dropped.log.of("the state could not be written")) == (tries > 1)
    assert row(dropped)["fence"] == tries


def test_a_look_at_a_brake_that_cannot_be_written_is_told_and_repeated(world: World) -> None:
    store = world.store

    class Failing:
        broken = 1

        async def transaction(self, name: str, act: Any) -> Any:
            if name == "brake looked at" and self.broken:
                self.broken -= 1
                raise NoSpace("the state could not be written", hint="Make room.")
            return await store.transaction(name, act)

    world.with_ports(store=Failing())
    pulled(world, "rate")

    async def wait() -> None:
        await until(lambda: not brakes(world))

    working(world, wait)
    assert world.log.of("the state could not be written")


def test_a_look_at_a_brake_that_meets_a_defect_of_ours_is_told_and_does_not_spin(world: World) -> None:
    looked: list[str] = []

    def free(disk: str) -> int:
        looked.append(disk)
        if len(looked) == 1:
            raise ValueError("a defect")
        return world.free_bytes

    world.worker = world.new_worker(free=free)
    pulled(world, "disk", "results")
    pulled(world, "rate")

    async def wait() -> None:
        await until(lambda: not brakes(world))

    working(world, wait)
    assert world.log.of("unexpected error")
    assert len(looked) == 2


def test_a_root_that_work_finds_offline_is_looked_at_at_once(dropped: World) -> None:
    path = dropped.inbox / ORDER / "clip.mp4"
    path.rename(dropped.base / "away.mp4")
    dropped.unplug()
    dropped.step("settle")
    assert brakes(dropped) == [("root", "place")]
    (dropped.base / "away.mp4").rename(path)
    dropped.plug_in()
    dropped.look()
    assert brakes(dropped) == []
    dropped.steps("settle")


def test_a_state_that_fails_for_a_moment_ends_nothing(dropped: World) -> None:
    """Its disk is full, say: the worker tells it, waits and goes on."""
    store = dropped.store

    class Failing:
        broken = False

        async def transaction(self, name: str, act: Any) -> Any:
            if self.broken:
                raise NoSpace("the state could not be written", hint="Make room.")
            return await store.transaction(name, act)

    failing = Failing()
    dropped.with_ports(store=failing)
    only(dropped, "settle", saying(Done(DropState.SETTLED)), lease_seconds=1.0)

    async def wait() -> None:
        await until(lambda: dropped.worker.moved_at)
        failing.broken = True
        dropped.worker.wake()
        await until(lambda: dropped.log.of("the state could not be read or written"))
        failing.broken = False
        await until(lambda: dropped.state() == "settled")

    dropped.later(-5)  # not due yet
    working(dropped, lambda: _later(dropped, wait))


async def _later(world: World, what: Callable[[], Awaitable[None]]) -> None:
    world.later(5)
    await what()


def test_the_worker_follows_from_the_first_day(world: World) -> None:
    world.act(lambda tx: tx.work._connection.execute("DELETE FROM duties"))

    async def wait() -> None:
        await until(lambda: {one["name"] for one in world.rows("SELECT name FROM duties")} >= {"follow"})

    working(world, wait)


def test_a_state_that_takes_nothing_at_the_start_does_not_end_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    act, refusals = world.ports.store.transaction, [NoSpace("the disk of the state is full"), StoreError("locked")]

    async def transaction(name: str, verbs: Any) -> Any:
        if name == "duties" and refusals:
            raise refusals.pop()
        return await act(name, verbs)

    monkeypatch.setattr(world.ports.store, "transaction", transaction)

    async def wait() -> None:
        await until(lambda: not refusals and world.rows("SELECT name FROM duties WHERE name = 'steer'"))

    working(world, wait)


def test_a_whole_flow_is_done_by_the_worker_alone(dropped: World) -> None:
    dropped.rules = replace(dropped.rules, poll_min_seconds=0.05, poll_max_seconds=0.1)
    dropped.worker = dropped.new_worker()

    async def wait() -> None:
        await until(lambda: dropped.state() == "archived", 30)

    working(dropped, wait)
    assert dropped.files() == [f"{ORDER}/clip.es.mp4"]


def test_several_deliveries_of_one_job_go_one_after_the_other(world: World, video: Callable[..., bytes]) -> None:
    """They would race for the one file that was fetched."""
    data = video()
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        world.drop(ORDER, name, data)
    world.notice()
    world.through("deliver")
    first = world.claim("deliver")
    assert first is not None
    assert world.claim("deliver") is None
    world.record(first, world.outcome(first))
    world.through()
    assert world.files() == [f"{ORDER}/{name}.es.mp4" for name in ("one", "three", "two")]
    assert len(world.rows("SELECT id FROM jobs")) == 1


def test_the_deliveries_of_one_job_are_not_kept_waiting_by_one_that_waits(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    for name in ("one.mp4", "two.mp4"):
        world.drop(ORDER, name, data)
    world.notice()
    world.through("deliver")
    say(world, "deliver", Later(600, "its folder cannot be written"))
    with_stage(world, "none", None)
    assert world.claim("deliver") is not None




def test_an_original_that_cannot_be_put_away_is_told_once_stands_in_the_status_and_goes_when_it_can(dropped: World) -> None:
    """A file lies where the archive's folder should be."""
    dropped.rules = replace(dropped.rules, poll_min_seconds=0.05, poll_max_seconds=0.1)
    dropped.worker = dropped.new_worker()
    in_the_way = dropped.root / "archive" / ORDER
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("in the way")

    def waiting() -> list[str]:
        status = dropped.act(lambda tx: tx.view(dropped.rules.layout)).status()
        return [one["why"] for one in status["waiting_for"]]

    async def wait() -> None:
        await until(waiting, 30)
        dropped.clock.ahead += 11
        dropped.worker.wake()
        await until(lambda: row(dropped)["tries"] > 1)
        in_the_way.unlink()
        dropped.clock.ahead += 11
        dropped.worker.wake()
        await until(lambda: dropped.state() == "archived", 30)

    working(dropped, wait)
    assert len([line for line in dropped.log.of("archive") if line[0] == "warning"]) == 1
    assert dropped.files() == [f"{ORDER}/clip.es.mp4"]
