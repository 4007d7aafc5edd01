"""Callbacks make things quick; nothing depends on them, and nothing that they say is believed."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

import qavix_watch.demo
from qavix_watch.sandbox import SandboxOptions, running
from tests.support.service import Home, at_home, wait_for

CLIP = Path(qavix_watch.demo.media()["hello.mp4"].decode())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def box():
    with running(SandboxOptions(speed=5)) as sandbox:
        yield sandbox


@pytest.fixture
def home(tmp_path, box):
    port = free_port()
    callback = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    with at_home(tmp_path, box, callback=callback, follow={"poll_min": 3600, "poll_max": 3600}) as found:
        yield found


def receiver(home: Home) -> str:
    line = next(line for line in home.config.read_text().splitlines() if line.startswith("public_url"))
    return line.split('"')[1]


def token_of(home: Home, job: int) -> str:
    return home.query("SELECT token FROM jobs WHERE id = ?", job)[0][0]


def test_a_callback_has_a_task_fetched_long_before_polling_would(home):
    """Polling would look in an hour."""
    home.start()
    home.drop("dub en to es", "clip.mp4", CLIP)
    home.rest(1, 30)
    assert home.results() == ["dub en to es/clip.es.mp4"]


def test_what_a_callback_says_changes_nothing_that_get_task_does_not_confirm(home, box):
    """With the right token but too early, with a lie in its body, for another job, twice: the task still goes its own way."""
    box.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    home.start()
    home.drop("dub en to es", "clip.mp4", CLIP)
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE state = 'processing'"))
    address, token = receiver(home), token_of(home, 1)
    lie = {"success": True, "data": {"task_id": "551", "task_type": "video_translation", "status": "completed",
                                     "output": {"video_url": "http://127.0.0.1:1/evil.mp4"}}}
    for _ in range(2):
        assert httpx.post(f"{address}/callback/1/{token}", json=lie).status_code == 200
    wait_for(lambda: box.control("requests")["counts"].get("get_task"), what="Get Task to be asked")
    assert home.query("SELECT state FROM jobs") == [("processing",)]
    assert home.results() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/callback/1/forged", 404), ("/callback/2/{token}", 404), ("/callback/99999999999999999999/{token}", 404), ("/callback/x/y", 404),
     ("/", 404), ("/api/jobs", 404)],
)
def test_a_callback_without_its_token_is_unknown_and_costs_nothing(home, box, path, status):
    """Neither the job's number alone nor another job's token opens anything; there is nothing else to find there."""
    box.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    home.start()
    home.drop("dub en to es", "clip.mp4", CLIP)
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE state = 'processing'"))
    answer = httpx.post(receiver(home) + path.format(token=token_of(home, 1)), json={})
    assert answer.status_code == status
    assert "get_task" not in box.control("requests")["counts"]


def test_a_body_that_is_larger_than_any_callback_is_cut_off(home):
    """64 KiB are enough for everybody; the sender is told, and the service goes on."""
    home.start()
    home.drop("dub en to es", "clip.mp4", CLIP)
    wait_for(lambda: home.query("SELECT 1 FROM jobs"))
    answer = httpx.post(f"{receiver(home)}/callback/1/{token_of(home, 1)}", content=b"x" * 70_000)
    assert answer.status_code == 413
    home.rest(1, 30)


def test_with_every_callback_lost_polling_finds_everything(tmp_path, box):
    """The answer to everything that can go wrong with callbacks."""
    box.faults({"operation": "callback", "kind": "no_callback"})
    port = free_port()
    callback = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    with at_home(tmp_path / "polling", box, callback=callback) as home:
        home.start()
        home.drop("dub en to es", "clip.mp4", CLIP)
        home.rest(1, 30)
        assert home.results() == ["dub en to es/clip.es.mp4"]


def test_callbacks_that_come_twice_or_late_change_nothing(home, box):
    """One delivery, whatever came how often."""
    box.faults({"operation": "callback", "kind": "twice"})
    home.start()
    home.drop("dub en to es", "clip.mp4", CLIP)
    home.rest(1, 30)
    late = httpx.post(f"{receiver(home)}/callback/1/{token_of(home, 1)}", json={})
    assert late.status_code == 200
    assert home.results() == ["dub en to es/clip.es.mp4"]
    assert home.query("SELECT state FROM jobs") == [("done",)]
