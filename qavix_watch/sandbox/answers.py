"""The envelope of a success. Source: "Success Response" of the reference."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


def success(data: object, *, credits_used: int = 0, credits_remaining: int = 0) -> Response:
    """`usage` is there only where credits were consumed."""
    envelope: dict[str, Any] = {"success": True, "data": data}
    if credits_used:
        envelope["usage"] = {"credits_used": credits_used, "credits_remaining": credits_remaining}
    return JSONResponse(envelope)
