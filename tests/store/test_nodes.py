"""Several nodes that serve one state: each ends only what is its own, and no clock but the database's ends a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import DeliveryState, DropState, DutyState, JobState
from qavix_watch.errors import Fenced
from tests.store.conftest import NOW, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def nodes(states: Callable[..., State]) -> Callable[[str], State]:
    """Opens the state as a start of the service on this node."""

    def start(node: str, boot: str = "") -> State:
        state = states()
        begin(state, node, boot or f"boot of {node}")
        return state

    return start


def begin(state: State, node: str, boot: str) -> bool:
    """What a start does; whether its host has not started anew since the last one."""

    def act(tx: Any) -> bool:
        same: bool = tx.house.started(1, node, boot, "", NOW)
        tx.work.rescue(node, NOW, 3600.0)
        return same

    found: bool = state.act(act)
    return found


def owners(state: State) -> list[str | None]:
    return [row["owner"] for row in state.rows("SELECT owner FROM drops ORDER BY id")]


# What a start ends


def test_a_start_ends_the_leases_of_its_own_node_and_spares_those_of_another(nodes: Callable[[str], State]) -> None:
    one, other = nodes("node"), nodes("node2")
    one.drop(b"f/1.mp4")
    one.drop(b"f/2.mp4")
    one.take(limit=1, owner="node:1")
    (theirs,) = other.take(limit=1, owner="node2:1")
    nodes("node")
    assert owners(one) == [None, "node2:1"]
    other.settle(theirs, DropState.WAITING, due=NOW)
    other.take(owner="node2:1")
    nodes("node2")
    assert owners(one) == [None, None], "“node” serves the state too, and is another"


def test_the_leases_of_a_node_that_serves_no_more_end_too(nodes: Callable[[str], State]) -> None:
    """It was stopped before its work had come to an end; nobody else would wait for it."""
    other = nodes("node2")
    other.drop()
    other.take(owner="node2:1")
    other.act(lambda tx: tx.house.stopped())
    assert owners(nodes("node")) == [None]


def test_a_start_leaves_the_end_of_another_nodes_lease_as_it_is(nodes: Callable[[str], State]) -> None:
    """It lies further off than the longest pause between two tries; a due time before it would say that somebody has woken it."""
    other = nodes("node2")
    other.drop()
    (claim,) = other.take(owner="node2:1", lease_seconds=9000.0)
    nodes("node")
    other.settle(claim, DropState.WAITING, due=None)
    assert other.row("drops", 1)["due"] is None


def test_each_node_says_of_itself_what_it_does_and_what_troubles_it(nodes: Callable[[str], State]) -> None:
    one, other = nodes("node"), nodes("node2")
    for state, item in ((one, 1), (other, 2)):
        state.act(lambda tx: tx.house.ready())
        state.act(lambda tx, item=item: tx.house.progress([("job", item, "uploading", 1, 2, 1.0, NOW)]))
        state.act(lambda tx: tx.house.trouble("scan", "the disk does not answer", NOW))
    one.act(lambda tx: tx.house.trouble("scan", None, NOW))
    one.act(lambda tx: tx.house.progress([]))
    for table in ("progress", "troubles"):
        assert [row["node"] for row in one.rows(f"SELECT node FROM {table}")] == ["node2"]
    nodes("node").act(lambda tx: tx.house.stopped())
    assert one.rows("SELECT node, pid, ready FROM service ORDER BY node") == [
        {"node": "node", "pid": 0, "ready": 0}, {"node": "node2", "pid": 1, "ready": 1},
    ]
    for table in ("progress", "troubles"):
        assert [row["node"] for row in one.rows(f"SELECT node FROM {table}")] == ["node2"]


def test_whether_a_host_has_started_anew_is_asked_of_each_by_itself(states: Callable[..., State]) -> None:
    one, other = states(), states()
    assert not begin(one, "node", "boot 1")
    assert not begin(other, "node2", "boot 2")
    assert begin(one, "node", "boot 1")
    assert not begin(other, "node2", "boot 3")
    assert begin(other, "node2", "boot 3")


def test_a_host_of_another_name_and_the_same_boot_is_the_same_host(nodes: Callable[..., State], states: Callable[..., State]) -> None:
    """A container that was made anew: what it left under its old name is its own."""
    before = nodes("old name", "boot 1")
    before.drop()
    before.take(owner="old name:1")
    again = states()
    assert begin(again, "new name", "boot 1")
    assert owners(again) == [None]
    assert [row["node"] for row in again.rows("SELECT node FROM service")] == ["new name"]


def test_a_state_of_one_node_becomes_one_of_several(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier version said of its process is known after an update: downloads go on."""
    from qavix_watch.store import migrations

    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        state = State(path)
        state.rows("INSERT INTO service VALUES (1, 42, 'node', 'boot 1', 0.0, '', 1)")
        state.store.close()
    state = State(path)
    assert begin(state, "node", "boot 1")
    state.store.close()


# Clocks


def test_a_lease_ends_by_the_databases_clock_whatever_the_hosts_say(state: State) -> None:
    """A host whose clock is a minute ahead would otherwise take from another's hands what that still works on."""
    state.drop()
    (claim,) = state.act(lambda tx: tx.work.take("drop", tuple(DropState), owner="slow:1", now=NOW, lease_seconds=60.0, limit=1))
    ahead = {"owner": "fast:1", "now": NOW + 90, "lease_seconds": 60.0, "limit": 1}
    assert state.act(lambda tx: tx.work.take("drop", tuple(DropState), **ahead)) == []
    state.present = NOW + 40
    assert state.act(lambda tx: tx.work.renew([claim], 60.0)) == []
    state.present = NOW + 99
    assert state.act(lambda tx: tx.work.take("drop", tuple(DropState), **ahead)) == []
    state.present = NOW + 100
    assert len(state.act(lambda tx: tx.work.take("drop", tuple(DropState), **{**ahead, "now": NOW + 190}))) == 1
    with pytest.raises(Fenced):
        state.settle(claim, DropState.SETTLED)


@pytest.mark.parametrize("at", [NOW + 1, NOW + 59.9999, NOW + 300])
def test_a_wake_is_kept_however_late_the_clock_of_who_wakes(state: State, at: float) -> None:
    """By then the lease may be over, by that clock or because its holder was frozen, and the holder come to its end all the same."""
    state.drop()
    (claim,) = state.take()
    state.act(lambda tx: tx.work.wake("drop", 1, at))
    state.settle(claim, DropState.WAITING, due=None)
    assert state.row("drops", 1)["due"] <= at


def test_the_wake_of_a_duty_and_of_a_delivery_is_kept_too(state: State) -> None:
    state.act(lambda tx: tx.house.duty("steer", NOW))
    (duty,) = state.take("duty", DutyState)
    state.act(lambda tx: tx.house.hurry("steer", NOW + 300))
    state.settle(duty, DutyState.DUE, due=None)
    assert state.row("duties", 1)["due"] is not None
    state.want(state.job(state=JobState.DONE), state.drop())
    (delivery,) = state.take("delivery", DeliveryState)
    state.act(lambda tx: tx.jobs.wake_deliveries(1, NOW + 300))
    state.settle(delivery, DeliveryState.PENDING, due=None)
    assert state.row("deliveries", 1)["due"] is not None


def test_the_first_wake_counts(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    for at in (NOW + 20, NOW + 5, NOW + 30):
        state.act(lambda tx, at=at: tx.work.wake("drop", 1, at))
    state.settle(claim, DropState.WAITING, due=NOW + 500)
    assert state.row("drops", 1)["due"] == NOW + 5


# Hands


def test_what_is_in_hand_is_told_from_what_was(state: State) -> None:
    state.drop()
    assert not state.act(lambda tx: tx.work.is_held("drop", 1))
    state.take()
    assert state.act(lambda tx: tx.work.is_held("drop", 1))
    assert not state.act(lambda tx: tx.work.is_held("drop", 2))
    state.present = NOW + 60
    assert not state.act(lambda tx: tx.work.is_held("drop", 1))


def test_a_delivery_that_is_wanted_again_is_free_at_once(state: State) -> None:
    """Whoever had it in hand is fenced out, and nobody waits for the end of a lease that counts no more."""
    job, drop = state.job(state=JobState.DONE), state.drop()
    state.want(job, drop)
    (claim,) = state.take("delivery", DeliveryState)
    state.want(job, drop)
    with pytest.raises(Fenced):
        state.settle(claim, DeliveryState.DONE)
    assert len(state.take("delivery", DeliveryState, owner="node2:1")) == 1
