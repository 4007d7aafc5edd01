"""What a job costs is set aside before its POST, and what may not be spent without a person's word waits for it."""

from __future__ import annotations

import io
import os
import wave
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.money import MASS_SECONDS, Budget
from qavix_watch.core.outcomes import Brake, Done, Fail, Hold, Later
from qavix_watch.errors import InvalidRequest, ServiceFailed, Unreachable
from qavix_watch.sandbox import SandboxOptions, running
from qavix_watch.stages.account import learn_balance, learn_prices
from qavix_watch.stages.money import not_taken, still_over
from tests.stages.test_steer import done, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.sandbox import Running
    from tests.support.world import World

    Video = Callable[..., bytes]

ORDER = "dub en to es"
PRICE = 60.0


@pytest.fixture(scope="module")
def poor() -> Iterator[Running]:
    """A sandbox whose balance the tests set."""
    with running(SandboxOptions(speed=100, requests_per_minute=10**6, queries_per_second=10_000)) as sandbox:
        yield sandbox


def submitting(world: World, video: Video, *names: str, order: str = ORDER) -> None:
    """Bring these files to where they are to be submitted."""
    for name in names:
        world.drop(order, name, video())
    world.notice()
    for lane in ("settle", "fingerprint", "order", "prepare", "upload"):
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))


def with_budget(world: World, **limits: float | None) -> None:
    world.with_rules(budget=Budget(**limits))


def jobs(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT * FROM jobs ORDER BY id")


def job(world: World) -> dict[str, Any]:
    return jobs(world)[-1]


def tasks(world: World) -> int:
    """The tasks that the service has of our jobs."""
    keys = {row["key"] for row in jobs(world)}
    return sum(task["idempotency_key"] in keys for task in world.sandbox.ledger()["tasks"])


def weigh(world: World) -> Outcome:
    world.act(lambda tx: (tx.house.duty("money", 0.0), tx.house.hurry("money", 0.0)))
    return world.step("money")


def spent(world: World) -> float:
    found: float = world.act(lambda tx: tx.money.spent(0.0))
    return found


# Setting aside

def test_the_price_is_set_aside_with_the_key_and_is_what_the_service_takes(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4")
    world.steps("submit")
    found = job(world)
    assert (found["estimate"], found["reserved"], found["credits_estimated"]) == (PRICE, PRICE, 60)


def test_it_is_set_aside_before_the_first_byte_and_stays_so_while_nobody_knows(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4")
    world.sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    world.step("submit")
    assert (job(world)["reserved"], job(world)["posted"]) == (PRICE, 1)
    since = job(world)["reserved_at"]
    world.later(60)
    world.steps("submit")
    assert (job(world)["reserved"], job(world)["reserved_at"], tasks(world)) == (PRICE, since, 1)


@pytest.mark.parametrize("status", [400, 402, 429])
def test_a_post_that_was_surely_not_taken_gives_its_credits_back(world: World, video: Video, status: int) -> None:
    submitting(world, video, "clip.mp4")
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": status, "times": 1})
    world.step("submit")
    assert (job(world)["reserved"], job(world)["posted"], spent(world)) == (None, 0, 0)


def test_a_refusal_after_a_lost_answer_keeps_them(world: World, video: Video) -> None:
    """The first POST may have been carried out all the same."""
    submitting(world, video, "clip.mp4")
    world.sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    world.step("submit")
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 402, "times": 1})
    world.later(60)
    world.step("submit")
    assert (job(world)["reserved"], job(world)["posted"]) == (PRICE, 1)


def test_a_url_that_is_refused_after_a_lost_answer_keeps_them_as_well(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4")
    world.sandbox.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    world.step("submit")
    world.later(60)
    piece = world.claim("submit")
    assert piece is not None
    refusal = InvalidRequest("the URL has expired", operation="video_translation", status=400, param="video_url")
    world.record(piece, world.run(not_taken(world.ports, piece, refusal)))
    assert (job(world)["reserved"], job(world)["posted"], job(world)["state"]) == (PRICE, 1, "submitting")
    world.steps("submit")
    assert (tasks(world), spent(world)) == (1, PRICE)


def test_a_task_that_failed_gives_back_what_the_service_does_not_charge(world: World, video: Video) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "fail_task", "times": 1})
    submitting(world, video, "clip.mp4")
    world.through()
    assert (job(world)["state"], job(world)["reserved"], job(world)["credits_used"]) == ("failed", 0, 0)


def test_a_task_that_is_done_counts_with_what_it_used(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4")
    world.through("look")
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET reserved = 1"))
    world.through()
    assert (job(world)["reserved"], job(world)["credits_used"]) == (PRICE, 60)


# Limits of one job

@pytest.mark.parametrize("limit", ["per_job", "approve_above", "per_day", "per_month"])
def test_a_job_that_passes_a_limit_by_itself_is_held_and_goes_by_itself_once_that_is_raised(
    world: World, video: Video, limit: str
) -> None:
    with_budget(world, **{limit: PRICE - 1})
    submitting(world, video, "clip.mp4")
    said = world.step("submit")
    assert isinstance(said, Hold)
    assert said.why == (
        f"it costs about 60 credits, and `budget.{limit}` is 59 credits: `qavix-watch approve 1` lets it go on, or raise the limit"
    )
    assert isinstance(weigh(world), Later)
    with_budget(world, per_job=PRICE - 2)
    assert isinstance(weigh(world), Later)
    assert job(world)["state"] == "held"
    assert "`budget.per_job` is 58 credits" in job(world)["reason"], "it says what holds it now"
    with_budget(world, **{limit: PRICE})
    assert weigh(world) == Later(None)
    world.steps("prepare", "submit")
    assert job(world)["state"] == "processing"


def test_a_job_that_a_person_approved_passes_every_limit(world: World, video: Video) -> None:
    with_budget(world, per_job=1, per_day=1, per_month=1, approve_above=1)
    submitting(world, video, "clip.mp4")
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET approved = 1"))
    assert isinstance(world.step("submit approved"), Done)
    assert spent(world) == PRICE


def test_what_is_held_for_another_reason_is_not_let_go_by_a_limit(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4", order=ORDER + " hold=yes")
    assert weigh(world) == Later(None)
    assert job(world)["state"] == "held"


# Days and months

@pytest.mark.parametrize("span", ["day", "month"])
def test_a_job_that_does_not_fit_into_what_is_left_puts_the_brake_on_and_is_not_posted(world: World, video: Video, span: str) -> None:
    with_budget(world, **{f"per_{span}": 2 * PRICE - 1})
    submitting(world, video, "one.mp4", "two.mp4")
    world.steps("submit")
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, said.scope, tasks(world), jobs(world)[1]["posted"], spent(world)) == ("budget", span, 1, 0, PRICE)
    assert 0 < said.after <= (25 * 3600 if span == "day" else 32 * 86400)
    assert world.run(still_over(world.ports, world.rules, span)) == said.why
    with_budget(world, **{f"per_{span}": 2 * PRICE})
    assert world.run(still_over(world.ports, world.rules, span)) is None
    world.steps("submit")


def test_the_next_day_has_a_budget_of_its_own(world: World, video: Video) -> None:
    with_budget(world, per_day=PRICE)
    submitting(world, video, "one.mp4", "two.mp4")
    world.steps("submit")
    assert isinstance(world.step("submit"), Brake)
    world.later(86400)
    assert world.run(still_over(world.ports, world.rules, "day")) is None
    world.steps("submit")


def test_a_budget_that_a_person_allows_to_pass_does_not_count_for_the_rest_of_the_day(world: World, video: Video) -> None:
    with_budget(world, per_day=PRICE)
    submitting(world, video, "one.mp4", "two.mp4", "three.mp4", "four.mp4")
    assert not world.act(lambda tx: tx.money.allow_budget(world.clock.now(), 0.0))
    world.steps("submit")
    world.step("submit")
    assert world.act(lambda tx: tx.money.allow_budget(world.clock.now(), 0.0))
    assert world.rows("SELECT 1 FROM brakes WHERE name = 'budget' AND state = 'on'") == []
    assert world.run(still_over(world.ports, world.rules, "day")) is None
    world.steps("submit")
    world.later(86400)
    world.steps("submit")
    assert isinstance(world.step("submit"), Brake)


def test_a_task_that_ends_lets_the_budget_be_looked_at_again(world: World, video: Video) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "fail_task", "times": 1})
    with_budget(world, per_day=PRICE)
    submitting(world, video, "one.mp4", "two.mp4")
    world.steps("submit")
    world.step("submit")
    while jobs(world)[0]["state"] == "processing":
        world.through("submit")
    assert world.one("SELECT until FROM brakes WHERE name = 'budget'") <= world.clock.now()
    assert world.run(still_over(world.ports, world.rules, "day")) is None


def test_a_clone_is_set_aside_too(world: World) -> None:
    with_budget(world, per_day=100)
    for name in ("one", "two"):
        world.drop("clone voice", f"{name} {os.urandom(4).hex()}.wav", noise())
    submitting(world, lambda: b"")
    world.steps("submit")
    assert (job(world)["estimate"], spent(world)) == (100, 100)
    assert isinstance(world.step("submit"), Brake)


def noise() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(os.urandom(8000))
    return file.getvalue()


# Prices that are not known

class Without:
    """The real client, of which some calls fail."""

    def __init__(self, client: Any, calls: dict[str, Exception | Any]) -> None:
        self._client = client
        self._calls = calls
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        if name not in self._calls:
            return getattr(self._client, name)

        async def answer(*_: Any) -> Any:
            if isinstance(self._calls[name], Exception):
                raise self._calls[name]
            return self._calls[name]

        return answer


REFUSED = ServiceFailed("pricing: it does not work", operation="pricing", status=500)


@pytest.mark.parametrize("error", [REFUSED, Unreachable("no answer", maybe_done=False)])
def test_an_account_without_a_budget_does_not_need_prices(world: World, video: Video, error: Exception) -> None:
    """They are asked for once a minute at the most."""
    client = Without(world.client, {"pricing": error})
    world.with_ports(api=client)
    submitting(world, video, "one.mp4", "two.mp4")
    world.steps("submit", "submit")
    assert client.asked.count("pricing") == 1
    assert [row["estimate"] for row in jobs(world)] == [None, None]
    assert spent(world) == 2 * PRICE, "the service said what they cost"


def test_with_a_budget_a_price_that_cannot_be_asked_for_is_waited_for(world: World, video: Video) -> None:
    with_budget(world, per_day=1000)
    world.with_ports(api=Without(world.client, {"pricing": REFUSED}))
    submitting(world, video, "clip.mp4")
    said = world.step("submit")
    assert isinstance(said, Later)
    assert said.why == "its price is not known, and there is a budget: pricing: it does not work"
    world.with_ports(api=world.client)
    world.later(61)
    world.steps("submit")


def test_with_a_budget_work_that_has_no_price_is_held_and_goes_once_it_has_one(world: World, video: Video) -> None:
    with_budget(world, per_day=1000)
    world.with_ports(api=Without(world.client, {"pricing": ()}))
    submitting(world, video, "clip.mp4")
    said = world.step("submit")
    assert isinstance(said, Hold)
    assert "its price is not known" in said.why
    world.with_ports(api=world.client)
    world.run(learn_prices(world.ports))
    weigh(world)
    world.steps("prepare", "submit")


def test_prices_that_change_are_reckoned_anew_for_what_was_not_submitted(world: World, video: Video) -> None:
    submitting(world, video, "clip.mp4")
    world.run(learn_prices(world.ports))
    assert job(world)["estimate"] == PRICE
    dearer = [replace(price, credits_per_minute=99) for price in world.run(world.client.pricing())]
    world.with_ports(api=Without(world.client, {"pricing": tuple(dearer)}))
    world.run(learn_prices(world.ports))
    assert job(world)["estimate"] == 99


def test_prices_that_change_are_no_news_for_what_was_submitted(world: World, video: Video) -> None:
    data = video()
    world.drop(ORDER, "clip.mp4", data)
    world.notice()
    world.through()
    dearer = [replace(price, credits_per_minute=99) for price in world.run(world.client.pricing())]
    world.with_ports(api=Without(world.client, {"pricing": tuple(dearer)}))
    world.run(learn_prices(world.ports))
    world.drop(ORDER, "again.mp4", data)
    world.notice()
    world.through()
    assert [row["estimate"] for row in jobs(world)] == [PRICE]


# The balance

def test_an_answer_keeps_the_balance_fresh(worlds: Callable[..., World], poor: Running, video: Video) -> None:
    world = worlds(poor)
    poor.control("credits", {"credits": 100})
    world.run(learn_balance(world.ports))
    submitting(world, video, "clip.mp4")
    world.steps("submit")
    assert world.act(lambda tx: tx.house.fact("balance"))[0]["credits_remaining"] == 40


def test_a_balance_that_cannot_cover_the_next_job_is_asked_for_anew_and_stops_it(
    worlds: Callable[..., World], poor: Running, video: Video
) -> None:
    world = worlds(poor)
    poor.control("credits", {"credits": 59})
    world.run(learn_balance(world.ports))
    submitting(world, video, "clip.mp4")
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, said.level, said.why) == ("credits", 59, "the next job needs about 60 credits, and 59 credits remain")
    assert job(world)["posted"] == 0
    poor.control("credits", {"credits": 60})
    world.steps("submit")


def test_a_job_that_probes_is_tried_whatever_is_estimated(worlds: Callable[..., World], poor: Running, video: Video) -> None:
    world = worlds(poor)
    poor.control("credits", {"credits": 59})
    world.run(learn_balance(world.ports))
    submitting(world, video, "clip.mp4")
    piece = world.claim("submit")
    assert piece is not None
    piece.probing = True
    said = world.outcome(piece)
    assert isinstance(said, Brake)
    assert (said.name, said.level) == ("credits", 59)
    assert "the service says" in said.why


def test_a_402_stops_submitting_even_where_the_balance_cannot_be_asked_for(world: World, video: Video) -> None:
    world.with_ports(api=Without(world.client, {"get_balance": REFUSED}))
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 402, "times": 1})
    submitting(world, video, "clip.mp4")
    said = world.step("submit")
    assert isinstance(said, Brake)
    assert (said.name, said.level) == ("credits", None)


# Mass drops

def drop_many(world: World, video: Video, count: int, first: int = 1, order: str = ORDER) -> None:
    for number in range(first, first + count):
        world.drop(order, f"clip {number}.mp4", video())
    world.look()


def batches(world: World) -> list[tuple[int, str]]:
    return [(row["id"], row["state"]) for row in world.rows("SELECT id, state FROM batches ORDER BY id")]


def states(world: World) -> dict[str, int]:
    return {row["state"]: row["n"] for row in world.rows("SELECT state, count(*) AS n FROM jobs GROUP BY state")}


def work(world: World, *lanes: str) -> None:
    """Everything that is due in these lanes, once."""
    world.later(5)
    for lane in lanes or ("settle", "fingerprint", "order", "prepare", "upload", "submit"):
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))


def sentence(world: World) -> str:
    found: str = world.one("SELECT reason FROM jobs WHERE state = 'held' ORDER BY id LIMIT 1")
    return found


@pytest.fixture
def many(worlds: Callable[..., World], video: Video) -> World:
    """Twelve files that pass the limit."""
    world = worlds(budget=Budget(approve_mass=600))
    world.run(learn_prices(world.ports))
    drop_many(world, video, 12)
    return world


def test_a_mass_waits_whole_even_if_only_one_of_it_was_read_so_far(many: World) -> None:
    many.later(5)
    many.steps("settle", "fingerprint", "order")
    said = many.step("prepare")
    assert isinstance(said, Hold)
    assert said.why == "12 files, about 720 credits, wait for you: `qavix-watch approve batch-1`, or take them out."
    work(many)
    assert (states(many), batches(many), tasks(many)) == ({"held": 12}, [(1, "waiting")], 0)


def test_ten_files_go_and_what_makes_eleven_of_them_waits(worlds: Callable[..., World], video: Video) -> None:
    world = worlds(budget=Budget(approve_mass=600))
    world.run(learn_prices(world.ports))
    drop_many(world, video, 10)
    work(world)
    assert tasks(world) == 10
    drop_many(world, video, 2, first=11)
    work(world)
    assert (tasks(world), states(world)["held"]) == (10, 2)
    assert "2 files, about 120 credits, wait for you" in sentence(world)
    assert isinstance(weigh(world), Later)
    assert states(world)["held"] == 2, "what was paid already counts"


def test_files_of_another_order_or_another_time_are_no_mass(worlds: Callable[..., World], video: Video) -> None:
    world = worlds(budget=Budget(approve_mass=1))
    world.run(learn_prices(world.ports))
    drop_many(world, video, 6)
    drop_many(world, video, 6, order="erase")
    world.later(MASS_SECONDS + 1)
    drop_many(world, video, 5, first=10)
    work(world)
    assert tasks(world) == 17


def test_what_is_uploaded_already_is_held_before_its_post(worlds: Callable[..., World], video: Video) -> None:
    world = worlds(budget=Budget(approve_mass=600))
    world.run(learn_prices(world.ports))
    drop_many(world, video, 2)
    work(world, "settle", "fingerprint", "order", "prepare", "upload")
    drop_many(world, video, 10, first=3)
    assert isinstance(world.step("submit"), Hold)
    assert (tasks(world), states(world)) == (0, {"held": 2})


def test_approving_it_lets_all_of_it_go_and_what_still_arrives_of_it(many: World, video: Video) -> None:
    work(many, "settle", "fingerprint", "order", "prepare")
    drop_many(many, video, 1, first=13)
    assert done(many, "approve", "batch-1") == "12 jobs go on"
    assert "no batch-1 waits" in refused(many, "approve", "batch-1")
    work(many)
    assert (tasks(many), batches(many)) == (13, [(1, "approved")])
    drop_many(many, video, 2, first=20)
    work(many)
    assert tasks(many) == 15, "those that were approved are no part of another mass"


def test_later_files_of_the_order_join_the_batch_that_waits(many: World, video: Video) -> None:
    work(many)
    many.later(MASS_SECONDS - 100)
    drop_many(many, video, 1, first=13)
    work(many)
    assert (states(many), batches(many)) == ({"held": 13}, [(1, "waiting")])
    many.later(MASS_SECONDS + 100)
    drop_many(many, video, 1, first=14)
    work(many)
    assert (states(many)["held"], tasks(many)) == (13, 1)


def test_a_mass_that_is_taken_out_in_part_goes_once_it_is_none_any_more(many: World) -> None:
    work(many)
    (many.root / "inbox" / ORDER / "clip 1.mp4").unlink()
    many.look()
    assert isinstance(weigh(many), Later)
    assert batches(many) == [(1, "waiting")]
    (many.root / "inbox" / ORDER / "clip 2.mp4").unlink()
    many.look()
    weigh(many)
    assert batches(many) == [(1, "released")]
    work(many)
    assert tasks(many) == 10


def test_a_mass_that_is_taken_out_whole_is_gone(many: World) -> None:
    work(many)
    for path in (many.root / "inbox" / ORDER).iterdir():
        path.unlink()
    many.look()
    assert weigh(many) == Later(None)
    assert batches(many) == [(1, "gone")]


def test_a_mass_goes_when_its_limit_is_raised(many: World) -> None:
    work(many)
    with_budget(many, approve_mass=720)
    assert weigh(many) == Later(None)
    work(many)
    assert (tasks(many), batches(many)) == (12, [(1, "released")])


def test_a_mass_of_the_same_content_costs_once(worlds: Callable[..., World], video: Video) -> None:
    world = worlds(budget=Budget(approve_mass=60))
    data = video()
    for number in range(12):
        world.drop(ORDER, f"copy {number}.mp4", data)
    world.look()
    world.later(5)
    work(world, "settle", "fingerprint", "order", "prepare", "upload", "submit")
    assert tasks(world) == 1


def test_a_job_that_was_held_while_its_batch_was_let_go_is_let_go_too(many: World) -> None:
    many.later(5)
    many.steps("settle", "fingerprint", "order")
    piece = many.claim("prepare")
    assert piece is not None
    said = many.outcome(piece)
    many.act(lambda tx: tx.money.approve_batch(1, many.clock.now()))
    many.record(piece, said)
    assert job(many)["state"] == "held"
    assert weigh(many) == Later(None)
    assert job(many)["state"] == "ready"


def test_without_a_limit_a_fifth_of_the_balance_is_one(worlds: Callable[..., World], poor: Running, video: Video) -> None:
    """It is asked for where many files come and it is not known."""
    world = worlds(poor)
    poor.control("credits", {"credits": 3000})
    drop_many(world, video, 11)
    work(world)
    assert (tasks(world), batches(world)) == (0, [(1, "waiting")])
    poor.control("credits", {"credits": 3300})
    world.run(learn_balance(world.ports))
    weigh(world)
    work(world)
    assert tasks(world) == 11, "what it pays meanwhile does not stop it half-way"


def test_a_mass_of_unknown_price_waits(worlds: Callable[..., World], video: Video) -> None:
    """It is uploaded meanwhile, because prices may come until then."""
    world = worlds()
    world.with_ports(api=Without(world.client, {"pricing": REFUSED}))
    drop_many(world, video, 11)
    work(world)
    assert (tasks(world), states(world)) == (0, {"held": 11})
    assert "11 files, the price of which is not known, wait for you" in sentence(world)
    world.with_ports(api=world.client)
    world.run(learn_prices(world.ports))
    weigh(world)
    work(world)
    assert tasks(world) == 11


def test_zero_turns_the_question_off(worlds: Callable[..., World], video: Video) -> None:
    world = worlds(budget=Budget(approve_mass=0))
    drop_many(world, video, 12)
    work(world)
    assert tasks(world) == 12


def test_a_refused_post_of_a_mass_is_no_reason_to_forget_it(many: World) -> None:
    many.act(lambda tx: tx.work._connection.execute("UPDATE facts SET at = 0"))
    many.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400, "times": 1})
    work(many)
    many.act(lambda tx: tx.money.approve_batch(1, many.clock.now()))
    many.later(5)
    work(many, "prepare", "upload")
    assert isinstance(many.step("submit"), Fail)
    work(many)
    assert tasks(many) == 11
