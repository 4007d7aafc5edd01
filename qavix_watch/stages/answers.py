"""What it means that a POST which costs credits was not answered with success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Done, Fail, Outcome
from qavix_watch.errors import ApiError, InvalidRequest, ServiceFailed, UnexpectedAnswer, Unreachable

if TYPE_CHECKING:
    from qavix_watch.core.records import Job
    from qavix_watch.ports.state import Tx

MOST_REUPLOADS = 2


def unclear(error: ApiError | Unreachable) -> bool:
    """Whether a POST may have been carried out, although it was not answered with success."""
    if isinstance(error, Unreachable):
        return error.maybe_done
    return isinstance(error, ServiceFailed) or (isinstance(error, UnexpectedAnswer) and error.status < 300)


def refused(job: Job, error: InvalidRequest, now: float) -> Outcome:
    """What the service says of a URL may be cured by a new one, once by asking for it and once by a new upload."""
    if not error.param.endswith("_url") or error.param == "callback_url" or job.reuploads >= MOST_REUPLOADS:
        return Fail(f"the service refused it: {error}")

    def renew(tx: Tx) -> None:
        for sha256 in job.inputs:
            content = tx.contents.find(sha256)
            if content is not None and content.url is not None:
                tx.contents.renewed(sha256, content.url, 0.0)

    def forget(tx: Tx) -> None:
        for sha256 in job.inputs:
            tx.contents.forgotten(sha256, now, "the service did not accept its URL")

    fields = {"reuploads": job.reuploads + 1, "posted": 0}
    return Done(JobState.SUBMITTING, str(error), fields, also=renew if job.reuploads == 0 else forget)
