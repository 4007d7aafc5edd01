"""What tasks cost: credits per started minute, by task type and, for some, by target language.

The figures are the sandbox's own; the reference shows only the shape (and 60 credits for its example).
"""

from __future__ import annotations

import math
from typing import Any

_PER_MINUTE: dict[str, tuple[int, str]] = {
    "video_translation": (60, "Video translation with dubbing"),
    "subtitle_translation": (12, "Subtitle translation"),
    "smart_erasure": (30, "Removal of subtitles and watermarks"),
    "face_swap": (40, "Face swap"),
    "lip_sync": (45, "Lip sync"),
    "text_to_speech": (8, "Text to speech"),
    "voice_clone": (100, "Voice clone, each voice"),
}
_BY_LANGUAGE: dict[tuple[str, str], int] = {
    ("video_translation", "ja"): 72,
    ("video_translation", "ar"): 80,
    ("text_to_speech", "ja"): 10,
}
CHARACTERS_PER_MINUTE = 900


def pricing_table() -> list[dict[str, Any]]:
    """The rows of Pricing: one for each task type, and one more for each language with a price of its own."""
    rows: list[dict[str, Any]] = [_row(kind, rate, text, None) for kind, (rate, text) in _PER_MINUTE.items()]
    for (kind, language), rate in _BY_LANGUAGE.items():
        rows.append(_row(kind, rate, f"{_PER_MINUTE[kind][1]} ({language})", language))
    return rows


def _row(kind: str, rate: int, description: str, language: str | None) -> dict[str, Any]:
    return {"task_type": kind, "credits_per_minute": rate, "description": description, "language": language}


def price(task_type: str, seconds: float, language: str | None = None) -> int:
    """Credits for media of that length: every started minute counts; Voice Clone costs the same for any length."""
    base = (language or "").replace("_", "-").split("-")[0].lower()
    rate = _BY_LANGUAGE.get((task_type, base), _PER_MINUTE[task_type][0])
    minutes = 1 if task_type == "voice_clone" else max(1, math.ceil(seconds / 60))
    return rate * minutes


def speech_seconds(text: str) -> float:
    """How long a text takes to speak."""
    return max(1.0, len(text.strip()) * 60 / CHARACTERS_PER_MINUTE)
