"""What the simulated service says instead of success, and that it says nothing at all."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx

from qavix_watch.api.answers import Answer, envelope
from qavix_watch.api.endpoints import TABLE
from qavix_watch.core.secret import Secret
from qavix_watch.errors import ApiError, Unreachable

TYPES = {
    401: "authentication_error", 400: "validation_error", 429: "rate_limit_error", 403: "permission_error", 402: "insufficient_credits",
    404: "not_found", 500: "internal_error",
}  # fmt: skip
"""Reference, "Error Types"."""
PAGE = b"<html><body>Something stands between you and the service.</body></html>"
_KEY = Secret("the key of the simulated world")


class Refusal(Exception):
    """An answer that is no success: the error envelope; without a `code` a page of whatever stands before the service."""

    def __init__(self, status: int, code: str = "", message: str = "", param: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or code or f"HTTP {status}")
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def __str__(self) -> str:
        about = f" ({self.param})" if self.param else ""
        return f"{self.status} {self.args[0]}{about}"

    def error(self, operation: str) -> ApiError:
        """What the real client makes of it."""
        answer = Answer(TABLE[operation], self.status, httpx.Headers(self._headers()), self._body(), _KEY)
        try:
            envelope(answer)
        except ApiError as error:
            return error
        raise AssertionError(f"{self} is taken for a success")

    def _headers(self) -> dict[str, str]:
        kind = {"Content-Type": "application/json" if self.code else "text/html"}
        return kind if self.retry_after is None else {**kind, "Retry-After": f"{self.retry_after:.0f}"}

    def _body(self) -> bytes:
        if not self.code:
            return PAGE
        about = {"param": self.param} if self.param else {}
        said = {"type": TYPES[self.status], "code": self.code, "message": self.args[0], **about}
        return json.dumps({"success": False, "error": said}).encode()


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, `after` so many seconds. `maybe_done`: as far as the caller can know, the request may have been carried out."""

    why: str
    maybe_done: bool
    after: float

    def error(self, operation: str) -> Unreachable:
        """What the real client makes of it."""
        return Unreachable(f"No answer from the service to {operation}: {self.why}.", maybe_done=self.maybe_done)


def invalid(param: str, message: str, code: str = "invalid_parameter") -> Refusal:
    """400 validation_error."""
    return Refusal(400, code, message, param)


def unknown(what: str, code: str) -> Refusal:
    """404 not_found, of what was asked for by its id."""
    return Refusal(404, code, f"{what} does not exist")
