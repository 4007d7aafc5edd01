"""Get Task and List Tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.answers import success
from qavix_watch.sandbox.operations import TASK_STATUSES, TASK_TYPES
from qavix_watch.sandbox.problems import unknown

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qavix_watch.sandbox.service import Service


async def get_task(service: Service, request: Request) -> Response:
    row = service.tasks.get(request.path_params["task_id"])
    if row is None:
        raise unknown("task_not_found", "there is no such task")
    return success(service.links.task(row))


async def list_tasks(service: Service, request: Request) -> Response:
    """Newest first. A cursor names the last task of its page, so new tasks do not shift what follows."""
    query = request.query_params
    limit = fields.page_size(query)
    rows = service.tasks.page(
        status=fields.choice(query.get("status"), "status", TASK_STATUSES),
        task_type=fields.choice(query.get("task_type"), "task_type", TASK_TYPES),
        before=fields.cursor(query),
        limit=limit + 1,
    )
    page, more = rows[:limit], len(rows) > limit
    following = fields.cursor_after(page[-1]["id"]) if more else None
    return success({"tasks": [service.links.task(row) for row in page], "next_cursor": following, "has_more": more})
