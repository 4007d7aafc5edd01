"""Submitted files as they come along: bars on a terminal, a line for each change elsewhere, and what came of them in the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from qavix_watch.cli import amounts
from qavix_watch.cli.context import err, plain, say, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from rich.console import Console, RenderableType
    from rich.live import Live

    from qavix_watch.store.followed import Followed, Line

    Row = dict[str, Any]

BAR_COLUMNS = 24
MOST_LINES = 30
_WORDS = {"hashing": "reading", "comparing": "comparing", "copying": "copying"}
_HINTS = {
    "failed": "`qavix-watch retry {id}` tries it again.",
    "held": "`qavix-watch approve {id}` lets it go on.",
    "cancelled": "Submit it again to have it done.",
}


class Display:
    """Draws on stderr, so that stdout has the results alone. Use it in a `with` block, and `draw` again and again."""

    def __init__(self) -> None:
        self._console: Console = err()
        self._live: Live | None = None
        self._said: dict[str, str] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = self._open.enter_context(Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop"))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def draw(self, files: Sequence[Followed], brakes: Sequence[Row]) -> None:
        """How far these are, and what stands still."""
        if self._live is not None:
            self._live.update(bars(files, brakes, time.time()), refresh=True)
            return
        for line in (line for one in files for line in one.lines):
            self._tell(line.id, f"{line.name}: {word_of(line)}" + (f": {line.why}" if line.why else ""))
        for brake in brakes:
            self._tell(f"brake {brake['name']} {brake['scope']}", _standing(brake))

    def _tell(self, about: str, text: str) -> None:
        """Once, until it is another."""
        if self._said.get(about) != text:
            self._said[about] = text
            say(text)


def word_of(line: Line) -> str:
    """What happens with it, in one word: what this host does just now, else its state."""
    return line.state if line.over or not line.act else _WORDS.get(line.act, line.act)


def bars(files: Sequence[Followed], brakes: Sequence[Row], now: float) -> RenderableType:
    """A line for each piece of work: word, name, bar, per cent, and bytes, rate and time left; below them what stands still."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from qavix_watch.cli.board import STYLES

    lines = [line for one in files for line in one.lines]
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=max((len(word_of(line)) for line in lines[:MOST_LINES]), default=0))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, width=BAR_COLUMNS)
    table.add_column(no_wrap=True, justify="right", min_width=4)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for line in lines[:MOST_LINES]:
        share = _share(line)
        bar = "" if share is None else ProgressBar(total=1.0, completed=share, width=BAR_COLUMNS)
        word = word_of(line)
        cells = (plain(word, STYLES.get(line.state, "")), plain(line.name), bar, "" if share is None else f"{share:.0%}")
        table.add_row(*cells, plain(_detail(line, now), "dim"))
    more = [plain(f"… and {len(lines) - MOST_LINES} more", "dim")] if len(lines) > MOST_LINES else []
    return Group(table, *more, *(plain(_standing(brake), "yellow") for brake in brakes))


def _share(line: Line) -> float | None:
    """How much of what is under way is done, from 0 to 1; None where nothing is."""
    if line.state == "done":
        return 1.0
    return None if line.over or not line.total else min(line.done / line.total, 1.0)


def _detail(line: Line, now: float) -> str:
    from qavix_watch.cli.board import time_left

    if line.over or not line.act:
        return line.why or (price(line) if line.over else "")
    if line.act == "processing":
        left = time_left(line.done, now - line.since) if line.since else None
        return ", ".join(filter(None, ["" if left is None else f"about {amounts.duration(left)} left", price(line)]))
    moved = f"{amounts.size(line.done)} of {amounts.size(line.total)}"
    if line.rate <= 0:
        return moved
    left = max(line.total - line.done, 0) / line.rate
    return f"{moved}, {amounts.rate(line.rate)}, {amounts.duration(left)} left"


def price(line: Line) -> str:
    """What it cost, or should cost; "" where that is not known."""
    if line.credits is None:
        return ""
    return amounts.money(line.credits) if line.used else f"about {amounts.money(line.credits)}"


def _standing(brake: Row) -> str:
    return f"Work stands still: {brake['why'].rstrip('.')}." + (f" {brake['hint']}" if brake["hint"] else "")


def outcome(files: Sequence[Followed]) -> str:
    """What came of each, with the paths of its results, or why not and what to do."""
    return "\n".join(text for one in files for line in one.lines for text in _ended(line))


def _ended(line: Line) -> list[str]:
    said = ", ".join(filter(None, [line.state, price(line)]))
    first = f"{line.name}: {said}" + (f": {line.why}" if line.why and line.state != "done" else "")
    hint = _HINTS.get(line.state)
    return [shown(first), *(f"  {shown(path)}" for path in line.results), *([f"  {hint.format(id=line.id)}"] if hint else [])]
