"""What steering verbs have in common: the command with what it is done under, and the ids that people write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.errors import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from qavix_watch.core.records import Command, Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports.state import Tx


_DONE = {"retry": "tried again", "redo": "done again", "cancel": "cancelled", "approve": "approved", "submit": "submitted"}


class NotYet(CommandRefused):
    """It can be done in a moment: what it is about is just being put away."""


@dataclass(frozen=True, slots=True)
class Steering:
    """One command, the rules of the service that does it, and the time. `local` gives a moment in the host's time zone.

    `missing`: the drops that it is about whose files were looked for just now, and are not there, with what to say of it.
    """

    rules: Rules
    command: Command
    now: float
    local: Callable[[float], datetime]
    missing: Mapping[int, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        """The name of the user who said it, "" where that is not known."""
        return str(self.command.said.get("by") or "")

    @property
    def why(self) -> str:
        """What history says of it: what was done, and who said so."""
        done = _DONE.get(self.command.verb, self.command.verb)
        return f"{done} by {self.who}" if self.who else f"{done} by hand"


def job_named(tx: Tx, target: str) -> Job | None:
    """The job of this id; None where the id is not a job's. CommandRefused where there is no such job."""
    if not target.isdecimal():
        return None
    job = tx.jobs.find(int(target)) if len(target) < 19 else None
    if job is None:
        raise CommandRefused(f"there is no job {target}")
    return job


def drop_named(tx: Tx, target: str) -> Drop:
    """The drop of an id like `drop-7`. CommandRefused where it is no id, or there is no such drop."""
    number = target.removeprefix("drop-")
    if number == target or not number.isdecimal():
        raise CommandRefused(f"`{target}` is no id: ids are numbers as `qavix-watch jobs` lists them, or `drop-` and a number")
    drop = tx.drops.find(int(number)) if len(number) < 19 else None
    if drop is None:
        raise CommandRefused(f"there is no {target}")
    return drop
