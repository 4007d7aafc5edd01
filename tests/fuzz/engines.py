"""What makes inputs: Atheris, which is guided by the branches that an input reaches, or a plain seeded mutator without it."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from typing import TYPE_CHECKING

from tests.fuzz.judging import Judge
from tests.fuzz.mutation import Mutator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fuzz.targets import Target

    Told = Callable[[Judge], None]

EVERY = 256
"""So many cases lie between two words to whoever looks on."""
GROWS_TO = 2000
"""Inputs that the plain engine mixes others from, at the most."""


def has_atheris() -> bool:
    """Whether Atheris is installed here."""
    return importlib.util.find_spec("atheris") is not None


def read_seeds(target: Target) -> list[bytes]:
    """The seeds of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted(target.seeds.iterdir()) if path.is_file()] if target.seeds.is_dir() else []


def run_plain(target: Target, folder: Path, cases: int, seed: int, told: Told) -> None:
    """Every seed, then so many inputs made from them. The same seed makes the same inputs."""
    judge = Judge(target.load(), folder)
    rng = random.Random(seed)
    pool = read_seeds(target)
    mutator = Mutator(judge.loaded.words, pool, judge.loaded.longest)
    for data in pool:
        judge.tried(data)
    for number in range(cases):
        data = mutator.made(rng)
        judge.tried(data)
        if number % 64 == 0:  # what was changed is changed on, so that inputs grow away from the seeds
            if len(pool) < GROWS_TO:
                pool.append(data)
            else:
                pool[rng.randrange(GROWS_TO)] = data
        if number % EVERY == 0:
            told(judge)
    told(judge)


def run_atheris(target: Target, folder: Path, cases: int, seed: int, told: Told) -> None:
    """So many inputs as Atheris makes them, half of them by our own mutator. Never returns: it ends this process."""
    import atheris

    with atheris.instrument_imports(include=list(target.guiding)):
        loaded = target.load()
    judge = Judge(loaded, folder)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    mutator = Mutator(loaded.words, read_seeds(target), loaded.longest)

    def one(data: bytes) -> None:
        judge.tried(data)
        if judge.cases % EVERY == 0:
            told(judge)
        if judge.cases >= cases:
            told(judge)
            sys.stdout.flush()
            os._exit(0)

    def mutated(data: bytes, longest: int, number: int) -> bytes:
        if number & 1:
            return bytes(atheris.Mutate(data, longest))
        return mutator.changed(data, random.Random(number))[:longest]

    words = folder / "words.dict"
    words.write_text("".join(_quoted(word) for word in loaded.words if word), encoding="ascii")
    told(judge)
    argv = [
        sys.argv[0], f"-seed={seed % (1 << 31) or 1}", f"-max_len={loaded.longest}", "-timeout=60", "-rss_limit_mb=3000", f"-dict={words}",
        f"-artifact_prefix={folder}/", "-len_control=20", str(corpus), str(target.seeds),
    ]  # fmt: skip
    atheris.Setup(argv, one, custom_mutator=mutated)
    atheris.Fuzz()


def _quoted(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'
