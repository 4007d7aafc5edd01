"""The process around the service: what a start that cannot be ends with."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from qavix_watch.errors import StateUnusable
from qavix_watch.process import Asked, Process
from qavix_watch.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Failing:
    """A service whose first look fails beside other tasks."""

    ending = hanging = False
    drained = True

    async def run(self, ready: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            group.create_task(self._start())

    async def _start(self) -> None:
        raise StateUnusable("the state is damaged", hint="Restore a backup.")

    def end(self) -> None:
        """There is nothing to end."""


@contextlib.asynccontextmanager
async def live(*_: object) -> AsyncIterator[Any]:
    yield Failing()


def test_a_start_that_cannot_be_ends_with_its_own_error_and_not_with_a_group_of_them():
    process = Process(live, lambda: Asked(None, None), lambda *_: False, Supervisor({}, os.getpid()), structlog.get_logger())  # type: ignore[arg-type]
    with pytest.raises(StateUnusable, match="damaged"):
        asyncio.run(process.run(Asked(None, None)))  # type: ignore[arg-type]
