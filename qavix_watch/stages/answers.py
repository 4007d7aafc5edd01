"""What it means that the service did not answer with success: is it about what was asked, or about where?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Done, Fail, Outcome
from qavix_watch.core.tasks import TASKS, MediaKind, TaskType
from qavix_watch.errors import ApiError, InvalidRequest, NotFound, PermissionRefused, ServiceFailed, UnexpectedAnswer, Unreachable
from qavix_watch.stages.doubts import wrong_path

if TYPE_CHECKING:
    from qavix_watch.core.records import Job
    from qavix_watch.ports.state import Tx

MOST_REUPLOADS = 2
URL_FIELD = {MediaKind.VIDEO: "video_url", MediaKind.AUDIO: "audio_url", MediaKind.IMAGE: "image_url"}
ASKED_BY_ID = frozenset({"get_task", "confirm_upload", "refresh_url"})
"""The operations whose 404 may be about the task or the file that they were asked for."""
_PATH_WORDS = ("path", "route", "endpoint", "url")
_ALWAYS_ASKED = frozenset({"name", "callback_url", "idempotency_key"})


def unclear(error: ApiError | Unreachable) -> bool:
    """Whether a POST may have been carried out, although it was not answered with success."""
    if isinstance(error, Unreachable):
        return error.maybe_done
    return isinstance(error, ServiceFailed) or (isinstance(error, UnexpectedAnswer) and error.status < 300)


def about_the_path(error: ApiError) -> bool:
    """Whether an answer says that the operation is not where we asked for it, or does not answer as the reference says.

    Codes are not part of the reference: of what is asked for by an id, a 404 in the envelope is taken to be about that id unless its
    code speaks of a path.
    """
    if error.status == 405 or isinstance(error, UnexpectedAnswer | PermissionRefused):
        return True
    if not isinstance(error, NotFound):
        return False
    return error.operation not in ASKED_BY_ID or not error.type or any(word in error.code.lower() for word in _PATH_WORDS)


def key_is_taken(error: ApiError) -> bool:
    """Whether a submit was refused because its idempotency key was used for another request.

    The reference does not say how that is refused: by the name of the field, by a code that speaks of it, or by 409 Conflict.
    """
    return error.status == 409 or (isinstance(error, InvalidRequest) and names_the_key(error))


def names_the_key(error: ApiError) -> bool:
    """Whether a refusal speaks of the key itself. A mere 409 may also say that the first request with it is still carried out."""
    return error.param.rsplit(".", 1)[-1] == "idempotency_key" or "idempoten" in error.code.lower()


def _not_asked(job: Job, error: InvalidRequest) -> bool:
    """Whether a refusal names a field that this operation does not have: then another operation answered."""
    spec = TASKS[TaskType(job.task)]
    urls = {URL_FIELD[kind] for kind in (spec.main, spec.partner) if kind in URL_FIELD}
    field = error.param.rsplit(".", 1)[-1]
    return bool(field) and field not in {*_ALWAYS_ASKED, *urls, *job.params, *(["text"] if job.text is not None else [])}


def refused(job: Job, error: InvalidRequest, now: float) -> Outcome:
    """What the service says of a URL may be cured by a new one, once by asking for it and once by a new upload."""
    if _not_asked(job, error):
        return wrong_path(error.operation, f"{error}, which is nothing that this operation is asked")
    if not error.param.endswith("_url") or error.param == "callback_url" or job.reuploads >= MOST_REUPLOADS:
        return Fail(f"the service refused it: {error}", refused_by=error.operation)

    def renew(tx: Tx) -> None:
        for sha256 in job.inputs:
            content = tx.contents.find(sha256)
            if content is not None and content.url is not None:
                tx.contents.renewed(sha256, content.url, 0.0)

    def forget(tx: Tx) -> None:
        for sha256 in job.inputs:
            tx.contents.forgotten(sha256, now, "the service did not accept its URL")

    not_posted = {} if job.posted else {"posted": 0, "reserved": None}  # an earlier request may have been taken all the same
    fields = {"reuploads": job.reuploads + 1, **not_posted}
    return Done(JobState.SUBMITTING, str(error), fields, also=renew if job.reuploads == 0 else forget)
