"""`python -m tests.simulation`: lives by the thousand, or one tape."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation import report
from tests.simulation.choices import Tape, Taped
from tests.simulation.outcomes import choices_of, lived
from tests.simulation.runner import FEWEST_FOR_COUNTERS, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.choices import Choices
    from tests.simulation.outcomes import Live
    from tests.simulation.runner import Tally

ABOUT = """\
Lives of the service in a simulated world: virtual time, a disk that loses what was not synced, a service that loses answers, machines
that die, freeze and wake. Each life is decided by a seed, and the same seed lives the same lives again, on any number of processors."""
AFTER = f"""\
The first life that fails is made small, told as a story, and kept as a tape of its few decisions. The exit status is 1 then, and also
when in {FEWEST_FOR_COUNTERS} lives or more something never happened that has to be met: a brake, a lost answer, a lease taken over."""
SHOWN_AFTER_SECONDS = 2.0


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=report.COMMAND, description=ABOUT, epilog=AFTER)
    many = parser.add_argument_group("many lives")
    many.add_argument("--lives", type=int, default=1000, metavar="N", help="how many (1000)")
    many.add_argument("--seed", type=int, metavar="N", help="what decides them; without it a fresh one is drawn and told")
    many.add_argument("--minutes", type=float, metavar="M", help="begin none after so long")
    many.add_argument("--go-on", action="store_true", help="live all of them, and tell the first failure of each kind")
    many.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="one for each processor")
    many.add_argument("--tapes", type=Path, default=Path("build/simulation"), metavar="DIR", help="where failures go (%(default)s)")
    one = parser.add_argument_group("one life, told as a story")
    one.add_argument("--tape", type=Path, metavar="FILE", help="the one on this tape")
    one.add_argument("--life", type=int, metavar="N", help="the one of this number of --seed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, live: Live | None = None) -> int:
    """The whole command; `live` stands in for `living.live`."""
    if live is None:
        from tests.simulation.living import live
    asked = arguments(argv)
    if asked.tape is not None:
        return tell_one(live, Taped(Tape.read(asked.tape)))
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    if asked.life is not None:
        return tell_one(live, choices_of(seed, asked.life))
    console = Console()
    console.print(f"{asked.lives:,} lives of seed {seed}. Again: make simulate LIVES={asked.lives} SEED={seed}", highlight=False)
    return tell_all(console, run_shown(console, live, asked, seed), asked.tapes)


def tell_one(live: Live, choices: Choices) -> int:
    """One life, as a story."""
    with tempfile.TemporaryDirectory(prefix="life-") as folder:
        ended = lived(live, choices, story=True, state_file=os.path.join(folder, "state.db"))
    print(report.replayed(ended))
    return 1 if ended.failure else 0


def run_shown(console: Console, live: Live, asked: argparse.Namespace, seed: int) -> Tally:
    """The run, under a bar where it takes long and somebody looks."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    until = time.monotonic() + 60 * asked.minutes if asked.minutes else float("inf")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("lives", total=asked.lives, visible=False)

        def seen(tally: Tally) -> None:
            long = tally.real_seconds > SHOWN_AFTER_SECONDS
            what = "making the failure small" if tally.broken else "lives"
            progress.update(bar, completed=tally.lives, visible=long, description=what)

        return run(live, asked.lives, seed, asked.processes, go_on=asked.go_on, until=until, seen=seen)


def tell_all(console: Console, tally: Tally, folder: Path) -> int:
    """What the run came to; 1 where it did not go well."""
    console.print(report.figures(tally))
    if tally.counters is not None:
        console.print(report.counted(tally.counters))
    if tally.broken:
        console.print("\nLives that failed:", report.broken(tally.broken), sep="\n")
    for failing in tally.failing:
        path = report.kept(failing, folder)
        console.print(f"\n{report.failure(failing, path)}", markup=False, highlight=False, soft_wrap=True)
    if tally.missing:
        console.print(f"never met in {tally.lives} lives: {', '.join(tally.missing)}", style="bold red")
    return 0 if tally.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
