"""Get Upload URL, Confirm Upload, Refresh URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.answers import success
from qavix_watch.sandbox.probe import probe
from qavix_watch.sandbox.problems import invalid, unknown

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qavix_watch.sandbox.files import FileRow
    from qavix_watch.sandbox.service import Service

LARGEST_FILE = 5 * 1024**3  # bytes: S3's limit for one PUT


async def get_upload_url(service: Service, request: Request) -> Response:
    body = await fields.read_body(request)
    name = fields.required_text(body, "file_name", longest=1024)
    size = fields.whole_number(body, "file_size", least=1, most=LARGEST_FILE)
    md5 = fields.hex_md5(body, "content_md5")
    held = service.files.held_copy(md5, size) if md5 and service.options.dedupe else None
    if held is not None:
        return success(service.links.file_link(held))
    return success(service.links.grant(service.files.grant(name, size, md5)))


async def confirm_upload(service: Service, request: Request) -> Response:
    row = await _named_file(service, request)
    if row.stored_at is None:
        raise invalid("upload_incomplete", "nothing was uploaded for this file_id yet", "file_id")
    if row.confirmed_at is None:
        loop = asyncio.get_running_loop()
        facts = await loop.run_in_executor(service.threads, probe, service.places.file(row.file_id))
        service.files.confirm(row.file_id, facts)
    return success(service.links.file_link(row))


async def refresh_url(service: Service, request: Request) -> Response:
    row = await _named_file(service, request)
    if row.confirmed_at is None:
        raise invalid("upload_incomplete", "this file was not confirmed yet", "file_id")
    return success(service.links.file_link(row))


async def _named_file(service: Service, request: Request) -> FileRow:
    body = await fields.read_body(request)
    row = service.files.get(fields.required_text(body, "file_id"))
    if row is None or row.forgotten_at is not None:
        raise unknown("file_not_found", "there is no such file")
    return row
