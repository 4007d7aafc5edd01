"""Which of the account's tasks this state has made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch.core.tasks import TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.store.views import View

    Row = dict[str, Any]

SLACK_SECONDS = 10.0  # between the service's clock and ours, and between its stamps and the answer


@dataclass(frozen=True, slots=True)
class Ours:
    """Our jobs, by the service's id of their task; and those that cloned voices, whose answer names no task."""

    tasks: Mapping[str, Row] = field(default_factory=dict)
    clones: Sequence[Row] = ()

    def job(self, task_id: str, task_type: str, at: float | None, name: str | None = None) -> Row | None:
        """The job behind a task; `at` is when it was made. A clone is ours where just one of ours was made at its time, by its name."""
        if task_id in self.tasks or task_type != TaskType.VOICE_CLONE or at is None:
            return self.tasks.get(task_id)
        fits = [row for row in self.clones if name in {None, row["name"]} and _at_its_time(row, at)]
        return fits[0] if len(fits) == 1 else None


def _at_its_time(clone: Row, at: float) -> bool:
    return bool(clone["since"] - SLACK_SECONDS <= at <= clone["until"] + SLACK_SECONDS)


def ours(look: View | None) -> Ours:
    """What the state knows; nothing where there is none."""
    return Ours() if look is None else Ours(look.by_task(), look.clones())
