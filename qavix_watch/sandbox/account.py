"""Get Balance, Usage History, Pricing, List Voices."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.answers import success
from qavix_watch.sandbox.prices import pricing_table
from qavix_watch.sandbox.problems import invalid
from qavix_watch.sandbox.stamps import iso

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qavix_watch.sandbox.service import Service


async def get_balance(service: Service, _: Request) -> Response:
    options = service.options
    limits = {"requests_per_minute": options.requests_per_minute, "queries_per_second": options.queries_per_second}
    return success({"credits_remaining": service.tasks.balance, "plan": "sandbox", "expires_at": None, "rate_limits": limits})


async def usage_history(service: Service, request: Request) -> Response:
    """Days are days in UTC, both ends included."""
    query = request.query_params
    start, end = fields.day(query, "start_date"), fields.day(query, "end_date")
    if start is not None and end is not None and start > end:
        raise invalid("invalid_value", "end_date must not lie before start_date", "end_date")
    limit = fields.page_size(query)
    rows, total = service.tasks.usage(
        start=None if start is None else _midnight(start),
        end=None if end is None else _midnight(end) + timedelta(days=1).total_seconds(),
        before=fields.cursor(query),
        limit=limit + 1,
    )
    page, more = rows[:limit], len(rows) > limit
    records = [
        {
            "task_id": str(row["id"]),
            "task_type": row["task_type"],
            "credits_used": row["credits"],
            "created_at": iso(row["created_at"]),
        }
        for row in page
    ]
    following = fields.cursor_after(page[-1]["id"]) if more else None
    return success({"records": records, "total_credits_used": total, "next_cursor": following, "has_more": more})


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


async def pricing(_: Service, __: Request) -> Response:
    return success({"pricing": pricing_table()})


async def list_voices(service: Service, request: Request) -> Response:
    query = request.query_params
    gender = fields.choice(query.get("gender"), "gender", ("male", "female"))
    return success(service.voices.listed(query.get("language"), gender))
