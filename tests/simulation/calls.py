"""What the loop runs: handles that know their host, and say whose they are."""

from __future__ import annotations

from asyncio import Handle, TimerHandle
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from tests.simulation.hosts import HOST, name_of
from tests.simulation.jobs import Job
from tests.simulation.tasks import Task

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context

    from tests.simulation.hosts import Host


class Call(Handle):
    """A call that is ready. `host` is that of its context."""

    __slots__ = ("host",)

    host: Host | None

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: AbstractEventLoop, context: Context | None
    ) -> None:  # that of asyncio, without what it keeps for debugging
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self.host = self._context.get(HOST)


class Alarm(TimerHandle):
    """A call that is to be made at a time."""

    __slots__ = ("host",)

    host: Host | None

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], loop: AbstractEventLoop, context: Context | None
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.host = self._context.get(HOST)  # type: ignore[attr-defined]


def whose(call: Call | Alarm) -> str:
    """The host's name, and what runs: a task, a job, or a function."""
    callback: Any = call._callback  # type: ignore[union-attr]
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, (Task, Job)):
        return owner.label
    return f"{name_of(call.host)}: {getattr(callback, '__qualname__', type(callback).__qualname__)}"
