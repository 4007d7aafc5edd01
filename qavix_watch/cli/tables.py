"""Tables as every command draws them: no lines but below the titles, numbers to the right, nothing that could steer a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from qavix_watch.cli.context import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = (), cut: Sequence[str] = ()) -> Table:
    """Rows under titles. `numbers` are the columns to the right; `cut` those that are shortened first where the window is narrow."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for title in titles:
        drawn.add_column(title, overflow="ellipsis", no_wrap=title not in cut, justify="right" if title in numbers else "left")
    for row in rows:
        drawn.add_row(*(_cell(cell) for cell in row))
    return drawn


def _cell(given: object) -> Text:
    """Nothing for None. On one line in any column: those to be shortened would be folded otherwise."""
    text = given if isinstance(given, Text) else plain("" if given is None else given)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Labels and what they stand for; a row without a text is left out."""
    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, text in rows:
        if text:
            drawn.add_row(label, plain(text))
    return drawn


def signed(amount: float | None) -> str:
    """A difference in credits: `+1`, `-12`, `0`; a dash for what is not known."""
    return "–" if amount is None else "0" if not amount else f"{amount:+,.2f}".rstrip("0").rstrip(".")


def number(amount: float | None) -> str:
    """An amount without its unit, for a column: `1,234.5`; a dash for what is not known."""
    return "–" if amount is None else f"{amount:,.2f}".rstrip("0").rstrip(".")
