"""One fault played: installations in which people bring work of every kind, while something goes wrong there."""

from __future__ import annotations

import hashlib
import os
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox import SandboxOptions, running
from qavix_watch.sandbox.operations import BASE_PATH
from tests.faults.verdict import Verdict, contents_in, judge
from tests.faults.witness import Witness
from tests.support.kinds import ORDERS, Wares, drop_one, results_of
from tests.support.service import Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.faults.fault import Fault
    from tests.support.proxy import Proxy

PLENTY = 10**9
QUICK = SandboxOptions(speed=20, credits=PLENTY, requests_per_minute=10**6, queries_per_second=10_000)

UNCLEAR = """
    SELECT jobs.id, drops.id, drops.path FROM jobs JOIN deliveries ON deliveries.job = jobs.id JOIN drops ON drops.id = deliveries.drop_id
    WHERE jobs.task = 'voice_clone' AND jobs.posted
    AND (jobs.state = 'held' OR jobs.state = 'submitting' AND jobs.reason LIKE 'the answer was lost; asking List Voices%')"""
"""Voices whose POST may or may not have gone out when something broke, and that List Voices did not tell of when it was asked."""


@dataclass
class Given:
    """What a person brought: its order, its number among all, the SHA-256 of each file, and what has to come of it.

    `ends_in`: the folder in which its original lies in the end, "" for none (whoever brought it took it away again). `is_drop`: it is no
    mere partner of one. `doubted`: a voice of which nobody knows whether it was made; it waits in the inbox.
    """

    order: str
    number: int
    contents: list[str]
    results: list[str]
    ends_in: str = "archive"
    is_drop: bool = True
    doubted: bool = False

    def __str__(self) -> str:
        return f"{self.order}/work {self.number}"


@dataclass
class Site:
    """An installation in which a fault is played. `given`: what people brought; `forgotten`: how much of it the state has forgotten."""

    trial: Trial
    home: Home
    sandbox: Running
    wares: Wares
    witness: Witness
    given: list[Given] = field(default_factory=list)
    forgotten: int = 0

    def bring(self, order: str | None = None) -> Given:
        """Somebody drops the next piece of work: of the next kind, unless an order is said (one of ORDERS)."""
        number = len(self.given) + 1
        order = order or ORDERS[(number - 1) % len(ORDERS)]
        drop_one(self.home, self.wares, order, number)
        folder = self.home.inbox / order
        contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob(f"work {number}.*"))]
        given = Given(order, number, contents, results_of(order, number))
        self.given.append(given)
        return given

    def recovered(
        self, within: float = 60.0, *, supervised: bool = False, since: float | None = None, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """The fault is over: wait until all that was brought is at rest, and write down that it was survived, and after how long.

        `supervised`: the service may end of it, and is started again, as systemd does. `since`: when the fault was over, by
        time.monotonic(), where that was not just now. `meanwhile` is done at each look: what a person has to do for it.
        """
        began = time.monotonic() if since is None else since
        self.rest(within, supervised=supervised, meanwhile=meanwhile)
        self.trial.verdict.seconds.append(time.monotonic() - began)
        self.trial.survived()

    def rest(self, within: float = 60.0, *, supervised: bool = False, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait until all that was brought is at rest; AssertionError after so many seconds.

        A voice whose POST may or may not have gone out when something broke waits for ten minutes, and then for a person: that is
        rest too, and what the service has made of it is told by its books.
        """
        drops = sum(given.is_drop and bool(given.ends_in) for given in self.given) - self.forgotten
        try:
            wait_for(lambda: (meanwhile(), self._at_rest(drops, supervised))[1], within, f"{drops} drops to be at rest")
        except AssertionError as error:
            raise AssertionError(f"{error}\nopen: {self.open_work()[:20]}\n{self.home.log.read_text()[-4000:]}") from None
        unclear = self.unclear()
        for given in self.given:
            given.doubted = f"{given}.wav" in unclear

    def unclear(self) -> set[str]:
        """The paths, below the inbox, of voices of which nobody knows whether they were made."""
        return {os.fsdecode(path) for _, _, path in self.home.query(UNCLEAR)}

    def _at_rest(self, drops: int, supervised: bool) -> bool:
        process = self.home.process
        if process is not None and process.poll() is not None:
            if supervised:
                self.home.start(ready=False)
                return False
            raise AssertionError(f"the service ended: {self.home.log.read_text()[-3000:]}")
        there = self.home.query("SELECT count(*) FROM drops")
        return bool(there) and there[0][0] >= drops and not self.open_work() and not self._not_put_away()

    def _not_put_away(self) -> set[str]:
        """The contents that lie in the inbox and are to be put away: the state may not know of each yet."""
        elsewhere = {sha256 for given in self.given if given.ends_in not in {"", "inbox"} for sha256 in given.contents}
        unclear = {sha256 for given in self.given if f"{given}.wav" in self.unclear() for sha256 in given.contents}
        return (elsewhere - unclear) & set(contents_in(self.home.inbox))

    def open_work(self) -> list[tuple[Any, ...]]:
        """What is not at rest, as Home.open_work gives it, without the voices that wait for a person."""
        unclear = [(job, drop) for job, drop, _ in self.home.query(UNCLEAR)]
        waiting = {("job", job) for job, _ in unclear} | {("drop", drop) for _, drop in unclear}
        return [row for row in self.home.open_work() if row[:2] not in waiting]

    def until(self, condition: Callable[[], Any], what: str, within: float = 30.0) -> Any:
        """Wait for something, and give it."""
        return wait_for(condition, within, what)


@dataclass
class Trial:
    """A fault that is to happen `times` times, decided by a seed. `folder` is its own; `verdict`: what it has come to."""

    fault: Fault
    times: int
    seed: int
    folder: Path
    seen: Callable[[], object] = lambda: None
    verdict: Verdict = field(default_factory=Verdict)
    _sites: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{self.seed}:{self.fault.full_name}")

    def survived(self) -> None:
        """It happened once more, and was got over."""
        self.verdict.survived += 1
        self.seen()

    @contextmanager
    def site(
        self, base: Path | None = None, options: SandboxOptions = QUICK, *, proxy: Proxy | None = None,
        prefix: Sequence[str] = (), variables: Mapping[str, str] | None = None, **settings: dict[str, Any],
    ) -> Iterator[Site]:
        """An installation at `base`, with a service of its own that has started; at the end of the block it comes to rest and is judged.

        `settings` change its configuration, section by section; `prefix` and `variables` are those of Home. With a `proxy` all that it
        says to the sandbox, and all that is sent and fetched, goes through that.
        """
        self._sites += 1
        base = base or self.folder / f"site {self._sites}"
        wares = self.folder / f"wares {self._sites}"
        wares.mkdir(parents=True)
        with running(options if proxy is None else replace(options, public_origin=proxy.origin)) as sandbox:
            if proxy is not None:
                proxy.leads_to(sandbox.origin)
            address = sandbox.base_url if proxy is None else proxy.origin + BASE_PATH
            home = Home(base, address, settings, prefix=list(prefix), variables=dict(variables or {}))
            home.prepare()
            try:
                with Witness(home.outbox) as witness:
                    home.start()
                    site = Site(self, home, sandbox, Wares(wares), witness)
                    yield site
                    site.rest()
                judge(site, self.verdict)
            finally:
                if home.process is not None and home.process.poll() is None:
                    home.stop()


def play(fault: Fault, times: int, seed: int, folder: Path, seen: Callable[[], object] = lambda: None) -> Verdict:
    """Have a fault happen so often; `seen` is called after each. Raises AssertionError where it was not got over within its bounds."""
    trial = Trial(fault, times, seed, folder, seen)
    fault.play(trial)
    assert trial.verdict.survived >= times, f"it happened {trial.verdict.survived} times of {times}"
    return trial.verdict
