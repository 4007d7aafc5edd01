"""The simulated service keeps the contract, and its ledger says what happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.errors import InsufficientCredits, InvalidRequest, NotFound
from tests.contract.contract import request_schema
from tests.simulation.asking import FORMS
from tests.simulation.bare import CALLBACK, SOUND, VIDEO, lived
from tests.simulation.gifts import digest

if TYPE_CHECKING:
    from tests.simulation.bare import Bare


@pytest.mark.parametrize("operation", FORMS)
def test_bodies_are_those_of_the_contract(operation: str) -> None:
    schema = request_schema(operation)
    assert schema is not None
    assert set(FORMS[operation].required) == set(schema["required"])
    assert set(FORMS[operation].checks) == set(schema["properties"])


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"video_url": None}, "video_url"),
        ({"video_url": "http://files.example/1"}, "video_url"),
        ({"video_url": "https://elsewhere.example/1"}, "video_url"),
        ({"callback_url": "http://here.example/callback/1/t"}, "callback_url"),
        ({"erasure_mode": "gently"}, "erasure_mode"),
        ({"normalized_regions": [{"x": 0, "y": 0, "width": 0, "height": 1, "type": 1}]}, "normalized_regions"),
        ({"voice": "v-1"}, "voice"),
    ],
)
def test_a_body_that_is_not_right_is_refused_by_its_field(change: dict[str, Any], param: str) -> None:
    async def act(bare: Bare) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await bare.api.create_task("smart_eraser", {**await bare.erasing(), **change})
        assert caught.value.param == param

    assert not lived(act).service.tasks


def test_languages_voices_and_pages_are_checked() -> None:
    async def act(bare: Bare) -> None:
        body = {"video_url": (await bare.stored()).url, "source_language": "en", "target_language": "es"}
        for wrong in ({"target_language": "Spanish!"}, {"voice_id": "v-99"}, {"source_language": ""}):
            with pytest.raises(InvalidRequest):
                await bare.api.create_task("video_translation", {**body, **wrong})
        for asked in (bare.api.list_tasks(limit=101), bare.api.list_tasks(status="done"), bare.api.usage_history("yesterday")):
            with pytest.raises(InvalidRequest):
                await asked
        assert await bare.api.create_task("video_translation", {**body, "voice_id": "v-1"})

    lived(act)


def test_a_key_that_was_seen_gives_the_first_task_and_bills_nothing() -> None:
    async def act(bare: Bare) -> None:
        body = await bare.erasing()
        first = await bare.api.create_task("smart_eraser", body)
        again = await bare.api.create_task("smart_eraser", {**body, "video_url": (await bare.stored()).url})
        assert (first.credits_used, first.credits_remaining) == (16, 100_000 - 16)
        assert (again.task_id, again.credits_used) == (first.task_id, None)

    bare = lived(act)
    assert (len(bare.service.tasks), bare.service.bill, bare.wrongs) == (1, 16, [])


@pytest.mark.parametrize("change", [{"name": "another"}, {"erasure_mode": "auto"}, {"video_url": SOUND}])
def test_a_key_that_comes_with_other_work_breaks_a_law(change: dict[str, Any]) -> None:
    async def act(bare: Bare) -> None:
        body = await bare.erasing()
        await bare.api.create_task("smart_eraser", body)
        other = {"video_url": (await bare.stored(SOUND)).url} if "video_url" in change else change
        await bare.api.create_task("smart_eraser", {**body, **other})

    assert len(lived(act).wrongs) == 1


def test_the_same_work_under_two_keys_is_billed_twice_and_the_ledger_shows_it() -> None:
    async def act(bare: Bare) -> None:
        await bare.api.create_task("smart_eraser", await bare.erasing("k1", erasure_mode="auto"))
        await bare.api.create_task("smart_eraser", await bare.erasing("k2", erasure_mode="auto", name="another", callback_url=CALLBACK))

    (tasks,) = lived(act).service.by_work().values()
    assert [task.key for task in tasks] == ["k1", "k2"]
    assert tasks[0].inputs == (digest(VIDEO),)


def test_a_content_is_sent_once_and_known_after_that() -> None:
    async def act(bare: Bare) -> None:
        assert await bare.stored()
        known = await bare.grant(VIDEO)
        assert (known.upload_url, known.url is not None) == (None, True)
        assert (await bare.grant(SOUND)).url is None
        assert (await bare.api.refresh_url(known.file_id)).url != known.url

    bare = lived(act)
    assert bare.service.uploads == {digest(VIDEO): 1}
    assert bare.counters["upload known already"] == 1


def test_only_what_was_uploaded_as_announced_is_confirmed() -> None:
    async def act(bare: Bare) -> None:
        grant = await bare.grant(VIDEO)
        with pytest.raises(InvalidRequest):
            await bare.api.confirm_upload(grant.file_id)
        await bare.send(VIDEO[::-1], grant)
        with pytest.raises(InvalidRequest):
            await bare.api.confirm_upload(grant.file_id)
        with pytest.raises(InvalidRequest):
            await bare.api.refresh_url(grant.file_id)
        with pytest.raises(NotFound):
            await bare.api.confirm_upload("f99")

    lived(act, {"storage checks MD5": 1})


def test_a_task_waits_runs_and_comes_to_its_results() -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task("smart_eraser", await bare.erasing())
        seen = []
        for _ in range(5):
            seen.append((await bare.api.get_task(made.task_id)).status)
            await asyncio.sleep(1.5)
        assert (made.status, seen) == ("pending", ["pending", "processing", "processing", "completed", "completed"])
        task = await bare.api.get_task(made.task_id)
        assert task.output is not None
        assert (task.progress, task.credits_used, list(task.output.urls), task.error_message) == (100, 16, ["video"], None)

    (task,) = lived(act).service.tasks.values()
    assert list(task.results) == ["video"]


@pytest.mark.parametrize(
    ("operation", "body", "extra", "kinds"),
    [
        ("video_translation", {"source_language": "en", "target_language": "es"}, 0, {"video"}),
        ("video_translation", {"source_language": "en", "target_language": "es"}, 2, {"video", "subtitle", "audio"}),
        ("subtitle_translation", {"source_language": "en", "target_language": "es"}, 0, {"video", "subtitle"}),
        ("subtitle_translation", {"source_language": "en", "target_language": "es", "embed_subtitle": False}, 0, {"subtitle"}),
        ("lip_sync", {}, 0, {"video"}),
        ("text_to_speech", {"text": "Hello there", "voice_id": "v-1"}, 0, {"audio"}),
    ],
)
def test_each_kind_of_task_makes_what_it_is_for(operation: str, body: dict[str, Any], extra: int, kinds: set[str]) -> None:
    async def act(bare: Bare) -> None:
        video = {} if operation == "text_to_speech" else {"video_url": (await bare.stored()).url}
        sound = {"audio_url": (await bare.stored(SOUND)).url} if operation == "lip_sync" else {}
        await bare.ended((await bare.api.create_task(operation, {**body, **video, **sound})).task_id)

    (task,) = lived(act, {"extra results": extra}).service.tasks.values()
    assert set(task.results) == kinds


@pytest.mark.parametrize(("costs", "bill"), [(0, 0), (1, 16)])
def test_a_task_that_fails_says_why_and_may_cost_nothing(costs: int, bill: int) -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task("smart_eraser", await bare.erasing())
        await bare.ended(made.task_id)
        task = await bare.api.get_task(made.task_id)
        assert (task.status, task.output, task.error_message, task.credits_used) == ("failed", None, "The video has no speech", bill)
        assert (await bare.api.get_balance()).credits_remaining == 100_000 - bill

    assert lived(act, {"task failed": 1, "a failed task costs": costs}).service.bill == bill


def test_a_film_that_is_cut_can_not_be_worked_on() -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task("smart_eraser", {"video_url": (await bare.stored(VIDEO[:-20])).url})
        await bare.ended(made.task_id)

    (task,) = lived(act).service.tasks.values()
    assert (task.ended, task.error) == ("failed", "The file could not be decoded")


def test_tasks_are_listed_by_pages_with_those_of_strangers_among_them() -> None:
    async def act(bare: Bare) -> None:
        for key in "abc":
            await bare.api.create_task("smart_eraser", await bare.erasing(key))
        pages = [await bare.api.list_tasks()]
        while pages[-1].next_cursor:
            pages.append(await bare.api.list_tasks(cursor=pages[-1].next_cursor))
        numbers = [int(task.task_id) for page in pages for task in page.tasks]
        assert ([len(page.tasks) for page in pages], numbers) == ([2, 2, 2, 2, 2], sorted(numbers, reverse=True))
        waiting = await bare.api.list_tasks(status="pending")
        assert [task.name for task in waiting.tasks] == ["a film", "a film"]
        assert (await bare.api.list_tasks(task_type="lip_sync")).tasks == ()

    lived(act, {"tasks on a page": 2, "tasks of strangers": 2, "task takes": [3, 3, 3]})


def test_usage_prices_and_voices_are_told() -> None:
    async def act(bare: Bare) -> None:
        await bare.api.create_task("smart_eraser", await bare.erasing("a"))
        await bare.api.create_task("smart_eraser", await bare.erasing("b"))
        first = await bare.api.usage_history("2026-11-01", limit=1)
        second = await bare.api.usage_history(cursor=first.next_cursor, limit=1)
        assert [page.records[0].task_id for page in (first, second)] == ["552", "551"]
        assert (first.total_credits_used, second.next_cursor) == (32, None)
        assert {price.task_type: price.credits_per_minute for price in await bare.api.pricing()}["lip_sync"] == 10.0
        assert [voice.name for voice in await bare.api.list_voices("fr", "male")] == ["Sam"]

    lived(act)


def test_a_voice_is_cloned_as_often_as_it_is_asked_for() -> None:
    async def act(bare: Bare) -> None:
        url = (await bare.stored(SOUND)).url
        voices = [await bare.api.voice_clone(url, "Anna") for _ in range(2)]
        assert [(voice.voice_id, voice.credits_used) for voice in voices] == [("c-5", 20), ("c-6", 20)]
        assert sum(voice.name == "Anna" and voice.type == "cloned" for voice in await bare.api.list_voices()) == 2
        assert await bare.api.create_task("text_to_speech", {"text": "Hello", "voice_id": "c-5"})

    bare = lived(act)
    assert [(clone.name, clone.sha256) for clone in bare.service.voices] == [("Anna", digest(SOUND))] * 2
    assert bare.service.bill == 42


def test_credits_end_and_somebody_pays() -> None:
    async def act(bare: Bare) -> None:
        bodies = [await bare.erasing(key) for key in "abcde"]
        for body in bodies[:3]:
            await bare.api.create_task("smart_eraser", body)
        with pytest.raises(InsufficientCredits):
            await bare.api.create_task("smart_eraser", bodies[3])
        await asyncio.sleep(21.0)
        assert (await bare.api.create_task("smart_eraser", bodies[3])).credits_remaining == 1_000_000 - 4

    bare = lived(act, {"credits": 3})
    assert (bare.counters["402"], bare.counters["topped up"], len(bare.service.tasks)) == (1, 1, 4)
    assert bare.service.calls["smart_eraser"] == 5
