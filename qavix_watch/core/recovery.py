"""Work that a lost or restored state does not know: which tasks of the service's list are it, and what that means for a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.identity import mark_in
from qavix_watch.core.records import ListedTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qavix_watch.core.service import Task

AHEAD = 8
"""So many generations after the last one that the list shows are looked for: some may never have become a task."""


def marked(task: Task) -> ListedTask | None:
    """What is kept of a task of the list; None where its name bears no mark of ours."""
    mark = mark_in(task.name)
    if mark is None:
        return None
    return ListedTask(
        mark=mark, task_id=task.task_id, task_type=task.task_type, source=task.source_language, language=task.target_language,
        status=task.status, progress=task.progress, created_at=task.created_at, credits_used=task.credits_used,
    )


def agrees(listed: ListedTask, task_type: str, source: str | None, language: str | None) -> bool:
    """Whether a task is of this type and between these languages, as far as the list names them."""
    return listed.task_type == task_type and _same(listed.source, source) and _same(listed.language, language)


def _same(said: str | None, meant: str | None) -> bool:
    return said is None or said.replace("_", "-").casefold() == (meant or "").casefold()


def best(tasks: Iterable[ListedTask]) -> ListedTask | None:
    """Of several tasks with one mark, the newest that has not failed; else the newest; None of none."""
    return max(tasks, key=lambda task: (task.status != "failed", task.created_at or 0.0), default=None)


def by_generation(first: int, listed: Callable[[int], ListedTask | None]) -> dict[int, ListedTask]:
    """The tasks of one work that the list shows, by their generation, from `first` on. `listed` gives that of a generation."""
    found: dict[int, ListedTask] = {}
    generation = first
    while generation <= max(found, default=first) + AHEAD:
        task = listed(generation)
        if task is not None:
            found[generation] = task
        generation += 1
    return found


def failed_last(found: Mapping[int, ListedTask], before: int) -> dict[int, ListedTask]:
    """The generations below `before` that failed one after another, the newest first, as far as they are known."""
    failed: dict[int, ListedTask] = {}
    for generation in sorted((one for one in found if one < before), reverse=True):
        if found[generation].status != "failed":
            break
        failed[generation] = found[generation]
    return failed
