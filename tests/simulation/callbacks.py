"""What the simulated service posts to a task's `callback_url` when it ends: in time, late, twice or never; and what forgers post."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.simulation.afterwards import afterwards

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.accounts import SimTask
    from tests.simulation.world import World

SOON = (0.05, 0.001)
LATE = (30.0, 400.0)
AT_ONCE_SECONDS = 0.005
"""No answer to a submit travels faster than that."""
ON_TIME, COMES_LATE, TWICE, NEVER = range(4)


class Callbacks:
    """Sends them. `deliver` takes an address and a body, to whoever listens there."""

    def __init__(self, world: World, deliver: Callable[[str, bytes], None]) -> None:
        self._world = world
        self._deliver = deliver

    def announce(self, task: SimTask) -> None:
        """A task has ended."""
        url = task.body.get("callback_url")
        if url is None:
            return
        how = self._world.fault("callback", 1.5, NEVER)
        if how == NEVER:
            self._world.tell("service", "loses the callback of task %s", task.task_id)
            self._world.counters.count("callback lost")
        else:
            stream, delays = ("callback late", LATE) if how == COMES_LATE else ("callback delay", SOON)
            self._send(url, task, self._world.one_of(stream, delays))
        if how == TWICE:
            self._world.counters.count("callback twice")
            self._send(url, task, self._world.one_of("callback again", LATE))
        if forged := self._world.fault("callback forged", 3.0, 2):
            self._world.counters.count("callback forged")
            afterwards(self._world, 1.0, self._deliver, _forged(url, forged), _body(task.task_id, "completed"))

    def _send(self, url: str, task: SimTask, seconds: float) -> None:
        if seconds >= LATE[0]:
            self._world.counters.count("callback late")
        afterwards(self._world, seconds, self._arrive, url, task)

    def _arrive(self, url: str, task: SimTask) -> None:
        if self._world.now() - task.created_at < AT_ONCE_SECONDS:
            self._world.counters.count("callback before the answer")
        self._world.tell("service", "calls back for task %s: %s", task.task_id, task.ended)
        self._deliver(url, _body(task.task_id, task.ended))


def _forged(url: str, how: int) -> str:
    """Another token, or another job with this one's."""
    start, job, token = url.rsplit("/", 2)
    return f"{start}/{job}/{token[::-1]}" if how == 1 else f"{start}/{int(job) + 1}/{token}"


def _body(task_id: str, status: str) -> bytes:
    """Contract, CALLBACK BODY: an envelope like that of Get Task; nobody believes what it says."""
    return json.dumps({"success": True, "data": {"task_id": task_id, "status": status}}).encode()
