"""What the Qavix service says, as values: the shapes that the `api` room makes and the stages read.

Field names are the reference's. What the reference does not mark as always there may be None or "".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN_STATUSES = ("pending", "processing")
"""Of tasks that have not ended."""
LARGEST_PAGE = 100
"""Of tasks, as List Tasks gives them."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Get Balance. `expires_at` in seconds since 1970."""

    credits_remaining: int
    plan: str | None = None
    expires_at: float | None = None
    requests_per_minute: int | None = None
    queries_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One row of Pricing; `language` is None where the price holds for every language."""

    task_type: str
    credits_per_minute: float
    description: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One row of Usage History; `created_at` in seconds since 1970."""

    task_id: str
    task_type: str
    credits_used: int
    created_at: float | None = None


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A page of Usage History; `next_cursor` is None at its end."""

    records: tuple[UsageRecord, ...]
    total_credits_used: int | None
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Output:
    """Where the results of a task lie: every URL that is not null, by kind ("video", "subtitle", "audio")."""

    urls: Mapping[str, str] = field(default_factory=dict)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Get Task, and one row of List Tasks. Times in seconds since 1970, `progress` from 0 to 100."""

    task_id: str
    task_type: str
    status: str
    progress: int | None = None
    name: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    output: Output | None = None
    credits_used: int | None = None
    created_at: float | None = None
    completed_at: float | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of List Tasks; `next_cursor` is None at its end."""

    tasks: tuple[Task, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CreatedTask:
    """The answer to a submit; `credits_used` and `credits_remaining` are those of the envelope's `usage`, where it said so."""

    task_id: str
    task_type: str
    status: str
    estimated_credits: int | None = None
    credits_used: int | None = None
    credits_remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """One row of List Voices, and the answer to Voice Clone, which alone says credits; `type` is "system" or "cloned"."""

    voice_id: str
    name: str
    language: str | None = None
    gender: str | None = None
    accent: str | None = None
    age_range: str | None = None
    preview_url: str | None = None
    type: str | None = None
    credits_used: int | None = None
    credits_remaining: int | None = None


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """Get Upload URL. Either `upload_url` with its method and headers, or `url` of content that the service holds already."""

    file_id: str
    upload_url: str | None = None
    upload_method: str | None = None
    upload_headers: Mapping[str, str] = field(default_factory=dict)
    expires_at: float | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class FileLink:
    """Confirm Upload and Refresh URL: where the service reads the file, and until when (seconds since 1970)."""

    file_id: str
    url: str
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class ResultHead:
    """What a result's host says of it: bytes (None: it does not say), Content-Type, and a strong validator (ETag) or ""."""

    size: int | None
    content_type: str | None
    validator: str


@dataclass(frozen=True, slots=True)
class Download:
    """A finished download: bytes in all, Content-Type, and the SHA-256 (None where it was put together from parts)."""

    size: int
    content_type: str | None
    sha256: str | None
