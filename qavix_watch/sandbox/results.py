"""Downloads of results: signed, expiring, resumable."""

from __future__ import annotations

import json
import mimetypes
import os
from typing import TYPE_CHECKING

from qavix_watch.sandbox.bodies import StoredBody
from qavix_watch.sandbox.problems import no_such_key

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qavix_watch.sandbox.service import Service

_TYPES = {".srt": "application/x-subrip", ".mkv": "video/x-matroska"}  # not known everywhere


async def result_get(service: Service, request: Request) -> Response:
    service.links.check_result(request.url.path, request.query_params)
    row = service.tasks.get(request.path_params["task_id"])
    wanted = request.path_params["name"]
    results = json.loads(row["results"] or "{}") if row is not None else {}
    made = next((made for made in results.values() if made["file"] == wanted), None)
    if made is None:
        raise no_such_key()
    suffix = os.path.splitext(wanted)[1]
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(wanted)[0] or "application/octet-stream"
    return StoredBody(service.places.result(wanted), f'"{made["sha256"]}"', media_type)
