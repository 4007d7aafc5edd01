"""The seven kinds of work that the service does, as a table: job words, what each takes, which keys it knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


class TaskType(StrEnum):
    """The service's own names (reference, "Task types")."""

    VIDEO_TRANSLATION = "video_translation"
    SUBTITLE_TRANSLATION = "subtitle_translation"
    SMART_ERASURE = "smart_erasure"
    FACE_SWAP = "face_swap"
    LIP_SYNC = "lip_sync"
    VOICE_CLONE = "voice_clone"
    TEXT_TO_SPEECH = "text_to_speech"


class MediaKind(StrEnum):
    """What a file is, as far as orders care."""

    VIDEO = "video"
    AUDIO = "audio"
    IMAGE = "image"
    TEXT = "text"


@dataclass(frozen=True)
class TaskSpec:
    """One row of the table.

    `word` is the canonical job word, `words` all of them (lower case, single spaces). `main` is the kind of file that
    a drop is made of, `partner` the second input where there is one. `languages`: a source and targets, at most one, or
    none. `keys` are those that a name or qavix.toml may carry; `operation` is the operationId of the call that starts
    the work.
    """

    type: TaskType
    word: str
    words: tuple[str, ...]
    main: MediaKind
    partner: MediaKind | None
    languages: Literal["pair", "one", "none"]
    keys: frozenset[str]
    operation: str


EVERY_JOB = frozenset({"priority", "hold"})

_ROWS = (
    TaskSpec(
        TaskType.VIDEO_TRANSLATION, "dub", ("dub", "video translation"),
        MediaKind.VIDEO, None, "pair", EVERY_JOB | {"voice"}, "video_translation",
    ),
    TaskSpec(
        TaskType.SUBTITLE_TRANSLATION, "subs", ("subs", "sub", "subtitles", "subtitle", "subtitle translation"),
        MediaKind.VIDEO, None, "pair", EVERY_JOB | {"embed"}, "subtitle_translation",
    ),
    TaskSpec(
        TaskType.SMART_ERASURE, "erase", ("erase", "smart eraser", "smart erasure"),
        MediaKind.VIDEO, None, "none", EVERY_JOB | {"mode", "region"}, "smart_eraser",
    ),
    TaskSpec(
        TaskType.FACE_SWAP, "face swap", ("face swap", "faceswap"),
        MediaKind.VIDEO, MediaKind.IMAGE, "none", EVERY_JOB, "face_swap",
    ),
    TaskSpec(
        TaskType.LIP_SYNC, "lip sync", ("lip sync", "lipsync"),
        MediaKind.VIDEO, MediaKind.AUDIO, "none", EVERY_JOB, "lip_sync",
    ),
    TaskSpec(
        TaskType.VOICE_CLONE, "clone voice", ("clone voice", "voice clone"),
        MediaKind.AUDIO, None, "none", EVERY_JOB | {"name"}, "voice_clone",
    ),
    TaskSpec(
        TaskType.TEXT_TO_SPEECH, "tts", ("tts", "speak", "text to speech"),
        MediaKind.TEXT, None, "one", EVERY_JOB | {"voice"}, "text_to_speech",
    ),
)

TASKS: Mapping[TaskType, TaskSpec] = MappingProxyType({row.type: row for row in _ROWS})

JOB_WORDS: Mapping[str, TaskType] = MappingProxyType({word: row.type for row in _ROWS for word in row.words})

KEYS = ("voice", "embed", "mode", "region", "name", "priority", "hold")
"""Every key, in the order in which the canonical spelling writes them."""


def in_order(keys: frozenset[str]) -> list[str]:
    """The keys as the canonical spelling orders them."""
    return [key for key in KEYS if key in keys]
