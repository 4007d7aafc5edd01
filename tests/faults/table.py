"""The table of faults, for a terminal and for the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from tests.faults.fault import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.fault import Fault
    from tests.faults.verdict import Verdict

HEAD = "fault (`make faults ONLY=…`)"
"""Of the README, where each table says by which command it was made."""
HEADS = ("fault", "survived", "lost", "billed twice", "wrong", "recovery in s, median / worst", "asserted besides")


@dataclass(frozen=True)
class Row:
    """What a fault came to. `verdict` is None where it could not be played, and `skipped` or `error` says why."""

    fault: Fault
    times: int
    seconds: float
    verdict: Verdict | None = None
    skipped: str = ""
    error: str = ""

    @property
    def is_well(self) -> bool:
        return self.verdict is not None and self.verdict.is_well

    @property
    def trouble(self) -> str:
        """All that is not well with it."""
        return self.error or self.skipped or (self.verdict.told if self.verdict else "")

    @property
    def short(self) -> str:
        """In a few words, as it is played."""
        if self.verdict is None:
            return f"not played: {self.skipped}" if self.skipped else f"FAILED after {self.seconds:.0f} s"
        return f"survived {self.verdict.survived}{'' if self.is_well else ', NOT WELL'}, {self.seconds:.0f} s"

    @property
    def cells(self) -> Sequence[str]:
        """One for each of HEADS."""
        if self.verdict is None:
            return (self.fault.full_name, "–", "–", "–", "–", "–", f"not played: {self.skipped}" if self.skipped else "failed: see above")
        found = self.verdict
        counts = (found.survived, len(found.lost), len(found.twice), len(found.wrong))
        return (self.fault.full_name, *(f"{count:,}" for count in counts), found.recovery, self.fault.besides)


def shown(rows: Sequence[Row]) -> Table:
    """For a terminal."""
    table = Table(title="What broke, and what came of it", caption=f"Asserted of each: {ALWAYS}.")
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="right" if 0 < number < len(HEADS) - 1 else "left")
    for row in rows:
        table.add_row(*row.cells, style="" if row.is_well else "bold red")
    return table


def markdown(rows: Sequence[Row]) -> str:
    """For the README."""
    return "\n".join(_lines(rows))


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    yield f"| {' | '.join((HEAD, *HEADS[1:]))} |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for row in rows:
        yield f"| {' | '.join(row.cells)} |"
