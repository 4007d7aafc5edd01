"""Uploads to simulated storage and downloads from its host of results: the real transfers meet what breaks."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileChanged, GrantRefused, QavixWatchError, ResultBroken, ServiceFailed, Unreachable
from tests.simulation import wares
from tests.simulation.bare import VIDEO, Grown, Quiet, lived
from tests.simulation.gifts import digest

if TYPE_CHECKING:
    from tests.simulation.bare import Bare


def test_what_is_sent_is_what_storage_has() -> None:
    async def act(bare: Bare) -> None:
        assert await bare.send(VIDEO, await bare.grant(VIDEO)) == digest(VIDEO)

    assert lived(act).service.uploads == {digest(VIDEO): 1}


def test_storage_refuses_another_digest_and_a_file_that_has_grown_is_not_sent() -> None:
    async def act(bare: Bare) -> None:
        with pytest.raises(GrantRefused, match="400"):
            await bare.send(VIDEO[::-1], await bare.grant(VIDEO))
        with pytest.raises(FileChanged):
            await bare.loop.blocking(bare.transfers.upload, await bare.grant(VIDEO), Longer(), len(VIDEO), Quiet())

    bare = lived(act)
    assert (bare.counters["bad digest"], bare.service.uploads) == (1, {})


@pytest.mark.parametrize(
    ("stream", "how", "error", "uploads"),
    [
        ("storage in trouble", 1, ServiceFailed, 0),
        ("storage in trouble", 3, ServiceFailed, 0),
        ("upload cut", 1, Unreachable, 0),
        ("upload cut", 2, Unreachable, 0),
        ("upload cut", 3, Unreachable, 1),
        ("upload cut", 4, Unreachable, 1),
    ],
)
def test_an_upload_that_breaks_may_have_come_to_its_end(stream: str, how: int, error: type[QavixWatchError], uploads: int) -> None:
    async def act(bare: Bare) -> None:
        with pytest.raises(error):
            await bare.send(VIDEO, await bare.grant(VIDEO))
        assert len(bare.service.uploads) == uploads
        assert await bare.stored()

    lived(act, {stream: how})


def test_a_result_is_whole_and_of_its_kind() -> None:
    async def act(bare: Bare) -> None:
        url, data = await bare.result()
        sink = Grown()
        came = await bare.fetch(url, sink)
        assert (sink.data, came.size, came.content_type, came.sha256) == (data, len(data), "video/mp4", digest(data))
        assert (wares.facts_of(data).kind, wares.facts_of(data).cut) == ("video", "")
        assert hashlib.sha256(data).digest() in bare.service.whole_results()

    lived(act)


@pytest.mark.parametrize(
    ("streams", "begun"),
    [
        ({}, 1),
        ({"validators of results": 1}, 1),
        ({"validators of results": 2}, 1),
        ({"ranges are not served": 3}, 2),
        ({"result made anew": [0, 1]}, 2),
        ({"result of unknown length": 1}, 1),
        ({"result of unknown length": 1, "validators of results": 1}, 2),
    ],
)
def test_a_download_goes_on_where_it_broke_if_the_rest_is_of_the_same_bytes(streams: dict[str, int | list[int]], begun: int) -> None:
    async def act(bare: Bare) -> None:
        url, _ = await bare.result()
        sink = Grown()
        with pytest.raises(Unreachable):
            await bare.fetch(url, sink)
        assert 0 < len(sink.data) < len(VIDEO)
        await bare.fetch(url, sink)
        (task,) = bare.service.tasks.values()
        assert (sink.data == task.results["video"], sink.begun) == (True, begun)

    bare = lived(act, {"result cut short": 2, **streams})
    assert bare.counters["result cut short"] == 1


@pytest.mark.parametrize("how", [1, 3])
def test_a_download_may_break_before_its_first_byte_or_after_its_last(how: int) -> None:
    async def act(bare: Bare) -> None:
        url, data = await bare.result()
        sink = Grown()
        with pytest.raises(Unreachable):
            await bare.fetch(url, sink)
        assert sink.data == (b"" if how == 1 else data)
        assert (await bare.fetch(url, sink)).size == len(data)
        assert (sink.data, sink.begun) == (data, 2 if how == 1 else 1)

    lived(act, {"result cut short": how})


def test_a_part_that_is_longer_than_said_is_not_taken() -> None:
    async def act(bare: Bare) -> None:
        url, _ = await bare.result()
        sink = Grown()
        with pytest.raises(Unreachable):
            await bare.fetch(url, sink)
        with pytest.raises(ResultBroken):
            await bare.fetch(url, sink)

    lived(act, {"result cut short": 2, "result of unknown length": [0, 1], "result larger than said": 1})


def test_what_lies_in_place_of_a_result_shows_that_it_is_none() -> None:
    async def act(bare: Bare) -> None:
        url, _ = await bare.result()
        sink = Grown()
        await bare.fetch(url, sink)
        assert wares.facts_of(sink.data).cut
        await bare.fetch(url, page := Grown())
        assert page.data.startswith(b"<html")
        with pytest.raises(ServiceFailed):
            await bare.fetch(url, Grown())

    lived(act, {"result not whole yet": 1, "result is a page": [0, 1], "result host in trouble": [0, 0, 1]})


def test_a_slow_result_takes_its_time_and_a_large_one_is_not_taken() -> None:
    async def act(bare: Bare) -> None:
        url, data = await bare.result()
        begun = bare.loop.time()
        await bare.fetch(url, Grown())
        assert bare.loop.time() - begun >= 30.0
        with pytest.raises(ResultBroken):
            await bare.fetch(url, Grown(), limit=len(data) - 1)

    lived(act, {"result slow": 2})


def test_two_downloads_run_at_the_same_time() -> None:
    async def act(bare: Bare) -> None:
        url, data = await bare.result()
        sinks = [Grown(), Grown()]
        await asyncio.gather(*(bare.fetch(url, sink) for sink in sinks))
        assert [sink.data for sink in sinks] == [data, data]

    lived(act)


class Longer:
    """A file without end."""

    def read(self, size: int) -> bytes:
        return b"x" * size
