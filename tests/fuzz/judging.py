"""One input tried: what it raised, how long it took, and what is kept of a failure."""

from __future__ import annotations

import hashlib
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.targets import Loaded


class TooSlow(AssertionError):
    """One input took more of the processor than an input may."""


@dataclass(slots=True)
class Judge:
    """Tries inputs on one target; each kind of failure (where and what) is kept once, in `folder`."""

    loaded: Loaded
    folder: Path
    cases: int = 0
    slowest: float = 0.0
    failures: dict[str, Path] = field(default_factory=dict)

    def tried(self, data: bytes) -> BaseException | None:
        """What an input showed: None for nothing."""
        self.cases += 1
        began = time.process_time()
        try:
            self.loaded.one(data)
        except Exception as error:  # noqa: BLE001 - whatever comes out is what is looked for
            self._keep(data, error)
            return error
        taken = time.process_time() - began
        self.slowest = max(self.slowest, taken)
        if taken > self.loaded.slowest_seconds:
            return self._too_slow(data)
        return None

    def _too_slow(self, data: bytes) -> TooSlow | None:
        """Only what is slow twice is slow: the first time it may have loaded something."""
        began = time.process_time()
        self.loaded.one(data)
        taken = time.process_time() - began
        if taken <= self.loaded.slowest_seconds:
            return None
        error = TooSlow(f"{taken:.2f} s")
        self._keep(data, error)
        return error

    def _keep(self, data: bytes, error: BaseException) -> None:
        kind = _kind(error)
        known = self.failures.get(kind)
        if known is not None and known.stat().st_size <= len(data):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = "failure-" + hashlib.sha256(kind.encode()).hexdigest()[:12]
        self.failures[kind] = self.folder / name
        self.failures[kind].write_bytes(data)
        told = "".join(traceback.format_exception(error))
        (self.folder / f"{name}.txt").write_text(f"{kind}\n\n{told}", encoding="utf-8", errors="backslashreplace")


def _kind(error: BaseException) -> str:
    """Where it came from and what it is; the same for two inputs that show the same defect."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "its time"
    return f"{type(error).__name__} at {where}"
