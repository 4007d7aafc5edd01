"""A plain client for the tests: httpx, and every answer of the API judged by the contract."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from tests.contract.contract import check_answer, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from qavix_watch.sandbox import Running

T = TypeVar("T")
_PATIENCE_SECONDS = 20.0
_TLS = ssl.create_default_context()  # loading it costs more than a test


def until(ask: Callable[[], T], what: str = "the condition") -> T:
    """Asks until the answer is true, for a bounded time."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come within {_PATIENCE_SECONDS:g} s")


@dataclass
class Client:
    """One account's client of the sandbox at `base_url`."""

    base_url: str
    api_key: str = "sandbox-key"
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, verify=_TLS))

    def call(self, operation: str, body: Any = None, *, key: str | None = None, task_id: str = "", **query: Any) -> httpx.Response:
        """The answer, whatever its status; raises where it does not fit the contract."""
        method, path, _ = operations()[operation]
        url = self.base_url + path.replace("{task_id}", task_id)
        used = self.api_key if key is None else key
        headers = {"Authorization": f"Bearer {used}"} if used else {}
        content = None if body is None else json.dumps(body)  # ASCII, so that broken Unicode can be sent too
        headers["Content-Type"] = "application/json"
        answer = self.http.request(method, url, content=content, params=query, headers=headers)
        check_answer(operation, answer.status_code, answer.json())
        return answer

    def data(self, operation: str, body: Any = None, **more: Any) -> Any:
        """What a success holds."""
        answer = self.call(operation, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def error(self, operation: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """The error of a refusal, with its status."""
        answer = self.call(operation, body, **more)
        assert answer.json()["success"] is False, answer.text
        return {"status": answer.status_code, **answer.json()["error"]}

    def grant(self, content: bytes, name: str = "clip.mp4", *, md5: bool = True) -> dict[str, Any]:
        body: dict[str, Any] = {"file_name": name, "file_size": len(content)}
        if md5:
            body["content_md5"] = hashlib.md5(content).hexdigest()
        grant: dict[str, Any] = self.data("get_upload_url", body)
        return grant

    def put(self, grant: dict[str, Any], content: bytes | Iterable[bytes], **headers: str) -> httpx.Response:
        return self.http.put(grant["upload_url"], content=content, headers={**grant["upload_headers"], **headers})

    def upload(self, path: Path) -> dict[str, Any]:
        """file_id, url, expires_at of a file that the service now holds."""
        content = path.read_bytes()
        grant = self.grant(content, path.name)
        if grant.get("upload_url"):
            assert self.put(grant, content).status_code == 200
        link: dict[str, Any] = self.data("confirm_upload", {"file_id": grant["file_id"]})
        return link

    def task(self, task_id: str) -> Any:
        return self.data("get_task", task_id=task_id)

    def ended(self, task_id: str) -> Any:
        """The task, once it is over."""
        return until(lambda: task if (task := self.task(task_id))["completed_at"] else None, f"the end of task {task_id}")

    def done(self, operation: str, body: Any) -> Any:
        """Submits and waits; the completed task."""
        task = self.ended(self.data(operation, body)["task_id"])
        assert task["status"] == "completed", task
        return task


def client_of(box: Running) -> Client:
    return Client(box.base_url, box.api_key)
