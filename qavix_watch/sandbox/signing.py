"""Signed, expiring URLs: upload grants, file links and result links.

A URL carries when it was issued, when it expires, and an HMAC over what it allows. `expire_all` makes everything issued until
now expired, so that a test need not wait.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from qavix_watch.sandbox.problems import StorageError

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

PURPOSES = ("grant", "file", "result")


@dataclass(slots=True)
class Signer:
    """Signs and checks; `secret` is kept with the state, so that URLs outlive a restart on the same port."""

    secret: bytes
    floors: dict[str, float] = field(default_factory=dict)

    def url(self, origin: str, path: str, purpose: str, seconds: float, *allowed: str) -> tuple[str, float]:
        """The URL and when it expires (Unix time); `allowed` is whatever else the signature binds."""
        now = time.time()
        issued, expires = f"{now:.6f}", f"{now + seconds:.6f}"
        signature = self._sign(purpose, path, issued, expires, *allowed)
        query = urlencode({"issued": issued, "expires": expires, "signature": signature})
        return f"{origin}{path}?{query}", now + seconds

    def check(self, path: str, query: QueryParams, purpose: str, *allowed: str) -> None:
        """Raises StorageError (403) for a signature that does not fit or has expired, as S3 does."""
        issued, expires, signature = (query.get(name, "") for name in ("issued", "expires", "signature"))
        if not signature:
            raise StorageError(403, "AccessDenied", "Access Denied")
        if not hmac.compare_digest(self._sign(purpose, path, issued, expires, *allowed), signature):
            raise StorageError(
                403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
            )
        if time.time() >= float(expires) or float(issued) < self.floors.get(purpose, 0.0):
            raise StorageError(403, "AccessDenied", "Request has expired")

    def expire_all(self, purpose: str) -> None:
        """From now on no URL of this purpose that was issued before is good."""
        self.floors[purpose] = time.time()

    def _sign(self, *parts: str) -> str:
        return hmac.new(self.secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()
