"""Disks: full, without inodes, read-only, failing, without power; and the state lost, old, cut or too new."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.faults.fault import fault
from tests.support.loops import mounted
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.trial import Site, Trial
    from tests.support.loops import Disk

ARRIVING = (1, 3)
"""So few to so many pieces of work are brought before something goes wrong, and again while it is wrong."""


@contextmanager
def site_on(trial: Trial, *places: str, kind: str = "tmpfs", settings: dict[str, Any] | None = None, **sizes: Any) -> Iterator[tuple[Site, list[Disk]]]:
    """An installation of which these folders ("root/outbox", "state"; "" for all of it) are disks of their own."""
    base = trial.folder / f"disks {time.monotonic_ns()}"
    with ExitStack() as stack:
        disks = [stack.enter_context(mounted(base / place if place else base, kind, **sizes)) for place in places]
        site = stack.enter_context(trial.site(base, **(settings or {})))
        yield site, disks


def bring_some(trial: Trial, site: Site) -> None:
    for _ in range(trial.dice.randint(*ARRIVING)):
        site.bring()


def begun(trial: Trial, site: Site, longest: float = 1.5) -> None:
    """Some work is brought, and is at any of its steps when this ends."""
    bring_some(trial, site)
    time.sleep(trial.dice.uniform(0.0, longest))


def wait_for_line(site: Site, *texts: str, since: int = 0, within: float = 40.0) -> None:
    """Wait until the log says one of these."""
    wait_for(lambda: any(text in site.home.log.read_text()[since:] for text in texts), within, f"the log to say one of {texts}")


def said(site: Site) -> int:
    """How much the log has said so far."""
    return len(site.home.log.read_text())


@fault("full: results", times=8, besides="the brake says so, and lets go by itself")
def full_results(trial: Trial) -> None:
    with site_on(trial, "root/outbox") as (site, [disk]):
        for _ in range(trial.times):
            begun(trial, site)
            since = said(site)
            disk.fill(leave=trial.dice.choice([0, 0, 20_000, 200_000]))
            bring_some(trial, site)
            wait_for_line(site, '"brake": "disk"', since=since)
            disk.empty()
            site.recovered()
            

@fault("full: state", times=8)
def full_state(trial: Trial) -> None:
    with site_on(trial, "state") as (site, [disk]):
        for _ in range(trial.times):
            begun(trial, site)
            since = said(site)
            disk.fill(leave=trial.dice.choice([0, 0, 20_000, 200_000]))
            bring_some(trial, site)
            wait_for_line(site, "the state could not be", "too little free space for the state", since=since)
            time.sleep(trial.dice.uniform(0.0, 2.0))
            disk.empty()
            site.recovered()
