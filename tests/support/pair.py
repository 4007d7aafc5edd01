"""An installation beside a sandbox of its own, and what the sandbox's books say of it."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox import Running, SandboxOptions, running
from tests.support.service import Home, at_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK_SANDBOX = SandboxOptions(speed=20)
SUBMITTING = (
    "video_translation", "subtitle_translation", "smart_eraser", "face_swap", "lip_sync", "text_to_speech", "voice_clone",
)  # fmt: skip
"""The operations that cost credits."""


@contextmanager
def paired(base: Path, options: SandboxOptions = QUICK_SANDBOX, **settings: dict[str, Any]) -> Iterator[tuple[Home, Running]]:
    """A sandbox and an installation that uses it; the service is not started yet."""
    with running(options) as sandbox, at_home(base, sandbox, **settings) as home:
        yield home, sandbox


def totals(sandbox: Running) -> dict[str, int]:
    """The ledger's totals."""
    found: dict[str, int] = sandbox.ledger()["totals"]
    return found


def counts(sandbox: Running) -> Counter[str]:
    """Requests by operation since the start, or since `forget_requests`."""
    return Counter(sandbox.control("requests")["counts"])


def forget_requests(sandbox: Running) -> None:
    """Count from nought again."""
    sandbox.control("requests", method="DELETE")


def billed(sandbox: Running) -> list[str]:
    """What was billed, one line a task or clone, sorted: two equal lines are the same work twice."""
    ledger = sandbox.ledger()
    tasks = [
        [task["task_type"], sorted(made["sha256"] for made in task["inputs"].values()), task["target_language"], task["params"]]
        for task in ledger["tasks"]
    ]
    clones = [["voice_clone", clone["name"], clone["sha256"]] for clone in ledger["clones"]]
    return sorted(json.dumps(line, sort_keys=True) for line in [*tasks, *clones])


def assert_nothing_twice(sandbox: Running) -> None:
    """No piece of work was billed twice."""
    twice = [line for line, times in Counter(billed(sandbox)).items() if times > 1]
    assert not twice, f"billed twice: {twice}"


def states(home: Home, table: str) -> Counter[str]:
    """How many rows of the state are in which state."""
    return Counter(dict(home.query(f"SELECT state, count(*) FROM {table} GROUP BY state")))
