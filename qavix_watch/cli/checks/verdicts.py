"""What an operation's answer says of its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.cli.checks.finding import Finding, ok, problem, warning
from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServiceFailed,
)

if TYPE_CHECKING:
    from qavix_watch.errors import QavixWatchError

_BY_ID = frozenset({"confirm_upload", "refresh_url"})


def of_read(operation: str, error: QavixWatchError, *, made_up: bool = False) -> Finding:
    """What to say of a reading operation that failed. `made_up`: it was asked for a task that there is not."""
    if made_up and isinstance(error, NotFound) and error.type:
        return ok("get_task: not tried on a task, since the account has none; it answers “not found”, as for a task that there is not.")
    if isinstance(error, PermissionRefused) and error.type:
        return problem(_text(operation, error), "Ask Qavix what this key may do.")
    return _not_told(operation, error) or problem(_text(operation, error), _compare(operation, error))


def of_empty(operation: str, refusal: QavixWatchError | None) -> Finding:
    """What the answer to an empty request says; None for `refusal` is a success."""
    if refusal is None:
        return problem(
            f"{operation}: an empty request was answered with success, which this operation cannot do: the path leads to something else.",
            f"Compare `api.paths.{operation}` with your account's documentation.",
        )
    if isinstance(refusal, ApiError) and _right(operation, refusal):
        return ok(operation)
    if isinstance(refusal, PermissionRefused) and refusal.type:
        return problem(_text(operation, refusal), "This key may only read, or not do this: ask Qavix what it may do.")
    return _not_told(operation, refusal) or problem(_text(operation, refusal), _compare(operation, refusal))


def _right(operation: str, refusal: ApiError) -> bool:
    """Whether an empty request was refused as its own operation would: for what it lacks, or before that for credits."""
    if not refusal.type or refusal.status == 405:
        return False
    if isinstance(refusal, NotFound):
        return operation in _BY_ID and (refusal.param == "file_id" or "file" in refusal.code)
    return isinstance(refusal, InvalidRequest | InsufficientCredits)


def _not_told(operation: str, error: QavixWatchError) -> Finding | None:
    """Answers that say nothing of the path."""
    if isinstance(error, RateLimited):
        return warning(f"{operation}: not tried, because the service asks for fewer requests.", "Check again in a few minutes.")
    if isinstance(error, AuthenticationRefused):
        return warning(f"{operation}: not tried, because the key was not taken.", error.hint)
    if isinstance(error, ServiceFailed) or not isinstance(error, ApiError):
        return warning(f"{operation}: not told, because the service failed: {error}", "Check again later; work goes on by itself.")
    return None


def _text(operation: str, error: QavixWatchError) -> str:
    said = str(error)
    return said if said.startswith(operation) else f"{operation}: {said}"


def _compare(operation: str, error: QavixWatchError) -> str:
    return error.hint or f"Compare `api.paths.{operation}` and `api.base_url` with your account's documentation."
