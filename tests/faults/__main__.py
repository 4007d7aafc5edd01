"""`make faults`: plays every fault as often as its row says, and prints one table."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.rooms import FAULTS
from tests.faults.table import Row, markdown, shown
from tests.faults.trial import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.fault import Fault

ABOUT = """\
Breaks everything that can break around the real program, on real filesystems, against the sandbox on a port, and tells what came of it:
whether something was lost, billed twice or wrong, and how long it took to recover. The exit status is 1 where anything was."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=ABOUT)
    parser.add_argument("--seed", type=int, metavar="N", help="what decides moments and choices; without it a fresh one is drawn and told")
    parser.add_argument("--only", default="", metavar="TEXT", help="those whose name (as “process: kill”) has this text in it")
    parser.add_argument("--few", action="store_true", help="only as often as the tests do")
    parser.add_argument("--times", type=int, metavar="N", help="each so often")
    parser.add_argument("--list", action="store_true", help="name them, with what is asserted, and play none")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README has it")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The whole command."""
    asked, console = arguments(argv), Console()
    chosen = [fault for fault in FAULTS if asked.only.lower() in fault.full_name.lower()]
    if not chosen:
        console.print(f"no fault is called “{asked.only}”; --list names them all")
        return 2
    if asked.list:
        for fault in chosen:
            console.print(f"{fault.full_name} × {fault.times}: {fault.besides or 'what is asserted of each'}", highlight=False)
        return 0
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    console.print(f"{len(chosen)} faults, seed {seed}", highlight=False)
    rows = played(console, chosen, asked, seed)
    console.print(markdown(rows) if asked.markdown else shown(rows), soft_wrap=asked.markdown, markup=not asked.markdown)
    return 0 if all(row.is_well for row in rows) else 1


def played(console: Console, chosen: list[Fault], asked: argparse.Namespace, seed: int) -> list[Row]:
    """Play each, under a bar where somebody looks. What is not well is told at once: it may be long until the table comes."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    rows = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for fault in chosen:
            times = asked.times or (fault.few if asked.few else fault.times)
            bar = progress.add_task(fault.full_name, total=times)
            rows.append(one(fault, times, seed, lambda bar=bar: progress.advance(bar)))  # type: ignore[misc]
            progress.remove_task(bar)
            if not console.is_terminal:
                console.print(f"{fault.full_name}: {rows[-1].short}", highlight=False, markup=False)
            if rows[-1].trouble:
                console.print(f"\n{fault.full_name}\n{rows[-1].trouble}\n", markup=False, highlight=False, soft_wrap=True)
    return rows


def one(fault: Fault, times: int, seed: int, seen: object) -> Row:
    """Play one; whatever comes of it is a row."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as folder:
        try:
            verdict = play(fault, times, seed, Path(folder), seen)  # type: ignore[arg-type]
        except pytest.skip.Exception as lacking:
            return Row(fault, times, time.monotonic() - began, skipped=str(lacking))
        except Exception:  # noqa: BLE001 - it is told in the table, and the others are played all the same
            return Row(fault, times, time.monotonic() - began, error=traceback.format_exc())
    return Row(fault, times, time.monotonic() - began, verdict)


if __name__ == "__main__":
    sys.exit(main())
