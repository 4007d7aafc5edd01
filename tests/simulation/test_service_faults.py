"""What goes wrong between a program and the simulated service, each thing once, and that `mend` ends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    GrantRefused,
    InsufficientCredits,
    InvalidRequest,
    LinkExpired,
    NotFound,
    PermissionRefused,
    QavixWatchError,
    RateLimited,
    ServiceFailed,
    UnexpectedAnswer,
    Unreachable,
)
from tests.simulation.bare import CALLBACK, SOUND, VIDEO, Grown, lived
from tests.simulation.gifts import digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulation.bare import Bare

ERASE = "smart_eraser"


async def error_of(call: Awaitable[Any]) -> Any:
    with pytest.raises(QavixWatchError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    ("stream", "how", "maybe_done", "tasks", "counted"),
    [
        ("lost request", 1, False, 0, "lost request"),
        ("lost request", 2, True, 0, "lost request"),
        ("lost answer", 1, True, 1, "lost answer"),
        ("lost answer", 2, True, 1, "lost answer"),
        ("lost answer", 3, True, 0, "late request"),
        ("no service", 1, False, 0, "storm: no service"),
    ],
)
def test_a_submit_without_an_answer_is_repeated_by_its_key(stream: str, how: int, maybe_done: bool, tasks: int, counted: str) -> None:
    async def act(bare: Bare) -> None:
        body = await bare.erasing()
        error = await error_of(bare.api.create_task(ERASE, body))
        assert (type(error), error.maybe_done, len(bare.service.tasks)) == (Unreachable, maybe_done, tasks)
        await asyncio.sleep(30.0)
        await bare.api.create_task(ERASE, body)

    bare = lived(act, {f"{stream}: {ERASE}": how, stream: [0, 0, how]})  # storms are asked for by the two calls of the upload as well
    assert (len(bare.service.tasks), bare.service.bill, bare.counters[counted]) == (1, 16, 1)


def test_a_request_that_has_left_is_carried_out_after_its_caller_has_gone() -> None:
    async def act(bare: Bare) -> None:
        caller = asyncio.create_task(bare.api.create_task(ERASE, await bare.erasing()))
        await asyncio.sleep(0.001)
        caller.cancel()
        await asyncio.sleep(1.0)

    assert len(lived(act).service.tasks) == 1


@pytest.mark.parametrize(
    ("streams", "error", "status", "tasks", "counted"),
    [
        ({"the key": [0, 0, 1]}, AuthenticationRefused, 401, 0, "401"),
        ({"the key": [0, 0, 2]}, PermissionRefused, 403, 0, "403"),
        ({"the path": [0, 0, 1]}, NotFound, 404, 0, "404 path"),
        ({"the path": [0, 0, 2]}, UnexpectedAnswer, 405, 0, "404 path"),
        ({"the path": [0, 0, 3]}, NotFound, 404, 0, "404 path"),
        ({"the account": [0, 0, 1]}, InsufficientCredits, 402, 0, "storm: the account"),
        ({f"429: {ERASE}": 1}, RateLimited, 429, 0, "429"),
        ({f"5xx: {ERASE}": 1}, ServiceFailed, 503, 0, "5xx"),
        ({f"5xx: {ERASE}": 2}, ServiceFailed, 500, 0, "5xx"),
        ({f"5xx after the work: {ERASE}": 1}, ServiceFailed, 500, 1, "5xx after the work"),
        ({f"wrong shape: {ERASE}": 1}, UnexpectedAnswer, 200, 1, "wrong shape"),
    ],
)
def test_an_answer_that_is_no_success_is_what_the_real_client_makes_of_it(
    streams: dict[str, int | list[int]], error: type[ApiError], status: int, tasks: int, counted: str
) -> None:
    async def act(bare: Bare) -> None:
        body = await bare.erasing()
        said = await error_of(bare.api.create_task(ERASE, body))
        assert (type(said), said.status, said.operation, len(bare.service.tasks)) == (error, status, ERASE, tasks)
        assert str(said).startswith(ERASE)
        await asyncio.sleep(30.0)
        await bare.api.create_task(ERASE, body)

    bare = lived(act, streams)
    assert (bare.counters[counted], len(bare.service.tasks)) == (1, 1)


def test_a_path_that_is_wrong_stops_its_operation_alone() -> None:
    async def act(bare: Bare) -> None:
        assert isinstance(await error_of(bare.api.pricing()), NotFound)
        assert await bare.api.get_balance()
        assert isinstance(await error_of(bare.api.pricing()), NotFound)

    lived(act, {"the path": 1})


@pytest.mark.parametrize(("how", "waits"), [(1, None), (2, 1.0), (3, 20.0), (4, 120.0)])
def test_a_429_may_say_for_how_long_and_the_limiter_listens(how: int, waits: float | None) -> None:
    async def act(bare: Bare) -> None:
        assert (await error_of(bare.api.pricing())).retry_after == waits
        if waits is not None and waits > 5.0:
            assert (await error_of(bare.api.pricing())).code == "local_limiter"
        await asyncio.sleep(waits or 0.0)
        assert await bare.api.pricing()

    lived(act, {"429: pricing": how})


def test_the_account_has_rate_limits_whoever_makes_the_calls() -> None:
    async def act(bare: Bare) -> None:
        assert (await bare.api.get_balance()).requests_per_minute == 90
        others = [bare.service.api(bare) for _ in range(100)]  # type: ignore[arg-type]
        for other in others[:89]:
            await other.pricing()
        error = await error_of(others[99].pricing())
        assert (type(error), error.retry_after > 40.0) == (RateLimited, True)

    lived(act, {"rate limits": 2})


@pytest.mark.parametrize(("how", "seconds"), [(1, 3.0), (2, 14.0)])
def test_an_answer_may_be_slow(how: int, seconds: float) -> None:
    async def act(bare: Bare) -> None:
        begun = bare.loop.time()
        await bare.api.pricing()
        assert seconds < bare.loop.time() - begun < seconds + 1

    lived(act, {"slow answer: pricing": how})


def test_another_account_knows_nothing_of_ours() -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task(ERASE, await bare.erasing())
        link = await bare.stored(SOUND)
        assert isinstance(await error_of(bare.api.get_task(made.task_id)), NotFound)
        assert isinstance(await error_of(bare.api.refresh_url(link.file_id)), NotFound)
        assert (await bare.api.list_tasks()).tasks == ()
        assert (await bare.api.get_balance()).credits_remaining == 0
        await asyncio.sleep(30.0)
        assert (await bare.api.get_task(made.task_id)).status == "completed"

    lived(act, {"the account": [0, 0, 0, 0, 0, 1]})


def test_a_lost_answer_to_a_clone_leaves_a_voice_that_only_the_list_shows() -> None:
    async def act(bare: Bare) -> None:
        url = (await bare.stored(SOUND)).url
        assert (await error_of(bare.api.voice_clone(url, "Anna"))).maybe_done
        assert not [voice for voice in await bare.api.list_voices() if voice.name == "Anna"]
        assert [voice.voice_id for voice in await bare.api.list_voices() if voice.name == "Anna"] == ["c-5", "c-6"]

    bare = lived(act, {"lost answer: voice_clone": 1, "voices lag": 1, "somebody clones that name": 1})
    assert len(bare.service.voices) == 1


def test_a_task_may_hide_from_its_list_and_keep_its_results_to_itself_for_a_while() -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task(ERASE, await bare.erasing())
        assert (await bare.api.list_tasks()).tasks == ()
        assert len((await bare.api.list_tasks()).tasks) == 1
        await bare.ended(made.task_id)
        assert (await bare.api.get_task(made.task_id)).output is None
        assert (await bare.api.get_task(made.task_id)).output is not None

    lived(act, {"list lags": 1, "no output yet": 1})


def test_links_and_files_do_not_last() -> None:
    async def act(bare: Bare) -> None:
        link = await bare.stored()
        error = await error_of(bare.api.create_task(ERASE, {"video_url": link.url}))
        assert (type(error), error.param) == (InvalidRequest, "video_url")
        fresh = await bare.api.refresh_url(link.file_id)
        assert await bare.api.create_task(ERASE, {"video_url": fresh.url})
        assert isinstance(await error_of(bare.api.refresh_url(link.file_id)), NotFound)
        assert isinstance(await error_of(bare.api.create_task(ERASE, {"video_url": fresh.url})), InvalidRequest)
        assert (await bare.grant(VIDEO)).url is None

    bare = lived(act, {"link dies early": 1, "file forgotten": [0, 1]})
    assert (bare.counters["link expired"], bare.counters["file forgotten"], bare.service.refused) == (1, 1, {digest(VIDEO)})


@pytest.mark.parametrize("how", [1, 2])
def test_a_grant_may_end_before_or_during_the_put(how: int) -> None:
    async def act(bare: Bare) -> None:
        grant = await bare.grant(VIDEO)
        assert isinstance(await error_of(bare.send(VIDEO, grant)), GrantRefused)
        assert await bare.stored()

    bare = lived(act, {"grant is short": how, "upload slow": 1})
    assert (bare.counters["grant expired"], bare.service.uploads) == (1, {digest(VIDEO): 1})


@pytest.mark.parametrize(("how", "times"), [(0, [0.05]), (1, [30.0]), (2, [0.05, 30.0]), (3, [])])
def test_callbacks_come_in_time_late_twice_or_not_at_all(how: int, times: list[float]) -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task(ERASE, await bare.erasing(callback_url=CALLBACK))
        await asyncio.sleep(60.0)
        (task,) = bare.service.tasks.values()
        assert all(url == CALLBACK and made.task_id.encode() in body for _at, url, body in bare.posted)
        ended = task.ends_at - (bare.now() - bare.loop.time())
        assert [at - ended for at, _url, _body in bare.posted] == pytest.approx(times, abs=1e-3)

    lived(act, {"callback": how})


@pytest.mark.parametrize(("how", "url"), [(1, "https://here.example/callback/7/fedcba"), (2, "https://here.example/callback/8/abcdef")])
def test_callbacks_are_forged(how: int, url: str) -> None:
    async def act(bare: Bare) -> None:
        await bare.api.create_task(ERASE, await bare.erasing(callback_url=CALLBACK))
        await asyncio.sleep(60.0)

    bare = lived(act, {"callback forged": how})
    assert [said for _at, said, _body in bare.posted] == [CALLBACK, url]


def test_a_callback_may_come_before_the_answer_to_the_submit() -> None:
    async def act(bare: Bare) -> None:
        made = await bare.api.create_task(ERASE, await bare.erasing(callback_url=CALLBACK))
        assert (made.status, len(bare.posted)) == ("completed", 1)

    assert lived(act, {"task takes": 4, "callback delay": 1}).counters["callback before the answer"] == 1


async def _after_mending(bare: Bare, again: Callable[[], Awaitable[Any]]) -> None:
    assert isinstance(await error_of(again()), QavixWatchError)
    bare.quiet = True
    bare.service.mend()
    await again()


@pytest.mark.parametrize("streams", [{"the key": 1}, {"the path": 1}, {"no service": 1}, {"rate limits": 2, "429: pricing": 1}])
def test_storms_end_with_mending(streams: dict[str, int]) -> None:
    lived(lambda bare: _after_mending(bare, bare.api.pricing), {**streams, "the key for": 3, "the path for": 3, "no service for": 3})


def test_credits_links_and_tasks_are_mended() -> None:
    async def act(bare: Bare) -> None:
        body = {"video_url": (await bare.stored()).url, "source_language": "en", "target_language": "es"}
        await _after_mending(bare, lambda: bare.api.create_task("video_translation", body))
        url, data = await bare.result()
        sink = Grown()
        await bare.fetch(url, sink)
        assert sink.data == data

    lived(act, {"credits": 3, "link dies early": 1})


def test_open_tasks_end_soon_after_mending() -> None:
    async def act(bare: Bare) -> None:
        await bare.api.create_task(ERASE, await bare.erasing())
        bare.service.mend()
        await asyncio.sleep(6.0)

    (task,) = lived(act, {"task takes": 3}).service.tasks.values()
    assert task.ended == "completed"


def test_a_result_link_ends_and_get_task_gives_another() -> None:
    async def act(bare: Bare) -> None:
        url, data = await bare.result()
        assert isinstance(await error_of(bare.fetch(url, Grown())), LinkExpired)
        (number,) = bare.service.tasks
        output = (await bare.api.get_task(number)).output
        assert output is not None
        sink = Grown()
        await bare.fetch(output.urls["video"], sink)
        assert sink.data == data

    assert lived(act, {"result link is short": 3}).counters["result expired"] == 1
