"""What the service answers when it refuses: the seven documented error types, and the XML errors of object storage.

Source: "Error Types" and "Error Response" of the published reference; storage answers as S3 does.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response

STATUS_OF_TYPE = {
    "authentication_error": 401,
    "validation_error": 400,
    "rate_limit_error": 429,
    "permission_error": 403,
    "insufficient_credits": 402,
    "not_found": 404,
    "internal_error": 500,
}
TYPE_OF_STATUS = {status: kind for kind, status in STATUS_OF_TYPE.items()}


class ApiError(Exception):
    """A refusal in the service's envelope; the status follows from the type unless another one is given."""

    def __init__(
        self, kind: str, code: str, message: str, *, param: str = "", status: int = 0, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
        self.param = param
        self.status = status or STATUS_OF_TYPE[kind]
        self.headers = headers or {}

    def answer(self) -> Response:
        error: dict[str, Any] = {"type": self.kind, "code": self.code, "message": self.message}
        if self.param:
            error["param"] = self.param
        return JSONResponse({"success": False, "error": error}, self.status, headers=self.headers)


def invalid(code: str, message: str, param: str = "") -> ApiError:
    """A validation_error (400) about `param`."""
    return ApiError("validation_error", code, message, param=param)


def missing(param: str) -> ApiError:
    return invalid("missing_field", f"{param} is required", param)


def unknown(code: str, message: str) -> ApiError:
    """A not_found (404)."""
    return ApiError("not_found", code, message)


def failure_for_status(status: int, *, code: str = "", retry_after: float | None = None) -> ApiError:
    """The envelope that a fault rule asks for by its status; statuses that the reference does not list are internal errors."""
    kind = TYPE_OF_STATUS.get(status, "internal_error" if status >= 500 else "validation_error")
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return ApiError(kind, code or f"fault_{status}", "a fault rule of the sandbox asked for this", status=status, headers=headers)


class StorageError(Exception):
    """A refusal by object storage, as S3 words it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Response:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message></Error>"
        )
        return Response(body, self.status, media_type="application/xml")


def no_such_key() -> StorageError:
    return StorageError(404, "NoSuchKey", "The specified key does not exist.")


def storage_failure_for_status(status: int) -> StorageError:
    """The XML error that a fault rule asks for by its status."""
    code, message = {
        403: ("AccessDenied", "Request has expired"),
        404: ("NoSuchKey", "The specified key does not exist."),
        500: ("InternalError", "We encountered an internal error. Please try again."),
        503: ("SlowDown", "Please reduce your request rate."),
    }.get(status, ("InternalError", "a fault rule of the sandbox asked for this"))
    return StorageError(status, code, message)
