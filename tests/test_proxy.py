"""The proxy of the tests does to connections and requests what it says."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from qavix_watch.sandbox import SandboxOptions, running
from qavix_watch.sandbox.operations import BASE_PATH
from tests.contract.client import Client
from tests.support.messages import answer
from tests.support.proxy import Proxy, proxied
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.sandbox import Running

SPEAK = {"text": "Hello", "voice_id": "sys-en-ava"}


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxied() as made:
        yield made


@pytest.fixture
def box(proxy: Proxy) -> Iterator[Running]:
    with running(SandboxOptions(public_origin=proxy.origin)) as made:
        proxy.leads_to(made.origin)
        yield made


@pytest.fixture
def client(proxy: Proxy, box: Running) -> Iterator[Client]:
    made = Client(proxy.origin + BASE_PATH)
    made.http.timeout = httpx.Timeout(5)
    yield made
    made.http.close()


def test_what_nothing_is_said_of_passes_and_connections_are_kept(proxy: Proxy, client: Client) -> None:
    content = bytes(range(256)) * 1000
    grant = client.grant(content)
    assert client.put(grant, content).status_code == 200
    url = client.data("confirm_upload", {"file_id": grant["file_id"]})["url"]
    assert url.startswith(f"{proxy.origin}/storage/")
    assert client.http.get(url).content == content
    assert [one.operation for one in proxy.seen] == ["get_upload_url", "storage_put", "confirm_upload", "storage_get"]
    assert proxy.connections == 1


def test_it_refuses_and_takes_connections_again(proxy: Proxy, client: Client) -> None:
    for _ in range(3):
        proxy.switch("refuse")
        with pytest.raises(httpx.ConnectError):
            client.call("get_balance")
        proxy.switch("pass")
        assert client.call("get_balance").status_code == 200


def test_it_resets_connections(proxy: Proxy, client: Client) -> None:
    proxy.switch("reset")
    with pytest.raises(httpx.NetworkError):
        client.call("get_balance")
    proxy.switch("pass")
    assert client.call("get_balance").status_code == 200


def test_it_takes_connections_and_says_nothing(proxy: Proxy, client: Client) -> None:
    proxy.switch("silent")
    client.http.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        client.call("get_balance")
    proxy.switch("pass")
    assert client.call("get_balance").status_code == 200


def test_it_is_slow_both_ways(proxy: Proxy, client: Client) -> None:
    proxy.rate = 4000
    proxy.switch("slow")
    began = time.monotonic()
    content = bytes(3000)
    grant = client.grant(content)
    assert client.put(grant, content).status_code == 200
    assert time.monotonic() - began > 3000 / 4000


@pytest.mark.parametrize(
    ("kind", "done"), [("reset", False), ("cut_request", False), ("cut_unanswered", True), ("unanswered", True), ("cut_answer", True)]
)
def test_a_request_is_cut_before_or_after_its_work_was_done(proxy: Proxy, box: Running, client: Client, kind: str, done: bool) -> None:
    rule = proxy.rule("text_to_speech", kind)
    client.http.timeout = httpx.Timeout(1)
    with pytest.raises(httpx.TransportError):
        client.call("text_to_speech", {**SPEAK, "idempotency_key": "one"})
    assert rule.hits == 1
    wait_for(lambda: len(box.ledger()["tasks"]) == done, 5, "the work")
    client.http.timeout = httpx.Timeout(5)
    assert client.call("text_to_speech", {**SPEAK, "idempotency_key": "one"}).status_code == 200


def test_an_upload_is_cut_in_its_middle(proxy: Proxy, client: Client) -> None:
    content = bytes(1_000_000)
    grant = client.grant(content)
    proxy.rule("storage_put", "cut_request")
    with pytest.raises(httpx.TransportError):
        client.put(grant, content)
    assert client.error("confirm_upload", {"file_id": grant["file_id"]})["code"] == "upload_incomplete"


def test_an_answer_may_never_end(proxy: Proxy, client: Client) -> None:
    proxy.rule("get_balance", "endless")
    with client.http.stream("GET", f"{client.base_url}/account/balance") as answer:
        sizes = [len(piece) for piece, _ in zip(answer.iter_raw(), range(100), strict=False)]
    assert len(sizes) == 100


def test_it_answers_in_place_of_the_service_before_it_has_all(proxy: Proxy, client: Client) -> None:
    content = bytes(1_000_000)
    grant = client.grant(content)
    proxy.rule("storage_put", "answer", reply=answer("403 Forbidden", b"<Error/>"), bytes=1000)
    assert client.put(grant, content).status_code == 403
    assert client.put(grant, content).status_code == 200


def test_an_answer_can_be_another_one(proxy: Proxy, client: Client) -> None:
    proxy.rule("get_balance", edit=lambda whole: whole.replace(b'"sandbox"', b'"another"'))
    assert client.data("get_balance")["plan"] == "another"


def test_it_sees_what_is_no_http(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.origin.rpartition(":")[2]))) as caller:
        caller.sendall(b"\x16\x03\x01")
        assert caller.recv(100).startswith(b"HTTP/1.1 400")
    assert proxy.strange == [b"\x16\x03\x01"]


def test_it_can_be_used_by_hand(box: Running) -> None:
    command = [sys.executable, "-m", "tests.support.proxy", "--to", box.origin]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        url = started.stdout.readline().removeprefix("listening on ").strip() + "/control/healthz"
        for line, said in (("* answer 503", "done"), ("what", "not understood; see --help")):
            print(line, file=started.stdin, flush=True)
            assert started.stdout.readline().strip() == said
        assert [httpx.get(url).status_code for _ in range(2)] == [503, 200]
        started.stdin.close()
        assert started.wait(15) == 0
