"""What has to happen now and then over many lives: a run in which one of these stayed at 0 has not tried what it was made to try.

Production code counts nothing for this. It is read off the log lines and the history that it writes for people, and off the decisions
that were drawn; the worlds around it count the rest by name.
"""

from __future__ import annotations

import re
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from tests.simulation.people import COUNTED as OF_PEOPLE
from tests.simulation.service import COUNTED as OF_THE_SERVICE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from tests.simulation.choices import Place
    from tests.simulation.sight import Act

BRAKES = (
    "auth", "api", "credits", "budget:day", "budget:month", "rate", "offline", "account", "root", "paused", "recovery", "disk:results",
)  # fmt: skip
"""Each goes on and comes off; `budget` and `disk` by their scope."""

STEPS = (
    "settle: settled", "settle: archiving", "settle: hold", "fingerprint: fingerprinted", "fingerprint: waiting", "order: delivering",
    "order: waiting", "prepare: uploading", "prepare: hold", "upload: stored", "upload: retry", "submit: processing", "submit: retry",
    "submit: uploading", "submit: fail", "submit: hold", "submit: done", "look: fetching", "look: fail", "look: retry", "fetch: done",
    "fetch: retry", "deliver: done", "archive: archived", "archive: kept", "archive: deleted", "put into failed: failed",
)
"""What came of a lane's work."""

WAITS = (
    "later: waiting", "later: fingerprinted", "later: absent", "later: submitting", "later: processing", "later: pending",
    "later: archiving", "later: steer", "later: account", "later: money", "later: follow", "later: doubts",
)
"""The states in which work was looked at and left for later, and the duties."""

HISTORY: Mapping[str, str] = {
    "the service has forgotten the file": "uploaded again, being forgotten",
    "its content is no longer there": "uploaded again, another job found it forgotten",
    "the service did not accept its URL": "uploaded again, its link being refused",
    "the service had it already": "not uploaded, being known",
    "given up after": "given up",
    "it failed 3 times already": "held after three generations",
    "its results are wanted again": "results fetched again",
    "it changed while it was read": "changed while it was read",
    "it changed while it was uploaded": "changed while it was uploaded",
    "its order changed": "its order changed",
    "its partner changed": "its partner changed",
    "taken out": "taken out in time",
    "the original was taken away": "taken away too late",
    "the original was moved or its folder renamed": "followed to another folder",
    "the original was replaced": "replaced while it was put away",
    "the original had been taken away or replaced": "put away without its original",
    "it is a result of this very order": "a result was dropped again",
    "the service has it already as task": "adopted from the list of tasks",
    "nobody wants it any more": "a job that nobody wants ended",
    "wanted again": "a job was wanted again",
    "it was dragged back": "dragged back from failed",
    "waits for approval": "held by its order",
    "it costs about": "held by a limit",
    "the file is cut short": "refused, being cut short",
    "this is not ": "refused, being of another kind",
    "it was not refused for a reason of its own": "refusals taken back",
    "the answer to cloning": "held after a clone of unclear end",
    "a cloned voice called": "held, the voice being there already",
}
"""How the words of the history begin, and what they tell of."""

HELD: Mapping[str, str] = {"it was begun 5 times": "held after five claims without an end"}
"""The same, of what is held."""

PATHS = (
    *dict.fromkeys((HISTORY | HELD).values()), "lease taken over", "lease ended at a start", "work taken over",
    "numbered, the name being taken", "copied to another disk", "private file swept", "data lost with the power",
    "names lost with the power", "retried", "done again", "approved", "cancelled",
)
"""Ways back from what went wrong, and what people's commands came to."""
OF_MACHINES = ("killed", "power cut", "frozen", "a host froze", "stopped", "event lost", "disk: EIO", "disk: ENOSPC")

_BY_HAND = re.compile(r"(tried again|done again|approved|cancelled) by ")
_NUMBERED = re.compile(rb" \(\d+\)[^/]*\Z")
_COMMANDS = {"tried again": "retried", "done again": "done again", "approved": "approved", "cancelled": "cancelled"}
_SCOPED = frozenset({"budget", "disk"})
_LANES = frozenset(step.partition(":")[0] for step in STEPS)


SELDOM = frozenset({
    "changed while it was read", "fingerprint: waiting", "held after a clone of unclear end", "its order changed", "later: archiving",
    "later: pending", "not uploaded, being known", "retried", "disk: ENOSPC", "held, the voice being there already", "order: waiting",
    "results fetched again", "upload not known again", "result larger than said", "voice of that name by somebody else",
    "adopted from the list of tasks", "given up",
    "refusals taken back", "a result was dropped again", "held after three generations", "brake budget:day off", "brake budget:month off",
})  # fmt: skip
"""What comes about once in a hundred lives, or more seldom: five hundred may do without one of them, thousands may not."""


class Counters:
    """How often each of these happened, in one life or, merged, in many."""

    NAMES: ClassVar[frozenset[str]] = frozenset({
        *(f"brake {brake} {way}" for brake in BRAKES for way in ("on", "off")), *STEPS, *WAITS, *PATHS, *OF_MACHINES, *OF_PEOPLE,
        *OF_THE_SERVICE,
    })  # fmt: skip
    """All of which none may stay at 0 over a run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __getitem__(self, name: str) -> int:
        return self.counts[name]

    def count(self, name: str) -> None:
        """It happened once more."""
        self.counts[name] += 1

    def merge(self, other: Counters) -> None:
        """What happened in other lives happened as well."""
        self.counts.update(other.counts)

    def missing(self, names: Iterable[str] | None = None) -> list[str]:
        """Those that never happened, of all that have to or of these."""
        return sorted(name for name in (self.NAMES if names is None else names) if not self.counts[name])

    # What is read off

    def from_act(self, act: Act) -> None:
        """What one of our acts on a disk shows."""
        old, new = act.old or b"", act.new or b""
        if b"/.qavix-copy-" in old and new:
            self.count("copied to another disk")
        elif not new and old.endswith((b".part", b".whole")):
            self.count("private file swept")
        elif b".qavix-" not in new and _NUMBERED.search(new):
            self.count("numbered, the name being taken")

    def from_log(self, _level: str, event: str, values: Mapping[str, Any]) -> None:
        """A line that a program wrote for people."""
        if event in {"brake on", "brake off"}:
            name, scope = values["brake"], values["scope"]
            self.count(f"brake {name}:{scope} {event[6:]}" if name in _SCOPED else f"brake {name} {event[6:]}")
        elif event == "work was taken over":
            self.count("work taken over")
        elif event in _LANES or event == "submit approved":
            self.count(f"{event.removesuffix(' approved')}: {values['new']}")
            if values["new"] == "hold":  # of a drop that is no step in its history
                self._tell(values.get("why", ""), HELD)

    def from_events(self, rows: Iterable[sqlite3.Row]) -> None:
        """The whole history of a state: what became of what, and why."""
        for row in rows:
            self._from_words(row["why"])
            if row["item"] in {"brake paused", "brake recovery"}:  # no line of a worker tells that people, or a start, pull them
                self.count(f"{row['item']} {row['new']}")

    def _from_words(self, why: str) -> None:
        self._tell(why, HISTORY)
        if found := _BY_HAND.match(why):
            self.count(_COMMANDS[found[1]])

    def _tell(self, why: str, names: Mapping[str, str]) -> None:
        for words, name in names.items():
            if why.startswith(words):
                self.count(name)

    def from_choices(self, taken: Iterable[Place]) -> None:
        """What a power cut took, of the decisions that were not 0."""
        for stream, times in Counter(map(itemgetter(0), taken)).items():
            if stream.startswith("power ") and stream.endswith((" data", " names")):
                self.counts[f"{stream.rpartition(' ')[2]} lost with the power"] += times
