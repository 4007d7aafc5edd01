"""What becomes of tasks: how long they take, what they make of their inputs, which of them fail, and what they cost in the end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from qavix_watch.core.tasks import MediaKind
from tests.simulation import wares
from tests.simulation.accounts import PRICES, SimTask, minutes_begun
from tests.simulation.afterwards import afterwards
from tests.simulation.asking import TASK_TYPES
from tests.simulation.gifts import Work

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

    from qavix_watch.core.service import Output
    from tests.simulation.callbacks import Callbacks
    from tests.simulation.results import ResultHost
    from tests.simulation.storage import File
    from tests.simulation.world import World

    Settle = Callable[[SimTask, int], None]

TAKES = (4.0, 15.0, 60.0, 300.0, 0.0)
"""Seconds, of which a quarter is spent waiting for its turn; the last is done before the answer to the submit is on its way."""
MENDED_SECONDS = 5.0
TROUBLES = ("The video has no speech", "The service ran out of machines")
CHARACTERS_PER_SECOND = 15
EXTRA = ((), ("subtitle",), ("subtitle", "audio"))
"""What a dubbed video may come with."""


class Factory:
    """Makes tasks and brings them to their end."""

    def __init__(self, world: World, results: ResultHost, callbacks: Callbacks) -> None:
        self._world = world
        self._results = results
        self._callbacks = callbacks
        self._numbers = itertools.count(551)
        self._open: dict[SimTask, tuple[TimerHandle, Settle]] = {}

    def number(self) -> str:
        """The id of the next task, whosever it is."""
        return str(next(self._numbers))

    def task(self, operation: str, body: dict[str, Any], files: list[File]) -> SimTask:
        """A new task, with what it costs and why it will fail, if it will."""
        now, takes = self._world.now(), self._world.one_of("task takes", TAKES)
        task_type = TASK_TYPES[operation]
        seconds = _seconds(body, files)
        inputs = tuple(file.sha256 for file in files)
        return SimTask(
            self.number(), operation, task_type, body, inputs, Work.of_request(operation, body, inputs),
            PRICES[task_type] * minutes_begun(seconds), now, now + takes / 4, now + takes, seconds=seconds, error=self._trouble(files),
        )  # fmt: skip

    def _trouble(self, files: list[File]) -> str:
        if any(wares.facts_of(file.content or b"").cut for file in files):
            return "The file could not be decoded"
        if any(wares.has_salt(file.content or b"", wares.SILENT) for file in files):
            return TROUBLES[0]
        how = self._world.fault("task failed", 12.0, len(TROUBLES))
        return TROUBLES[how - 1] if how else ""

    def begin(self, task: SimTask, settle: Settle) -> None:
        """Let it run to its end; `settle` is then told what it cost."""
        seconds = task.ends_at - self._world.now()
        if seconds > 0:
            self._open[task] = afterwards(self._world, seconds, self._end, task), settle
        else:
            self._finish(task, settle)

    def _end(self, task: SimTask) -> None:
        _timer, settle = self._open.pop(task)
        self._finish(task, settle)

    def _finish(self, task: SimTask, settle: Settle) -> None:
        task.completed_at = self._world.now()
        if task.error:
            task.ended = "failed"
            self._world.tell("service", "task %s has failed: %s", task.task_id, task.error)
            self._world.counters.count("task failed")
            settle(task, task.credits if self._world.pick("a failed task costs", 2) else 0)
        else:
            task.ended = "completed"
            self._results.make(task, _kinds(task, EXTRA[self._world.pick("extra results", len(EXTRA))]))
            self._world.tell("service", "task %s is completed: %s", task.task_id, list(task.results))
            self._world.counters.count(f"completed: {task.task_type}")
            settle(task, max(1, task.credits + (0, -1, 1)[self._world.pick("credits used", 3)]))
        self._callbacks.announce(task)

    def output(self, task: SimTask) -> Output | None:
        """Where its results lie."""
        return self._results.output(task) if task.ours and task.ended == "completed" else None

    def mend(self) -> None:
        """What is open ends soon."""
        soon = self._world.now() + MENDED_SECONDS
        for task, (timer, settle) in list(self._open.items()):
            if task.ends_at > soon:
                timer.cancel()
                task.begins_at, task.ends_at = min(task.begins_at, soon), soon
                self._open[task] = afterwards(self._world, MENDED_SECONDS, self._end, task), settle


def _seconds(body: dict[str, Any], files: list[File]) -> float:
    """How long what is worked on lasts."""
    if not files:
        return len(body["text"]) / CHARACTERS_PER_SECOND
    return wares.facts_of(files[0].content or b"").duration or 0.0


def _kinds(task: SimTask, extra: tuple[str, ...]) -> tuple[str, ...]:
    """What a task makes. Contract: subtitles are burned in as well unless `embed_subtitle` says no."""
    if task.task_type == "subtitle_translation":
        return ("subtitle", "video") if task.body.get("embed_subtitle", True) else ("subtitle",)
    if task.task_type == "text_to_speech":
        return (MediaKind.AUDIO.value,)
    return ("video", *extra) if task.task_type == "video_translation" else ("video",)
