"""Each kind of fault does to a client what it says."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.contract.client import client_of, until

if TYPE_CHECKING:
    from qavix_watch.sandbox import Running
    from tests.contract.client import Client

PAIR = {"source_language": "en", "target_language": "es"}


@pytest.fixture
def headers(client: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.api_key}"}


@pytest.fixture
def result_url(client: Client, video_url: str) -> str:
    return str(client.done("smart_eraser", {"video_url": video_url})["output"]["video_url"])


def _balance(client: Client, headers: dict[str, str]) -> httpx.Response:
    return client.http.get(f"{client.base_url}/account/balance", headers=headers)


def test_a_status_comes_as_often_as_asked_and_then_no_more(client: Client, box: Running) -> None:
    box.faults({"operation": "get_balance", "kind": "status", "status": 503, "times": 2, "skip": 1})
    assert [client.call("get_balance").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert box.control("faults")[0]["hits"] == 2


def test_storage_says_a_status_in_xml(client: Client, box: Running) -> None:
    content = os.urandom(100)
    grant = client.grant(content)
    box.faults({"operation": "storage_put", "kind": "status", "status": 503, "retry_after": 1, "times": 1})
    refused = client.put(grant, content)
    assert (refused.status_code, refused.headers["retry-after"], "<Code>SlowDown</Code>" in refused.text) == (503, "1", True)
    assert client.put(grant, content).status_code == 200


def test_a_lost_answer_comes_after_the_work_was_done(client: Client, box: Running, video_url: str) -> None:
    body = {"video_url": video_url, **PAIR, "idempotency_key": "lost-answer"}
    box.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        client.call("video_translation", body)
    made = [task for task in box.ledger()["tasks"] if task["idempotency_key"] == "lost-answer"]
    assert client.data("video_translation", body)["task_id"] == made[0]["task_id"]
    assert len(made) == 1


def test_an_upload_whose_answer_is_lost_is_stored(client: Client, box: Running) -> None:
    content = os.urandom(200_000)
    grant = client.grant(content)
    box.faults({"operation": "storage_put", "kind": "lost_answer", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        client.put(grant, content)
    assert client.data("confirm_upload", {"file_id": grant["file_id"]})["url"]


def test_a_dropped_request_does_nothing(client: Client, box: Running) -> None:
    before = box.ledger()["totals"]["grants"]
    box.faults({"operation": "get_upload_url", "kind": "drop", "times": 1})
    with pytest.raises(httpx.TransportError):  # an end, or a reset where the request had not been read yet
        client.grant(b"x")
    assert box.ledger()["totals"]["grants"] == before


def test_an_upload_can_be_reset_in_mid_body(client: Client, box: Running) -> None:
    content = os.urandom(8_000_000)
    grant = client.grant(content)
    box.faults({"operation": "storage_put", "kind": "reset", "bytes": 1_000_000, "times": 1})
    with pytest.raises(httpx.TransportError):
        client.put(grant, content)
    assert client.error("confirm_upload", {"file_id": grant["file_id"]})["code"] == "upload_incomplete"
    assert client.put(grant, content).status_code == 200


def test_a_download_can_be_reset_in_mid_body(client: Client, box: Running, result_url: str) -> None:
    box.faults({"operation": "result_get", "kind": "reset", "bytes": 5000, "times": 1})
    got = bytearray()

    def fetch() -> None:
        with client.http.stream("GET", result_url) as answer:
            for piece in answer.iter_raw():
                got.extend(piece)

    with pytest.raises(httpx.ReadError):
        fetch()
    assert len(got) == 5000
    assert client.http.get(result_url).content.startswith(bytes(got))


def test_an_answer_of_the_api_can_be_reset_too(client: Client, box: Running, headers: dict[str, str]) -> None:
    box.faults({"operation": "get_balance", "kind": "reset", "times": 1})
    with pytest.raises(httpx.ReadError):
        _balance(client, headers)


def test_a_download_can_end_early(client: Client, box: Running, result_url: str) -> None:
    box.faults({"operation": "result_get", "kind": "truncate", "bytes": 7, "times": 1})
    with pytest.raises(httpx.RemoteProtocolError, match="received 7 bytes"):
        client.http.get(result_url)


def test_a_download_can_be_announced_short(client: Client, box: Running, result_url: str) -> None:
    whole = len(client.http.get(result_url).content)
    box.faults({"operation": "result_get", "kind": "short", "times": 1})
    answer = client.http.get(result_url)
    assert (answer.status_code, len(answer.content), answer.headers["content-length"]) == (200, whole // 2, str(whole // 2))


def test_a_download_can_trickle(client: Client, box: Running, result_url: str) -> None:
    box.faults({"operation": "result_get", "kind": "trickle", "rate": 10, "times": 1})
    began = time.monotonic()
    with client.http.stream("GET", result_url) as answer:
        pieces = answer.iter_raw()
        assert len(next(pieces) + next(pieces)) <= 30
    assert time.monotonic() - began >= 0.9


def test_a_slow_answer_comes_late_but_the_work_is_done(client: Client, box: Running, video_url: str) -> None:
    box.faults({"operation": "smart_eraser", "kind": "slow", "delay": 30, "times": 1})
    body = {"video_url": video_url, "idempotency_key": "slow"}
    client.http.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        client.call("smart_eraser", body)
    client.http.timeout = httpx.Timeout(30)
    assert [task["idempotency_key"] for task in box.ledger()["tasks"]].count("slow") == 1


def test_a_proxy_may_answer_instead(client: Client, box: Running, headers: dict[str, str]) -> None:
    box.faults({"operation": "*", "kind": "html", "times": 1})
    answer = _balance(client, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_json_may_have_the_wrong_shape(client: Client, box: Running, headers: dict[str, str]) -> None:
    box.faults({"operation": "get_balance", "kind": "garbage", "times": 1})
    assert isinstance(_balance(client, headers).json()["data"], list)


def test_a_redirect_may_lead_elsewhere(client: Client, box: Running, headers: dict[str, str]) -> None:
    box.faults({"operation": "get_balance", "kind": "redirect", "location": "http://10.0.0.1/x", "times": 1})
    answer = _balance(client, headers)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://10.0.0.1/x")


def test_tasks_can_be_made_to_fail_by_type(client: Client, box: Running, video_url: str) -> None:
    box.faults({"operation": "smart_erasure", "kind": "fail_task", "message": "too dark"})
    failed = client.ended(client.data("smart_eraser", {"video_url": video_url})["task_id"])
    assert (failed["status"], failed["error_message"]) == ("failed", "too dark")
    assert client.done("video_translation", {"video_url": video_url, **PAIR})


def test_a_task_can_stay_at_99_per_cent(client: Client, box: Running, video_url: str) -> None:
    box.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    task_id = client.data("smart_eraser", {"video_url": video_url})["task_id"]
    until(lambda: box.control("faults")[0]["hits"])
    assert until(lambda: (task := client.task(task_id))["progress"] == 99 and task)["status"] == "processing"


def test_chance_follows_its_seed(client: Client, box: Running) -> None:
    def statuses() -> list[int]:
        box.faults({"operation": "get_balance", "kind": "status", "probability": 0.5, "seed": 4})
        return [client.call("get_balance").status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 500}
    assert statuses() == first


@pytest.mark.parametrize(
    "rules",
    [
        {"operation": "*"},
        [{"operation": "get_balance"}],
        [{"operation": "nothing", "kind": "status"}],
        [{"operation": "*", "kind": "magic"}],
        [{"operation": "*", "kind": "status", "tims": 1}],
        [{"operation": "*", "kind": "status", "times": "1"}],
    ],
)
def test_rules_that_make_no_sense_are_refused(box: Running, rules: Any) -> None:
    with pytest.raises(RuntimeError, match="validation_error"):
        box.control("faults", rules, method="PUT")


def test_control_is_never_disturbed(box: Running) -> None:
    box.faults({"operation": "*", "kind": "drop"})
    assert box.control("healthz") == {"ok": True}


def test_requests_and_their_faults_are_recorded(client: Client, box: Running) -> None:
    box.control("requests", method="DELETE")
    box.faults({"operation": "get_balance", "kind": "drop", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        client.call("get_balance")
    client.call("get_balance")
    seen = box.control("requests")
    assert seen["counts"]["get_balance"] == 2
    assert seen["statuses"]["get_balance"] == {"0": 1, "200": 1}
    assert [visit["fault"] for visit in seen["recent"] if visit["operation"] == "get_balance"] == ["drop", ""]


def test_a_sandbox_that_ends_does_not_wait_for_slow_answers() -> None:
    with running(SandboxOptions()) as box:
        client = client_of(box)
        box.faults({"operation": "get_balance", "kind": "slow", "delay": 600})
        client.http.timeout = httpx.Timeout(0.1)
        with pytest.raises(httpx.ReadTimeout):
            client.call("get_balance")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    client.http.close()
