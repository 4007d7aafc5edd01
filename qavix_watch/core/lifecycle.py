"""The law: the states of the four lifecycles, and which may follow which.

    drop      waiting → settled → fingerprinted → delivering → archiving → archived / kept / deleted / failed
              settled → ignored (it is a result of this very order)
              any of the first four → gone (the file was taken out), or back to waiting (the file or its order changed)
              archived / kept / failed → delivering (retried, or done again on purpose); kept / failed → waiting (it had no jobs)
    content   absent → stored → absent (the service has forgotten it)
    job       ready → uploading → submitting → processing → fetching → done; failed / cancelled / held on the way
              any of the first three → processing (the service has its task already, which a lost state did not know)
    delivery  pending → done / failed / cancelled

What people see of them is one word, made by `shown`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class DropState(StrEnum):
    """A file (or a pair) that a person put into a watched place."""

    WAITING = "waiting"              # not known to be complete
    SETTLED = "settled"              # complete; to be read
    FINGERPRINTED = "fingerprinted"  # its content is known; to be ordered
    DELIVERING = "delivering"        # its jobs exist; waits for its deliveries
    ARCHIVING = "archiving"          # every delivery is at rest; the original is to be put away
    ARCHIVED = "archived"
    KEPT = "kept"
    DELETED = "deleted"
    FAILED = "failed"
    IGNORED = "ignored"
    GONE = "gone"


class ContentState(StrEnum):
    """What the service holds of a content."""

    ABSENT = "absent"
    STORED = "stored"


class JobState(StrEnum):
    """One unit of billed work."""

    READY = "ready"
    UPLOADING = "uploading"    # waits for its contents
    SUBMITTING = "submitting"
    PROCESSING = "processing"  # the service has the task
    FETCHING = "fetching"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"              # waits for a person


class DeliveryState(StrEnum):
    """A job's results under one drop's names."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DutyState(StrEnum):
    """Recurring work that one process at a time does."""

    DUE = "due"


_D, _C, _J, _V = DropState, ContentState, JobState, DeliveryState

DROP_LIVE = (_D.WAITING, _D.SETTLED, _D.FINGERPRINTED, _D.DELIVERING, _D.ARCHIVING)
DROP_AT_REST = (_D.ARCHIVED, _D.KEPT, _D.DELETED, _D.FAILED, _D.IGNORED, _D.GONE)
JOB_UNSUBMITTED = (_J.READY, _J.UPLOADING, _J.SUBMITTING)
HELD_BY_ORDER = "waits for approval (hold=yes); take hold=yes out of the folder's name to let it go on"
"""Why a job is held that its order holds; another drop of it without `hold=yes` lets it go on."""

CANCELLED = "cancelled; the original stays where it is"
"""The reason of a drop at rest that a person has cancelled."""
UNDONE = "taken away before it was done again"
"""The reason of a drop that was to be done again from where its original had been put away, and was not."""
CUT_SHORT = "the file is cut short"
"""How the reason of a drop begins that was refused for that; dragged back as it is, it is taken as it is."""
BEGUN_IN_VAIN = "it was begun"
"""How the reason begins of work that is held since it was in hand whenever the program died."""

JOB_OPEN = (*JOB_UNSUBMITTED, _J.PROCESSING, _J.FETCHING)

# A table for each lifecycle: states of the same name in two of them are equal, being words.
TRANSITIONS: Mapping[type[StrEnum], Mapping[StrEnum, tuple[StrEnum, ...]]] = {
    DropState: {
        _D.WAITING: (_D.SETTLED, _D.ARCHIVING, _D.GONE),
        _D.SETTLED: (_D.FINGERPRINTED, _D.WAITING, _D.IGNORED, _D.ARCHIVING, _D.GONE),
        _D.FINGERPRINTED: (_D.DELIVERING, _D.WAITING, _D.ARCHIVING, _D.GONE),
        _D.DELIVERING: (_D.ARCHIVING, _D.WAITING, _D.GONE),
        _D.ARCHIVING: (_D.ARCHIVED, _D.KEPT, _D.DELETED, _D.FAILED, _D.IGNORED, _D.GONE),
        _D.ARCHIVED: (_D.DELIVERING,),
        _D.KEPT: (_D.DELIVERING, _D.WAITING),
        _D.FAILED: (_D.DELIVERING, _D.WAITING),
    },
    ContentState: {_C.ABSENT: (_C.STORED,), _C.STORED: (_C.ABSENT,)},
    JobState: {
        _J.READY: (_J.UPLOADING, _J.SUBMITTING, _J.PROCESSING, _J.FAILED, _J.CANCELLED, _J.HELD),
        _J.UPLOADING: (_J.SUBMITTING, _J.PROCESSING, _J.READY, _J.FAILED, _J.CANCELLED, _J.HELD),
        _J.SUBMITTING: (_J.PROCESSING, _J.DONE, _J.UPLOADING, _J.FAILED, _J.CANCELLED, _J.HELD),
        _J.PROCESSING: (_J.FETCHING, _J.FAILED, _J.CANCELLED, _J.HELD),
        _J.FETCHING: (_J.DONE, _J.PROCESSING, _J.FAILED, _J.CANCELLED, _J.HELD),
        _J.DONE: (_J.FETCHING,),
        _J.FAILED: (_J.READY, _J.PROCESSING, _J.HELD),
        _J.CANCELLED: (_J.READY, _J.PROCESSING, _J.HELD),
        _J.HELD: (_J.READY, _J.SUBMITTING, _J.PROCESSING, _J.FETCHING, _J.FAILED, _J.CANCELLED),
    },
    DeliveryState: {
        _V.PENDING: (_V.DONE, _V.FAILED, _V.CANCELLED),
        _V.FAILED: (_V.PENDING, _V.CANCELLED),
        _V.CANCELLED: (_V.PENDING,),
    },
}


def may_follow(state: StrEnum, following: StrEnum) -> bool:
    """Whether `following` is `state` itself (a save on the way) or may come after it, in the same lifecycle."""
    if type(state) is not type(following):
        return False
    return state == following or following in TRANSITIONS.get(type(state), {}).get(state, ())


_SHOWN_OF_DROP = {
    _D.WAITING: "waiting",
    _D.SETTLED: "waiting",
    _D.FINGERPRINTED: "waiting",
    _D.ARCHIVING: "fetching",
    _D.FAILED: "failed",
    _D.GONE: "cancelled",
}


def shown(drop: DropState | None, job: JobState | None, delivery: DeliveryState | None = None) -> str:
    """The one word that people see: of a job with one of its drops, or of a drop that has no job yet (job None)."""
    if job is None:
        return _SHOWN_OF_DROP.get(drop or _D.WAITING, "done")
    if job is _J.DONE and delivery is _V.PENDING:
        return _J.FETCHING.value
    return job.value
