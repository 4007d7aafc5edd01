"""The seven operations that cost credits: six that make a task, and Voice Clone, which answers when it is done."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.answers import success
from qavix_watch.sandbox.inputs import file_id_in, input_file, required_link
from qavix_watch.sandbox.prices import price, speech_seconds
from qavix_watch.sandbox.problems import invalid, missing
from qavix_watch.sandbox.tasks import NewTask

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from starlette.requests import Request
    from starlette.responses import Response

    from qavix_watch.sandbox.files import FileRow
    from qavix_watch.sandbox.service import Service

LONGEST_TEXT = 100_000  # characters of one Text to Speech; the reference names no limit


@dataclass(frozen=True, slots=True)
class Kind:
    """One task type: which input URLs it needs, whether it translates, and the rest of what it reads."""

    task_type: str
    inputs: tuple[str, ...]
    translates: bool
    params: Callable[[Service, dict[str, Any]], dict[str, Any]]


def _nothing(_: Service, __: dict[str, Any]) -> dict[str, Any]:
    return {}


def _voice(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    voice_id = fields.text(body, "voice_id")
    if voice_id is not None and not service.voices.known(voice_id):
        raise invalid("voice_not_found", "there is no voice with this voice_id", "voice_id")
    return {"voice_id": voice_id}


def _embedding(_: Service, body: dict[str, Any]) -> dict[str, Any]:
    return {"embed_subtitle": fields.flag(body, "embed_subtitle", default=True)}


def _erasure(_: Service, body: dict[str, Any]) -> dict[str, Any]:
    mode = fields.choice(fields.text(body, "erasure_mode"), "erasure_mode", ("auto", "manual", "protect")) or "auto"
    regions = fields.regions(body, "normalized_regions")
    if mode != "auto" and not regions:
        raise missing("normalized_regions")
    return {"erasure_mode": mode, "normalized_regions": regions}


def _speech(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    text = fields.required_text(body, "text", longest=LONGEST_TEXT)
    fields.required_text(body, "voice_id")
    return {"text": text, "language": fields.language(body, "language"), **_voice(service, body)}


_KINDS = {
    "video_translation": Kind("video_translation", ("video_url",), translates=True, params=_voice),
    "subtitle_translation": Kind("subtitle_translation", ("video_url",), translates=True, params=_embedding),
    "smart_eraser": Kind("smart_erasure", ("video_url",), translates=False, params=_erasure),
    "face_swap": Kind("face_swap", ("video_url", "image_url"), translates=False, params=_nothing),
    "lip_sync": Kind("lip_sync", ("video_url", "audio_url"), translates=False, params=_nothing),
    "text_to_speech": Kind("text_to_speech", (), translates=False, params=_speech),
}


def submit(operation: str) -> Callable[[Service, Request], Any]:
    """The endpoint of an operation that makes a task."""
    kind = _KINDS[operation]

    async def endpoint(service: Service, request: Request) -> Response:
        return _submitted(service, kind, await fields.read_body(request))

    return endpoint


def _submitted(service: Service, kind: Kind, body: dict[str, Any]) -> Response:
    """No await from here on: two requests with one key cannot overtake each other."""
    links = {name: required_link(body, name) for name in kind.inputs}
    source, target = _languages(body) if kind.translates else (None, None)
    params = kind.params(service, body)
    callback = fields.link(body, "callback_url")
    name, key = fields.text(body, "name"), fields.text(body, "idempotency_key")
    fingerprint = _fingerprint(kind, body)
    earlier = service.tasks.by_key(key) if key else None
    if earlier is not None:
        return _seen_again(service, earlier, fingerprint, links)
    files = {field: input_file(service, link, field) for field, link in links.items()}
    seconds = _media_seconds(files, params)
    row = service.tasks.create(
        NewTask(
            task_type=kind.task_type,
            fingerprint=fingerprint,
            credits=price(kind.task_type, seconds, target or params.get("language")),
            wait_seconds=service.options.pending_seconds / service.options.speed,
            work_seconds=_work_seconds(service, seconds),
            name=name,
            source=source,
            target=target or params.get("language"),
            idempotency_key=key,
            callback_url=None if callback is None else callback.geturl(),
            inputs={field: _reference(file) for field, file in files.items()},
            params=params,
        )
    )
    service.factory.look()
    return success(_created(row), credits_used=row["credits"], credits_remaining=service.tasks.balance)


def _languages(body: dict[str, Any]) -> tuple[str, str]:
    source, target = (fields.required_language(body, name) for name in ("source_language", "target_language"))
    if source.lower() == target.lower():
        raise invalid("same_language", "source_language and target_language are the same", "target_language")
    return source, target


def _fingerprint(kind: Kind, body: dict[str, Any]) -> str:
    """What a repetition with the same key must agree on: everything but URLs, which a client may have renewed."""
    rest = {name: value for name, value in body.items() if not name.endswith("_url") and value is not None}
    return hashlib.sha256(json.dumps([kind.task_type, rest], sort_keys=True).encode()).hexdigest()


def _seen_again(service: Service, row: sqlite3.Row, fingerprint: str, links: dict[str, SplitResult]) -> Response:
    same = row["fingerprint"] == fingerprint and _same_contents(service, json.loads(row["inputs"]), links)
    if not same:
        raise invalid("idempotency_mismatch", "this idempotency_key was used for another request", "idempotency_key")
    service.tasks.seen_again(row["id"])
    return success(_created(row))


def _same_contents(service: Service, inputs: dict[str, dict[str, str]], links: dict[str, SplitResult]) -> bool:
    """A URL that names a file of ours must name the same content as the first time."""
    named = {field: service.files.get(file_id_in(link.path)) for field, link in links.items()}
    return all(file is None or file.sha256 == inputs[field]["sha256"] for field, file in named.items())


def _created(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "task_id": str(row["id"]), "task_type": row["task_type"], "status": row["status"], "estimated_credits": row["estimated"],
    }  # fmt: skip


def _reference(file: FileRow) -> dict[str, str]:
    return {"file_id": file.file_id, "sha256": file.sha256 or ""}


def _media_seconds(files: dict[str, FileRow], params: dict[str, Any]) -> float:
    """What is billed by: the video's length, or how long the text takes to speak."""
    if "text" in params:
        return speech_seconds(params["text"])
    return files["video_url"].seconds or 0.0


def _work_seconds(service: Service, media_seconds: float) -> float:
    options = service.options
    return max(options.floor_seconds, media_seconds / 60 * options.seconds_per_minute) / options.speed


async def voice_clone(service: Service, request: Request) -> Response:
    """Takes its time, then answers with the voice. There is no idempotency key: the same request twice makes two voices."""
    body = await fields.read_body(request)
    name = fields.required_text(body, "name")
    sample = input_file(service, required_link(body, "audio_url"), "audio_url")
    amount = price("voice_clone", 0)
    service.tasks.cover(amount)
    if not sample.sound:
        raise invalid("invalid_audio", "audio_url has no sound that can be read", "audio_url")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(service.closing.wait(), service.options.floor_seconds / service.options.speed)
    service.tasks.cover(amount)
    voice_id = service.voices.clone(name, sample.sha256 or "")
    clone = {"voice_id": voice_id}
    inputs = {"audio_url": _reference(sample)}
    service.tasks.record_done(NewTask("voice_clone", "", amount, 0, 0, name=name, inputs=inputs, params=clone))
    data = {"voice_id": voice_id, "name": name, "type": "cloned"}
    return success(data, credits_used=amount, credits_remaining=service.tasks.balance)
