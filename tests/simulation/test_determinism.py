"""The same seed lives the same life, content by content: twice in one process, under other hash seeds, and with another allocator."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.simulation import senses
from tests.simulation.living import live
from tests.simulation.outcomes import choices_of

ROOT = Path(__file__).parents[2]
SEED, LIVES = 7, 6
PRINTS_TRACES = f"""
from tests.simulation.test_determinism import traces
print(*traces({LIVES}), sep="\\n")
"""


def traces(lives: int) -> list[str]:
    return [live(choices_of(SEED, number)).trace for number in range(lives)]


def traces_under(**environ: str) -> list[str]:
    """The traces that another process comes to."""
    python = [sys.executable, "-c", PRINTS_TRACES]
    done = subprocess.run(python, cwd=ROOT, env=os.environ | environ, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def here() -> list[str]:
    return traces(LIVES)


def test_lives_are_lived_the_same_again_in_one_process(here: list[str]) -> None:
    assert traces(LIVES) == here
    assert len(set(here)) == LIVES


OTHERS = [("0", "malloc"), ("1", "pymalloc"), ("random", "malloc_debug"), ("random", "pymalloc_debug")]


@pytest.mark.parametrize(("hashes", "allocator"), OTHERS)
def test_neither_the_seed_of_hashes_nor_addresses_in_memory_decide_anything(here: list[str], hashes: str, allocator: str) -> None:
    assert traces_under(PYTHONHASHSEED=hashes, PYTHONMALLOC=allocator) == here


def test_a_token_that_is_left_to_chance_shows_in_every_life_that_asks_for_one(monkeypatch: pytest.MonkeyPatch, here: list[str]) -> None:
    """It is a part of a URL, and changes no order of events."""
    asked: list[str] = []

    def token(_chance: senses.SimulatedChance) -> str:
        asked.append(uuid.uuid4().hex)
        return asked[-1]

    monkeypatch.setattr(senses.SimulatedChance, "token", token)
    lives = [(asked.clear(), live(choices_of(SEED, number)).trace, bool(asked)) for number in range(LIVES)]
    assert [trace == before for (_, trace, _), before in zip(lives, here, strict=True)] == [not told for _, _, told in lives]
    assert any(told for _, _, told in lives)
