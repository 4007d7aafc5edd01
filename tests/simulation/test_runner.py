"""Lives by the thousand: the same ones on any number of processes, and of the first that fails a tape and a story."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.simulation import pretended
from tests.simulation.__main__ import main
from tests.simulation.choices import Tape
from tests.simulation.outcomes import choices_of
from tests.simulation.runner import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SMALLEST = {("death A", 40): 9}
"""What `pretended.rarely` needs to fail."""


def first(live, seed: int) -> int:
    """The first life of this seed that fails."""
    return next(number for number in range(500) if live(choices_of(seed, number)).failure)


def test_a_run_is_the_same_on_one_process_and_on_three() -> None:
    one, three = run(pretended.well, 40, seed=5, processes=1), run(pretended.well, 40, seed=5, processes=3)
    assert one.trace == three.trace
    assert (one.lives, one.steps, one.deaths, one.seconds) == (40, 16_000, 40, 3_200.0)
    assert (three.lives, three.steps, three.deaths, three.seconds) == (40, 16_000, 40, 3_200.0)
    assert one.counters is not None
    assert one.counters.counts == {"lost answer": 80, "lease taken over": 40}
    assert one.is_well


def test_another_seed_is_another_run() -> None:
    assert run(pretended.well, 3, seed=5).trace != run(pretended.well, 3, seed=6).trace


def test_the_first_failure_by_number_is_shrunk_to_what_matters() -> None:
    tally = run(pretended.rarely, 500, seed=1, processes=3)
    failing = tally.failing[0]
    assert failing.number == first(pretended.rarely, 1)
    assert tally.lives < 500
    assert failing.tape == Tape(SMALLEST, "Violation: a file was lost: clip-#.mp#")
    assert failing.small is not None
    assert [line.what for line in failing.small.story] == ["decides 9"]
    assert not tally.is_well


def test_a_run_that_goes_on_tells_the_first_failure_of_each_kind() -> None:
    tally = run(pretended.in_two_ways, 60, seed=1, go_on=True)
    assert tally.lives == 60
    failures = [pretended.in_two_ways(choices_of(1, number)).failure for number in range(60)]
    assert dict(tally.broken) == {f"Violation: law {law}": sum(f"law {law}" in (failure or "") for failure in failures) for law in "ab"}
    assert sorted(failing.tape.about for failing in tally.failing) == ["Violation: law a", "Violation: law b"]
    firsts = [next(number for number, failure in enumerate(failures) if f"law {law}" in (failure or "")) for law in "ab"]
    assert [failing.number for failing in tally.failing] == sorted(firsts)


def test_after_a_hang_and_after_a_crash_others_go_on() -> None:
    for live in (pretended.hangs, pretended.crashes):
        tally = run(live, 10, seed=1, life_seconds=0.3, go_on=True)
        assert tally.lives == 10
        assert len(tally.failing) == 1
        assert 1 < sum(tally.broken.values()) < 10


def test_a_life_that_raises_fails_with_its_text_and_its_place() -> None:
    tally = run(pretended.raises, 500, seed=1)
    failing = tally.failing[0]
    assert failing.failure.startswith("ZeroDivisionError: in the middle of a life\n")
    assert "pretended.py" in failing.failure
    assert len(failing.tape) == 1


def test_a_life_that_hangs_is_told_of_with_its_place_and_its_tape_and_seed() -> None:
    began = time.monotonic()
    tally = run(pretended.hangs, 100, seed=1, life_seconds=0.5)
    assert time.monotonic() - began < 20
    failing = tally.failing[0]
    assert failing.failure.startswith("a life did not end within 0.5 s of real time\n")
    assert "in hangs" in failing.failure
    assert failing.tape.decisions == {("people", 0): 3}


def test_a_life_that_takes_its_process_down_is_told_of() -> None:
    tally = run(pretended.crashes, 100, seed=1)
    failing = tally.failing[0]
    assert failing.failure == "a life ended its whole process, with exit code 17"


def test_a_life_that_depends_on_what_is_not_on_its_tape_is_told_of_as_it_was() -> None:
    tally = run(pretended.forgets, 3, seed=1)
    failing = tally.failing[0]
    assert failing.small is None
    assert failing.failure == "Violation: not on the tape"
    assert "a replay of its" in failing.why_not_small


def test_a_state_on_a_real_file_has_a_fresh_folder_in_each_life() -> None:
    assert run(pretended.keeps_a_state, 20, seed=1).is_well


def test_no_life_begins_after_the_time_of_the_run() -> None:
    assert 0 < run(pretended.well, 10**9, seed=1, until=time.monotonic() + 1.5).lives < 10**6


def test_the_command_prints_the_run_and_how_to_repeat_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lives", "20"], pretended.well) == 0
    shown = capsys.readouterr().out
    assert "make simulate LIVES=20 SEED=" in shown
    assert "lives a minute" in shown
    assert "lost answer" in shown


def test_a_run_in_which_something_never_happened_fails_unless_it_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lives", "499", "--seed", "1"], pretended.lucky) == 0
    assert main(["--lives", "500", "--seed", "1"], pretended.lucky) == 1
    assert "never met in 500 lives: lease taken over" in capsys.readouterr().out


def test_a_failure_is_told_and_its_tape_kept_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lives", "500", "--seed", "1", "--tapes", str(tmp_path)], pretended.rarely) == 1
    shown = capsys.readouterr().out
    assert "death A[40] = 9" in shown
    assert "161.000  death A  decides 9" in shown
    path = tmp_path / "violation-a-file-was-lost-clip-mp.json"
    assert Tape.read(path).decisions == SMALLEST
    assert f"--tape {path}" in shown
    assert path.with_suffix(".txt").read_text(encoding="utf-8") in shown
    assert main(["--tape", str(path)], pretended.rarely) == 1
    assert "death A  decides 9" in capsys.readouterr().out
    assert main(["--tape", str(path)], pretended.well) == 0
    assert "It ended well." in capsys.readouterr().out


def test_one_life_of_a_run_is_told_by_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1", "--life", str(first(pretended.rarely, 1))], pretended.rarely) == 1
    assert "Violation: a file was lost" in capsys.readouterr().out
