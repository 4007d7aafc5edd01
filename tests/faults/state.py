"""The state: lost, restored from an old backup, cut short, of a newer version. (The disk under it is a matter of `disk`.)"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from tests.faults.disk import ARRIVING, begun
from tests.faults.fault import fault
from tests.support.kinds import SPEECH
from tests.support.trees import files_below, hashes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.trial import Site, Trial
    from tests.support.service import Home

MARKED = ("dub en to es", "subs en to fr", "erase", "face swap", "lip sync")
"""Orders whose tasks bear a mark in their name. Speech has none: its key alone tells it. A voice that the state does not know waits for a
person.
"""
NO_MASS = {"budget": {"approve_mass": 0}}


def bring_marked(trial: Trial, site: Site, orders: Sequence[str] = MARKED) -> None:
    for _ in range(trial.dice.randint(*ARRIVING)):
        site.bring(trial.dice.choice(orders))


def without_a_state(home: Home) -> None:
    """It is gone with all that belongs to it; `init` begins another, as the refusal says."""
    shutil.rmtree(home.state.parent)
    assert home.command("run", check=False).returncode != 0
    home.prepare()


def dropped_again(site: Site) -> None:
    """People take every original from the archive and drop it where it was."""
    archive = site.home.root / "archive"
    for path in list(files_below(archive, "work *")):
        os.rename(path, site.home.inbox / path.relative_to(archive))


@fault("lost, originals dropped again or still in the inbox", times=12, besides="whether the service knows the keys still or not")
def lost(trial: Trial) -> None:
    for _ in range(trial.times):
        with trial.site(**NO_MASS) as site:
            forgotten = trial.dice.random() < 0.5
            for _ in range(trial.dice.randint(1, 2)):
                bring_marked(trial, site, MARKED if forgotten else (*MARKED, SPEECH))
                time.sleep(trial.dice.uniform(0.0, 3.0))
            site.home.stop()
            without_a_state(site.home)
            if forgotten:
                site.sandbox.control("forget-keys", {})
            dropped_again(site)
            site.home.start()
            site.recovered()


@fault("restored from an old backup", times=12, besides="made by `backup` while the service worked")
def restored(trial: Trial) -> None:
    for _ in range(trial.times):
        with trial.site(**NO_MASS) as site:
            backed_up(trial, site)
            bring_marked(trial, site, (*MARKED, SPEECH))
            time.sleep(trial.dice.uniform(0.0, 3.0))
            (site.home.kill if trial.dice.random() < 0.5 else site.home.stop)()
            restore(site)
            site.home.start()
            site.recovered()


def backed_up(trial: Trial, site: Site) -> None:
    """Some work was done, some was in hand when the copy was made."""
    for _ in range(2):
        bring_marked(trial, site, (*MARKED, SPEECH))
        time.sleep(trial.dice.uniform(0.0, 2.0))
    site.home.command("backup", str(site.home.base / "backup.db"))


def restore(site: Site) -> None:
    """As `backup` says; the state forgets what came after it."""
    for companion in ("-wal", "-shm"):
        site.home.state.with_name(site.home.state.name + companion).unlink(missing_ok=True)
    shutil.copy(site.home.base / "backup.db", site.home.state)
    known = {os.fsdecode(path).rpartition(".")[0] for (path,) in site.home.query("SELECT path FROM drops")}
    waiting = set(hashes_of(files_below(site.home.inbox)))
    site.forgotten = sum(str(given) not in known and waiting.isdisjoint(given.contents) for given in site.given)


@fault("truncated", times=10, besides="refused with what to do, and left as it is; with a backup in its place it goes on")
def truncated(trial: Trial) -> None:
    for _ in range(trial.times):
        with trial.site(**NO_MASS) as site:
            backed_up(trial, site)
            bring_marked(trial, site)
            time.sleep(trial.dice.uniform(0.0, 2.0))
            site.home.stop()
            os.truncate(site.home.state, int(site.home.state.stat().st_size * trial.dice.uniform(0.001, 0.95)))
            refused(site.home, "estore a backup")
            restore(site)
            site.home.start()
            site.recovered()


@fault("of a newer version", times=5, besides="refused with what to do, and left as it is; the newer version goes on with it")
def newer(trial: Trial) -> None:
    with trial.site() as site:
        for _ in range(trial.times):
            begun(trial, site)
            site.home.stop()
            shape = shape_becomes(site.home, 999)
            refused(site.home, "newer version")
            shape_becomes(site.home, shape)
            site.home.start()
            site.recovered()


def shape_becomes(home: Home, shape: int) -> int:
    """Have the state say that it is of this shape; gives which it was of."""
    with closing(sqlite3.connect(home.state)) as connection:
        (before,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {shape}")
    return int(before)


def refused(home: Home, hint: str) -> None:
    """A start ends at once and says what to do; nothing of the state has changed."""
    before = {path.name: path.read_bytes() for path in home.state.parent.iterdir() if path.suffix != ".lock"}
    done = home.command("run", check=False)
    assert done.returncode == 1, done.stderr
    assert str(home.state) in done.stderr, done.stderr
    assert hint in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert {name: (home.state.parent / name).read_bytes() for name in before} == before
