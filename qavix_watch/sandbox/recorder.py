"""What was asked of the sandbox: counts by operation, the latest requests, and whether a secret went where it must not go."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

from qavix_watch.sandbox.stamps import iso

if TYPE_CHECKING:
    from starlette.types import Scope

_KEPT = 2000
_FOREIGN = ("storage_put", "storage_get", "result_get")  # where no API key may ever be seen


@dataclass(slots=True)
class Visit:
    """One request, from its head to its end. `status` 0 means that no answer was sent."""

    operation: str
    method: str
    path: str
    began: float = field(default_factory=time.time)
    status: int = 0
    fault: str = ""
    seconds: float = 0.0

    def shown(self) -> dict[str, Any]:
        return {
            "at": iso(self.began), "operation": self.operation, "method": self.method, "path": self.path,
            "status": self.status, "fault": self.fault, "milliseconds": round(self.seconds * 1000, 1),
        }  # fmt: skip


class Recorder:
    """Counts since the start or the last `clear`."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self.clear()

    def clear(self) -> None:
        self._recent: deque[Visit] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._headers: defaultdict[str, set[str]] = defaultdict(set)
        self._secrets = {"authorization_headers": 0, "api_key_seen": 0}
        self._at_once = self._most_at_once = 0

    def begin(self, operation: str, scope: Scope) -> Visit:
        headers = Headers(scope=scope)
        if operation in _FOREIGN:
            self._look_for_secrets(operation, headers, scope)
        self._counts[operation] += 1
        self._at_once += 1
        self._most_at_once = max(self._most_at_once, self._at_once)
        visit = Visit(operation, scope["method"], scope["path"])
        self._recent.append(visit)
        return visit

    def _look_for_secrets(self, operation: str, headers: Headers, scope: Scope) -> None:
        self._headers[operation].update(headers.keys())
        everything = " ".join([*headers.values(), scope["query_string"].decode("latin-1"), scope["path"]])
        self._secrets["authorization_headers"] += "authorization" in headers
        self._secrets["api_key_seen"] += self._api_key in everything

    def end(self, visit: Visit) -> None:
        visit.seconds = time.time() - visit.began
        self._at_once = max(0, self._at_once - 1)
        self._statuses[visit.operation][str(visit.status)] += 1

    def shown(self, most: int) -> dict[str, Any]:
        return {
            "counts": dict(self._counts),
            "statuses": {operation: dict(counts) for operation, counts in self._statuses.items()},
            "secrets": dict(self._secrets),
            "header_names": {operation: sorted(names) for operation, names in self._headers.items()},
            "most_at_once": self._most_at_once,
            "recent": [visit.shown() for visit in list(self._recent)[-most:]],
        }
