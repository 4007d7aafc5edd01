"""What the service sends, read into the values of `core.service`.

Each function takes the `data` of a success envelope and raises MisreadError where something is missing that the
reference (or the contract made from it) says is always there. A row of a list that cannot be read is passed over,
unless none can.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from qavix_watch.api.fields import (
    Fields,
    MisreadError,
    cost,
    cursor,
    fields,
    identifier,
    name,
    number,
    required,
    rows,
    time,
    url,
    whole,
    word,
)
from qavix_watch.api.texts import fit_to_show
from qavix_watch.core.service import (
    Balance,
    CreatedTask,
    FileLink,
    Output,
    Price,
    Task,
    TaskPage,
    UploadGrant,
    UsagePage,
    UsageRecord,
    Voice,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_REASON = 1000
MOST_RESULTS = 32
MOST_HEADERS = 32
LONGEST_HEADER_NAME = 100
LONGEST_HEADER_VALUE = 4096

_RESULT = re.compile(r"([a-z0-9_]{1,40})_url\Z")

T = TypeVar("T")


def balance(data: object) -> Balance:
    """Get Balance."""
    row = fields(data, "data")
    limits = row.get("rate_limits")
    limits = limits if isinstance(limits, dict) else {}
    return Balance(
        # Rounded down here, so that what is left is never overstated.
        credits_remaining=int(required(number(row.get("credits_remaining")), "credits_remaining") // 1),
        plan=word(row.get("plan")),
        expires_at=time(row.get("expires_at")),
        requests_per_minute=whole(limits.get("requests_per_minute")),
        queries_per_second=whole(limits.get("queries_per_second")),
    )


def usage_page(data: object) -> UsagePage:
    """Usage History."""
    page = fields(data, "data")
    return UsagePage(
        records=_each(page.get("records"), "records", _usage_record),
        total_credits_used=whole(page.get("total_credits_used")),
        next_cursor=_next(page),
    )


def prices(data: object) -> tuple[Price, ...]:
    """Pricing."""
    return _each(fields(data, "data").get("pricing"), "pricing", _price)


def task(data: object) -> Task:
    """Get Task, and a row of List Tasks."""
    row = fields(data, "data")
    progress = whole(row.get("progress"))
    reason = row.get("error_message")
    return Task(
        task_id=required(identifier(row.get("task_id")), "task_id"),
        task_type=_lower(row, "task_type"),
        status=_lower(row, "status"),
        progress=None if progress is None else min(max(progress, 0), 100),
        name=name(row.get("name")),
        source_language=word(row.get("source_language")),
        target_language=word(row.get("target_language")),
        output=_output(row.get("output")),
        credits_used=cost(row.get("credits_used")),
        created_at=time(row.get("created_at")),
        completed_at=time(row.get("completed_at")),
        error_message=fit_to_show(reason, LONGEST_REASON) or None if isinstance(reason, str) else None,
    )


def task_page(data: object) -> TaskPage:
    """List Tasks."""
    page = fields(data, "data")
    return TaskPage(tasks=_each(page.get("tasks"), "tasks", task), next_cursor=_next(page))


def created(data: object, usage: Fields) -> CreatedTask:
    """The answer to a submit; `usage` is the envelope's own, {} where it has none."""
    row = fields(data, "data")
    return CreatedTask(
        task_id=required(identifier(row.get("task_id")), "task_id"),
        task_type=_lower(row, "task_type"),
        status=_lower(row, "status"),
        estimated_credits=cost(row.get("estimated_credits")),
        credits_used=cost(usage.get("credits_used")),
        credits_remaining=whole(usage.get("credits_remaining")),
    )


def voices(data: object) -> tuple[Voice, ...]:
    """List Voices."""
    return _each(data, "data", voice)


def voice(data: object, asked: str | None = None, usage: Fields | None = None) -> Voice:
    """A row of List Voices, and Voice Clone, where `asked` is the name that it was given and `usage` the envelope's own."""
    row = fields(data, "data")
    return Voice(
        voice_id=required(identifier(row.get("voice_id")), "voice_id"),
        name=required(name(row.get("name")) or asked, "name"),
        language=word(row.get("language")),
        gender=word(row.get("gender")),
        accent=word(row.get("accent")),
        age_range=word(row.get("age_range")),
        preview_url=_harmless_url(row, "preview_url"),
        type=word(row.get("type")),
        credits_used=cost((usage or {}).get("credits_used")),
        credits_remaining=whole((usage or {}).get("credits_remaining")),
    )


def grant(data: object) -> UploadGrant:
    """Get Upload URL: somewhere to send the file, or the address of content that the service holds."""
    row = fields(data, "data")
    upload_url, held = url(row.get("upload_url"), "upload_url"), url(row.get("url"), "url")
    if upload_url is None and held is None:
        raise MisreadError("neither `upload_url` nor `url` is there")
    return UploadGrant(
        file_id=required(identifier(row.get("file_id")), "file_id"),
        upload_url=upload_url,
        upload_method=word(row.get("upload_method")),
        upload_headers=_headers(row.get("upload_headers")),
        expires_at=time(row.get("expires_at")),
        url=held,
    )


def link(data: object, file_id: str) -> FileLink:
    """Confirm Upload and Refresh URL, of the file that was asked for."""
    row = fields(data, "data")
    return FileLink(
        file_id=identifier(row.get("file_id")) or file_id,
        url=required(url(row.get("url"), "url"), "url"),
        expires_at=time(row.get("expires_at")),
    )


def _usage_record(data: object) -> UsageRecord:
    row = fields(data, "records[]")
    return UsageRecord(
        task_id=required(identifier(row.get("task_id")), "task_id"),
        task_type=_lower(row, "task_type"),
        credits_used=required(whole(row.get("credits_used")), "credits_used"),
        created_at=time(row.get("created_at")),
    )


def _price(data: object) -> Price:
    row = fields(data, "pricing[]")
    price = number(row.get("credits_per_minute"))
    return Price(
        task_type=_lower(row, "task_type"),
        credits_per_minute=required(None if price is None or price < 0 else price, "credits_per_minute"),
        description=name(row.get("description")) or "",
        language=word(row.get("language")),
    )


def _output(data: object) -> Output | None:
    if not isinstance(data, dict):
        return None
    urls: dict[str, str] = {}
    for key, value in data.items():
        kind = _RESULT.match(key)
        found = url(value, f"output.{key}") if kind else None
        if kind and found and len(urls) < MOST_RESULTS:
            urls[kind[1]] = found
    return Output(urls=urls, expires_at=time(data.get("expires_at")))


def _headers(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    headers = {key: str(value) for key, value in data.items() if isinstance(value, str | int)}
    if len(headers) > MOST_HEADERS or any(
        len(key) > LONGEST_HEADER_NAME or len(value) > LONGEST_HEADER_VALUE for key, value in headers.items()
    ):
        raise MisreadError("`upload_headers` is larger than headers can be")
    return headers


def _next(page: Fields) -> str | None:
    if page.get("has_more") is False:
        return None
    found = cursor(page.get("next_cursor"))
    if page.get("has_more") and found is None:
        raise MisreadError("`has_more` says that there is more, and `next_cursor` is missing")
    return found


def _each(data: object, title: str, read: Callable[[object], T]) -> tuple[T, ...]:
    given = rows(data, title)
    found: list[T] = []
    fault: MisreadError | None = None
    for row in given:
        try:
            found.append(read(row))
        except MisreadError as error:
            fault = error
    if fault and not found:
        raise fault
    return tuple(found)


def _lower(row: Fields, key: str) -> str:
    return required(word(row.get(key)), key).lower()


def _harmless_url(row: Fields, key: str) -> str | None:
    try:
        return url(row.get(key), key)
    except MisreadError:
        return None
