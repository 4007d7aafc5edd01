"""Both clients against the sandbox: the main calls, end to end."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.api.client import Client
from qavix_watch.api.hosts import public_only
from qavix_watch.api.transfers import TransferClient
from qavix_watch.core.secret import Secret
from qavix_watch.errors import (
    AuthenticationRefused,
    GrantRefused,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    PermissionRefused,
    RateLimited,
    ServiceFailed,
)
from qavix_watch.sandbox import Running, SandboxOptions, running
from tests.api.sinks import MemorySink
from tests.support.media import make_video
from tests.support.meters import Count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

SLACK_SECONDS = 0.05  # by which the limiter's second is longer than the service's
ROUNDS = 10


@pytest.fixture(scope="module")
def box() -> Iterator[Running]:
    with running(SandboxOptions(speed=200)) as box:
        yield box


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("media") / "clip.mp4"
    make_video(path)
    return path.read_bytes()


def ask(box: Running, call: Callable[[Client], Awaitable[Any]], key: str | None = None, **settings: Any) -> Any:
    async def main() -> Any:
        client = Client(box.base_url, key=Secret(key or box.api_key), monotonic=time.monotonic, **settings)
        try:
            return await call(client)
        finally:
            await client.close()

    return asyncio.run(main())


async def finished(client: Client, task_id: str) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        task = await client.get_task(task_id)
        if task.status in ("completed", "failed"):
            return task
        await asyncio.sleep(0.05)
    raise AssertionError("the task did not end")


def test_a_video_goes_up_is_translated_and_comes_down(box: Running, video: bytes) -> None:
    transfers = TransferClient(public_only=public_only(box.base_url))

    async def main(client: Client) -> None:
        before = await client.get_balance()
        grant = await client.get_upload_url("clip.mp4", len(video), hashlib.md5(video).hexdigest())
        sent = await asyncio.to_thread(transfers.upload, grant, io.BytesIO(video), len(video), Count())
        assert sent == hashlib.sha256(video).hexdigest()
        link = await client.confirm_upload(grant.file_id)
        assert link.file_id == grant.file_id
        body = {"video_url": link.url, "source_language": "en", "target_language": "es", "name": "clip qx-1", "idempotency_key": "k1"}
        made = await client.create_task("video_translation", body)
        assert (await client.create_task("video_translation", body)).task_id == made.task_id
        task = await finished(client, made.task_id)
        assert (task.status, task.name, task.progress) == ("completed", "clip qx-1", 100)
        assert task.output is not None
        heads = []
        sink = MemorySink()
        result = await asyncio.to_thread(transfers.download, task.output.urls["video"], sink, None, heads.append, Count(), 1 << 30)
        assert (result.size, result.sha256) == (len(sink.data), hashlib.sha256(sink.data).hexdigest())
        assert heads[0].validator
        half = MemorySink(bytes(sink.data[: result.size // 2]))
        again = await asyncio.to_thread(transfers.download, task.output.urls["video"], half, heads[0], heads.append, Count(), 1 << 30)
        assert (half.data, again.size, again.sha256, len(heads)) == (sink.data, result.size, None, 1)
        whole = await asyncio.to_thread(transfers.download, task.output.urls["video"], half, heads[0], heads.append, Count(), 1 << 30)
        assert (whole.size, len(heads)) == (result.size, 1)
        assert made.task_id in [row.task_id for row in (await client.list_tasks(status="completed")).tasks]
        assert (await client.get_balance()).credits_remaining < before.credits_remaining
        assert (await client.usage_history()).records[0].task_id == made.task_id

    try:
        ask(box, main)
    finally:
        transfers.close()


def test_the_reading_operations_are_all_understood(box: Running) -> None:
    async def main(client: Client) -> None:
        balance = await client.get_balance()
        assert (balance.requests_per_minute, balance.queries_per_second) == (6000, 100)
        assert {price.task_type for price in await client.pricing()} >= {"video_translation", "text_to_speech"}
        voices = await client.list_voices()
        assert voices
        assert all(voice.type in ("system", "cloned") for voice in voices)
        first = voices[0]
        made = await client.create_task("text_to_speech", {"text": "hello", "voice_id": first.voice_id})
        task = await finished(client, made.task_id)
        assert set(task.output.urls) == {"audio"}

    ask(box, main)


def test_refusals_are_told_apart(box: Running) -> None:
    with pytest.raises(AuthenticationRefused):
        ask(box, lambda client: client.get_balance(), key="wrong")
    with pytest.raises(PermissionRefused):
        ask(box, lambda client: client.confirm_upload("1"), key=f"{box.api_key}-readonly")
    with pytest.raises(NotFound):
        ask(box, lambda client: client.get_task("999999"))
    with pytest.raises(InvalidRequest) as caught:
        ask(box, lambda client: client.create_task("text_to_speech", {"text": "x"}))
    assert caught.value.param == "voice_id"


def test_an_empty_balance_is_told_apart(box: Running) -> None:
    box.control("credits", {"credits": 0})
    try:
        voice = ask(box, lambda client: client.list_voices())[0].voice_id
        with pytest.raises(InsufficientCredits):
            ask(box, lambda client: client.create_task("text_to_speech", {"text": "hello " * 50, "voice_id": voice}))
    finally:
        box.control("credits", {"credits": 100_000})


def test_storage_that_refuses_says_why_and_never_shows_the_signature(box: Running) -> None:
    content = os.urandom(1000)

    async def main(client: Client) -> None:
        grant = await client.get_upload_url("a.bin", len(content) + 1, hashlib.md5(content).hexdigest())
        transfers = TransferClient(public_only=False)
        with pytest.raises((GrantRefused, ServiceFailed)) as caught:
            transfers.upload(grant, io.BytesIO(content), len(content), Count())
        transfers.close()
        assert "SignatureDoesNotMatch" in str(caught.value)
        query = str(grant.upload_url).partition("?")[2]
        assert all(part not in str(caught.value) for part in query.split("&"))

    ask(box, main)


def sixteen_at_once() -> tuple[list[BaseException], float]:
    """What was refused of sixteen calls under a limit of ten a second, and how many seconds the longest call took."""
    took: list[float] = []

    async def main(client: Client) -> list[Any]:
        await client.get_balance()
        return await asyncio.gather(*(client.list_tasks() for _ in range(16)), return_exceptions=True)

    with running(SandboxOptions(speed=200, requests_per_minute=6000, queries_per_second=10)) as box:
        found = ask(box, main, on_call=lambda _operation, _status, seconds: took.append(seconds))
    return [each for each in found if isinstance(each, BaseException)], max(took)


def test_the_limits_that_the_account_tells_keep_us_clear_of_429() -> None:
    """Calls that leave evenly arrive so, where the machine holds none up for longer than the limiter allows for: else it is shown anew."""
    for _ in range(ROUNDS):
        refused, longest = sixteen_at_once()
        if not refused:
            return
        assert longest > SLACK_SECONDS, refused
    pytest.fail(f"the machine was too busy in {ROUNDS} rounds")


def test_a_limit_that_is_used_up_is_told_before_a_request_is_wasted() -> None:
    with running(SandboxOptions(speed=200, requests_per_minute=3)) as box:
        async def main(client: Client) -> None:
            await client.get_balance()
            with pytest.raises(RateLimited) as caught:
                await asyncio.gather(*(client.get_balance() for _ in range(5)))
            assert caught.value.code == "local_limiter"

        ask(box, main)
