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
def site_on(
    trial: Trial, *places: str, kind: str = "tmpfs", settings: dict[str, dict[str, Any]] | None = None, **sizes: Any
) -> Iterator[tuple[Site, list[Disk]]]:
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


def wait_until_met(site: Site, scope: str, since: int, within: float = 60.0) -> None:
    """Wait until the service has met the disk that is full: its brake is on, or its log says so."""
    wait_for(lambda: _is_braked(site, scope) or "the state could not be" in said(site, since), within, f"the disk of the {scope} to be met")


def _is_braked(site: Site, scope: str) -> bool:
    return bool(site.home.query("SELECT 1 FROM brakes WHERE name = 'disk' AND scope = ? AND state = 'on'", scope))


def said(site: Site, since: int = 0) -> str:
    """What the log says, from there on."""
    return site.home.log.read_bytes()[since:].decode("utf-8", "replace")


def filled_again_and_again(trial: Trial, site: Site, disk: Disk, scope: str) -> None:
    """The disk is filled to the last byte, or nearly so, while work is in hand; more comes; then there is room again."""
    for _ in range(trial.times):
        begun(trial, site)
        since = site.home.log.stat().st_size
        disk.fill(leave=trial.dice.choice([0, 0, 20_000, 200_000]))
        bring_some(trial, site)
        wait_until_met(site, scope, since)
        time.sleep(trial.dice.uniform(0.0, 2.0))
        disk.empty()
        site.recovered()


@fault("full: results", times=8, besides="the brake goes on, and lets go by itself")
def full_results(trial: Trial) -> None:
    with site_on(trial, "root/outbox") as (site, [disk]):
        filled_again_and_again(trial, site, disk, "results")


@fault("full: archive", times=4, besides="results are delivered all the same")
def full_archive(trial: Trial) -> None:
    with site_on(trial, "root/archive") as (site, [disk]):
        filled_again_and_again(trial, site, disk, "archive")


@fault("full: state", times=8, besides="the service runs on, and goes on by itself")
def full_state(trial: Trial) -> None:
    with site_on(trial, "state") as (site, [disk]):
        filled_again_and_again(trial, site, disk, "state")


@fault("full: temporary files", times=5, besides="nothing needs them")
def full_temporary(trial: Trial) -> None:
    with mounted(trial.folder / "tmp", megabytes=1) as disk, trial.site() as site:
        disk.fill()
        site.home.stop()
        site.home.variables = dict.fromkeys(("TMPDIR", "SQLITE_TMPDIR"), str(disk.at))
        for _ in range(trial.times):
            site.home.start()
            begun(trial, site)
            site.recovered()
            site.home.stop()
        site.home.start()


@fault("no inodes left: results", times=5, besides="the brake goes on, and lets go by itself")
def no_inodes(trial: Trial) -> None:
    with site_on(trial, "root/outbox", inodes=200) as (site, [disk]):
        for _ in range(trial.times):
            begun(trial, site)
            since = site.home.log.stat().st_size
            disk.fill_inodes()
            bring_some(trial, site)
            wait_until_met(site, "results", since)
            disk.empty()
            site.recovered()
