"""Signed addresses: where each leads, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Link:
    """An address of what is kept for `thing`. It is told to be good until `told`, and is until `dies`."""

    url: str
    thing: Any
    told: float
    dies: float


class Links:
    """All addresses that were given. `now`: seconds since 1970."""

    def __init__(self, host: str, now: Callable[[], float]) -> None:
        self._host = host
        self._now = now
        self._given: dict[str, Link] = {}

    def give(self, path: str, thing: Any, seconds: float, lives: float | None = None) -> Link:
        """A new address that is told to be good for `seconds`, and is for so long, or for `lives`."""
        now = self._now()
        url = f"https://{self._host}/{path}?signature={len(self._given) + 1}"
        link = self._given[url] = Link(url, thing, now + seconds, now + (seconds if lives is None else lives))
        return link

    def find(self, url: str) -> Link | None:
        """What an address leads to, also when it is no longer good; None where it is none of ours."""
        return self._given.get(url)

    def is_good(self, link: Link) -> bool:
        return self._now() < link.dies

    def mend(self) -> None:
        """Each keeps what was told of it."""
        for link in self._given.values():
            link.dies = link.told
