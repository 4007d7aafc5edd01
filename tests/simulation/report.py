"""What a run of lives tells the person who started it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from tests.simulation.outcomes import law
from tests.simulation.story import decisions, told

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from tests.simulation.counters import Counters
    from tests.simulation.outcomes import Ended
    from tests.simulation.runner import Failing, Tally

COMMAND = "python -m tests.simulation"


def figures(tally: Tally) -> Table:
    """Lives, steps, deaths, time and speed."""
    table = Table.grid(padding=(0, 2))
    minutes = tally.real_seconds / 60
    for name, value in (
        ("seed", str(tally.seed)),
        ("lives", f"{tally.lives:,}"),
        ("steps", f"{tally.steps:,}"),
        ("deaths", f"{tally.deaths:,}"),
        ("simulated time", duration(tally.seconds)),
        ("real time", duration(tally.real_seconds)),
        ("lives a minute", f"{tally.lives / minutes:,.0f}" if minutes else "–"),
        ("trace", tally.trace),
    ):
        table.add_row(name, Text(value, style="bold"))
    return table


def duration(seconds: float) -> str:
    """In the unit that a person would choose."""
    for unit, length in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} seconds"


def counted(counters: Counters) -> Columns:
    """How often everything happened that can happen; what never did is red."""
    names = sorted(counters.NAMES | counters.counts.keys())
    return Columns([_counted(name, counters.counts[name]) for name in names], column_first=True, padding=(0, 3))


def _counted(name: str, times: int) -> Text:
    return Text(f"{times:>9,}  {name}", style="" if times else "bold red")


def broken(laws: Counter[str]) -> Table:
    """How many lives failed by which law."""
    table = Table.grid(padding=(0, 2))
    for law_, lives in laws.most_common():
        table.add_row(Text(f"{lives:>9,}", style="bold red"), Text(law_))
    return table


def kept(failing: Failing, folder: Path) -> Path:
    """Write the tape into `folder`, named after the law that was broken, with its story beside it; gives the tape's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug(law(failing.failure))}.json"
    failing.tape.write(path)
    path.with_suffix(".txt").write_text(failure(failing, path) + "\n", encoding="utf-8")
    return path


def slug(text: str) -> str:
    """A file's name for it."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:70].rstrip("-") or "failure"


def failure(failing: Failing, path: Path) -> str:
    """All that there is to say about the first life that failed."""
    if failing.small is None:
        how = f"Its {len(failing.tape)} decisions could not be made fewer: {failing.why_not_small}"
        return f"Life {failing.number} fails:\n{failing.failure}\n\n{how}\n\nTape: {path}"
    again = f"Its tape, again: {COMMAND} --tape {path}"
    return f"Life {failing.number} fails, and so does this one:\n\n{replayed(failing.small)}\n\n{again}"


def replayed(ended: Ended) -> str:
    """One life: its decisions, its story, and how it ended."""
    return f"{decisions(ended.tape)}\n\n{told(ended.story)}\n\n{ended.failure or 'It ended well.'}"
