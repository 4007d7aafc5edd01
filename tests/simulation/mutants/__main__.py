"""`python -m tests.simulation.mutants`: which defects the simulation finds, among which lives, and by which law."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tests.simulation import report
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.hunting import hunt_named, made_small

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.simulation.mutants import Mutant
    from tests.simulation.mutants.hunting import Found

    Hunted = Mapping[str, Found | None]

COMMAND = "python -m tests.simulation.mutants"
ABOUT = """\
Plants defects of production code, one after the other, and lives simulated lives under each until one breaks a law. The same life without
the defect has to go well. Nothing is left to chance: each run lives the same lives."""
AFTER = "The exit status is 1 where a defect was not found within its lives, or by no law, or by a life that fails without it too."
SHOWN_AFTER_SECONDS = 2.0
WIDE = 200
"""Columns of the table where it goes to a file."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=ABOUT, epilog=AFTER)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only mutants with this in their names")
    parser.add_argument("--most", type=int, metavar="N", help="live up to so many lives, whatever a mutant states")
    parser.add_argument("--story", action="store_true", help="make the life that found each small, and tell it")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="one for each processor")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The whole command."""
    asked = arguments(argv)
    wanted = [mutant for mutant in MUTANTS if not asked.names or any(name in mutant.name for name in asked.names)]
    if not wanted:
        print(f"No mutant has {' or '.join(asked.names)} in its name.", file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    hunted = _hunted(console, wanted, asked.most, asked.processes)
    console.print(_table(wanted, hunted))
    if asked.story:
        _tell(wanted, hunted)
    return 0 if all(found is not None and found.law for found in hunted.values()) else 1


def _hunted(console: Console, wanted: Sequence[Mutant], most: int | None, processes: int) -> Hunted:
    """What came of each, under a bar where it takes long and somebody looks."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    began, found = time.monotonic(), dict[str, "Found | None"]()
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress, pool:
        bar = progress.add_task("mutants", total=len(wanted), visible=False)
        hunts = {pool.submit(hunt_named, mutant.name, most): mutant.name for mutant in wanted}
        for done in as_completed(hunts):
            found[hunts[done]] = done.result()
            progress.update(bar, completed=len(found), visible=time.monotonic() - began > SHOWN_AFTER_SECONDS)
    return found


def _table(wanted: Sequence[Mutant], hunted: Hunted) -> Table:
    found = [one for one in hunted.values() if one is not None and one.law]
    table = Table(title=f"{len(found)} of {len(wanted)} found, in {sum(one.seconds for one in found):.1f} s of processor time")
    for column in ("mutant", "defect", "among"):
        table.add_column(column, ratio=3)
    for column in ("life", "within", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("law", ratio=4)
    for mutant in wanted:
        table.add_row(mutant.name, mutant.defect, mutant.among.says, *_row(mutant, hunted[mutant.name]))
    return table


def _row(mutant: Mutant, found: Found | None) -> Sequence[str]:
    if found is None:
        return "–", str(mutant.within), "", "[bold red]not found[/]"
    return str(found.number), str(mutant.within), f"{found.seconds:.1f}", found.law or f"[bold red]{_why_not(found)}[/]"


def _why_not(found: Found) -> str:
    if found.without is not None:
        return f"it fails without the defect: {found.without.partition(chr(10))[0]}"
    return f"no law: {found.failure.partition(chr(10))[0]}"


def _tell(wanted: Sequence[Mutant], hunted: Hunted) -> None:
    for mutant in wanted:
        if found := hunted[mutant.name]:
            print(f"\n{mutant.name}\n\n{report.replayed(made_small(mutant, found))}")


if __name__ == "__main__":
    sys.exit(main())
