"""Makes a failing life small: the fewest decisions, and the smallest, that still fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.choices import Place, Tape

MOST_TRIES = 5_000


class OutOfTries(Exception):
    """The budget of lives is used up."""


class NotFailing(Exception):
    """The tape that was to be shrunk does not fail: the life depends on something that is not recorded."""


def shrink(tape: Tape, fails: Callable[[Tape], bool], most_tries: int = MOST_TRIES) -> Tape:
    """Whole streams are left out first, then parts of what is left, ever smaller ones; then values are halved.

    `fails` lives a tape through and says whether it fails in the same way. After `most_tries` lives the smallest tape so far is given.
    Errors: NotFailing.
    """
    search = Search(tape, fails, most_tries)
    if not search.holds(dict(tape.decisions)):
        raise NotFailing(f"{tape.about or 'the life'}: a replay of its {len(tape)} decisions does not fail")
    try:
        search.drop_streams()
        search.drop_parts()
        search.halve()
        search.drop_parts()
    except OutOfTries:
        pass
    return search.smallest


class Search:
    """One tape's way down. `smallest` fails, always."""

    def __init__(self, tape: Tape, fails: Callable[[Tape], bool], most_tries: int) -> None:
        self.smallest = tape
        self._fails = fails
        self._tries_left = most_tries

    def holds(self, decisions: dict[Place, int]) -> bool:
        """Whether it still fails with these decisions, which are then the smallest."""
        if self._tries_left <= 0:
            raise OutOfTries
        self._tries_left -= 1
        tried = self.smallest.keeping(decisions.items())
        if not self._fails(tried):
            return False
        self.smallest = tried
        return True

    def drop_streams(self) -> None:
        """Leave out every stream without which it fails all the same: most kinds of faults have no part in it."""
        for stream in sorted({stream for stream, _ in self.smallest.decisions}):
            self.holds({place: value for place, value in self.smallest.decisions.items() if place[0] != stream})

    def drop_parts(self) -> None:
        """Leave out halves, then quarters, down to single ones, until none can be spared. Where a part could go, the search goes on at
        that place with the next one, not anew: of long tapes most can go, and each try is a life.
        """
        size = len(self.smallest)
        while size > 1:
            size = -(-size // 2)
            self._without_parts(size)
        while self._without_parts(1):
            pass

    def _without_parts(self, size: int) -> bool:
        """Try to do without each part of this size; whether any could go."""
        before, start = len(self.smallest), 0
        while start < len(self.smallest):
            items = sorted(self.smallest.decisions.items())
            if not self.holds(dict(items[:start] + items[start + size :])):
                start += size
        return len(self.smallest) < before

    def halve(self) -> None:
        """Make each value as small as halving can: a shorter delay, a handle that is less out of turn."""
        for place in sorted(self.smallest.decisions):
            while (value := self.smallest.decisions[place]) > 1 and self.holds({**self.smallest.decisions, place: value // 2}):
                pass
