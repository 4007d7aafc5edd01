"""What the world itself does later, whatever has become by then of the host on which it began."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

    from tests.simulation.world import World


def afterwards(world: World, seconds: float, act: Callable[..., object], *arguments: Any) -> TimerHandle:
    """Call `act` in so many seconds, in nobody's name."""
    return world.loop.call_later(seconds, act, *arguments, context=Context())
