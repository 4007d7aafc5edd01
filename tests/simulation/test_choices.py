"""Decisions are the same for the same seed, replayed from a tape, and shrunk to those that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.choices import Choices, Pinned, Seeded, Tape, Taped
from tests.simulation.shrinking import NotFailing, shrink

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = ("order", "disk", "network", "people", "death")


def live(choices: Choices, asks: int = 200) -> list[int]:
    """A thousand decisions: `asks` of each stream."""
    return [choices.pick(stream, 10) for _ in range(asks) for stream in STREAMS]


def faults(seed: int, every: float, asks: int = 2_000) -> int:
    choices = Seeded(seed)
    return sum(choices.fault("disk", every) > 0 for _ in range(asks))


def test_a_seed_decides_the_same_each_time_and_another_seed_otherwise() -> None:
    assert live(Seeded(1)) == live(Seeded(1))
    assert live(Seeded(1)) != live(Seeded(2))


def test_one_more_ask_in_one_stream_shifts_no_other() -> None:
    plain, curious = Seeded(3), Seeded(3)
    curious.pick("log", 10)
    assert [plain.pick("disk", 100) for _ in range(50)] == [curious.pick("disk", 100) for _ in range(50)]


def test_streams_do_not_follow_each_other() -> None:
    choices = Seeded(3)
    assert [choices.pick("disk", 100) for _ in range(9)] != [choices.pick("people", 100) for _ in range(9)]


def test_a_tape_replays_a_life_and_only_what_was_not_harmless_is_on_it() -> None:
    seeded = Seeded(4)
    lived = live(seeded)
    tape = seeded.tape()
    assert live(Taped(tape)) == lived
    assert len(tape) == sum(value != 0 for value in lived)
    assert all(tape.decisions.values())


def test_faults_are_replayed_with_their_kind() -> None:
    seeded = Seeded(next(seed for seed in range(20) if faults(seed, 10.0)))
    kinds = [seeded.fault("disk", 10.0, 3) for _ in range(500)]
    assert {0, 1, 2, 3} == set(kinds)
    taped = Taped(seeded.tape())
    assert [taped.fault("disk", 10.0, 3) for _ in range(500)] == kinds


def test_an_empty_tape_is_a_life_without_harm() -> None:
    choices = Taped(Tape())
    assert not any(live(choices))
    assert not any(choices.fault("disk", 1.0) for _ in range(100))
    assert choices.one_of("reply", ["whole", "lost"]) == "whole"


def test_what_is_fixed_comes_at_its_place_and_all_else_is_drawn_as_ever() -> None:
    seed = next(seed for seed in range(20) if faults(seed, 10.0, 50))
    seeded, pinned = Seeded(seed), Pinned(seed, {("order", 1): 7, ("network", 0): 2, ("network", 5): 1})
    assert [pinned.pick("order", 10) for _ in range(3)][1] == 7
    assert [pinned.fault("network", 1e9, 3) for _ in range(7)] == [2, 0, 0, 0, 0, 1, 0]
    assert [pinned.fault("disk", 10.0) for _ in range(50)] == [seeded.fault("disk", 10.0) for _ in range(50)]


def test_a_value_that_the_code_no_longer_offers_becomes_the_nearest_that_it_does() -> None:
    assert Taped(Tape({("order", 0): 9})).pick("order", 3) == 2
    assert Taped(Tape({("disk", 0): 9})).fault("disk", 5.0, 2) == 2


def test_the_rate_of_faults_varies_by_seed_about_what_is_typical_and_some_seeds_have_none() -> None:
    counts = [faults(seed, 50.0) for seed in range(100)]  # 40 is typical
    assert 10 < sum(count == 0 for count in counts) < 45
    some = sorted(count for count in counts if count)
    assert 20 < some[len(some) // 2] < 80
    assert some[-1] > 4 * some[0]


def test_what_shall_always_happen_does_unless_the_seed_leaves_it_out() -> None:
    assert {faults(seed, 0.1, 20) for seed in range(30)} == {0, 20}


def test_a_tape_survives_its_file(tmp_path: Path) -> None:
    tape = Tape({("disk", 12): 3, ("order", 0): 1, ("disk", 2): 1}, "a rename that was not synced")
    tape.write(tmp_path / "one.json")
    assert Tape.read(tmp_path / "one.json") == tape
    assert '"disk": {"2": 1, "12": 3}' in (tmp_path / "one.json").read_text()
    Tape().write(tmp_path / "empty.json")
    assert Tape.read(tmp_path / "empty.json") == Tape()


def test_a_failure_of_a_thousand_decisions_is_shrunk_to_the_three_that_matter() -> None:
    """It needs the 40th death, a late answer of the network before, and a disk that is at least half slow."""
    lives = 0

    def fails(tape: Tape) -> bool:
        nonlocal lives
        lives += 1
        choices = Taped(tape)
        lived = [{stream: choices.pick(stream, 100) for stream in STREAMS} for _ in range(250)]
        return lived[39]["death"] >= 1 and lived[7]["network"] >= 1 and lived[120]["disk"] >= 5

    tape = Tape({(stream, ordinal): 99 for stream in STREAMS for ordinal in range(200)}, "planted")
    small = shrink(tape, fails)
    assert small.decisions == {("death", 39): 1, ("network", 7): 1, ("disk", 120): 6}
    assert small.about == "planted"
    assert lives < 300


def test_shrinking_keeps_a_tape_that_fails_when_its_budget_of_lives_ends() -> None:
    tape = Tape({("order", ordinal): 5 for ordinal in range(64)})
    small = shrink(tape, lambda tried: ("order", 9) in tried.decisions, most_tries=4)
    assert ("order", 9) in small.decisions
    assert 1 < len(small) < 64


def test_what_a_smaller_value_makes_needless_goes_too() -> None:
    """A long delay fails only with a death beside it; a short one fails alone."""

    def fails(tape: Tape) -> bool:
        delay = tape.decisions.get(("network", 0), 0)
        return 0 < delay < 5 or (delay >= 5 and ("death", 0) in tape.decisions)

    assert shrink(Tape({("network", 0): 8, ("death", 0): 1}), fails).decisions == {("network", 0): 1}


def test_a_failure_that_needs_no_decision_is_shrunk_to_none() -> None:
    assert shrink(Tape({("order", 1): 1, ("disk", 1): 1}), lambda _: True).decisions == {}


def test_a_tape_that_does_not_fail_is_refused() -> None:
    with pytest.raises(NotFailing, match="1 decisions"):
        shrink(Tape({("order", 1): 1}), lambda _: False)


def test_streams_that_have_no_part_in_a_failure_go_in_one_life_each() -> None:
    tried: list[Tape] = []

    def fails(tape: Tape) -> bool:
        tried.append(tape)
        return {("disk", 3), ("order", 4)} <= tape.decisions.keys()

    shrink(Tape({(stream, ordinal): 1 for stream in STREAMS for ordinal in range(100)}), fails)
    assert {stream for stream, _ in tried[1 + len(STREAMS)].decisions} <= {"disk", "order"}
