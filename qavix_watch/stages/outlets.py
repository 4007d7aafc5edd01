"""Where the results of a drop grow, and whether a root is its home: what was submitted by command has a folder of its own for both."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from qavix_watch.core.layout import PARTS, join
from qavix_watch.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports

_LETTERS = 12


async def roots_online(ports: Ports, *drops: Drop) -> None:
    """RootOffline where a root is away in which one of these drops lies: then the absence of a file means nothing."""
    if any(drop.outlet is None for drop in drops) or not drops:
        await ports.blocking(ports.roots.check)


def parts_of(rules: Rules, job: Job, drop: Drop | None) -> bytes:
    """The folder in which a job's results grow, absolute: in the outbox, or in the outlet of a submitted drop.

    An outlet may belong to several states at once, each with a job 1: there the folder is this job's alone.
    """
    if drop is None or drop.outlet is None:
        return rules.layout.parts
    mark = hashlib.sha256(job.token.encode()).hexdigest()[:_LETTERS]
    return join(drop.outlet, PARTS + b"-" + mark.encode())


def clear_outlet(ports: Ports, rules: Rules, drop: Drop, jobs: Iterable[Job]) -> None:
    """A submitted drop is at rest: nothing of ours but its results stays in its outlet."""
    for job in jobs:
        folder = parts_of(rules, job, drop)
        with suppress(FileError):
            for name in ports.files.listdir(folder):
                ports.files.remove(join(folder, name))
            ports.files.remove_empty(folder, drop.outlet or b"")
