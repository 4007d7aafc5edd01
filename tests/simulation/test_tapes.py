"""Lives that once failed, each kept as a tape of the few decisions that matter: they go well now.

A tape whose decisions mean nothing any more, since the code asks for others, is a quiet life, and does no harm.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import report
from tests.simulation.choices import Tape, Taped
from tests.simulation.living import live
from tests.simulation.outcomes import lived

FOLDER = Path(__file__).parent / "tapes"
TAPES = sorted(FOLDER.glob("*.json"))
LEAST_WORDS = 6


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_what_once_failed_goes_well(path: Path) -> None:
    ended = lived(live, Taped(Tape.read(path)), story=True)
    if ended.failure:
        pytest.fail(report.replayed(ended))


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.stem)
def test_a_tape_says_what_was_wrong_and_is_written_as_all_are(path: Path, tmp_path: Path) -> None:
    tape = Tape.read(path)
    assert len(tape.about.split()) >= LEAST_WORDS, "“about” names the defect that it shows, in a sentence"
    tape.write(tmp_path / path.name)
    assert path.read_text(encoding="utf-8") == (tmp_path / path.name).read_text(encoding="utf-8")


def test_decisions_that_nobody_asks_for_any_more_are_a_quiet_life() -> None:
    outdated = Tape({("a stream that went", 0): 3, ("order", 10**9): 2})
    assert live(Taped(outdated)).trace == live(Taped(Tape())).trace


def test_the_quiet_life_goes_well() -> None:
    ended = lived(live, Taped(Tape()), story=True)
    assert ended.failure is None, report.replayed(ended)
    assert ended.deaths == 0
