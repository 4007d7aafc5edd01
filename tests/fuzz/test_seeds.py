"""Every seed is bearable, and so are some thousands of inputs made from them; the runner tells what it finds."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz.engines import read_seeds, run_plain
from tests.fuzz.judging import Judge
from tests.fuzz.keeping import steps_of
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import SEEDS, TARGETS, Loaded

if TYPE_CHECKING:
    from pathlib import Path

CASES = 2000
SEED = 5


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_bearable(name: str) -> None:
    seeds = read_seeds(TARGETS[name])
    one = TARGETS[name].load().one
    assert seeds
    for data in seeds:
        one(data)


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_made_from_the_seeds_are_bearable(name: str, tmp_path: Path) -> None:
    """A small part of what `python -m tests.fuzz` does by the million; always the same inputs."""
    judges: list[Judge] = []
    run_plain(TARGETS[name], tmp_path, CASES, SEED, judges.append)
    assert not judges[-1].failures, [path.with_suffix(".txt").read_text() for path in judges[-1].failures.values()]
    assert judges[-1].cases >= CASES


def test_the_same_seed_makes_the_same_inputs() -> None:
    mutator = Mutator((b"word", b"x"), (b"some seed", b"another"), 50)
    made = [[mutator.made(rng) for _ in range(300)] for rng in (random.Random(3), random.Random(3), random.Random(4))]
    assert made[0] == made[1] != made[2]
    assert max(map(len, made[0])) <= 50


def defective(data: bytes) -> None:
    """Knows no byte 0x80 and above."""
    data.decode("ascii")


def test_a_failure_is_kept_once_with_its_smallest_input(tmp_path: Path) -> None:
    judge = Judge(Loaded(defective, (), 10), tmp_path)
    for data in (b"ok", b"abc\xff", b"\xff", b"long\xfe"):
        judge.tried(data)
    (kept,) = judge.failures.values()
    assert kept.read_bytes() == b"\xff"
    assert "UnicodeDecodeError at test_seeds.py" in kept.with_suffix(".txt").read_text()
    assert judge.cases == 4


def test_an_input_that_takes_too_long_is_a_failure(tmp_path: Path) -> None:
    judge = Judge(Loaded(lambda data: sum(range(2_000_000)) and None, (), 10, slowest_seconds=0.001), tmp_path)
    judge.tried(b"x")
    assert list(judge.failures) == ["TooSlow at its time"]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target with a defect that mutations find."""
    target: Any = SimpleNamespace(name="planted", about="", seeds=SEEDS / "options_files", load=lambda: Loaded(defective, (b"\xff",), 50))
    monkeypatch.setitem(TARGETS, "planted", target)


def test_the_runner_tells_what_it_found_and_where_it_lies(planted: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = runner.main(["planted", "--cases", "500", "--seed", "1", "--engine", "plain", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert status == 1
    assert "new failures 1" in said
    (kept,) = (path for path in (tmp_path / "planted").glob("failure-*") if not path.suffix)
    assert str(kept) in said.replace("\n", "")
    with pytest.raises(UnicodeDecodeError):
        runner.main(["planted", "--input", str(kept)])


def test_the_runner_is_content_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["callbacks", "--cases", "300", "--seed", "1", "--engine", "plain", "--folder", str(tmp_path)]) == 0
    assert "new failures 0" in capsys.readouterr().out


def test_steps_through_our_code_tell_inputs_apart() -> None:
    one = TARGETS["options_files"].load().one
    for data in (b'voice = "a"', b'voice = "b"'):
        one(data)  # what is kept of names that were read before takes other steps
    assert steps_of(one, b'voice = "a"') != steps_of(one, b"\xff\xfe")
    assert steps_of(one, b'voice = "a"') == steps_of(one, b'voice = "b"')
