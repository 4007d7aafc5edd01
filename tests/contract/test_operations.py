"""Every operation of the contract answers as the contract says; `Client` judges each answer on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.contract import operations, request_schema

if TYPE_CHECKING:
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.contract.client import Client

PAIR = {"source_language": "en", "target_language": "es"}


@pytest.fixture
def bodies(client: Client, media: Path) -> dict[str, dict[str, Any]]:
    """A good request for every operation that takes a body."""
    video = client.upload(media / "clip.mp4")
    image = client.upload(media / "face.jpg")["url"]
    audio = client.upload(media / "voice.wav")["url"]
    url = {"video_url": video["url"]}
    region = {"x": 0, "y": 0.8, "width": 1, "height": 0.2, "type": 2}
    return {
        "video_translation": {**url, **PAIR, "voice_id": "sys-es-mateo", "name": "clip"},
        "subtitle_translation": {**url, **PAIR, "embed_subtitle": False},
        "smart_eraser": {**url, "erasure_mode": "manual", "normalized_regions": [region]},
        "face_swap": {**url, "image_url": image},
        "lip_sync": {**url, "audio_url": audio},
        "voice_clone": {"audio_url": audio, "name": "Ann"},
        "text_to_speech": {"text": "Hello, world.", "voice_id": "sys-en-ava", "language": "en"},
        "get_upload_url": {"file_name": "a.mp4", "file_size": 10, "content_md5": "0" * 32},
        "confirm_upload": {"file_id": video["file_id"]},
        "refresh_url": {"file_id": video["file_id"]},
    }


def test_every_operation_answers_as_the_contract_says(client: Client, bodies: dict[str, Any]) -> None:
    task_id = client.data("video_translation", bodies["video_translation"])["task_id"]
    assert len(operations()) == 16
    for operation in operations():
        answer = client.call(operation, bodies.get(operation), task_id=task_id)
        assert answer.status_code == 200, (operation, answer.text)


def test_every_answer_has_a_length_and_a_date(client: Client) -> None:
    answer = client.call("get_balance")
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["date"].endswith("GMT")


def test_usage_is_told_only_where_credits_are_consumed(client: Client, bodies: dict[str, Any]) -> None:
    spending = {
        "video_translation",
        "subtitle_translation",
        "smart_eraser",
        "face_swap",
        "lip_sync",
        "voice_clone",
        "text_to_speech",
    }
    told = {name for name in operations() if "usage" in client.call(name, bodies.get(name), task_id="551").json()}
    assert told == spending


def _broken_bodies(body: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(expected code, field, request): each required field left out, and each field given with a wrong type."""
    wrong = {"string": 7, "integer": "seven", "boolean": "yes", "array": "all", None: 7}
    left_out = [("missing_field", name, {k: v for k, v in body.items() if k != name}) for name in schema["required"]]
    mistyped = [("invalid_type", name, {**body, name: wrong[rule.get("type")]}) for name, rule in schema["properties"].items()]
    return left_out + mistyped


def test_missing_and_mistyped_fields_are_named(client: Client, bodies: dict[str, Any]) -> None:
    """For every operation with a body, every required field and every type in its schema."""
    tried = 0
    for operation in operations():
        schema = request_schema(operation)
        for code, name, body in _broken_bodies(bodies[operation], schema) if schema else []:
            error = client.error(operation, body)
            assert (error["status"], error["type"], error["code"], error["param"]) == (400, "validation_error", code, name), operation
            tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("operation", "change", "code", "param"),
    [
        ("video_translation", {"target_language": "en"}, "same_language", "target_language"),
        ("video_translation", {"target_language": "Spanish!"}, "invalid_language", "target_language"),
        ("video_translation", {"voice_id": "nobody"}, "voice_not_found", "voice_id"),
        ("video_translation", {"video_url": "ftp://example.com/x.mp4"}, "invalid_url", "video_url"),
        ("video_translation", {"video_url": "http://example.com/x.mp4"}, "invalid_url", "video_url"),
        ("video_translation", {"video_url": "https://example.com/x.mp4"}, "invalid_url", "video_url"),
        ("video_translation", {"video_url": "http://[::1"}, "invalid_url", "video_url"),
        ("video_translation", {"callback_url": "http://example.com/"}, "invalid_url", "callback_url"),
        ("video_translation", {"name": "x" * 256}, "invalid_value", "name"),
        ("video_translation", {"name": "\ud800"}, "invalid_encoding", "name"),
        ("smart_eraser", {"normalized_regions": []}, "missing_field", "normalized_regions"),
        ("smart_eraser", {"erasure_mode": "magic"}, "invalid_value", "erasure_mode"),
        ("smart_eraser", {"normalized_regions": [{"x": 0}]}, "missing_field", "normalized_regions[0].y"),
        (
            "smart_eraser",
            {"normalized_regions": [{"x": 0.5, "y": 0, "width": 0.6, "height": 1, "type": 1}]},
            "invalid_value",
            "normalized_regions[0]",
        ),
        ("text_to_speech", {"text": "  "}, "missing_field", "text"),
        ("text_to_speech", {"text": "x" * 100_001}, "invalid_value", "text"),
        ("get_upload_url", {"file_size": 0}, "invalid_value", "file_size"),
        ("get_upload_url", {"file_size": 6 * 1024**3}, "invalid_value", "file_size"),
        ("get_upload_url", {"content_md5": "ABC"}, "invalid_value", "content_md5"),
    ],
)
def test_wrong_values_are_named(
    client: Client, bodies: dict[str, Any], operation: str, change: dict[str, Any], code: str, param: str
) -> None:
    error = client.error(operation, {**bodies[operation], **change})
    assert (error["status"], error["code"], error["param"]) == (400, code, param)


@pytest.mark.parametrize("sent", [b"", b"{", b"[]", b'{"file_id": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(client: Client, sent: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.api_key}", "Content-Type": "application/json"}
    answer = client.http.post(f"{client.base_url}/files/confirm", content=sent, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_a_body_of_another_type_is_refused(client: Client) -> None:
    answer = client.http.post(
        f"{client.base_url}/files/confirm", data={"file_id": "x"}, headers={"Authorization": f"Bearer {client.api_key}"}
    )
    assert answer.json()["error"]["code"] == "invalid_content_type"


@pytest.mark.parametrize(
    ("operation", "query", "param"),
    [
        ("list_tasks", {"limit": "0"}, "limit"),
        ("list_tasks", {"limit": "101"}, "limit"),
        ("list_tasks", {"limit": "ten"}, "limit"),
        ("list_tasks", {"status": "done"}, "status"),
        ("list_tasks", {"task_type": "smart_eraser"}, "task_type"),
        ("list_tasks", {"cursor": "gone"}, "cursor"),
        ("usage_history", {"start_date": "2026-02-31"}, "start_date"),
        ("usage_history", {"end_date": "20260101"}, "end_date"),
        ("usage_history", {"start_date": "2026-02-02", "end_date": "2026-02-01"}, "end_date"),
        ("list_voices", {"gender": "other"}, "gender"),
    ],
)
def test_wrong_query_parameters_are_named(client: Client, operation: str, query: dict[str, str], param: str) -> None:
    error = client.error(operation, **query)
    assert (error["status"], error["type"], error["param"]) == (400, "validation_error", param)


def test_voices_are_filtered_by_language_and_gender(client: Client) -> None:
    assert {voice["language"] for voice in client.data("list_voices", language="zh-CN")} == {"zh-CN"}
    assert {voice["language"] for voice in client.data("list_voices", language="es")} == {"es-ES", "es-MX"}
    assert {voice["gender"] for voice in client.data("list_voices", gender="male")} == {"male"}


def test_two_system_voices_share_a_name(client: Client) -> None:
    lunas = [voice["voice_id"] for voice in client.data("list_voices") if voice["name"] == "Luna" and voice["type"] == "system"]
    assert len(set(lunas)) == 2


def test_a_cloned_voice_is_listed_and_can_speak(client: Client, bodies: dict[str, Any], box: Running) -> None:
    voice = client.data("voice_clone", {**bodies["voice_clone"], "name": "Aunt May"})
    listed = [entry for entry in client.data("list_voices") if entry["voice_id"] == voice["voice_id"]]
    assert [(entry["name"], entry["type"]) for entry in listed] == [("Aunt May", "cloned")]
    client.data("text_to_speech", {"text": "Hello.", "voice_id": voice["voice_id"]})
    clones = [clone for clone in box.ledger()["clones"] if clone["voice_id"] == voice["voice_id"]]
    assert [(clone["name"], clone["credits"]) for clone in clones] == [("Aunt May", 100)]


def test_a_voice_cannot_be_cloned_from_silence(client: Client, media: Path) -> None:
    picture = client.upload(media / "face.jpg")["url"]
    assert client.error("voice_clone", {"audio_url": picture, "name": "Nobody"})["code"] == "invalid_audio"
