"""List Voices, asked once for many orders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.service import Voice

KEPT_SECONDS = 60.0


class Lister(Protocol):
    """What can be asked for the voices."""

    async def list_voices(self) -> tuple[Voice, ...]: ...


class VoiceBook:
    """The account's voices, at most a minute old. One event loop only."""

    def __init__(self, api: Lister, monotonic: Callable[[], float]) -> None:
        self._api = api
        self._monotonic = monotonic
        self._voices: tuple[Voice, ...] = ()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def known(self, *, younger_than: float = KEPT_SECONDS) -> tuple[Voice, ...]:
        """Every voice, from a list that is younger than so many seconds. Errors: those of List Voices."""
        async with self._reading:
            if self._read_at is None or self._monotonic() - self._read_at >= younger_than:
                self._voices = await self._api.list_voices()
                self._read_at = self._monotonic()
            return self._voices
