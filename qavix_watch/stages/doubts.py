"""Whether a refusal is about what was asked, or about where: an operation that refuses everything in the same words has a wrong path.

A job that the service refuses has failed. While others of its operation are still on their way, its original stays where it is: the
fifth identical refusal running pulls the brake `api`, and those that failed so go back to where they were. The first success, another
refusal, or the last job of that operation says that it was about them, and only then are they put away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Brake, Fail, Later, Outcome, Retry
from qavix_watch.core.tasks import TASKS

if TYPE_CHECKING:
    from qavix_watch.core.records import Claim
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

RUNNING = 5
LOOK_SECONDS = 10.0
API_SECONDS = 5.0
"""The first pause of the brake `api`; it doubles."""
_OF_ONE = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'|\d+")
"""What differs between two refusals for the same reason: names and numbers."""


def wrong_path(operation: str, why: str, hint: str = "") -> Brake:
    """The brake on one operation that does not answer as the reference says. `hint`: what to look at besides its path."""
    compare = f"Compare `[api.paths] {operation}` and `api.base_url` with your account's documentation."
    mend = f"{compare} After a change reload or restart the service; what waits goes on by itself."
    return Brake("api", why, " ".join(filter(None, (hint, mend))), operation, API_SECONDS)


def judge(tx: Tx, claim: Claim, outcome: Fail | Retry, now: float) -> Fail | Retry | Brake:
    """What becomes of a refusal, within the transaction that records it: the brake where it is one of five identical ones running."""
    operation = outcome.refused_by
    said = _OF_ONE.sub("…", outcome.why)
    known = _known(tx, operation)
    if known["said"] != said:
        _conclude(tx, known, now)
        known = {"said": said, "items": [], "doubted": []}
    mark = f"{claim.item} {claim.id}" + (f" {claim.row.tries}" if claim.item == "duty" else "")
    known["items"] = [*(one for one in known["items"] if one != mark), mark][-RUNNING:]
    if len(known["items"]) >= RUNNING:
        _take_back(tx, known, now)
        _save(tx, operation, known, now)
        return wrong_path(operation, f"{RUNNING} requests running were refused in the same words: {outcome.why}")
    if isinstance(outcome, Fail):
        known["doubted"] = [*(one for one in known["doubted"] if one != claim.id), claim.id]
    _save(tx, operation, known, now)
    if known["doubted"]:
        tx.house.hurry("doubts", now + LOOK_SECONDS)
    return outcome


def in_doubt(tx: Tx, operation: str, number: int, now: float) -> bool:
    """Whether the end of a job that was just refused waits for what becomes of the others; where none are left, all have ended."""
    if tx.jobs.on_its_way(operation, number):
        return True
    known = _known(tx, operation)
    known["doubted"] = [one for one in known["doubted"] if one != number]
    _conclude(tx, known, now)
    _save(tx, operation, known, now)
    return False


def cleared(tx: Tx, operation: str, now: float) -> None:
    """The operation does what it is asked: what it refused before was refused for reasons of its own."""
    known = _known(tx, operation)
    if known["items"]:
        _conclude(tx, known, now)
        _save(tx, operation, {"said": "", "items": [], "doubted": []}, now)


async def doubts(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """A duty: refused jobs whose operation has no other on its way any more are put away."""
    now = ports.clock.now()

    def look(tx: Tx) -> bool:
        left = [_still_in_doubt(tx, operation, now) for operation in sorted({spec.operation for spec in TASKS.values()})]
        return any(left)

    left = await ports.store.transaction("refused jobs", look)
    return Later(LOOK_SECONDS if left else None)


def _still_in_doubt(tx: Tx, operation: str, now: float) -> bool:
    known = _known(tx, operation)
    return bool(known["doubted"]) and in_doubt(tx, operation, 0, now)


def _known(tx: Tx, operation: str) -> dict[str, Any]:
    found = tx.house.fact(f"refused {operation}")
    return {"said": "", "items": [], "doubted": []} if found is None else dict(found[0])


def _save(tx: Tx, operation: str, known: dict[str, Any], now: float) -> None:
    tx.house.learn(f"refused {operation}", known, now)


def _conclude(tx: Tx, known: dict[str, Any], now: float) -> None:
    """These were refused for reasons of their own: what hangs on them ends as well."""
    for number in known["doubted"]:
        job = tx.work.get("job", number)
        if job.state == JobState.FAILED:
            tx.jobs.give_up(number, now, job.reason)
    known["doubted"] = []


def _take_back(tx: Tx, known: dict[str, Any], now: float) -> None:
    """These were not: they wait until the operation answers, if anybody wants them still."""
    again = {"due": now, "ended_at": None}
    for number in filter(tx.drops.wanting, known["doubted"]):
        tx.work.move("job", number, (JobState.FAILED,), JobState.READY, now, "it was not refused for a reason of its own", again)
    known["doubted"] = []
