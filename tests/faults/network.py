"""Between us and the service: refused, reset, silent, slow, misnamed, misdirected; and clocks that are wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.fault import fault
from tests.support.kinds import ORDERS
from tests.support.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.trial import Site, Trial
    from tests.support.proxy import Proxy

SHORT = {"timeout": 2}
"""[api] in which nobody waits long for an answer that does not come."""


@contextmanager
def between(trial: Trial, **settings: object) -> Iterator[tuple[Site, Proxy]]:
    """A site whose every connection goes through a proxy."""
    with proxied() as proxy, trial.site(proxy=proxy, **{"api": SHORT, **settings}) as site:  # type: ignore[dict-item]
        yield site, proxy


def whole_line(trial: Trial, mode: str) -> None:
    """Everything meets this for a while, at some moment of work of every kind."""
    with between(trial) as (site, proxy):
        for number in range(trial.times):
            if number % 2:
                site.bring()
                site.until(lambda: proxy.seen, "something to be asked")
            proxy.switch(mode)
            for _ in ORDERS:
                site.bring()
            site.until(lambda: is_offline(site), "the service to find out")
            proxy.switch("pass")
            site.recovered()


def is_offline(site: Site) -> bool:
    """Whether the brake `offline` is on."""
    return bool(site.home.query("SELECT 1 FROM brakes WHERE name = 'offline' AND state = 'on'"))


@fault("connections refused", times=10)
def refused(trial: Trial) -> None:
    whole_line(trial, "refuse")


@fault("connections reset", times=10)
def reset(trial: Trial) -> None:
    whole_line(trial, "reset")


@fault("connections taken, and nothing answered", times=10)
def silent(trial: Trial) -> None:
    whole_line(trial, "silent")
