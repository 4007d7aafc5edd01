"""Between us and the service: refused, reset, silent, slow, cut, misnamed, misdirected; and clocks that are wrong."""

from __future__ import annotations

import glob
import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.faults.fault import fault
from tests.faults.requests import ASKED, MOVED, SHORT, WITH_SHORT_LINKS, between, met_by_each, rotated
from tests.support.certificates import Authority, serving
from tests.support.internet import Trap, internet
from tests.support.kinds import ORDERS
from tests.support.messages import PAGE, answer, with_body
from tests.support.needs import needed
from tests.support.proxy import proxied
from tests.support.service import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.trial import Site, Trial
    from tests.support.internet import Internet
    from tests.support.proxy import Proxy

CUTS = ("cut_request", "cut_unanswered", "cut_answer")
SERVICE, MIRROR, INSIDE = "qavix.example", "mirror.example", "inside.example"
PUBLIC, OTHER_PUBLIC, PRIVATE, METADATA = "5.5.5.5", "6.6.6.6", "10.0.0.1", "169.254.169.254"
YEAR = 365
RIGHT_TIME = "from the first answer of the service on it goes by the right time"
FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


# The whole line


def whole_line(trial: Trial, mode: str) -> None:
    """Everything meets this for a while, at some moment of work of every kind."""
    with between(trial) as (site, proxy):
        for _ in range(trial.times):
            asked = len(proxy.seen)
            site.bring()
            if trial.dice.random() < 0.5:
                site.until(lambda asked=asked: len(proxy.seen) > asked + 2, "something to be asked")
            proxy.switch(mode)
            for _ in ORDERS:
                site.bring()
            site.until(lambda: offline(site), "the service to find out")
            proxy.switch("pass")
            site.recovered()


def offline(site: Site) -> str:
    """Why the brake `offline` is on; "" where it is not."""
    found = site.home.query("SELECT why FROM brakes WHERE name = 'offline' AND state = 'on'")
    return str(found[0][0]) if found else ""


@fault("connections refused", times=20, few=2)
def refused(trial: Trial) -> None:
    whole_line(trial, "refuse")


@fault("connections reset", times=20, few=2)
def reset(trial: Trial) -> None:
    whole_line(trial, "reset")


@fault("connections taken, and nothing said", times=20)
def silent(trial: Trial) -> None:
    whole_line(trial, "silent")


@fault("everything at 1 KB/s, both ways", times=14, besides="nothing is sent or fetched twice")
def slow(trial: Trial) -> None:
    """With the usual patience: thirty seconds for each step."""
    with between(trial, api={}) as (site, proxy):
        for number in range(trial.times):
            proxy.switch("slow")
            site.bring(ORDERS[-1 - number % len(ORDERS)])
            site.recovered(400)
            proxy.switch("pass")
        moved = [one.operation for one in proxy.seen if one.operation in MOVED]
        assert moved.count("storage_put") == site.sandbox.ledger()["totals"]["contents"]
        assert moved.count("result_get") == sum(given.order != "clone voice" for given in site.given)


# Single requests


@fault(
    "cut in the middle of each request: before it is whole, before its answer, in its answer",
    times=len(CUTS) * len((*ASKED, *MOVED)), few=len((*ASKED, *MOVED)), besides=f"each of {len((*ASKED, *MOVED))} operations was met",
)
def cut(trial: Trial) -> None:
    met_by_each(trial, rotated((*ASKED, *MOVED), [{"kind": kind} for kind in CUTS]))


@fault("an HTML 502 from a proxy", times=len((*ASKED, *MOVED)), few=len((*ASKED, *MOVED)), besides="each operation was met")
def page(trial: Trial) -> None:
    met_by_each(trial, rotated((*ASKED, *MOVED), [{"kind": "answer", "reply": PAGE}]))


def shaped(make: Callable[[Any], bytes]) -> dict[str, Any]:
    """The service does its work, and its answer has another shape: `make` is given the JSON of the right one."""
    return {"edit": lambda whole: with_body(whole, make(json.loads(whole.partition(b"\r\n\r\n")[2])))}


def _data(value: object) -> bytes:
    return json.dumps({"success": True, "data": value}).encode()


def _each(data: Any, make: Callable[[dict[str, Any]], Any]) -> Any:
    """`make` of an object, or of each in a list of them."""
    return [make(row) for row in data] if isinstance(data, list) else make(data)


SHAPES = (
    shaped(lambda was: b"[]"),
    shaped(lambda was: b'{"success": true}'),
    shaped(lambda was: json.dumps(was).encode()[:-9]),
    shaped(lambda was: _data([was["data"]])),
    shaped(lambda was: _data(_each(was["data"], dict.fromkeys))),
    shaped(lambda was: _data(_each(was["data"], lambda row: {name: {"": value} for name, value in row.items()}))),
    shaped(lambda was: b'{"success": true, "data": ' + b"[" * 100_000),
    shaped(lambda was: json.dumps({**was, "success": "true"}).encode()),
)


@fault("JSON of the wrong shape", times=len(SHAPES) * len(ASKED), few=len(ASKED), besides="each operation was met by each of 8 shapes")
def misshapen(trial: Trial) -> None:
    met_by_each(trial, rotated(ASKED, SHAPES))


# Names, certificates, and where things lead


@contextmanager
def public(trial: Trial) -> Iterator[tuple[Site, Proxy, Internet, Authority]]:
    """A service with a public name and address, over TLS; an internet in which nothing else is."""
    authority = Authority(trial.folder / "authority")
    with internet(trial.folder / "internet", [PUBLIC, OTHER_PUBLIC, PRIVATE, METADATA]) as net:
        net.knows({SERVICE: PUBLIC})
        front = proxied(net.listener(PUBLIC, 443), SERVICE, serving(authority.issue(SERVICE)))
        trusting = {**SHORT, "ca_file": str(authority.ca_file)}
        with front as proxy, trial.site(options=WITH_SHORT_LINKS, proxy=proxy, prefix=net.prefix, api=trusting) as site:
            yield site, proxy, net, authority


@fault("names that are not known any more", times=15)
def nameless(trial: Trial) -> None:
    with public(trial) as (site, proxy, net, _):
        for _ in range(trial.times):
            net.knows({})
            proxy.cut_all()
            site.bring()
            site.bring()
            site.until(lambda: "name" in offline(site), "the service to find out")
            net.knows({SERVICE: PUBLIC})
            site.recovered()


@fault(
    "TLS that is wrong: self-signed, expired, of another host, plain HTTP on its port", times=16, few=4,
    besides="no request went out meanwhile; the brake says what is wrong; with a ca_file of one's own",
)
def untrusted(trial: Trial) -> None:
    with public(trial) as (site, proxy, _, authority):
        good = proxy.tls
        wrong = (
            (serving(authority.issue(SERVICE, self_signed=True)), "certificate"),
            (serving(authority.issue(SERVICE, expired=True)), "expired"),
            (serving(authority.issue(MIRROR)), "mismatch"),
            (None, "the encrypted connection failed"),
        )
        for number in range(trial.times):
            proxy.tls, said = wrong[number % len(wrong)]
            proxy.cut_all()
            site.until(lambda: not proxy.is_busy, "connections to end")
            asked = len(proxy.seen)
            site.bring()
            site.bring()
            site.until(lambda said=said: said in offline(site), "the service to find out")
            assert len(proxy.seen) == asked, f"{proxy.seen[asked:]} went over a line that nobody vouches for"
            assert not any(KEY.encode() in came for came in proxy.strange)
            proxy.tls = good
            site.recovered()


NOWHERE = (
    "http://127.0.0.1/", f"http://{PRIVATE}/", f"https://{PRIVATE}/", f"http://{METADATA}/latest/meta-data/", f"https://{INSIDE}/",
    f"http://{OTHER_PUBLIC}/", f"http://{SERVICE}/", f"//{PRIVATE}/", "file:///etc/passwd", "https://[::1]/",
)  # fmt: skip
"""Where nothing may ever go: this machine, private networks, a public name that leads there, and what is not encrypted."""
TRAPS = (("127.0.0.1", 80), (PRIVATE, 80), (PRIVATE, 443), (METADATA, 80), (OTHER_PUBLIC, 80), (PUBLIC, 80))


def redirect(target: str, status: int, *, there: bool = False) -> dict[str, Any]:
    """The answer is a redirect; `there`: to the same path."""
    return {
        "kind": "answer",
        "reply": lambda request: answer(f"{status} Elsewhere", b"", f"Location: {target}{request.target if there else 'trap'}"),
    }


def addressed(to: str) -> dict[str, Any]:
    """The addresses in an answer lead elsewhere."""
    return {"edit": lambda whole: with_body(whole, whole.partition(b"\r\n\r\n")[2].replace(f"https://{SERVICE}/".encode(), to.encode()))}


@contextmanager
def beset(trial: Trial) -> Iterator[tuple[Site, Proxy]]:
    """A service with a public name, a mirror of its results, and traps wherever nothing may go."""
    with public(trial) as (site, proxy, net, authority), ExitStack() as stack:
        net.knows({SERVICE: PUBLIC, MIRROR: OTHER_PUBLIC, INSIDE: PRIVATE})
        mirror = stack.enter_context(proxied(net.listener(OTHER_PUBLIC, 443), MIRROR, serving(authority.issue(MIRROR))))
        mirror.leads_to(site.sandbox.origin)
        traps = [stack.enter_context(Trap(net.listener(*place))) for place in TRAPS]
        yield site, proxy
        site.rest()
        came = {trap.url: trap.came for trap in traps if trap.came}
        assert not came, f"somebody went where nothing may go: {came}"
        assert not any(one.header("Authorization") for one in mirror.seen), "the key went to a mirror"
        assert {one.operation for one in mirror.seen} <= {"result_get"}, f"the mirror was asked for {mirror.seen}"


ELSEWHERE = [redirect(target, (301, 302, 303, 307, 308)[number % 5]) for number, target in enumerate(NOWHERE)]
ELSEWHERE.append(redirect(f"https://{MIRROR}", 307, there=True))


@fault(
    "redirects to other hosts and to private addresses", times=len(ELSEWHERE) * len((*ASKED, *MOVED)), few=len((*ASKED, *MOVED)),
    besides="none is followed but a result's to a public HTTPS host; the key goes to the service alone; each operation was met",
)
def redirected(trial: Trial) -> None:
    met_by_each(trial, rotated((*ASKED, *MOVED), ELSEWHERE), beset)


@fault(
    "addresses in answers that lead to private hosts", times=2 * len(NOWHERE), few=2,
    besides="nobody is called there; other addresses are asked for",
)
def misdirected(trial: Trial) -> None:
    met_by_each(trial, rotated(("get_task", "get_upload_url"), [addressed(target) for target in NOWHERE]), beset)


# Clocks


def by_the_clock(trial: Trial, offsets: Callable[[int], list[str]]) -> None:
    """The service's clock is off by the first of these when it starts, and by the others one after the other while it works."""
    library = needed(next(glob.iglob(FAKETIME), FAKETIME), "libfaketime")
    for number in range(trial.times):
        clock = trial.folder / f"clock {number}"
        first, *later = offsets(number)
        clock.write_text(first)
        variables = {
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            **({"NO_FAKE_STAT": "1"} if number % 2 else {}),
        }  # fmt: skip
        with trial.site(variables=variables) as site:
            for offset in [*later, ""]:
                for _ in range(3):
                    site.bring()
                time.sleep(trial.dice.uniform(0.0, 2.0) if offset else 0.0)
                if offset:
                    clock.write_text(offset)
            site.recovered(120)
            [(last,)] = site.home.query("SELECT at FROM events ORDER BY id DESC LIMIT 1")
            assert abs(last - time.time()) < 120, f"its own clock is {last - time.time():.0f} s off"


@fault("a clock that is a year behind", times=10, besides=RIGHT_TIME)
def behind(trial: Trial) -> None:
    by_the_clock(trial, lambda _: [f"-{YEAR}d"])


@fault("a clock that is a year ahead", times=10, besides=RIGHT_TIME)
def ahead(trial: Trial) -> None:
    by_the_clock(trial, lambda _: [f"+{YEAR}d"])


@fault("a clock that jumps by a year, to and fro, while it runs", times=20, besides=RIGHT_TIME)
def jumping(trial: Trial) -> None:
    by_the_clock(trial, lambda number: ["+0", *[f"+{YEAR}d", f"-{YEAR}d", "+0"][number % 2 :]])
