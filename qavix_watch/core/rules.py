"""The settings that stages go by, as plain values with their units in the names. Made by the wiring from the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.ignore import Extensions
from qavix_watch.core.money import Budget
from qavix_watch.core.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.layout import Layout
    from qavix_watch.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that a stage may need to know of the configuration.

    `account` is what identities are made of: the service's base URL and the account's name. `window_minutes` is the time of day
    (minutes since midnight, local time) in which uploads are allowed, None for always. `templates` are names of results by task
    type. `callback_url` is the public address of the callback receiver, None where there is none. `secret` is the API key, for
    nothing but to leave it out of what is kept and written.
    """

    layout: Layout
    account: str
    words: Words = field(default_factory=Words)
    extensions: Extensions = field(default_factory=Extensions)
    ignore: tuple[str, ...] = ()
    settle_seconds: float = 1.0
    settle_remote_seconds: float = 10.0
    settle_folder_seconds: float = 10.0
    rescan_seconds: float = 60.0
    truncated_after_seconds: float = 3600.0
    poll_min_seconds: float = 5.0
    poll_max_seconds: float = 300.0
    give_up_after_seconds: float = 3 * 86400.0
    min_free_bytes: int = 1_000_000_000
    result_limit_bytes: int = 1 << 40
    text_limit_bytes: int = 1 << 20
    window_minutes: tuple[int, int] | None = None
    templates: Mapping[str, str] = field(default_factory=dict)
    callback_url: str | None = None
    first_retry_seconds: float = 2.0
    longest_retry_seconds: float = 3600.0
    budget: Budget = field(default_factory=Budget)
    secret: Secret | None = None

    def without_secret(self, text: str) -> str:
        """A text that people may have put the API key into, without it."""
        return text if self.secret is None else self.secret.hidden_in(text)


def in_window(minute: int, window: tuple[int, int] | None) -> bool:
    """Whether a minute of the day lies in a window, which may pass midnight."""
    if window is None:
        return True
    start, end = window
    return start <= minute < end if start <= end else minute >= start or minute < end
