"""The URLs that the service gives out, and the tasks and files as its answers show them."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox.stamps import iso

if TYPE_CHECKING:
    import sqlite3

    from starlette.datastructures import QueryParams

    from qavix_watch.sandbox.files import FileRow
    from qavix_watch.sandbox.options import SandboxOptions
    from qavix_watch.sandbox.signing import Signer

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_OUTPUTS = ("video_url", "subtitle_url", "audio_url")


class Links:
    """Makes and checks URLs at `origin`."""

    def __init__(self, options: SandboxOptions, origin: str, signer: Signer) -> None:
        self.origin = origin
        self.signer = signer
        self._options = options

    # -- uploads

    def grant(self, row: FileRow) -> dict[str, Any]:
        """The answer of Get Upload URL for a file that has yet to be sent."""
        url, expires = self.signer.url(self.origin, _storage_path(row), "grant", self._options.grant_seconds, *_bound(row))
        headers = {"Content-Type": row.content_type}
        if row.content_md5:
            headers["Content-MD5"] = base64_md5(row.content_md5)
        return {
            "file_id": row.file_id, "upload_url": url, "upload_method": "PUT", "upload_headers": headers,
            "expires_at": iso(expires), "url": None,
        }  # fmt: skip

    def check_grant(self, row: FileRow, query: QueryParams) -> None:
        self.signer.check(_storage_path(row), query, "grant", *_bound(row))

    # -- files

    def file_link(self, row: FileRow) -> dict[str, Any]:
        url, expires = self.signer.url(self.origin, _storage_path(row), "file", self._options.link_seconds)
        return {"file_id": row.file_id, "url": url, "expires_at": iso(expires)}

    def check_file(self, row: FileRow, query: QueryParams) -> None:
        self.signer.check(_storage_path(row), query, "file")

    # -- results

    def task(self, row: sqlite3.Row) -> dict[str, Any]:
        """A task as Get Task and List Tasks show it."""
        return {
            "task_id": str(row["id"]), "task_type": row["task_type"], "status": row["status"], "progress": _progress(row),
            "name": row["name"], "source_language": row["source"], "target_language": row["target"],
            "output": self._output(row), "credits_used": _credits(row), "created_at": iso(row["created_at"]),
            "completed_at": iso(row["completed_at"]), "error_message": row["error"],
        }  # fmt: skip

    def _output(self, row: sqlite3.Row) -> dict[str, Any] | None:
        results = json.loads(row["results"]) if row["results"] else {}
        if row["status"] != "completed" or not results:
            return None
        seconds = self._options.result_seconds
        output: dict[str, Any] = dict.fromkeys(_OUTPUTS)
        for name, made in results.items():
            path = f"/results/{row['id']}/{made['file']}"
            output[name], expires = self.signer.url(self.origin, path, "result", seconds)
            output["expires_at"] = iso(expires)
        return output

    def check_result(self, path: str, query: QueryParams) -> None:
        self.signer.check(path, query, "result")


def base64_md5(hex_digest: str) -> str:
    """As the Content-MD5 header has it."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def _storage_path(row: FileRow) -> str:
    suffix = os.path.splitext(row.name)[1]
    return f"/storage/{row.file_id}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def _bound(row: FileRow) -> tuple[str, ...]:
    return (row.content_type, row.content_md5 or "", str(row.size))


def _progress(row: sqlite3.Row) -> int:
    if row["status"] == "completed":
        return 100
    if row["status"] == "pending":
        return 0
    end = row["completed_at"] or time.time()
    share = (end - row["starts_at"]) / max(row["ends_at"] - row["starts_at"], 1e-6)
    return max(0, min(99, int(share * 100)))


def _credits(row: sqlite3.Row) -> int | None:
    """What a task consumed; an open one has consumed nothing for certain yet."""
    return row["credits"] if row["completed_at"] else None
