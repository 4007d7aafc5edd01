"""Brakes, and what the service says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.store.conftest import NOW, State

if TYPE_CHECKING:
    from collections.abc import Callable


def pull(state: State, now: float = NOW, until: float = NOW + 5, scope: str = "") -> bool:
    first: bool = state.act(lambda tx: tx.brakes.pull("offline", scope, "no route", "wait", now, until))
    return first


def test_a_brake_is_said_once_and_leaves_one_row_of_history(state: State) -> None:
    assert [pull(state), pull(state, NOW + 1, NOW + 9)] == [True, False]
    (brake,) = state.act(lambda tx: tx.brakes.on())
    assert (brake.since, brake.until, brake.why, brake.hint) == (NOW, NOW + 9, "no route", "wait")
    assert state.events() == [("brake offline", "off", "on")]


def test_a_brake_that_lets_go_is_said_once_too(state: State) -> None:
    pull(state)
    gone = [state.act(lambda tx: tx.brakes.let_go("offline", "", NOW, "it answers")) for _ in range(2)]
    assert gone == [True, False]
    assert state.act(lambda tx: tx.brakes.on()) == []
    assert state.events()[-1] == ("brake offline", "on", "off")


def test_scopes_of_one_brake_are_brakes_of_their_own(state: State) -> None:
    assert [pull(state, scope=scope) for scope in ("results", "archive")] == [True, True]
    state.act(lambda tx: tx.brakes.let_go("offline", "results", NOW, "room"))
    assert [brake.scope for brake in state.act(lambda tx: tx.brakes.on())] == ["archive"]


def test_a_brake_counts_how_often_it_came_back_until_something_works(state: State) -> None:
    def count() -> int:
        found: int = state.act(lambda tx: tx.brakes.count("offline", ""))
        return found

    assert count() == 0
    for times in (1, 2):
        pull(state)
        state.act(lambda tx: tx.brakes.let_go("offline", "", NOW, "it answers"))
        assert count() == times
    state.act(lambda tx: tx.brakes.succeeded(("offline", "")))
    assert count() == 0


def test_calls_that_fail_together_pull_a_brake_once(state: State) -> None:
    """Four calls were under way: they are one time, and the longest pause that any of them asks for holds."""
    for until in (5, 9, 7, 6):
        pull(state, until=NOW + until)
    (brake,) = state.act(lambda tx: tx.brakes.on())
    assert (brake.count, brake.until) == (1, NOW + 9)
    pull(state, NOW + 9, NOW + 20)
    assert state.act(lambda tx: tx.brakes.on())[0].count == 2


def test_a_start_is_remembered_and_begins_with_a_clean_table(state: State) -> None:
    def start(boot: str) -> bool:
        same: bool = state.act(lambda tx: tx.house.started(42, "host", boot, "here.toml", NOW))
        return same

    assert not start("boot 1")
    assert start("boot 1")
    state.act(lambda tx: tx.house.ready())
    state.act(lambda tx: tx.house.progress([("job", 1, "downloading", 5, 10, 2.5, NOW)]))
    state.act(lambda tx: tx.house.trouble("watch", "too few watches", NOW))
    (service,) = state.rows("SELECT pid, ready FROM service")
    assert service == {"pid": 42, "ready": 1}
    assert not start("boot 2"), "the host started anew: what was half written may not be what was written"
    assert state.rows("SELECT * FROM progress") == state.rows("SELECT * FROM troubles") == []
    state.act(lambda tx: tx.house.stopped())
    assert [row["ready"] for row in state.rows("SELECT ready FROM service")] == [0]


def test_progress_is_what_is_under_way_just_now(state: State) -> None:
    for rows in ([("job", 1, "downloading", 5, 10, 2.5, NOW)], [("content", 2, "uploading", 1, 9, 1.0, NOW)], []):
        state.act(lambda tx, rows=rows: tx.house.progress(rows))
        assert [row["item_id"] for row in state.rows("SELECT item_id FROM progress")] == [row[1] for row in rows]


def test_a_trouble_is_shown_until_it_ends(state: State) -> None:
    for text in ("too few watches", "still too few"):
        state.act(lambda tx, text=text: tx.house.trouble("watch", text, NOW))
    assert [row["text"] for row in state.rows("SELECT text FROM troubles")] == ["still too few"]
    state.act(lambda tx: tx.house.trouble("watch", None, NOW))
    assert state.rows("SELECT text FROM troubles") == []


def test_the_folders_are_those_of_the_last_look(state: State, states: Callable[..., State]) -> None:
    for said in ({b"dub en to es": ("dub en to es", "Dub …", None)}, {b"what": (None, None, "no order")}):
        state.act(lambda tx, said=said: tx.house.folders("place", said))
    assert state.rows("SELECT path, canonical, problem FROM folders") == [{"path": b"what", "canonical": None, "problem": "no order"}]


def test_a_place_is_known_by_its_marker(state: State) -> None:
    for starts in (1, 2):
        state.act(lambda tx, starts=starts: tx.house.place("marker", b"/inbox", starts))
    assert state.rows("SELECT path, starts FROM places") == [{"path": b"/inbox", "starts": 2}]
