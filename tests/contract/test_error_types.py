"""The seven error types of the reference, each as the contract says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.contract.client import client_of
from tests.contract.contract import operations

if TYPE_CHECKING:
    from qavix_watch.sandbox import Running
    from tests.contract.client import Client

PAIR = {"source_language": "en", "target_language": "es"}
SEVEN = {
    401: "authentication_error",
    400: "validation_error",
    429: "rate_limit_error",
    403: "permission_error",
    402: "insufficient_credits",
    404: "not_found",
    500: "internal_error",
}


@pytest.mark.parametrize(("status", "kind"), SEVEN.items())
def test_every_error_type_on_every_operation(client: Client, box: Running, status: int, kind: str) -> None:
    box.faults({"operation": "*", "kind": "status", "status": status, "retry_after": 3})
    for operation in operations():
        answer = client.call(operation, {}, task_id="551")
        assert (answer.status_code, answer.json()["error"]["type"], answer.headers["retry-after"]) == (status, kind, "3")


@pytest.mark.parametrize(
    ("key", "code"), [("", "missing_api_key"), ("wrong", "invalid_api_key"), ("sandbox-key-disabled", "api_key_disabled")]
)
def test_no_wrong_and_disabled_keys_are_told_apart(client: Client, key: str, code: str) -> None:
    for operation in operations():
        error = client.error(operation, {}, key=key, task_id="551")
        assert (error["status"], error["type"], error["code"]) == (401, "authentication_error", code)


def test_a_key_that_may_only_read_is_refused_what_costs(client: Client) -> None:
    assert client.call("get_balance", key="sandbox-key-readonly").status_code == 200
    error = client.error("video_translation", {}, key="sandbox-key-readonly")
    assert (error["status"], error["type"]) == (403, "permission_error")


def test_a_task_that_the_balance_does_not_cover_is_refused_and_changes_nothing(client: Client, box: Running, video_url: str) -> None:
    box.control("credits", {"credits": 59})
    before = box.ledger()["totals"]["tasks"]
    error = client.error("video_translation", {"video_url": video_url, **PAIR})
    assert (error["status"], error["type"]) == (402, "insufficient_credits")
    assert box.ledger()["totals"]["tasks"] == before
    assert client.data("get_balance")["credits_remaining"] == 59


def test_unknown_things_are_not_found(client: Client) -> None:
    for task_id in ("1", "nonsense", "9" * 40, "²"):
        assert client.error("get_task", task_id=task_id)["code"] == "task_not_found"
    for operation in ("confirm_upload", "refresh_url"):
        error = client.error(operation, {"file_id": "file_unknown"})
        assert (error["status"], error["type"], error["code"]) == (404, "not_found", "file_not_found")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_path"),
        ("POST", "/tasks", 405, "method_not_allowed"),
        ("GET", "/tasks/", 404, "unknown_path"),
    ],
)
def test_wrong_paths_and_methods_get_an_envelope(client: Client, method: str, path: str, status: int, code: str) -> None:
    answer = client.http.request(method, client.base_url + path, headers={"Authorization": f"Bearer {client.api_key}"})
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]["code"]) == (status, False, code)


def test_a_wrong_path_without_a_key_says_nothing_about_paths(client: Client) -> None:
    assert client.http.get(f"{client.base_url}/nowhere").status_code == 401


def test_too_many_a_second_are_answered_429_with_retry_after() -> None:
    with running(SandboxOptions(speed=100, queries_per_second=5)) as box:
        client = client_of(box)
        assert client.data("get_balance")["rate_limits"] == {"requests_per_minute": 6000, "queries_per_second": 5}
        answers = [client.call("get_balance") for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 3
        assert refused[0].json()["error"]["type"] == "rate_limit_error"
        assert refused[0].headers["retry-after"] == "1"
        client.http.close()


def test_too_many_a_minute_are_answered_429_with_the_seconds_that_are_left() -> None:
    with running(SandboxOptions(speed=100, requests_per_minute=4)) as box:
        client = client_of(box)
        statuses = [client.call("get_balance").status_code for _ in range(6)]
        assert statuses == [200] * 4 + [429] * 2
        assert 50 <= int(client.call("get_balance").headers["retry-after"]) <= 60
        client.http.close()


def test_control_is_not_part_of_the_rate_limit() -> None:
    with running(SandboxOptions(requests_per_minute=1)) as box:
        assert [box.control("healthz") for _ in range(3)] == [{"ok": True}] * 3


def test_a_fault_in_the_sandbox_itself_is_an_internal_error(client: Client, box: Running) -> None:
    """No answer is ever a bare page: even a request line that nobody expects gets an envelope or a plain 400."""
    answer = httpx.get(f"{box.base_url}/tasks/551%00", headers={"Authorization": f"Bearer {client.api_key}"})
    assert answer.json()["error"]["code"] == "task_not_found"
