"""Tasks and futures that are told apart by number: sets of them are walked in the same order in every process."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from tests.simulation.hosts import HOST, name_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from contextvars import Context
    from types import FrameType

    from tests.simulation.loop import Loop

MOST_GOODBYES = 3
ASYNCIO = os.path.dirname(asyncio.__file__)


class Over(BaseException):
    """A port was called after the life was over. No code may catch it and go on."""


class Future(asyncio.Future[Any]):
    """A future whose hash is its number."""

    number: int

    def __hash__(self) -> int:
        return self.number


class Task(asyncio.Task[Any]):
    """A task whose hash is its number, with its host. `TaskGroup` and `asyncio.wait` keep tasks in sets."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: Loop, name: str | None, context: Context | None) -> None:
        self.number = loop.number()
        self.host = HOST.get() if context is None else context.get(HOST)
        name = name or f"task-{self.number}"
        self.label = f"{name_of(self.host)}: {name}"
        super().__init__(coroutine, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number

    def __str__(self) -> str:
        return self.get_name()


def lay_to_rest(task: Task) -> None:
    """Close its coroutine after the end of the life. Where that awaits in a `finally`, it is told again."""
    coroutine: Any = task.get_coro()
    for _ in range(MOST_GOODBYES):
        try:
            coroutine.close()
        except (Exception, asyncio.CancelledError, Over):  # noqa: BLE001 - the life is over; nothing it says counts
            continue
        return


def where(task: Task) -> str:
    """The innermost line that it awaits, outside asyncio: what a person looks for first."""
    frames = [frame for frame in _frames(task.get_coro()) if not frame.f_code.co_filename.startswith(ASYNCIO)]
    if not frames:
        return "its end"
    code = frames[-1].f_code
    return f"{os.path.basename(code.co_filename)}:{frames[-1].f_lineno} in {code.co_name}"


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The lines at which a coroutine and all that it awaits stand, from the outermost in."""
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        yield frame
        awaited = awaited.cr_await
