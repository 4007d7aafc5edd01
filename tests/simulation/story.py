"""A life told to a person: what happened, line by line, with what repeats itself told once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.simulation.choices import Tape

LONGEST_REFRAIN = 4
"""How many lines may repeat themselves together."""
FEWEST_REPEATS = 3
"""So often at least, or all of them are shown: two of a kind are often what went wrong."""
MOST_DECISIONS = 40
"""So many are listed; a life that could not be shrunk has thousands."""


COMMITS = "commits "
_LEFT_OUT = re.compile(r"(write|truncate|adopt|fsync) |\w+ (of the directory )?\S*/(\.qavix-status|QAVIX-STATUS)")
_FAILED = ("EIO", "ENOSPC")


class Line(NamedTuple):
    """What one of the hosts, the service, a person or the world did, in seconds since the life began."""

    time: float
    who: str
    what: str


class Said(dict[str, object]):
    """The values of a line of the log, as people write them."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {shown(value)}" for name, value in self.items())


def shown(value: object) -> object:
    """A value as people write it: the names on disks are bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


class Verse(NamedTuple):
    """Lines that follow each other, and how often they do."""

    lines: Sequence[Line]
    times: int
    until: float


def told(lines: Iterable[Line]) -> str:
    """The life, one line for each thing that a person wants to know of."""
    short = shortened(lines)
    width = max((len(line.who) for line in short), default=0)
    return "\n".join(text for verse in folded(short) for text in _sung(verse, width))


def shortened(lines: Iterable[Line]) -> list[Line]:
    """Without acts on data, of which the acts on names that follow tell enough; what is committed in one instant is one line."""
    short: list[Line] = []
    for line in lines:
        if _LEFT_OUT.match(line.what) and not line.what.endswith(_FAILED):
            continue
        if line.what.startswith(COMMITS) and short and short[-1][:2] == line[:2] and short[-1].what.startswith(COMMITS):
            short[-1] = line._replace(what=f"{short[-1].what}; {line.what.removeprefix(COMMITS)}")
        else:
            short.append(line)
    return short


def _sung(verse: Verse, width: int) -> Iterator[str]:
    for line in verse.lines:
        yield f"{line.time:10.3f}  {line.who:{width}}  {line.what}"
    if verse.times > 1:
        count = len(verse.lines)
        those = "that" if count == 1 else f"these {count}"
        yield f"{'':10}  {'':{width}}  … {those} {verse.times} times, until {verse.until:.3f}"


def folded(lines: Sequence[Line]) -> list[Verse]:
    """The same story in verses: where up to four lines repeat themselves, they are told once."""
    kinds = [line[1:] for line in lines]
    verses, start = [], 0
    while start < len(lines):
        length, times = _refrain(kinds, start)
        end = start + length * times
        verses.append(Verse(lines[start : start + length], times, lines[end - 1].time))
        start = end
    return verses


def _refrain(kinds: Sequence[tuple[str, ...]], start: int) -> tuple[int, int]:
    """How many lines repeat themselves from here on, and how often: of all ways the one that tells most lines at once."""
    ways = [(length, _repeats(kinds, start, length)) for length in range(1, min(LONGEST_REFRAIN, len(kinds) - start) + 1)]
    refrains = [(length, times) for length, times in ways if times >= FEWEST_REPEATS]
    return max(refrains, key=lambda way: way[0] * (way[1] - 1), default=(1, 1))


def _repeats(kinds: Sequence[tuple[str, ...]], start: int, length: int) -> int:
    first = kinds[start : start + length]
    times = 1
    while kinds[start + times * length : start + (times + 1) * length] == first:
        times += 1
    return times


def decisions(tape: Tape) -> str:
    """What was decided otherwise than in the quiet life: `death A[412] = 2`, counted from 0, as on the tape."""
    if len(tape) > MOST_DECISIONS:
        return f"{len(tape)} decisions were not 0"
    streams: dict[str, list[str]] = {}
    for (stream, ordinal), value in sorted(tape.decisions.items()):
        streams.setdefault(stream, []).append(f"[{ordinal}] = {value}")
    return "\n".join(f"{stream}{', '.join(values)}" for stream, values in streams.items()) or "no decision: it is the quiet life"
