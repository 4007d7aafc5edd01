"""The targets, and what the runner needs to know of each before it is imported."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = Path(__file__).parent / "seeds"


@dataclass(frozen=True, slots=True)
class Target:
    """One target: what it is about, and the modules whose branches guide the search."""

    name: str
    about: str
    guiding: tuple[str, ...]

    @property
    def seeds(self) -> Path:
        """Where its seeds lie."""
        return SEEDS / self.name

    def load(self) -> Loaded:
        """Import it."""
        module = importlib.import_module(f"tests.fuzz.{self.name}")
        return Loaded(module.one, tuple(module.WORDS), module.LONGEST, getattr(module, "SLOWEST_SECONDS", 1.0))


@dataclass(frozen=True, slots=True)
class Loaded:
    """`one` raises where its input shows a defect. `words` are put into inputs, `longest` is an input's largest size in bytes.

    `slowest_seconds` of the processor is what one input may take.
    """

    one: Callable[[bytes], None]
    words: tuple[bytes, ...]
    longest: int
    slowest_seconds: float = 1.0


TARGETS = {
    target.name: target
    for target in (
        Target("folder_names", "a folder's name becomes an order, or an OrderError", ("qavix_watch.core",)),
        Target("options_files", "a qavix.toml becomes options, or an OrderError", ("qavix_watch.core", "tomllib")),
        Target("configuration", "a configuration becomes settings, or a ConfigError", ("qavix_watch.config", "tomllib")),
        Target("api_answers", "an HTTP answer becomes a value of ours, or an ApiError", ("qavix_watch.api", "email._parseaddr")),
        Target("callbacks", "a callback is believed only with its token", ("qavix_watch.web", "starlette.routing")),
        Target("containers", "a file is judged whole or cut, in bounded time", ("qavix_watch.fs",)),
        Target("result_names", "what the service says becomes a name that leads nowhere else", ("qavix_watch.core",)),
    )
}
