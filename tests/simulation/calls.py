"""What the loop runs: handles that know their host, and say whose they are."""

from __future__ import annotations

from asyncio import TimerHandle
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from tests.simulation.hosts import HOST
from tests.simulation.jobs import Job
from tests.simulation.tasks import Task

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context

    from tests.simulation.hosts import Host


LABELLED = (Task, Job)


class Call(TimerHandle):
    """A call that is ready, or is to be made at a time. `host` is that of its context."""

    __slots__ = ("host",)

    host: Host | None

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: AbstractEventLoop, context: Context | None, when: float = 0.0
    ) -> None:  # those of asyncio, without what they keep for debugging
        self._context = context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self.host = context.get(HOST)

    def cancel(self) -> None:
        """It is not made any more; what it would have been made with is let go."""
        self._cancelled = True
        self._args = ()


def whose(call: Call) -> str:
    """The host's name, and what runs: a task, a job, or a function."""
    callback: Any = call._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, LABELLED):
        return owner.label
    name = "the world" if call.host is None else call.host.name
    return f"{name}: {getattr(callback, '__qualname__', type(callback).__qualname__)}"
