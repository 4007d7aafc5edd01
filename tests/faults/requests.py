"""Single requests that meet something: each operation of the contract by itself, through a proxy."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.faults.trial import QUICK
from tests.support.kinds import ORDERS
from tests.support.pair import SUBMITTING
from tests.support.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tests.faults.trial import Site, Trial
    from tests.support.proxy import Proxy, Rule

    Case = tuple[str, Mapping[str, Any]]
    Place = tuple[Site, Proxy]

SHORT = {"timeout": 2}
"""[api] in which nobody waits long for an answer that does not come."""
ASKED = ("get_balance", "pricing", "list_voices", "list_tasks", "get_task", "get_upload_url", "confirm_upload", "refresh_url", *SUBMITTING)
"""Every operation that the service uses."""
MOVED = ("storage_put", "result_get")
IN_PASSING = frozenset({"list_voices", "confirm_upload", "refresh_url", "pricing"})
"""What is asked on the way to something else: met in the same site, one would have to wait for the other."""
WITH_SHORT_LINKS = replace(QUICK, link_seconds=200)
"""Links to files are good for less time than the service wants to have left: it asks for new ones at every submit."""


@contextmanager
def between(trial: Trial, **settings: Any) -> Iterator[tuple[Site, Proxy]]:
    """A site whose every connection goes through a proxy."""
    with proxied() as proxy, trial.site(options=WITH_SHORT_LINKS, proxy=proxy, **{"api": SHORT, **settings}) as site:
        yield site, proxy


def rotated(operations: Sequence[str], things: Sequence[Mapping[str, Any]]) -> list[Case]:
    """Every operation with every thing that it may meet, so that already the first ones are each operation once, and all the things."""
    return [
        (operation, things[(number + turn) % len(things)]) for turn in range(len(things)) for number, operation in enumerate(operations)
    ]


def met_by_each(trial: Trial, cases: Sequence[Case], place: Callable[[Trial], AbstractContextManager[Place]] = between) -> None:
    """So many of these cases, from the first, each in work of some kind: at one place many operations, each once, all at the same time."""
    met(trial, [cases[number % len(cases)] for number in range(trial.times)], place)


def met(
    trial: Trial, cases: Sequence[Case], place: Callable[[Trial], AbstractContextManager[Place]] = between,
    expect: Callable[[Site, Mapping[str, Any]], None] = lambda _site, _chosen: None,
) -> None:
    """All these cases; `expect` is told what each operation will meet, when the work was brought, and may say what comes of that."""
    left = list(cases)
    while left:
        chosen = dict(reversed([case for case in left if (case[0] in IN_PASSING) is (left[0][0] in IN_PASSING)]))
        for case in chosen.items():
            left.remove(case)
        with place(trial) as (site, proxy):
            rules = [proxy.rule(operation, **what) for operation, what in chosen.items()]
            for _ in ORDERS:
                site.bring()
            expect(site, chosen)
            site.until(lambda rules=rules, site=site: are_met(site, rules), "everything to be met", 120)  # type: ignore[misc]
            site.until(lambda site=site: seen_to(site) and not site.open_work(), "all to be at rest", 120)  # type: ignore[misc]
            site.recovered(120, since=max(rule.met_at for rule in rules))
            for _ in rules[1:]:
                trial.survived()


def are_met(site: Site, rules: Sequence[Rule]) -> bool:
    """Whether each was. Balance and prices are asked for when the settings are read again: that is done for them now and then."""
    unmet = {rule.operation for rule in rules if rule.hits < rule.times}
    if unmet & {"get_balance", "pricing"} or wants_a_person(site):
        read_again(site)
    return not unmet


def wants_a_person(site: Site) -> bool:
    """Whether a brake is on that somebody would see to: the key, the credits."""
    return bool(site.home.query("SELECT 1 FROM brakes WHERE name IN ('auth', 'credits') AND state = 'on'"))


def seen_to(site: Site) -> bool:
    """Whether nothing wants a person any more; where it does, it is seen to."""
    wanted = wants_a_person(site)
    if wanted:
        read_again(site)
    return not wanted


def read_again(site: Site) -> None:
    """Somebody has seen to it, and has the settings read again."""
    assert site.home.process is not None
    site.home.process.send_signal(signal.SIGHUP)
    time.sleep(1.0)
