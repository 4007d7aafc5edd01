"""How a sandbox is set up: one frozen value, every time in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Everything that can be chosen about a sandbox; the defaults suit a demonstration.

    `speed` divides the times of tasks and of callbacks; expiries and rate limits stay in real seconds. `port` 0 takes a free
    one. `directory` keeps the state between starts; without one it lies in a temporary directory that goes away at the end.
    `credits` is the balance at the very first start of a directory. `public_origin` is scheme, host and port by which clients reach
    it, where that is not by the port itself: the URLs that it gives out begin so. Two keys derived from `api_key` exist as well:
    `<api_key>-disabled` (401 api_key_disabled) and `<api_key>-readonly` (403 for every POST).
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = "sandbox-key"
    speed: float = 1.0
    credits: int = 100_000
    requests_per_minute: int = 6000
    queries_per_second: int = 100
    directory: str | os.PathLike[str] | None = None
    public_origin: str | None = None
    grant_seconds: float = 15 * 60
    link_seconds: float = 24 * 3600
    result_seconds: float = 24 * 3600
    dedupe: bool = True
    access_log: bool = False
    # The life of a task at speed 1: it waits, then works this long for each minute of media, but never shorter than the floor.
    pending_seconds: float = 1.0
    seconds_per_minute: float = 10.0
    floor_seconds: float = 2.0
