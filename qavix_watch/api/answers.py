"""From an HTTP answer to the envelope of the reference, or to the error that it stands for."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NoReturn

from qavix_watch.api.limiter import LONGEST_PAUSE
from qavix_watch.api.texts import fit_to_show
from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServiceFailed,
    UnexpectedAnswer,
)

if TYPE_CHECKING:
    import httpx

    from qavix_watch.api.endpoints import Endpoint
    from qavix_watch.core.secret import Secret

LARGEST_ANSWER = 16 * 1024 * 1024
LONGEST_MESSAGE = 500
LONGEST_CODE = 100
_FIRST_SECOND, _LAST_SECOND = 1_577_836_800.0, 7_258_118_400.0  # 2020 and 2200: a Date outside is no time of the service

# Reference, "Error Types".
BY_TYPE: dict[str, type[ApiError]] = {
    "authentication_error": AuthenticationRefused,
    "validation_error": InvalidRequest,
    "rate_limit_error": RateLimited,
    "permission_error": PermissionRefused,
    "insufficient_credits": InsufficientCredits,
    "not_found": NotFound,
    "internal_error": ServiceFailed,
}
BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationRefused,
    402: InsufficientCredits,
    403: PermissionRefused,
    404: NotFound,
    408: ServiceFailed,
    429: RateLimited,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one call: the HTTP status, the headers, and the body as it came; `key` is what it was sent."""

    endpoint: Endpoint
    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)
    key: Secret

    @property
    def operation(self) -> str:
        """The operationId of the call."""
        return self.endpoint.operation

    def show(self, text: str, limit: int) -> str:
        """A text of this answer, fit for a message: without addresses, and without our key, should it be echoed."""
        return fit_to_show(text.replace(self.key.reveal(), str(self.key)), limit)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A success: `data` and `usage` as they came (`usage` is {} where it was left out)."""

    data: object
    usage: dict[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """The error object of a failure envelope, as texts; "" for what is not there."""

    type: str
    code: str
    message: str
    param: str


def envelope(answer: Answer) -> Envelope:
    """The success envelope in `answer`; an ApiError of the right kind where it holds none."""
    if 300 <= answer.status < 400:
        _refuse_redirect(answer)
    found = _envelope_object(answer)
    if found is not None and found.get("success") is True and answer.status < 300:
        usage = found.get("usage")
        return Envelope(found.get("data"), usage if isinstance(usage, dict) else {})
    if found is not None and found.get("success") is not True and isinstance(found.get("error"), dict):
        raise _failure(answer, _fault(answer, found["error"]))
    raise _without_envelope(answer)


def server_date(headers: httpx.Headers) -> float | None:
    """The answer's Date in seconds since 1970; None where it has none that can be true, or is a copy out of a cache."""
    date = None if "Age" in headers else _http_date(headers.get("Date", ""))
    return date if date is not None and _FIRST_SECOND <= date <= _LAST_SECOND else None


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that a 429 asks to wait, at most 15 minutes; None where it does not say."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE)
    until, now = _http_date(text), _http_date(headers.get("Date", ""))
    return None if until is None or now is None else min(max(until - now, 0.0), LONGEST_PAUSE)


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _envelope_object(answer: Answer) -> dict[str, object] | None:
    try:
        found = _without(answer.key, json.loads(_decoded(answer)))
    except (ValueError, RecursionError, zlib.error):
        return None
    return found if isinstance(found, dict) else None


def _without(key: Secret, value: object) -> object:
    """What came without our key, which the service may echo in any text: what is read here is kept, shown and written."""
    if isinstance(value, str):
        return key.hidden_in(value)
    if isinstance(value, dict):
        return {key.hidden_in(name): _without(key, item) for name, item in value.items()}
    return [_without(key, item) for item in value] if isinstance(value, list) else value


def _decoded(answer: Answer) -> bytes:
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return answer.body
    if coding not in ("gzip", "x-gzip"):
        raise ValueError(coding)
    # Bounded, and one layer only: a few kilobytes of gzip can stand for gigabytes.
    unpacking = zlib.decompressobj(wbits=31)
    body = unpacking.decompress(answer.body, LARGEST_ANSWER)
    if not unpacking.eof:
        raise ValueError("cut short, or too large")
    return body


def _fault(answer: Answer, error: object) -> Fault:
    given = error if isinstance(error, dict) else {}

    def text(key: str, limit: int) -> str:
        value = given.get(key)
        return answer.show(str(value), limit) if isinstance(value, str | int) else ""

    return Fault(
        type=text("type", LONGEST_CODE),
        code=text("code", LONGEST_CODE),
        message=text("message", LONGEST_MESSAGE),
        param=text("param", LONGEST_CODE),
    )


def _failure(answer: Answer, fault: Fault) -> ApiError:
    kind = BY_TYPE.get(fault.type) or (InvalidRequest if answer.status == 400 else _by_status(answer.status))
    about = f" (`{fault.param}`)" if fault.param else ""
    said = fault.message or fault.code or fault.type or f"HTTP {answer.status}"
    return _error(kind, answer, f"{answer.operation}: the service says: {said}{about}", fault)


def _without_envelope(answer: Answer) -> ApiError:
    kind = _by_status(answer.status)
    what = answer.show(answer.headers.get("Content-Type", ""), 80) or "no type"
    message = f"{answer.operation}: HTTP {answer.status} without the service's envelope ({what})."
    return _error(kind, answer, message, Fault("", "", "", ""))


def _by_status(status: int) -> type[ApiError]:
    return BY_STATUS.get(status) or (ServiceFailed if 500 <= status < 600 else UnexpectedAnswer)


def _error(kind: type[ApiError], answer: Answer, message: str, fault: Fault) -> ApiError:
    if kind is RateLimited:
        wait = retry_after(answer.headers)
        return RateLimited(
            message, operation=answer.operation, retry_after=wait, status=answer.status, code=fault.code
        )
    return kind(
        message,
        operation=answer.operation,
        status=answer.status,
        type=fault.type,
        code=fault.code,
        param=fault.param,
        hint=_hint(kind, answer),
    )


def _hint(kind: type[ApiError], answer: Answer) -> str | None:
    """What to do now, where the kind's own hint does not say it best."""
    if kind is PermissionRefused:
        return "Check that `api.base_url` begins with https://, and what this account and key may do."
    if answer.status == 405 or (kind is NotFound and not answer.endpoint.takes_id):
        return f"Compare `api.paths.{answer.operation}` and `api.base_url` with your account's documentation."
    return None


def _refuse_redirect(answer: Answer) -> NoReturn:
    target = answer.show(answer.headers.get("Location", "").split("?")[0], 200) or "nowhere"
    raise UnexpectedAnswer(
        f"{answer.operation}: HTTP {answer.status}, a redirect to {target}, which is not followed.",
        operation=answer.operation,
        status=answer.status,
        hint="Set `api.base_url` to the address that the service really has.",
    )
