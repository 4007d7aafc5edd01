"""Moments in the life of a piece of work, met by looking into the state of a service that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Home

_OF_JOB = "SELECT 1 FROM jobs JOIN deliveries ON job = jobs.id JOIN drops ON drop_id = drops.id WHERE jobs.state = '{}'"
_OF_DROP = "SELECT 1 FROM drops WHERE drops.state = '{}'"

STAGES = {
    "waiting": _OF_DROP.format("waiting"),
    "settled": _OF_DROP.format("settled"),
    "fingerprinted": _OF_DROP.format("fingerprinted"),
    "uploading": _OF_JOB.format("uploading"),
    "submitting": _OF_JOB.format("submitting"),
    "processing": _OF_JOB.format("processing"),
    "fetching": _OF_JOB.format("fetching"),
    "delivering": _OF_JOB.format("done") + " AND drops.state = 'delivering'",
    "archiving": _OF_DROP.format("archiving"),
}
"""What tells that some work is at a stage, in the order in which it comes by them."""

LOOKS_EVERY_SECONDS = 0.002


def soon(condition: Callable[[], object], within: float) -> bool:
    """Whether something comes about within so many seconds; looked for without a pause that it could hide in."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(LOOKS_EVERY_SECONDS)
    return True


def is_at(home: Home, stage: str, path: bytes | None = None) -> bool:
    """Whether any work is at a stage; `path`: the drop of this path below the inbox."""
    one = ("", ()) if path is None else (" AND drops.path = ?", (path,))
    return bool(home.query(f"{STAGES[stage]}{one[0]} LIMIT 1", *one[1]))
