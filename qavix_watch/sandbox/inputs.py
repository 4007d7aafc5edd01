"""The input URLs of a task: they must be this service's own file links, and still good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.problems import ApiError, StorageError, invalid, missing

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from qavix_watch.sandbox.files import FileRow
    from qavix_watch.sandbox.service import Service


def required_link(body: dict[str, Any], name: str) -> SplitResult:
    parts = fields.link(body, name)
    if parts is None:
        raise missing(name)
    return parts


def file_id_in(path: str) -> str:
    """The file that a storage path names ("" where it is none)."""
    head, _, name = path.rpartition("/")
    return name.partition(".")[0] if head == "/storage" else ""


def input_file(service: Service, parts: SplitResult, name: str) -> FileRow:
    """The file behind an input URL; raises validation_error about `name` for one that is foreign, expired or forgotten."""
    row = service.files.get(file_id_in(parts.path))
    if f"{parts.scheme}://{parts.netloc}" != service.links.origin or row is None or row.confirmed_at is None:
        raise invalid("invalid_url", f"{name} is not the URL of a file that was uploaded here", name)
    try:
        service.links.check_file(row, QueryParams(parts.query))
    except StorageError as problem:
        raise _as_validation(problem, name) from None
    if row.forgotten_at is not None:
        raise invalid("file_not_found", f"the file of {name} is no longer held", name)
    return row


def _as_validation(problem: StorageError, name: str) -> ApiError:
    if problem.code == "AccessDenied" and "expired" in problem.message:
        return invalid("url_expired", f"{name} has expired; renew it with Refresh URL", name)
    return invalid("invalid_url", f"{name} has no valid signature", name)
