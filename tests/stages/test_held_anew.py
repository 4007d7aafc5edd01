"""What a limit held once is not let go by that limit when something else holds it by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.lifecycle import HELD_BY_ORDER
from qavix_watch.core.money import Budget
from qavix_watch.core.outcomes import Brake
from qavix_watch.stages.money import still_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

    Video = Callable[..., bytes]

ORDER = "dub en to es"
PRICE = 60.0
UNSUBMITTED = ("settle", "fingerprint", "order", "prepare", "upload", "submit")


def work(world: World) -> None:
    """Everything that is due before a task, once."""
    world.notice()
    for lane in UNSUBMITTED:
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))


def raise_the_limit(world: World) -> None:
    """The settings are read again, and what limits hold is weighed."""
    world.with_rules(budget=Budget(per_job=10 * PRICE))
    world.act(lambda tx: (tx.house.duty("money", 0.0), tx.house.hurry("money", 0.0)))
    world.step("money")
    work(world)


def the_job(world: World) -> tuple[str, str]:
    (row,) = world.rows("SELECT state, reason FROM jobs")
    return row["state"], row["reason"]


@pytest.mark.parametrize("first_is_taken_out_first", [True, False])
def test_a_raised_limit_does_not_let_go_what_its_order_holds(world: World, video: Video, first_is_taken_out_first: bool) -> None:
    """The file that was too dear is taken out; the same one, dropped where `hold=yes` is said, waits for a person whatever it costs."""
    world.with_rules(budget=Budget(per_job=PRICE - 1))
    data = video()
    first = world.drop(ORDER, "clip.mp4", data)
    work(world)
    assert the_job(world)[0] == "held"
    if first_is_taken_out_first:
        first.unlink()
        work(world)
        assert the_job(world)[0] == "cancelled"
    world.drop(f"{ORDER} hold=yes", "clip.mp4", data)
    work(world)
    if not first_is_taken_out_first:
        first.unlink()
        work(world)
    raise_the_limit(world)
    assert the_job(world) == ("held", HELD_BY_ORDER)
    assert world.rows("SELECT 1 FROM jobs WHERE posted") == []


def test_the_brake_of_a_used_up_day_does_not_flap_while_what_would_fit_is_not_due(world: World, video: Video) -> None:
    """A cheap job that waits out a pause comes first by its priority; the dear one that is due is what the brake is about."""
    world.with_rules(budget=Budget(per_day=2.5 * PRICE))
    world.drop(ORDER, "short.mp4", video())
    world.drop(f"{ORDER} priority=high", "urgent.mp4", video())
    world.drop("dub en to fr", "dear.mp4", video())
    world.notice()
    for lane in UNSUBMITTED[:-1]:
        while (piece := world.claim(lane)) is not None:
            world.record(piece, world.outcome(piece))
    world.rows("UPDATE contents SET duration = 61 WHERE sha256 = (SELECT main_sha256 FROM jobs WHERE language = 'fr')")
    now = world.clock.now()
    world.rows("UPDATE jobs SET due = CASE WHEN priority = 1 THEN ? WHEN language = 'fr' THEN ? ELSE ? END", now + 3600, now - 1, now - 2)
    said = [world.step("submit"), world.step("submit")]
    assert any(isinstance(one, Brake) for one in said), said
    assert world.run(still_over(world.ports, world.rules, "day")) is not None


def test_an_approval_ends_with_the_job_that_was_taken_back(world: World, video: Video) -> None:
    """The file was approved, then taken out: the same one, dropped again another day, is too dear as before."""
    world.with_rules(budget=Budget(per_job=PRICE - 1))
    data = video()
    first = world.drop(ORDER, "clip.mp4", data)
    work(world)
    world.act(lambda tx: tx.commands.add("approve", "1", {"by": "ann"}, world.clock.now()))
    world.act(lambda tx: (tx.house.duty("steer", 0.0), tx.house.hurry("steer", 0.0)))
    world.step("steer")
    assert world.one("SELECT approved FROM jobs") == 1
    first.unlink()
    work(world)
    assert the_job(world)[0] == "cancelled"
    world.drop(ORDER, "again.mp4", data)
    work(world)
    assert the_job(world)[0] == "held"
