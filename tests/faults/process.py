"""The program itself: killed, stopped, frozen, twice at once, without memory or descriptors."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import sqlite3
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from psutil import Process

from qavix_watch.serving import CLOSE_SECONDS, LAST_REPORT_SECONDS, STOP_SECONDS
from tests.faults.fault import fault
from tests.faults.moments import STAGES, is_at, soon
from tests.support.kinds import ORDERS
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.trial import Site, Trial
    from tests.support.service import Home

HESITANT = (
    {"operation": "result_get", "kind": "trickle", "rate": 20_000, "probability": 0.5},
    {"operation": "*", "kind": "slow", "delay": 0.15, "probability": 0.3},
)
"""Answers that take their time, so that there are moments between a request and its answer."""

IN_HAND = len(ORDERS)
DRAINS_WITHIN = STOP_SECONDS + CLOSE_SECONDS + LAST_REPORT_SECONDS + 2.0
LEASE_SECONDS = 60.0
"""As the worker has it."""
IN_EARNEST = 4
"""So many sites are frozen for that long."""
BEGUN_IN_VAIN = """
    SELECT 'drop-' || id FROM drops WHERE due IS NULL AND owner IS NULL AND reason LIKE 'it was begun%'
    UNION ALL SELECT 'drop-' || drop_id FROM deliveries WHERE state = 'pending' AND due IS NULL AND owner IS NULL
    AND reason LIKE 'it was begun%'
    UNION ALL SELECT CAST(id AS TEXT) FROM jobs WHERE state = 'held' AND reason LIKE 'it was begun%'"""
"""What is held for having been in hand whenever the service died, by the ids that commands take."""


def busy(site: Site) -> None:
    """See that work of every kind is in hand: people bring more as the earlier comes to its end."""
    while len(site.given) - at_rest(site) < IN_HAND:
        site.bring()


def at_rest(site: Site) -> int:
    """How many drops are done, or wait for what nobody but a person can tell."""
    [(done,)] = site.home.query("SELECT count(*) FROM drops WHERE ended_at IS NOT NULL") or [(0,)]
    return int(done) + len(site.unclear())


def any_moment(site: Site, trial: Trial, starting_seconds: float = 1.0) -> None:
    """Wait until some moment in the life of a service that was just started: at its start, at its ease, or at one of the stages."""
    dice = trial.dice
    when = dice.choice(("starting", "working", *STAGES))
    if when == "starting":
        time.sleep(dice.uniform(0.0, starting_seconds))
        return
    wait_for(site.home.is_ready, 30, "the service to be ready")
    if when == "working":
        time.sleep(dice.uniform(0.0, 1.0))
    elif soon(lambda: is_at(site.home, when), 1.0):
        time.sleep(dice.uniform(0.0, 0.05))


def portions(times: int, most: int) -> Iterator[int]:
    """So many, in portions."""
    for begin in range(0, times, most):
        yield min(most, times - begin)


# Killed


@fault(
    "kill -9 at a random moment", times=1000, few=5,
    besides="work of all seven kinds in hand each time; kills at the start, at each stage and between;"
    " a person approves what was begun five times in vain",
)
def killed(trial: Trial) -> None:
    """Recovery is measured once in 25 kills: from the kill until all that was in hand is at rest, a new start included."""
    for kills in portions(trial.times, 100):
        with trial.site() as site:
            site.sandbox.faults(*HESITANT)
            for number in range(1, kills + 1):
                busy(site)
                any_moment(site, trial)
                site.home.kill()
                site.home.start(ready=False)
                if number % 25 == 0 or number == kills:
                    site.recovered(meanwhile=lambda home=site.home: approve(home))  # type: ignore[misc]
                else:
                    trial.survived()


def approve(home: Home) -> None:
    """What was in hand at five kills one after the other waits for a person, who lets it go on."""
    ids = [row[0] for row in home.query(BEGUN_IN_VAIN)]
    if ids:
        home.command("approve", *ids, check=False)  # by the time it is heard some have gone on


# Ended


@fault("SIGTERM at a random moment", times=60, few=2, besides=f"ends within {DRAINS_WITHIN:.0f} s, and with status 0 once it has begun")
def ended(trial: Trial) -> None:
    """One time in twenty the service's answers hang for longer than the bound; what is in hand then is left as it is."""
    for times in portions(trial.times, 20):
        with trial.site() as site:
            for number in range(times):
                hangs = number == 13
                site.sandbox.faults(*HESITANT)
                busy(site)
                any_moment(site, trial)
                if hangs:
                    site.sandbox.faults({"operation": "*", "kind": "slow", "delay": 2 * DRAINS_WITHIN})
                    site.bring("erase")
                    soon(lambda: is_at(site.home, "uploading"), 5)
                end(site.home)
                site.sandbox.faults()
                site.home.start(ready=False)
                if number == times - 1:
                    site.recovered()
                else:
                    trial.survived()


def end(home: Home) -> None:
    """Tell the service to end. Before it has begun, in its interpreter's start, it has no status of its own."""
    assert home.process is not None
    begun = bool(home.query("SELECT 1 FROM service WHERE pid = ?", home.process.pid))
    home.process.send_signal(signal.SIGTERM)
    status = home.process.wait(DRAINS_WITHIN)
    assert status == 0 or (status == -signal.SIGTERM and not begun), f"status {status}: {home.log.read_text()[-3000:]}"


# Frozen, and twice


@fault(
    "frozen for longer than a lease", times=24, few=1,
    besides="a second start is refused with the owner's pid; it goes on when it wakes, and the next start when it dies",
)
def frozen(trial: Trial) -> None:
    """Where it is played often some sites are frozen in earnest; else the leases in the state are made older meanwhile."""
    in_earnest = IN_EARNEST if trial.times > IN_EARNEST else 0
    if in_earnest:
        frozen_in_earnest(trial)
    for times in portions(trial.times - in_earnest, 10):
        with trial.site() as site:
            for _ in range(times):
                freeze(site, trial)
                while not leases_aged(site.home):
                    site.home.signal(signal.SIGCONT)
                    site.home.signal(signal.SIGSTOP)
                refused(site.home)
                wake(site, trial)


def frozen_in_earnest(trial: Trial) -> None:
    """Side by side, for as long as it takes."""
    with ExitStack() as stack:
        sites = [stack.enter_context(trial.site()) for _ in range(IN_EARNEST)]
        for site in sites:
            freeze(site, trial)
        until = time.monotonic() + LEASE_SECONDS + 5.0
        for site in sites:
            refused(site.home)
        soon(lambda: time.monotonic() > until, 2 * LEASE_SECONDS)
        for site in sites:
            wake(site, trial)


def freeze(site: Site, trial: Trial) -> None:
    """Stop everything in the process at some moment of its work."""
    site.sandbox.faults(*HESITANT)
    busy(site)
    any_moment(site, trial)
    wait_for(site.home.is_ready, 30, "the service to be ready")
    site.home.signal(signal.SIGSTOP)


def leases_aged(home: Home) -> bool:
    """Have each lease in the state have ended long ago; False where the frozen process keeps everybody from writing there."""
    try:
        with contextlib.closing(sqlite3.connect(home.state, timeout=0.1)) as connection, connection:
            for table in ("drops", "contents", "jobs", "deliveries", "duties"):
                aged = f"lease_until = lease_until - {2 * LEASE_SECONDS}, due = due - {2 * LEASE_SECONDS}"
                connection.execute(f"UPDATE {table} SET {aged} WHERE owner IS NOT NULL AND due IS NOT NULL")
    except sqlite3.OperationalError:
        return False
    return True


def wake(site: Site, trial: Trial) -> None:
    """It goes on; or it dies as it is, and the next start does."""
    if trial.dice.random() < 0.5:
        site.home.signal(signal.SIGCONT)
    else:
        site.home.kill()
        site.home.start(ready=False)
    site.recovered()


def refused(home: Home) -> None:
    """A second service on the same state ends at once, and names the first."""
    assert home.process is not None
    done = home.command("run", check=False)
    assert done.returncode == 1, done.stderr
    assert f"process {home.process.pid} on {socket.gethostname()}" in done.stderr, done.stderr


@fault("two services started on one state", times=60, few=2, besides="one of them ends at once, with status 1 and the owner's pid")
def twice(trial: Trial) -> None:
    """A second one while the first works; or both in the same instant."""
    with trial.site() as site:
        site.sandbox.faults(*HESITANT)
        for number in range(trial.times):
            busy(site)
            if number % 2 == 0:
                any_moment(site, trial)
                wait_for(site.home.is_ready, 30, "the service to be ready")
                refused(site.home)
            else:
                both_at_once(site.home)
            trial.survived()
        site.recovered()


def both_at_once(home: Home) -> None:
    """After a kill; the one that has the state is the service from now on."""
    home.kill()
    rivals = [home.process, home.process]
    for number in range(2):
        home.start(ready=False)
        rivals[number] = home.process
    ended = wait_for(lambda: [one for one in rivals if one is not None and one.poll() is not None], 30, "one of them to end")
    [home.process] = [one for one in rivals if one not in ended]
    assert [one.returncode for one in ended] == [1], home.log.read_text()[-3000:]
    wait_for(home.is_ready, 30, "the other to be ready")


# Short of something


@fault("out of memory", times=40, few=2, besides="one that lives goes on by itself, the next start of one that dies goes on")
def starved(trial: Trial) -> None:
    """Its address space cannot grow any more, but for a little, for a second or so."""
    for times in portions(trial.times, 20):
        with trial.site() as site:
            for _ in range(times):
                busy(site)
                any_moment(site, trial)
                more = int(trial.dice.uniform(0, 4) * 2**20)
                with limited(site.home, resource.RLIMIT_AS, lambda pid, more=more: Process(pid).memory_info().vms + more):
                    soon(lambda: has_ended(site.home), trial.dice.uniform(0.2, 2.0))
                site.recovered(supervised=True)


@fault("file descriptors exhausted", times=40, few=1, besides="it goes on by itself once there are some again")
def tied(trial: Trial) -> None:
    """A service that has begun lives through it. One that is only starting may end: then the next start goes on."""
    for times in portions(trial.times, 20):
        with trial.site() as site:
            for _ in range(times):
                busy(site)
                any_moment(site, trial)
                has_begun, more = site.home.is_ready(), trial.dice.randrange(4)
                with limited(site.home, resource.RLIMIT_NOFILE, lambda pid, more=more: Process(pid).num_fds() + more):
                    soon(lambda: has_ended(site.home), trial.dice.uniform(0.2, 3.0))
                site.recovered(supervised=not has_begun)


def has_ended(home: Home) -> bool:
    return home.process is not None and home.process.poll() is not None


@contextmanager
def limited(home: Home, what: int, most: Callable[[int], int]) -> Iterator[None]:
    """Let the service have no more of something than `most` says of its process id."""
    assert home.process is not None
    pid = home.process.pid
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most(pid), before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)
