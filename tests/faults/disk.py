"""Disks: full, without inodes, read-only, failing, without power; of other filesystems; a NAS that misbehaves."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from tests.faults.fault import fault
from tests.faults.moments import soon
from tests.faults.process import HESITANT, any_moment, portions
from tests.support.failing import failing
from tests.support.faultfs import faulty
from tests.support.kinds import drop_one
from tests.support.loops import mounted
from tests.support.powercut import Keeps, cut
from tests.support.service import wait_for
from tests.support.trees import below, files_below, hashes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def reasons(site: Site, text: str) -> list[str]:
    """What open work waits for, where that has this text in it."""
    return [row[3] for row in site.home.open_work() if text in row[3]] + [
        why for (why,) in site.home.query("SELECT reason FROM deliveries WHERE state = 'pending'") if text in why
    ]


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


@fault("full: temporary files", times=5, besides="neither the service nor its commands need them")
def full_temporary(trial: Trial) -> None:
    with mounted(trial.folder / "tmp", megabytes=1) as disk, trial.site() as site:
        disk.fill()
        site.home.stop()
        site.home.variables = dict.fromkeys(("TMPDIR", "SQLITE_TMPDIR"), str(disk.at))
        for _ in range(trial.times):
            site.home.start()
            begun(trial, site)
            for command in ("status", "jobs", "usage"):
                site.home.command(command)
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


@fault("remounted read-only: results", times=5, besides="the service runs on, and goes on by itself")
def results_read_only(trial: Trial) -> None:
    with site_on(trial, "root/outbox", kind="ext4", megabytes=32) as (site, [disk]):
        for _ in range(trial.times):
            begun(trial, site)
            disk.remount("ro")
            bring_some(trial, site)
            wait_for(lambda: reasons(site, "Read-only file system"), 60, "a piece of work to say what it waits for")
            disk.remount("rw")
            site.recovered()


@fault("read-only after an error of the disk: folders and state", times=8, besides="it can be stopped, and goes on when started again")
def all_read_only(trial: Trial) -> None:
    """What ext4 does by itself when it finds an error (errors=remount-ro): everything on it, at once and for good."""
    with site_on(trial, "", kind="ext4", megabytes=64) as (site, [disk]):
        disk.sync()
        for _ in range(trial.times):
            begun_durably(trial, site)
            disk.remount("abort")
            time.sleep(trial.dice.uniform(0.0, 2.0))
            site.home.stop()
            come_back([disk])
            site.home.start()
            bring_again_what_is_lost(site)
            site.recovered()


def begun_durably(trial: Trial, site: Site, longest: float = 1.5) -> None:
    """As `begun`; who brought the work has seen to it that it is on the disk, half of the times."""
    durable = trial.dice.random() < 0.5
    for _ in range(trial.dice.randint(*ARRIVING)):
        given = site.bring()
        if durable:
            make_durable(site.home.inbox, *(site.home.inbox / given.order).glob(f"work {given.number}.*"))
    time.sleep(trial.dice.uniform(0.0, longest))


def make_durable(top: Path, *files: Path) -> None:
    """Make files, their names and their folders durable, and nothing besides as far as that goes."""
    for path in [*files, *{file.parent for file in files}, top]:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def come_back(disks: list[Disk]) -> None:
    """The disks come back as they are; their journals are replayed."""
    for disk in reversed(disks):
        disk.unmount()
    for disk in disks:
        disk.mount()


def bring_again_what_is_lost(site: Site) -> None:
    """What somebody brought without making it durable may have gone with the power: she brings it again."""
    there = set(hashes_of(files_below(site.home.root)))
    for given in site.given:
        if not there.issuperset(given.contents):
            drop_one(site.home, site.wares, given.order, given.number)


@fault("EIO on fsync: results, originals, folders", times=6, besides="the service runs on, and goes on by itself")
def fsync_fails(trial: Trial) -> None:
    with trial.site() as site:
        for _ in range(trial.times):
            while_failing(trial, site, "fsync", "EIO")


@fault("EIO on fsync: state", times=6, besides="the service runs on, and goes on by itself")
def fsync_of_the_state_fails(trial: Trial) -> None:
    with trial.site() as site:
        for _ in range(trial.times):
            while_failing(trial, site, "fdatasync", "EIO")


def while_failing(trial: Trial, site: Site, call: str, error: str) -> None:
    """Every call, or every so many, ends in an error while work comes and is in hand."""
    assert site.home.process is not None
    begun(trial, site, 0.5)
    with failing(site.home.process.pid, call, error, when=trial.dice.choice(["", "1+2", "2+3", "1+5"])) as failed:
        bring_some(trial, site)
        wait_for(failed, 60, f"a call of {call} to fail")
        time.sleep(trial.dice.uniform(0.0, 3.0))
    site.recovered()


@fault("archive on another filesystem, killed while originals go there", times=20, few=2)
def archive_elsewhere(trial: Trial) -> None:
    """They are copied, compared, and only then removed here."""
    with site_on(trial, "root/archive", megabytes=64) as (site, _):
        for _ in range(trial.times):
            bring_some(trial, site)
            wait_for(lambda: any(below(site.home.root, ".qavix-[ac]*")), 60, "an original to be put away", every=0.0)
            time.sleep(trial.dice.uniform(0.0, 0.01))
            site.home.kill()
            site.home.start()
            site.recovered()


@fault("EXDEV where a rename should work", times=4, besides="the original stays where it is until it does")
def refused_renames(trial: Trial) -> None:
    """As filesystems made of several do, and quotas by project."""
    with trial.site() as site:
        for _ in range(trial.times):
            while_failing(trial, site, "renameat2", "EXDEV")


KEPT = (
    "no commit is taken back, and what was put away is whole; only a file in the inbox that its client never made durable may have to"
    " be brought again"
)
@fault("power cut at a random moment: folders and state on one ext4", times=60, few=3, besides=KEPT)
def power_cut(trial: Trial) -> None:
    cut_at_random(trial, "")


@fault("power cut at a random moment: folders and state on two ext4", times=60, few=3, besides=KEPT)
def power_cut_of_two(trial: Trial) -> None:
    """The one's journal makes nothing of the other's durable by chance."""
    cut_at_random(trial, "root", "state")


def cut_at_random(trial: Trial, *places: str) -> None:
    for times in portions(trial.times, 20):
        with site_on(trial, *places, kind="ext4", megabytes=64) as (site, disks):
            for disk in disks:
                disk.sync()
            site.sandbox.faults(*HESITANT)
            for number in range(1, times + 1):
                begun_durably(trial, site, 0.0)
                any_moment(site, trial)
                if trial.dice.random() < 0.3:
                    another_is_put_away(site)
                keeps = trial.dice.choice(list(Keeps))
                committed, away = last_event(site), put_away(site) & in_archive(site)  # an earlier cut may have taken a second input
                for disk in disks:
                    cut(disk.at, keeps)
                site.home.kill()
                come_back(disks)
                assert last_event(site) >= committed, "commits were taken back"
                assert away <= in_archive(site), "what was put away is not whole"
                site.home.start(ready=number % 5 == 0 or number == times)
                if number % 5 == 0 or number == times:
                    bring_again_what_is_lost(site)
                    site.recovered()
                else:
                    trial.survived()


def last_event(site: Site) -> int:
    """The number of the last line of history that the state has committed. It is opened as the service opens it, log and all."""
    with closing(sqlite3.connect(site.home.state, timeout=30)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])


def another_is_put_away(site: Site) -> None:
    """Wait for it, though not for long."""
    before = put_away(site)
    soon(lambda: put_away(site) - before, 3.0)


def put_away(site: Site) -> set[str]:
    """The contents that the state says are in the archive."""
    away = {os.fsdecode(path).rpartition(".")[0] for (path,) in site.home.query("SELECT path FROM drops WHERE state = 'archived'")}
    return {sha256 for given in site.given if str(given) in away for sha256 in given.contents}


def in_archive(site: Site) -> set[str]:
    """The contents that lie there."""
    return set(hashes_of(files_below(site.home.root / "archive", "work *")))


OPERATIONS = (
    "*", "getattr", "readdir", "open", "create", "read", "write", "truncate", "fsync", "rename", "unlink", "mkdir", "rmdir", "statfs",
)  # fmt: skip
MISDEEDS: tuple[dict[str, Any], ...] = (
    {"errno": "EIO"}, {"errno": "EIO", "share": 0.3}, {"errno": "ESTALE"}, {"errno": "ESTALE", "share": 0.3}, {"errno": "ETIMEDOUT"},
    {"errno": "EACCES"}, {"delay": 0.3, "share": 0.3},
)  # fmt: skip


@fault("a bad NAS (FUSE): errors, stale handles, late and short answers, of each operation", times=15, few=1)
def bad_nas(trial: Trial) -> None:
    """The watched folders lie on it; the state, as it must, on a disk of this host."""
    base = trial.folder / "installation"
    real = trial.folder / "real"
    real.mkdir()
    with faulty(real, base / "root") as switch, trial.site(base, watch={"settle_remote": 0.5}) as site:
        for _ in range(trial.times):
            bring_some(trial, site)
            op = trial.dice.choice(OPERATIONS)
            switch.set(op, **trial.dice.choice([*MISDEEDS, *([{"short": True}] * 3 if op == "read" else [])]))
            time.sleep(trial.dice.uniform(0.5, 3.0))
            switch.heal()
            site.recovered(120)
