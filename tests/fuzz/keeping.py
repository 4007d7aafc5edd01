"""Seeds: of many inputs the few, and the smallest, that together reach every line which any of them reaches."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any

from tests.fuzz.engines import read_seeds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.targets import Target

    Steps = frozenset[tuple[str, int, int]]

PACKAGE = "/qavix_watch/"
MOST_SEEDS = 80
LARGEST_BYTES = 1200


def keep(target: Target, folder: Path) -> str:
    """Add to the seeds what of a search's corpus reaches steps from line to line that they do not. Gives what was added, in words."""
    one = target.load().one
    seeds = read_seeds(target)
    known: set[tuple[str, int, int]] = set()
    for data in seeds:
        known |= steps_of(one, data)
    found = sorted((path.read_bytes() for path in (folder / "corpus").iterdir()), key=lambda data: (len(data), data))
    target.seeds.mkdir(parents=True, exist_ok=True)
    added = 0
    reached = [(data, steps_of(one, data)) for data in found if len(data) <= LARGEST_BYTES]
    while reached and len(seeds) + added < MOST_SEEDS:
        data, steps = max(reached, key=lambda pair: (len(pair[1] - known), -len(pair[0])))
        if not steps - known:
            break
        known |= steps
        added += 1
        (target.seeds / f"found-{hashlib.sha256(data).hexdigest()[:10]}").write_bytes(data)
        reached = [pair for pair in reached if pair[1] - known]
    return f"{added} added to {len(seeds)}; of {len(found)} inputs; {len(known)} steps in all"


def steps_of(one: Any, data: bytes) -> Steps:
    """The steps from line to line of our own code that an input takes."""
    steps: set[tuple[str, int, int]] = set()

    def traced(frame: Any, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if PACKAGE not in name:
            return None
        last = frame.f_lineno

        def line(frame: Any, event: str, _: Any) -> Any:
            nonlocal last
            if event == "line":
                steps.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    sys.settrace(traced)
    try:
        one(data)
    except Exception:  # noqa: BLE001 - what it raises is another question
        pass
    finally:
        sys.settrace(None)
    return frozenset(steps)
