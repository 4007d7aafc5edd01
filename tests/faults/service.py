"""The service: errors of every type, lost answers, storms, expired grants and links, results that are not what they seem, odd tasks."""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from tests.faults.fault import fault
from tests.faults.requests import ASKED, MOVED, between, met, met_by_each, read_again, rotated, wants_a_person
from tests.faults.trial import PLENTY
from tests.support.kinds import ORDERS, SPEECH
from tests.support.loops import mounted
from tests.support.messages import answer, with_body
from tests.support.pair import SUBMITTING, totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.faults.trial import Site, Trial
    from tests.support.proxy import Proxy, Rule

TYPES = {
    "authentication_error": 401, "insufficient_credits": 402, "validation_error": 400, "not_found": 404, "internal_error": 500,
    "permission_error": 403, "rate_limit_error": 429,
}  # fmt: skip
"""The error types of the reference, each with its status; in this order the first round has none that takes a minute."""
MAKERS = dict(zip(SUBMITTING, ("dub en to es", "subs en to fr", "erase", "face swap", "lip sync", SPEECH, "clone voice"), strict=True))
"""The operations that cost credits, each with the order that leads to it."""
SMALL = 24
FILMS = ("dub en to es", "erase", "face swap", "lip sync")
WITH_FILES = tuple(order for order in ORDERS if order != SPEECH)


# Errors


def refusal(kind: str) -> dict[str, Any]:
    """The service's envelope with an error of this type. A 404 says that it is about the path: one about a task has a row of its own."""
    error = {"type": kind, "code": "unknown_path" if kind == "not_found" else "said", "message": f"a {kind}"}
    body = json.dumps({"success": False, "error": error}).encode()
    return {"kind": "answer", "reply": answer(f"{TYPES[kind]} Refused", body, "Content-Type: application/json")}


REFUSALS = {kind: refusal(kind) for kind in TYPES}


def refused_for_good(site: Site, chosen: Mapping[str, Any]) -> None:
    """What is refused as invalid when it is submitted goes to failed/, and costs nothing."""
    for given in site.given:
        if any(chosen.get(operation) is REFUSALS["validation_error"] and order == given.order for operation, order in MAKERS.items()):
            given.ends_in, given.results = "failed", []


@fault(
    "each error type of the contract on each operation", times=len(TYPES) * len(ASKED), few=len(ASKED),
    besides="what is refused as invalid ends in failed/ and is not billed; a key and credits are seen to by a person who reloads",
)
def errors(trial: Trial) -> None:
    met(trial, rotated(ASKED, list(REFUSALS.values()))[: trial.times], expect=refused_for_good)


STATUSES = [
    {"kind": "answer", "reply": answer(f"{status} No", b"<Error><Code>No</Code></Error>")} for status in (400, 403, 404, 429, 500, 503)
]


@fault("object storage and the host of results refuse", times=2 * len(STATUSES), few=2, besides="400, 403, 404, 429, 500 and 503 of each")
def hosts(trial: Trial) -> None:
    met_by_each(trial, rotated(MOVED, STATUSES))


LOST = (*SUBMITTING, "get_upload_url", "confirm_upload", "storage_put")


UNANSWERED = ({"kind": "cut_unanswered"}, {"kind": "cut_unanswered", "times": 2}, {"kind": "unanswered"})


@fault(
    "answers lost after the work was done", times=6 * len(LOST), few=len(LOST),
    besides="cut off, twice running, and by waiting in vain",
)
def lost(trial: Trial) -> None:
    """Of a voice only once, and cut off: it is not asked for again, and waited for three minutes."""
    cases = [(operation, UNANSWERED[0] if operation == "voice_clone" else what) for operation, what in rotated(LOST, UNANSWERED)]
    met_by_each(trial, cases)


@fault("a storm of 429", times=10, besides="while it lasts, it is asked about once for each pause that was named")
def storm(trial: Trial) -> None:
    seconds = 6.0
    with trial.site() as site:
        for _ in range(trial.times):
            rules = [{"operation": operation, "kind": "status", "status": 429, "retry_after": 1} for operation in ASKED]
            site.sandbox.faults(*rules)
            for _ in ORDERS:
                site.bring()
            site.until(lambda: any(rule["hits"] for rule in site.sandbox.control("faults")), "the storm to begin")
            time.sleep(seconds)
            asked = sum(rule["hits"] for rule in site.sandbox.control("faults"))
            site.sandbox.faults()
            assert asked <= 8 + 2 * seconds, f"asked {asked} times in {seconds} s of being told to wait"
            site.recovered()


@fault("credits end and come back", times=6, besides="nothing is asked of the service that it would bill")
def broke(trial: Trial) -> None:
    """At every other time a person who has paid has the settings read again; else it is found out by itself."""
    with trial.site() as site:
        for number in range(trial.times):
            site.sandbox.control("credits", {"credits": 0})
            before = len(site.sandbox.ledger()["tasks"])
            for _ in ORDERS:
                site.bring()
            site.until(lambda: wants_a_person(site), "the service to find out")
            assert len(site.sandbox.ledger()["tasks"]) == before
            site.sandbox.control("credits", {"credits": PLENTY})
            over = time.monotonic()
            if number % 2 == 0:
                read_again(site)
            site.recovered(180, since=over)


# Grants and links


def expire(site: Site, purpose: str) -> Callable[[], object]:
    """All URLs of this kind that were given out so far are no longer good."""
    return lambda: site.sandbox.control("expire-links", {"purpose": purpose})


TOO_LATE = answer("403 Forbidden", b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")


def met_all(site: Site, rules: Sequence[Rule]) -> None:
    """Wait until all of these were met, and then for rest: each was survived."""
    site.until(lambda: all(rule.hits for rule in rules), "everything to be met")
    site.recovered()
    for _ in rules[1:]:
        site.trial.survived()


@fault("an upload grant that expires before the PUT, and during it", times=40, few=4, besides="another one is asked for")
def grant(trial: Trial) -> None:
    with between(trial) as (site, proxy):
        for begin in range(0, trial.times, 4):
            rules = [
                proxy.rule("storage_put", before=expire(site, "grant")), proxy.rule("storage_put", "answer", reply=TOO_LATE, bytes=4000),
                proxy.rule("storage_put", before=expire(site, "grant")), proxy.rule("storage_put", "answer", reply=TOO_LATE, bytes=9000),
            ][: trial.times - begin]  # fmt: skip
            for _ in rules:
                site.bring("erase")
            met_all(site, rules)


@fault("an input URL that has expired at the submit", times=24, few=2, besides="it is renewed, and nothing is sent again")
def stale(trial: Trial) -> None:
    operations = {order: operation for operation, order in MAKERS.items()}
    with between(trial) as (site, proxy):
        for order, _ in zip(itertools.cycle(reversed(WITH_FILES)), range(trial.times), strict=False):
            rule = proxy.rule(operations[order], before=expire(site, "file"))
            site.bring(order)
            site.until(lambda rule=rule: rule.hits, "the submit")  # type: ignore[misc]
            site.recovered()
        assert totals(site.sandbox)["puts"] == totals(site.sandbox)["contents"]


@fault("a result URL that has expired", times=20, few=4, besides="Get Task gives another")
def outdated(trial: Trial) -> None:
    with between(trial) as (site, proxy):
        for begin in range(0, trial.times, 4):
            rules = [proxy.rule("result_get", before=expire(site, "result")) for _ in range(min(4, trial.times - begin))]
            for _ in rules:
                site.bring("subs en to fr")
            met_all(site, rules)


# Results


def body(make: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Another body, announced as long as it is."""
    return {"edit": lambda whole: with_body(whole, make(whole.partition(b"\r\n\r\n")[2]))}


def announced(extra: int) -> dict[str, Any]:
    """The right body, and a head that says so many bytes more."""

    def edit(whole: bytes) -> bytes:
        right = len(whole.partition(b"\r\n\r\n")[2])
        return whole.replace(f"content-length: {right}".encode(), f"content-length: {right + extra}".encode())

    return {"edit": edit}


WRONG = {
    "half of it, announced as half": body(lambda right: right[: len(right) // 2]),
    "nothing": body(lambda right: b""),
    "a page": body(lambda right: b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "noise": body(lambda right: bytes(reversed(right))),
    "more announced than comes": announced(1000),
    "less announced than comes": announced(-1000),
    "bytes after its end": {"edit": lambda whole: whole + b"more of it"},
}


@fault(
    "films of the wrong length: short, empty, a page, noise, more or less than announced", times=8 * len(WRONG), few=len(WRONG),
    besides="each is fetched again, and whole",
)
def wrong(trial: Trial) -> None:
    things = list(WRONG.values())
    with between(trial) as (site, proxy):
        for begin in range(0, trial.times, len(things)):
            rules = [proxy.rule("result_get", **what) for what in things[: trial.times - begin]]
            for number in range(len(rules)):
                site.bring(FILMS[number % len(FILMS)])
            site.until(lambda rules=rules: all(rule.hits for rule in rules), "everything to be met", 60)  # type: ignore[misc]
            site.recovered()
            for _ in rules[1:]:
                trial.survived()


@contextmanager
def small_disk(trial: Trial) -> Iterator[tuple[Site, Proxy]]:
    """Behind a proxy, with results on a disk of its own that is soon full."""
    base = trial.folder / f"small disk {time.monotonic_ns()}"
    with mounted(base / "root/outbox", "tmpfs", megabytes=SMALL), between(trial, base=base) as found:
        yield found


@fault(
    "results that never end, and such as are larger than the disk", times=12, few=2,
    besides="others are fetched meanwhile; room stays free; each is fetched again, and whole",
)
def endless(trial: Trial) -> None:
    too_large = announced(SMALL * 1024**2)
    with small_disk(trial) as (site, proxy):
        for number in range(trial.times):
            rule = proxy.rule("result_get", **({"kind": "endless"}, too_large)[number % 2])
            site.bring("erase")
            site.until(lambda rule=rule: rule.hits, "it to be met")  # type: ignore[misc]
            site.bring("subs en to fr")
            site.recovered()


# Tasks


def newest(site: Site) -> str:
    """The task that was made last."""
    return str(max(int(task["task_id"]) for task in site.sandbox.ledger()["tasks"]))


def force(site: Site, status: str) -> Callable[[], object]:
    """The newest task is in this status from now on."""
    return lambda: site.sandbox.control(f"tasks/{newest(site)}", {"status": status})


@fault("a task that goes back from completed to processing", times=20, few=2, besides="it is billed once, and its result is taken later")
def reopened(trial: Trial) -> None:
    """Before Get Task is asked, and after it has said that the task is completed."""
    with between(trial) as (site, proxy):
        for number in range(trial.times):
            rule = proxy.rule(("get_task", "result_get")[number % 2], before=force(site, "processing"))
            site.bring(FILMS[number % len(FILMS)])
            site.until(lambda rule=rule: rule.hits, "it to be met")  # type: ignore[misc]
            site.recovered()


@fault("a task that vanishes", times=8, few=1, besides="it is not submitted again; its file ends in failed/ and says why")
def vanished(trial: Trial) -> None:
    """While the service knows others; it is given up at once, where usually that takes three days."""
    with between(trial, retry={"give_up_after": "5 s"}) as (site, proxy):
        site.bring("subs en to fr")
        site.rest()
        for number in range(trial.times):
            rule = proxy.rule("get_task", before=force(site, "gone"))
            given = site.bring(FILMS[number % len(FILMS)])
            given.ends_in, given.results = "failed", []
            site.until(lambda rule=rule: rule.hits, "it to be met")  # type: ignore[misc]
            site.recovered()
            assert "does not know task" in (site.home.root / "failed" / f"{given}.mp4.why.txt").read_text()
        assert totals(site.sandbox)["tasks"] == 1


LONG_AGO_DAYS = 9


@fault(
    "a task that stays at 99 %", times=10,
    besides="it is reported past its deadline, not submitted again, and its result taken when it comes",
)
def stuck(trial: Trial) -> None:
    with trial.site() as site:
        for number in range(trial.times):
            site.sandbox.faults({"operation": "task", "kind": "stuck_task", "times": 1})
            site.bring(FILMS[number % len(FILMS)])
            site.until(lambda: site.home.query("SELECT 1 FROM jobs WHERE state = 'processing'"), "the task")
            site.home.stop()
            with closing(sqlite3.connect(site.home.state)) as state, state:
                state.execute("UPDATE jobs SET submitted_at = submitted_at - ? * 86400 WHERE state = 'processing'", (LONG_AGO_DAYS,))
            site.home.start()
            site.until(lambda: site.home.query("SELECT 1 FROM jobs WHERE reason LIKE '%longer than such a task should%'"), "the report")
            posts = totals(site.sandbox)["posts"]
            force(site, "completed")()
            site.recovered()
            assert totals(site.sandbox)["posts"] == posts == number + 1
