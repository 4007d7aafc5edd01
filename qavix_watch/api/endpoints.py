"""The one table of the sixteen operations of the Qavix API.

The reference prints method and name of each endpoint and no path: the paths here are this project's defaults, and
each can be overridden from the configuration (`[api.paths]`).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from qavix_watch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

TASK_ID = "{task_id}"
LONGEST_PATH = 500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: its operationId, its HTTP method, and its path below `api.base_url`."""

    operation: str
    method: str
    path: str

    @property
    def takes_id(self) -> bool:
        """Whether a task id is part of the path, so that a 404 may mean the task and not the path."""
        return TASK_ID in self.path

    def target(self, task_id: str = "") -> str:
        """The path with the task id in it, percent-encoded, so that no id can lead to another path."""
        encoded = quote(task_id, safe="", errors="replace")
        # Of all that quote leaves as it is, only "." and ".." mean something in a path.
        return self.path.replace(TASK_ID, encoded if encoded.strip(".") else encoded.replace(".", "%2E"))


_ROWS = (
    Endpoint("get_balance", "GET", "/account/balance"),
    Endpoint("usage_history", "GET", "/account/usage"),
    Endpoint("pricing", "GET", "/account/pricing"),
    Endpoint("get_task", "GET", "/tasks/{task_id}"),
    Endpoint("list_tasks", "GET", "/tasks"),
    Endpoint("video_translation", "POST", "/videos/translation"),
    Endpoint("smart_eraser", "POST", "/videos/smart-eraser"),
    Endpoint("subtitle_translation", "POST", "/videos/subtitle-translation"),
    Endpoint("face_swap", "POST", "/videos/face-swap"),
    Endpoint("lip_sync", "POST", "/videos/lip-sync"),
    Endpoint("voice_clone", "POST", "/audio/voice-clone"),
    Endpoint("text_to_speech", "POST", "/audio/text-to-speech"),
    Endpoint("list_voices", "GET", "/voices"),
    Endpoint("get_upload_url", "POST", "/files/upload-url"),
    Endpoint("confirm_upload", "POST", "/files/confirm"),
    Endpoint("refresh_url", "POST", "/files/refresh-url"),
)

TABLE: Mapping[str, Endpoint] = MappingProxyType({row.operation: row for row in _ROWS})

CREATING = frozenset(
    {"video_translation", "smart_eraser", "subtitle_translation", "face_swap", "lip_sync", "text_to_speech"}
)
"""The operations that make a task, and take an idempotency key."""


def endpoints(overrides: Mapping[str, str]) -> Mapping[str, Endpoint]:
    """The table with the paths of `[api.paths]` in it; ConfigError names the key that cannot be used, and why."""
    table = dict(TABLE)
    for operation, path in overrides.items():
        row = table.get(operation)
        if row is None:
            raise _unknown(operation)
        fault = _fault(row, path)
        if fault:
            raise ConfigError(
                f"`api.paths.{operation}` is {path!r}, {fault}.", hint=f"Write it like the default, `{row.path}`."
            )
        table[operation] = replace(row, path=path)
    return MappingProxyType(table)


def _unknown(operation: str) -> ConfigError:
    near = difflib.get_close_matches(operation, TABLE, n=1)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    return ConfigError(
        f"`api.paths.{operation}` names no operation.{meant}", hint=f"The operations are {', '.join(sorted(TABLE))}."
    )


def _fault(row: Endpoint, path: str) -> str:
    """What is wrong with an override, as the end of a sentence; "" where nothing is."""
    if not path.startswith("/") or path.startswith("//"):
        return "and does not begin with exactly one `/`"
    if len(path) > LONGEST_PATH:
        return f"and has more than {LONGEST_PATH} characters"
    if any(letter in path for letter in "?#\\") or not path.isascii() or not path.isprintable() or " " in path:
        return "and holds a character that no path has"
    if {".", ".."} & set(path.split("/")):
        return "and holds a `.` or `..` segment"
    return _braces_fault(row, path)


def _braces_fault(row: Endpoint, path: str) -> str:
    rest = path.replace(TASK_ID, "", 1) if row.takes_id else path
    if row.takes_id and rest == path:
        return f"and lacks `{TASK_ID}`"
    if "{" in rest or "}" in rest:
        return f"and `{TASK_ID}` belongs there once" if row.takes_id else "and takes nothing in braces"
    return ""
