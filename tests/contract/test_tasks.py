"""Tasks: idempotency, billing, their life, pages, callbacks."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.contract.client import client_of, until
from tests.contract.contract import check_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.contract.client import Client

PAIR = {"source_language": "en", "target_language": "es"}


@pytest.fixture
def slow_box() -> Iterator[Running]:
    """A sandbox whose tasks stay open until they are pushed."""
    with running(
        SandboxOptions(speed=1, pending_seconds=0, floor_seconds=1000, queries_per_second=10_000, requests_per_minute=100_000)
    ) as box:
        yield box


@pytest.fixture
def slow(slow_box: Running) -> Iterator[Client]:
    client = client_of(slow_box)
    yield client
    client.http.close()


def _line(box: Running, task_id: str) -> Any:
    return next(task for task in box.ledger()["tasks"] if task["task_id"] == task_id)


# -- idempotency


def test_the_same_key_gives_the_same_task_and_bills_once(client: Client, box: Running, media: Path) -> None:
    link = client.upload(media / "clip.mp4")
    body = {"video_url": link["url"], **PAIR, "idempotency_key": "same-key", "name": "clip"}
    before = client.data("get_balance")["credits_remaining"]
    first = client.call("video_translation", body).json()
    renewed = client.data("refresh_url", {"file_id": link["file_id"]})["url"]
    second = client.call("video_translation", {**body, "video_url": renewed}).json()
    assert second["data"]["task_id"] == first["data"]["task_id"]
    assert second["data"]["estimated_credits"] == first["data"]["estimated_credits"]
    assert (first["usage"]["credits_used"], "usage" in second) == (60, False)
    assert client.data("get_balance")["credits_remaining"] == before - 60
    assert _line(box, first["data"]["task_id"])["posts"] == 2


def test_a_repetition_is_answered_even_with_an_expired_url(client: Client, box: Running, video_url: str) -> None:
    body = {"video_url": video_url, **PAIR, "idempotency_key": "expired-later"}
    first = client.data("video_translation", body)
    box.control("expire-links", {"purpose": "file"})
    assert client.data("video_translation", body)["task_id"] == first["task_id"]


@pytest.mark.parametrize("change", [{"target_language": "fr"}, {"name": "other"}, {"voice_id": "sys-es-luna"}])
def test_the_same_key_for_another_request_is_refused(client: Client, video_url: str, change: dict[str, str]) -> None:
    body = {"video_url": video_url, **PAIR, "idempotency_key": f"key-{change}"}
    client.data("video_translation", body)
    error = client.error("video_translation", {**body, **change})
    assert (error["status"], error["code"], error["param"]) == (400, "idempotency_mismatch", "idempotency_key")


def test_the_same_key_for_another_operation_or_content_is_refused(client: Client, media: Path, video_url: str) -> None:
    other = client.upload(media / "other.mp4")["url"]
    body = {"video_url": video_url, **PAIR, "idempotency_key": "one-content"}
    client.data("video_translation", body)
    assert client.error("subtitle_translation", body)["code"] == "idempotency_mismatch"
    assert client.error("video_translation", {**body, "video_url": other})["code"] == "idempotency_mismatch"


# -- money


def test_every_started_minute_is_billed_by_type_and_language(client: Client) -> None:
    prices = {(row["task_type"], row["language"]): row["credits_per_minute"] for row in client.data("pricing")["pricing"]}
    text = "x" * 1000  # a little more than a minute
    speak = {"text": text, "voice_id": "sys-ja-haruka"}
    plain = client.call("text_to_speech", speak).json()["usage"]["credits_used"]
    japanese = client.call("text_to_speech", {**speak, "language": "ja-JP"}).json()["usage"]["credits_used"]
    assert (plain, japanese) == (2 * prices["text_to_speech", None], 2 * prices["text_to_speech", "ja"])


def test_a_failed_task_gives_its_credits_back(client: Client, media: Path) -> None:
    words = client.upload(media / "words.txt")["url"]
    before = client.data("get_balance")["credits_remaining"]
    task = client.ended(client.data("video_translation", {"video_url": words, **PAIR})["task_id"])
    assert (task["status"], task["credits_used"], task["output"]) == ("failed", 0, None)
    assert "video_url" in task["error_message"]
    assert client.data("get_balance")["credits_remaining"] == before


def test_usage_history_pages_add_up(client: Client, box: Running, video_url: str) -> None:
    for target in ("fr", "de", "it"):
        client.data("video_translation", {"video_url": video_url, "source_language": "en", "target_language": target})
    records: list[Any] = []
    query: dict[str, str] = {}
    total = 0
    while True:
        page = client.data("usage_history", limit=2, **query)
        records += page["records"]
        total = page["total_credits_used"]
        if not page["has_more"]:
            break
        query = {"cursor": page["next_cursor"]}
    assert sum(record["credits_used"] for record in records) == total == box.ledger()["totals"]["credits_billed"]
    assert client.data("usage_history", end_date="2020-01-01")["records"] == []
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert client.data("usage_history", start_date=today, end_date=today)["records"]


# -- life


def test_a_task_goes_from_pending_through_progress_to_completed(media: Path) -> None:
    with running(SandboxOptions(speed=10, pending_seconds=2, floor_seconds=4)) as box:
        client = client_of(box)
        url = client.upload(media / "clip.mp4")["url"]
        task_id = client.data("video_translation", {"video_url": url, **PAIR, "name": "clip"})["task_id"]
        seen: list[Any] = []

        def look() -> Any:
            seen.append(client.task(task_id))
            return seen[-1]["completed_at"]

        until(look)
        assert list(dict.fromkeys(task["status"] for task in seen)) == ["pending", "processing", "completed"]
        progress = [task["progress"] for task in seen]
        assert progress == sorted(progress)
        assert len({value for value in progress if 0 < value < 99}) > 3
        assert (progress[0], progress[-1], seen[-1]["credits_used"]) == (0, 100, 60)
        client.http.close()


def test_speed_divides_the_time_of_a_task(media: Path) -> None:
    with running(SandboxOptions(speed=1000)) as box:
        client = client_of(box)
        url = client.upload(media / "clip.mp4")["url"]
        task = client.done("smart_eraser", {"video_url": url})
        assert task["created_at"][:10] == task["completed_at"][:10]
        client.http.close()


def test_a_task_can_be_pushed_by_hand(slow: Client, slow_box: Running) -> None:
    body = {"text": "Hello.", "voice_id": "sys-en-ava"}
    ids = [slow.data("text_to_speech", {**body, "text": f"Hello {n}."})["task_id"] for n in range(3)]
    slow_box.control(f"tasks/{ids[0]}", {"status": "completed"})
    slow_box.control(f"tasks/{ids[1]}", {"status": "failed", "error_message": "no luck"})
    slow_box.control(f"tasks/{ids[2]}", {"status": "gone"})
    assert slow.ended(ids[0])["output"]["audio_url"]
    assert slow.ended(ids[1])["error_message"] == "no luck"
    assert slow.error("get_task", task_id=ids[2])["code"] == "task_not_found"
    slow_box.control(f"tasks/{ids[0]}", {"status": "processing"})
    time.sleep(0.2)  # it takes as long as it would have taken at first, not as long as it took
    assert (slow.task(ids[0])["status"], slow.task(ids[0])["output"]) == ("processing", None)


# -- pages


def test_pages_are_newest_first_and_stay_stable_while_tasks_arrive(slow: Client, slow_box: Running) -> None:
    def submit(number: int) -> str:
        return str(slow.data("text_to_speech", {"text": f"Number {number}", "voice_id": "sys-en-ava"})["task_id"])

    ids = [submit(number) for number in range(25)]
    page = slow.data("list_tasks", limit=10)
    found = [task["task_id"] for task in page["tasks"]]
    submit(99)
    while page["has_more"]:
        page = slow.data("list_tasks", limit=10, cursor=page["next_cursor"])
        found += [task["task_id"] for task in page["tasks"]]
    assert found == ids[::-1]
    assert (page["next_cursor"], page["has_more"]) == (None, False)


def test_lists_are_filtered_by_status_and_type(slow: Client, slow_box: Running) -> None:
    ids = [slow.data("text_to_speech", {"text": f"Number {n}", "voice_id": "sys-en-ava"})["task_id"] for n in range(4)]
    slow_box.control(f"tasks/{ids[0]}", {"status": "failed"})
    slow_box.control(f"tasks/{ids[1]}", {"status": "completed"})
    slow.ended(ids[1])

    def listed(**query: str) -> set[str]:
        return {task["task_id"] for task in slow.data("list_tasks", **query)["tasks"]}

    assert listed(status="failed") == {ids[0]}
    assert listed(status="completed") == {ids[1]}
    assert listed(status="processing", task_type="text_to_speech") == {ids[2], ids[3]}
    assert listed(task_type="lip_sync") == set()


def test_an_answer_is_not_held_back_by_nagle(client: Client) -> None:
    """Two small writes and a delayed acknowledgement cost 40 ms a call, if the socket allows it."""
    began = time.perf_counter()
    for _ in range(20):
        client.call("get_balance")
    assert (time.perf_counter() - began) / 20 < 0.03


# -- callbacks


class _Ear:
    """A listener that keeps what is posted to it and answers the statuses it was given, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.heard: list[Any] = []
        ear, answers = self, list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append(json.loads(body))
                self.send_response(answers.pop(0) if answers else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback/7?token=x"

    @contextlib.contextmanager
    def listening(self) -> Iterator[_Ear]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


def _speak(client: Client, ear: _Ear, text: str) -> str:
    body = {"text": text, "voice_id": "sys-en-ava", "callback_url": ear.url}
    return str(client.data("text_to_speech", body)["task_id"])


def test_a_callback_carries_what_get_task_answers(client: Client, box: Running) -> None:
    with _Ear().listening() as ear:
        task_id = _speak(client, ear, "callback")
        heard = until(lambda: ear.heard)[0]
        check_answer("get_task", 200, heard)
        assert (heard["data"]["task_id"], heard["data"]["status"]) == (task_id, "completed")


def test_a_callback_tells_of_failure_too(client: Client, box: Running) -> None:
    box.faults({"operation": "task", "kind": "fail_task", "message": "no luck", "times": 1})
    with _Ear().listening() as ear:
        _speak(client, ear, "a failure")
        assert until(lambda: ear.heard)[0]["data"]["error_message"] == "no luck"


def test_a_callback_that_is_not_taken_is_tried_again(client: Client, box: Running) -> None:
    with _Ear(500, 302).listening() as ear:
        task_id = _speak(client, ear, "try again")
        until(lambda: len(ear.heard) == 3, "the third attempt")
        until(lambda: _line(box, task_id)["callbacks"] == 3)


def test_a_callback_can_be_missing_twice_or_late(client: Client, box: Running) -> None:
    with _Ear().listening() as ear:
        box.faults({"operation": "callback", "kind": "no_callback", "times": 1})
        silent = client.ended(_speak(client, ear, "silent"))["task_id"]
        box.faults({"operation": "callback", "kind": "twice", "times": 1})
        twice = _speak(client, ear, "twice")
        until(lambda: len(ear.heard) == 2)
        box.faults({"operation": "callback", "kind": "late", "delay": 0.3, "times": 1})
        late = client.ended(_speak(client, ear, "late"))
        assert len(ear.heard) == 2, "the late one is not there yet"
        until(lambda: len(ear.heard) == 3)
        assert [heard["data"]["task_id"] for heard in ear.heard] == [twice, twice, late["task_id"]]
        box.control(f"callbacks/{silent}", {})
        until(lambda: len(ear.heard) == 4)
        assert ear.heard[3]["data"]["task_id"] == silent


# -- what a person can do to it


def test_a_key_that_was_forgotten_makes_a_new_task(client: Client, box: Running, video_url: str) -> None:
    """The first task stays, in the list too."""
    body = {"video_url": video_url, **PAIR, "idempotency_key": "soon-forgotten", "name": "kept"}
    first = client.data("video_translation", body)["task_id"]
    assert box.control("forget-keys", {"keys": ["soon-forgotten", "never-known"]}) == {"forgotten": 1}
    second = client.data("video_translation", body)["task_id"]
    assert first != second
    assert {first, second} <= {row["task_id"] for row in client.data("list_tasks", limit=100)["tasks"]}
