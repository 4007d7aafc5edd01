"""What a request has to hold, by the contract: the fields of each body, those that are required, and what each may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.refusals import invalid

Body = Mapping[str, Any]
TASK_TYPES = {
    "video_translation": "video_translation", "lip_sync": "lip_sync", "smart_eraser": "smart_erasure",
    "subtitle_translation": "subtitle_translation", "face_swap": "face_swap", "text_to_speech": "text_to_speech",
}  # fmt: skip
"""The type of the tasks that an operation makes."""
INPUTS = ("video_url", "image_url", "audio_url")
"""The fields that lead to contents, in the order of their roles."""
STATUSES = ("pending", "processing", "completed", "failed")
MOST_ROWS = 100
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def _url(value: object) -> str:
    return "" if isinstance(value, str) and value.startswith("https://") else "must be an HTTPS address"


def _language(value: object) -> str:
    return "" if isinstance(value, str) and _LANGUAGE.match(value) else "must be a language code"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _mode(value: object) -> str:
    return "" if value in ("auto", "manual", "protect") else "must be auto, manual or protect"


def _size(value: object) -> str:
    return "" if isinstance(value, int) and value > 0 and not isinstance(value, bool) else "must be a number of bytes"


def _md5(value: object) -> str:
    return "" if isinstance(value, str) and _MD5.match(value) else "must be an MD5 in hexadecimal"


def _regions(value: object) -> str:
    rows = value if isinstance(value, list) else [None]
    return "" if all(_is_region(row) for row in rows) else "must be a list of regions"


def _is_region(row: object) -> bool:
    if not isinstance(row, dict) or row.keys() != {"x", "y", "width", "height", "type"} or row["type"] not in (1, 2):
        return False
    inside = all(isinstance(row[name], (int, float)) and 0 <= row[name] <= 1 for name in ("x", "y", "width", "height"))
    return inside and row["width"] > 0 and row["height"] > 0


Check = Callable[[object], str]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one request, and which are required. A check gives what is wrong with a value."""

    required: tuple[str, ...]
    checks: Mapping[str, Check]

    def check(self, body: Body) -> None:
        """Refusal, as the contract has it, of a body that is not so."""
        for field in self.required:
            if body.get(field) is None:
                raise invalid(field, f"{field} is required", "missing_field")
        for field, value in body.items():
            if field not in self.checks:
                raise invalid(field, f"{field} is not known here", "unknown_field")
            if wrong := self.checks[field](value):
                raise invalid(field, f"{field} {wrong}")


_TASK: dict[str, Check] = {"callback_url": _url, "idempotency_key": _text}
_VIDEO: dict[str, Check] = {**_TASK, "video_url": _url, "name": _text}
_TRANSLATION: dict[str, Check] = {**_VIDEO, "source_language": _language, "target_language": _language}
_FILE = Form(("file_id",), {"file_id": _text})
_PAIR = ("video_url", "source_language", "target_language")

FORMS: Mapping[str, Form] = {
    "video_translation": Form(_PAIR, {**_TRANSLATION, "voice_id": _text}),
    "subtitle_translation": Form(_PAIR, {**_TRANSLATION, "embed_subtitle": _flag}),
    "smart_eraser": Form(("video_url",), {**_VIDEO, "normalized_regions": _regions, "erasure_mode": _mode}),
    "face_swap": Form(("video_url", "image_url"), {**_VIDEO, "image_url": _url}),
    "lip_sync": Form(("video_url", "audio_url"), {**_VIDEO, "audio_url": _url}),
    "voice_clone": Form(("audio_url", "name"), {"audio_url": _url, "name": _text}),
    "text_to_speech": Form(("text", "voice_id"), {**_TASK, "text": _text, "voice_id": _text, "language": _language}),
    "get_upload_url": Form(("file_name", "file_size"), {"file_name": _text, "file_size": _size, "content_md5": _md5}),
    "confirm_upload": _FILE,
    "refresh_url": _FILE,
}


def check_page(limit: int, cursor: str | None, status: str | None = None, task_type: str | None = None) -> None:
    """The parameters of a page. Refusal."""
    if not 1 <= limit <= MOST_ROWS:
        raise invalid("limit", f"limit must be from 1 to {MOST_ROWS}")
    if cursor is not None and not cursor.isdigit():
        raise invalid("cursor", "cursor is none of ours")
    if status is not None and status not in STATUSES:
        raise invalid("status", f"status must be one of {', '.join(STATUSES)}")
    if task_type is not None and task_type not in {*TASK_TYPES.values(), "voice_clone"}:
        raise invalid("task_type", "task_type is not known")


def check_dates(**dates: str | None) -> None:
    """The parameters of Usage History. Refusal."""
    for name, value in dates.items():
        if value is not None and not _DATE.match(value):
            raise invalid(name, f"{name} must be yyyy-MM-dd")
