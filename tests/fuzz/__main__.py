"""`python -m tests.fuzz TARGET`: hostile inputs by the million, or one of them again."""

from __future__ import annotations

import argparse
import mmap
import os
import secrets
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz import engines
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fuzz.judging import Judge
    from tests.fuzz.targets import Target

ABOUT = """\
Hostile inputs for what reads other people's bytes. An input that shows a defect is written to build/fuzz/TARGET/,
with its traceback. The exit status is 1 then."""
AFTER = """\
Atheris guides the search where it is installed (pip install atheris); without it a seeded mutator does.
`--input FILE` tries one input again. `--keep` adds to the seeds what Atheris found and what reaches new lines."""
SHOWN_AFTER_SECONDS = 2.0
_COUNTS = struct.Struct("qqd")


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run came to."""

    cases: int
    failures: int
    slowest: float
    seconds: float
    status: int


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=ABOUT, epilog=AFTER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = "\n".join(f"  {target.name:15} {target.about}" for target in TARGETS.values())
    parser.add_argument("target", choices=[*TARGETS, "all"], metavar="TARGET", help=f"one of {', '.join(TARGETS)}, or all")
    parser.add_argument("--cases", type=int, default=100_000, metavar="N", help="how many inputs (%(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="what they are made from; without it a fresh one is drawn and told")
    parser.add_argument("--engine", choices=("auto", "atheris", "plain"), default="auto", help="what makes them (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), metavar="DIR", help="where failures go (%(default)s)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="try this one input, and show what it raises")
    parser.add_argument("--keep", action="store_true", help="make no inputs; add to the seeds what reaches new lines")
    parser.epilog = f"{AFTER}\n\ntargets:\n{names}"
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The whole command."""
    asked = arguments(argv)
    chosen = list(TARGETS.values()) if asked.target == "all" else [TARGETS[asked.target]]
    if asked.input is not None:
        chosen[0].load().one(asked.input.read_bytes())
        print("It shows no defect.")
        return 0
    if asked.keep:
        from tests.fuzz.keeping import keep

        for target in chosen:
            print(f"{target.name}: {keep(target, asked.folder / target.name)}")
        return 0
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    return max(_told(Console(), target, asked, seed) for target in chosen)


def _told(console: Console, target: Target, asked: argparse.Namespace, seed: int) -> int:
    engine = ("atheris" if engines.has_atheris() else "plain") if asked.engine == "auto" else asked.engine
    console.print(f"{target.name}: {asked.cases:,} inputs by {engine} from seed {seed}", highlight=False)
    folder: Path = asked.folder / target.name
    before = _failures(folder)
    tally = _run(console, target, folder, asked.cases, seed, engine)
    rate = tally.cases / max(tally.seconds, 1e-9)
    console.print(
        f"  cases {tally.cases:,}, cases/s {rate:,.0f}, seconds {tally.seconds:.0f}, slowest {1000 * tally.slowest:.0f} ms,"
        f" new failures {tally.failures}", highlight=False,
    )
    for path in sorted(_failures(folder)):
        if path not in before or tally.failures:
            said = path.with_suffix(".txt").read_text().splitlines()[0]
            console.print(f"  {path}: {said}", markup=False, highlight=False, soft_wrap=True)
    if tally.status:
        console.print(f"  the process ended with {tally.status}: {folder}/engine.log", highlight=False)
    return 1 if tally.failures or tally.status else 0


def _failures(folder: Path) -> set[Path]:
    return {path.with_suffix("") for path in folder.glob("failure-*.txt")}


def _run(console: Console, target: Target, folder: Path, cases: int, seed: int, engine: str) -> Tally:
    """The engine in a process of its own, which it may end; what it counts is seen in shared memory."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = mmap.mmap(-1, _COUNTS.size)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(target, folder, cases, seed, engine, shared)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(target.name, total=cases, visible=False)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            done, failures, slowest = _COUNTS.unpack(shared[: _COUNTS.size])
            taken = time.monotonic() - began
            if ended:
                return Tally(done, failures, slowest, taken, os.waitstatus_to_exitcode(status))
            progress.update(bar, completed=done, visible=taken > SHOWN_AFTER_SECONDS)
            time.sleep(0.1)


def _child(target: Target, folder: Path, cases: int, seed: int, engine: str, shared: mmap.mmap) -> None:
    """Never returns."""

    def told(judge: Judge) -> None:
        shared[: _COUNTS.size] = _COUNTS.pack(judge.cases, len(judge.failures), judge.slowest)

    status = 1
    try:
        log = os.open(folder / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        {"atheris": engines.run_atheris, "plain": engines.run_plain}[engine](target, folder, cases, seed, told)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
