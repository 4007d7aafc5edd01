"""Hosts that can die and freeze: which of them a handle, a task or a blocking job belongs to."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextvars import Context

    from tests.simulation.calls import Call


@dataclass(eq=False)
class Host:
    """One start of the program on one machine; a new start is a new Host.

    `deferred` holds what would run if it were not frozen, which it is until `thaws_at`, in seconds of the loop's time.
    """

    name: str
    dead: bool = False
    frozen: bool = False
    thaws_at: float = 0.0
    deferred: list[Call] = field(default_factory=list)

    def context(self) -> Context:
        """A copy of this context in which everything belongs to this host."""
        context = copy_context()
        context.run(HOST.set, self)
        return context


HOST: ContextVar[Host | None] = ContextVar("HOST", default=None)
"""Whose code this is. None: the world's own (the service, people, the test)."""


def name_of(host: Host | None) -> str:
    """For stories and traces."""
    return "the world" if host is None else host.name
