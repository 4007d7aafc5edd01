"""An outcome as one transaction, and what it shows of brakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core import backoff
from qavix_watch.core.lifecycle import DeliveryState, DropState, JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Hold, Later, Outcome, Retry
from qavix_watch.stages.doubts import cleared, in_doubt, judge
from qavix_watch.worker.lanes import NEVER_GIVEN_UP
from qavix_watch.worker.meaning import LONGEST_RATE_SECONDS

if TYPE_CHECKING:
    from qavix_watch.core.records import Claim
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports.state import Tx
    from qavix_watch.worker.piece import Piece

LEAST_SECONDS = {"credits": 60.0, "account": 30.0}
"""The first pause of a brake at the least."""
REST_SECONDS = 10.0
"""How long nothing tries under a brake after a try that told nothing of it."""
PROVEN = {
    **{name: (name, "") for name in ("auth", "rate", "offline", "credits")},
    **{f"disk:{where}": ("disk", where) for where in ("results", "archive", "failed", "state")},
}
"""The brakes that a step which succeeded shows to be needless: name and scope of each, by what lanes call it."""


@dataclass(frozen=True, slots=True)
class News:
    """A brake that went on or off: what the log says of it."""

    event: str
    name: str
    scope: str
    why: str
    hint: str = ""


def write(tx: Tx, piece: Piece, outcome: Outcome, now: float, jitter: float, rules: Rules) -> tuple[Outcome, list[News]]:
    """Record an outcome. Gives what it came to (a refusal may turn out to be a brake), and the brakes that changed."""
    if isinstance(outcome, Fail | Retry) and outcome.refused_by:
        outcome = judge(tx, piece.claim, outcome, now)
    news: list[News] = []
    match outcome:
        case Done():
            _write_done(tx, piece, outcome, now)
        case Later():
            due = None if outcome.seconds is None else now + outcome.seconds
            tx.work.settle(piece.claim, piece.row.state, now, outcome.why, {**_said(piece, outcome.why), **outcome.fields}, due=due)
            if outcome.also is not None:
                outcome.also(tx)
        case Retry():
            _write_retry(tx, piece, outcome, now, jitter, rules)
        case Fail():
            _fail(tx, piece.claim, outcome.why, now, outcome.refused_by)
        case Hold():
            _hold(tx, piece.claim, outcome.why, now)
        case Brake():
            news += _pull(tx, piece, outcome, now)
    if piece.lane.worked(outcome):
        operations = _operations(piece)
        tx.brakes.succeeded(*(("api", operation) for operation in operations))
        for operation in operations:
            cleared(tx, operation, now)
    return outcome, [*news, *_tried(tx, piece, outcome, now)]


def _write_done(tx: Tx, piece: Piece, outcome: Done, now: float) -> None:
    fields = {"tries": 0, "waited": 0.0, "reason": outcome.why, **outcome.fields}
    tx.work.settle(piece.claim, outcome.to, now, outcome.why, fields, due=None if outcome.due is None else now + outcome.due)
    if outcome.also is not None:
        outcome.also(tx)
    tx.brakes.succeeded(*(brake for name, brake in PROVEN.items() if name in piece.lane.stopped_by))


def _said(piece: Piece, why: str) -> dict[str, str]:
    """Why it waits; but of a drop that failed it stays why it did, which is still to be told to people."""
    failed = piece.claim.item == "drop" and piece.row.verdict == "failed"
    return {} if failed else {"reason": why}


def _operations(piece: Piece) -> list[str]:
    """The operations of the API that a piece of work which succeeded has shown to answer."""
    needs = [operation for operation, _ in piece.lane.needs]
    if piece.claim.item == "job" and piece.row.operation in needs:
        return [piece.row.operation]
    return [] if piece.claim.item == "drop" else needs


def _pull(tx: Tx, piece: Piece, outcome: Brake, now: float) -> list[News]:
    """Put a brake on. What it stops is due when it lets go; what met it on the way is looked at again after the pause."""
    again = any((brake.name, brake.scope) == (outcome.name, outcome.scope) for brake in piece.probes)
    count = tx.brakes.count(outcome.name, outcome.scope) + again
    first = max(outcome.after, LEAST_SECONDS.get(outcome.name, 0.0))
    pause = max(first, min(LONGEST_RATE_SECONDS, first * 2.0 ** min(count, 10)))
    new = tx.brakes.pull(outcome.name, outcome.scope, outcome.why, outcome.hint, now, now + pause, level=outcome.level)
    stops_itself = any(
        piece.lane.is_stopped_by(brake) or piece.lane.needing(brake) is not None
        for brake in tx.brakes.on()
        if (brake.name, brake.scope) == (outcome.name, outcome.scope)
    )
    tx.work.settle(piece.claim, piece.row.state, now, outcome.why, _said(piece, outcome.why), due=now if stops_itself else now + pause)
    return [News("brake on", outcome.name, outcome.scope, outcome.why, outcome.hint)] if new else []


def _tried(tx: Tx, piece: Piece, outcome: Outcome, now: float) -> list[News]:
    """What the one piece of work that could try under brakes tells of them; that the same is wrong still was recorded as such."""
    off = []
    for brake in piece.probes:
        if piece.lane.worked(outcome):
            tx.brakes.succeeded((brake.name, brake.scope))
            if tx.brakes.let_go(brake.name, brake.scope, now, "it works again"):
                off.append(News("brake off", brake.name, brake.scope, "it works again"))
        elif isinstance(outcome, Retry) or (isinstance(outcome, Brake) and (outcome.name, outcome.scope) != (brake.name, brake.scope)):
            tx.brakes.rest(brake.name, brake.scope, now + REST_SECONDS)
    return off


def _write_retry(tx: Tx, piece: Piece, outcome: Retry, now: float, jitter: float, rules: Rules) -> None:
    row = piece.row
    tries = row.tries + 1
    longest, first = rules.longest_retry_seconds, rules.first_retry_seconds
    pause = max(outcome.after, backoff.pause(tries, jitter, first=first, longest=longest))
    if row.waited + pause > rules.give_up_after_seconds and piece.lane.name not in NEVER_GIVEN_UP:
        if outcome.fields:  # what this try has learnt is so all the same
            tx.work.keep(piece.claim, outcome.fields)
        _fail(tx, piece.claim, f"given up after {tries} tries: {outcome.why}", now)
        return
    fields = {"tries": tries, "waited": row.waited + pause, **_said(piece, outcome.why), **outcome.fields}
    tx.work.settle(piece.claim, row.state, now, outcome.why, fields, due=now + pause)


def _fail(tx: Tx, claim: Claim, why: str, now: float, refused_by: str = "") -> None:
    """It can not be done: what hangs on it ends as well, unless the refusal may still turn out not to be about it."""
    if claim.item == "drop":
        tx.work.settle(claim, DropState.ARCHIVING, now, why, {"verdict": "failed", "reason": why}, due=now)
    elif claim.item == "job":
        tx.work.settle(claim, JobState.FAILED, now, why, {"reason": why, "ended_at": now}, due=None)
        if not refused_by or not in_doubt(tx, refused_by, claim.id, now):
            tx.jobs.give_up(claim.id, now, why)
    elif claim.item == "content":
        tx.work.settle(claim, claim.row.state, now, why, {"reason": why, "tries": 0, "waited": 0.0}, due=None)
        for job in tx.jobs.waiting_for(claim.row.sha256):
            tx.work.move("job", job.id, (JobState.UPLOADING,), JobState.FAILED, now, why, {"ended_at": now})
            tx.jobs.give_up(job.id, now, why)
    else:
        tx.work.settle(claim, DeliveryState.FAILED, now, why, {"reason": why}, due=None)
        tx.drops.conclude(claim.row.drop_id, now)


def _hold(tx: Tx, claim: Claim, why: str, now: float) -> None:
    """A person must look at it first."""
    if claim.item == "job":
        tx.work.settle(claim, JobState.HELD, now, why, {"reason": why}, due=None)
        return
    fields = {"held": why, "reason": why} if claim.item == "drop" else {"reason": why}
    tx.work.settle(claim, claim.row.state, now, why, fields, due=None)
    if claim.item == "content":
        for job in tx.jobs.waiting_for(claim.row.sha256):
            tx.work.move("job", job.id, (JobState.UPLOADING,), JobState.HELD, now, why)
