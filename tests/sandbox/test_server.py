"""The sandbox as a process and as a thread: starting, ending, being killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from qavix_watch.sandbox import SandboxOptions, running, serve
from tests.contract.client import Client, client_of, until
from tests.support.media import make_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAIR = {"source_language": "en", "target_language": "es"}


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """`python -m qavix_watch.sandbox` that listens; killed at the end if it still runs."""
    command = [sys.executable, "-m", "qavix_watch.sandbox", "--speed", "20", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            line = started.stdout.readline().strip()
            assert line.startswith("listening on http://127.0.0.1:"), line
            client = Client(line.removeprefix("listening on "))
            yield started, client
            client.http.close()
        finally:
            started.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_leaves_no_state_behind(tmp_path: Path, ending: signal.Signals) -> None:
    environment = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(tmp_path)
    try:
        with process() as (started, client):
            assert client.call("get_balance").status_code == 200
            assert list(tmp_path.iterdir()) != []
            started.send_signal(ending)
            assert started.wait(10) == 0
            assert started.stderr is not None
            assert started.stderr.read() == ""
    finally:
        os.environ.pop("TMPDIR")
        if environment is not None:
            os.environ["TMPDIR"] = environment
    assert list(tmp_path.iterdir()) == []


def test_a_killed_sandbox_goes_on_where_it_was(tmp_path: Path) -> None:
    """Files, balance, tasks, keys and voices are there again; what was open is finished; links stay good on the same port."""
    clip = make_video(tmp_path / "clip.mp4")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = ("--dir", str(tmp_path / "state"), "--port", port, "--credits", "500")
    with process(*arguments) as (started, client):
        link = client.upload(clip)
        body = {"video_url": link["url"], **PAIR, "idempotency_key": "before"}
        done = client.done("smart_eraser", {"video_url": link["url"]})
        open_task = client.data("video_translation", body)["task_id"]
        (tmp_path / "state" / "incoming" / "half").write_bytes(b"half an upload")
        started.kill()
        started.wait(10)
    with process(*arguments) as (_, client):
        assert client.data("get_balance")["credits_remaining"] == 500 - 60 - 30
        assert client.data("video_translation", body)["task_id"] == open_task
        assert client.ended(open_task)["status"] == "completed"
        assert client.http.head(done["output"]["video_url"]).status_code == 200
        assert client.grant(clip.read_bytes())["file_id"] == link["file_id"]
        assert list((tmp_path / "state" / "incoming").iterdir()) == []


def test_a_callback_that_a_kill_kept_back_is_sent_after_the_restart(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        ear.settimeout(10)
        callback = f"http://127.0.0.1:{ear.getsockname()[1]}/later"
        with process("--dir", str(tmp_path)) as (started, client):
            body = {"text": "Hello", "voice_id": "sys-en-ava", "callback_url": callback}
            client.ended(client.data("text_to_speech", body)["task_id"])
            started.kill()
            started.wait(10)
        with contextlib.suppress(OSError), ear.accept()[0]:
            pass  # the attempt that the kill interrupted
        with process("--dir", str(tmp_path)):
            connection, _ = ear.accept()
            with connection:
                assert connection.recv(100).startswith(b"POST /later HTTP/1.1")


def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(SandboxOptions(port=taken.getsockname()[1]))


def test_a_state_that_is_in_use_is_refused(tmp_path: Path) -> None:
    options = SandboxOptions(directory=tmp_path)
    with running(options), pytest.raises(BlockingIOError):
        serve(options)


def test_an_upload_that_hangs_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with running() as box:
        client = client_of(box)
        grant = client.grant(bytes(100))
        path = grant["upload_url"].removeprefix(box.origin)
        lines = [f"PUT {path} HTTP/1.1", "Host: x", "Content-Length: 100"]
        lines += [f"{name}: {value}" for name, value in grant["upload_headers"].items()]
        host, _, port = box.origin.removeprefix("http://").partition(":")
        stuck = socket.create_connection((host, int(port)))
        stuck.sendall("\r\n".join([*lines, "", "half"]).encode())
        until(lambda: box.control("requests")["counts"].get("storage_put"))
        began = time.monotonic()
        client.http.close()
    assert time.monotonic() - began < 4
    assert caplog.records == []
    stuck.close()


def test_two_sandboxes_in_one_process_know_nothing_of_each_other(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4")
    with running() as one, running(SandboxOptions(api_key="other")) as two:
        first, second = client_of(one), client_of(two)
        link = first.upload(clip)
        assert second.error("refresh_url", {"file_id": link["file_id"]})["status"] == 404
        assert second.error("video_translation", {"video_url": link["url"], **PAIR})["code"] == "invalid_url"
        assert second.error("get_balance", key="sandbox-key")["status"] == 401
        first.http.close()
        second.http.close()


def test_a_thread_is_gone_when_its_block_ends() -> None:
    before = set(threading.enumerate())
    with running() as box:
        assert box.control("healthz") == {"ok": True}
    assert not set(threading.enumerate()) - before
    with pytest.raises(httpx.ConnectError):
        httpx.get(box.base_url)


def test_many_connections_at_once_are_borne(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", seconds=1)
    with running(SandboxOptions(speed=100, queries_per_second=10_000, requests_per_minute=100_000)) as box:
        client = client_of(box)
        url = client.upload(clip)["url"]

        def submit(number: int) -> str:
            body = {"video_url": url, **PAIR, "idempotency_key": f"k{number % 40}"}
            return str(client.data("video_translation", body)["task_id"])

        with ThreadPoolExecutor(40) as threads:
            ids = set(threads.map(submit, range(200)))
        assert len(ids) == 40
        until(lambda: not client.data("list_tasks", status="processing")["tasks"])
        totals = box.ledger()["totals"]
        assert (totals["tasks"], totals["posts"], totals["credits_billed"]) == (40, 200, 40 * 60)
        client.http.close()


def test_plain_http_from_another_host_is_refused() -> None:
    """Bound to every address, asked at one that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))  # sends nothing; shows which address would be used
        address = probe.getsockname()[0]
    if address in {"0.0.0.0", "127.0.0.1"}:
        pytest.skip("this machine has no address but loopback")
    with running(SandboxOptions(host="0.0.0.0")) as box:
        answer = httpx.get(box.base_url.replace("127.0.0.1", address) + "/account/balance")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "https_required")
        assert httpx.get(box.origin.replace("127.0.0.1", address) + "/control/ledger").status_code == 403
