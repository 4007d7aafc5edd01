"""api.upload: exactly what was granted goes over the wire, and only a whole file counts."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import logging
import os
import queue
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.api.transfers import TransferClient
from qavix_watch.core.service import UploadGrant
from qavix_watch.errors import ConfigError, FileChanged, FileUnreadable, GrantRefused, ServiceFailed, Stopped, TransferError, Unreachable
from tests.api.raw_http import RawServer, always, answer
from tests.support.meters import Count

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.api.raw_http import Peer

    Serve = Callable[..., RawServer]

SIGNED = "/bucket/key?X-Amz-Signature=topsecret0123456789&X-Amz-Expires=900"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def client() -> Iterator[TransferClient]:
    client = TransferClient(public_only=False, timeout=5.0)
    yield client
    client.close()


def grant_of(server: RawServer, **changes: Any) -> UploadGrant:
    grant = UploadGrant("7", server.url + SIGNED, "PUT", {"Content-Type": "video/mp4", "Content-MD5": "abc=="})
    return replace(grant, **changes)


def put(client: TransferClient, grant: UploadGrant, content: bytes, size: int | None = None, meter: Count | None = None) -> str:
    return client.upload(grant, io.BytesIO(content), len(content) if size is None else size, meter or Count())


def test_it_has_the_shape_of_the_port() -> None:
    from qavix_watch import ports

    for name in ("upload", "download"):
        ours, port = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (TransferClient, ports.Transfers))
        assert ours == port


def test_the_granted_headers_and_no_others_are_sent_with_the_exact_length(client: TransferClient, serve: Serve, tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 17)
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    server = serve(always(answer("200 OK")))
    meter = Count()
    with path.open("rb", buffering=0) as source:
        sent = client.upload(grant_of(server), source, len(content), meter)
    seen = server.seen[0]
    assert seen.line == f"PUT {SIGNED} HTTP/1.1"
    assert sorted(seen.lines) == sorted([
        f"Host: 127.0.0.1:{server.port}", f"Content-Length: {len(content)}", "Content-Type: video/mp4", "Content-MD5: abc==",
    ])
    assert seen.body == content
    assert sent == hashlib.sha256(content).hexdigest()
    assert (meter.total, meter.done) == (len(content), len(content))


def test_uploads_one_after_the_other_share_a_connection(client: TransferClient, serve: Serve) -> None:
    server = serve(always(answer("200 OK", b"ok")))
    for _ in range(3):
        put(client, grant_of(server), b"abc")
    assert (len(server.seen), server.connections) == (3, 1)


def test_the_method_is_the_granted_one_and_put_where_none_is(client: TransferClient, serve: Serve) -> None:
    server = serve(always(answer("201 Created")))
    for method in ("post", None, "PUT"):
        put(client, grant_of(server, upload_method=method), b"abc")
    assert [seen.line.split()[0] for seen in server.seen] == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize("method", ["DELETE", "GET", "PUT /other HTTP/1.1\r\nX: y", ""])
def test_a_method_that_sends_no_file_is_refused(client: TransferClient, serve: Serve, method: str) -> None:
    server = serve(always(answer("200 OK")))
    if method:
        with pytest.raises(GrantRefused):
            put(client, grant_of(server, upload_method=method), b"abc")
        assert not server.seen


@pytest.mark.parametrize(("name", "value"), [
    ("Host", "evil.test"), ("Content-Length", "5"), ("transfer-encoding", "chunked"), ("Connection", "close"), ("Expect", "100-continue"),
    ("X-A", "b\r\nX-Evil: 1"), ("X-A", "b\nX-Evil: 1"), ("X-A", "b\x00"), ("X A", "b"), ("X-A: b\r\nX-Evil", "1"), ("", "b"), ("Ü", "b"),
    ("Proxy-Authorization", "x"), ("X-A\n", "b"),
])
def test_a_granted_header_that_would_change_the_request_is_refused_before_anything_is_sent(
    client: TransferClient, serve: Serve, name: str, value: str
) -> None:
    server = serve(always(answer("200 OK")))
    with pytest.raises(GrantRefused, match="header"):
        put(client, grant_of(server, upload_headers={name: value}), b"abc")
    assert server.connections == 0


def test_a_granted_host_or_length_that_only_says_what_is_so_is_fine(client: TransferClient, serve: Serve) -> None:
    server = serve(always(answer("200 OK")))
    headers = {"Host": f"127.0.0.1:{server.port}", "content-length": "3", "x-amz-meta-name": " né "}
    put(client, grant_of(server, upload_headers=headers), b"abc")
    names = [line.partition(":")[0].lower() for line in server.seen[0].lines]
    assert sorted(names) == ["content-length", "host", "x-amz-meta-name"]
    assert server.seen[0].headers["x-amz-meta-name"].encode("latin-1") == "né".encode()


@pytest.mark.parametrize(("has", "said"), [(10, 11), (11, 10), (MIB, MIB + 1), (MIB + 1, MIB), (0, 5), (MIB, 256 * 1024)])
def test_a_file_of_another_length_is_never_whole_on_the_other_side(client: TransferClient, serve: Serve, has: int, said: int) -> None:
    ended = threading.Event()

    def handler(peer: Peer) -> None:
        seen = peer.head()
        assert seen is not None
        peer.body(seen)
        ended.set()
        peer.send(answer("200 OK"))

    server = serve(handler)
    with pytest.raises(FileChanged):
        put(client, grant_of(server), b"x" * has, said)
    assert ended.wait(5)
    assert len(server.seen[0].body) < said
    good = serve(always(answer("200 OK")))
    put(client, grant_of(good), b"abc")  # the client is none the worse for it


def test_short_reads_are_no_end(client: TransferClient, serve: Serve) -> None:
    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(7, size or 0))

    server = serve(always(answer("200 OK")))
    content = os.urandom(1000)
    assert client.upload(grant_of(server), Dribble(content), 1000, Count()) == hashlib.sha256(content).hexdigest()
    assert server.seen[0].body == content


def test_a_meter_can_end_an_upload_between_two_chunks(client: TransferClient, serve: Serve) -> None:
    ended = threading.Event()
    server = serve(lambda peer: (peer.request(), ended.set()))
    with pytest.raises(Stopped):
        put(client, grant_of(server), b"x" * (4 * MIB), meter=Count(limit=MIB))
    assert ended.wait(5)
    assert len(server.seen[0].body) < 4 * MIB


def test_what_the_source_raises_comes_out_as_it_is(client: TransferClient, serve: Serve) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise FileUnreadable("The disk fails.")

    server = serve(lambda peer: peer.request())
    with pytest.raises(FileUnreadable):
        client.upload(grant_of(server), Broken(), 10, Count())


XML = (
    b"<?xml version='1.0'?><Error><Code>RequestTimeTooSkewed</Code><Message>Too late for https://s3.test/a?sig=topsecret.</Message>"
    b"<StringToSign>topsecret0123456789</StringToSign><SignatureProvided>topsecret0123456789</SignatureProvided></Error>"
)


@pytest.mark.parametrize("status", ["400 x", "403 x", "404 x", "409 x", "301 x", "307 x", "501 x", "503 x", "429 x"])
def test_a_refusal_tells_storages_code_and_none_of_its_secrets(client: TransferClient, serve: Serve, status: str) -> None:
    server = serve(always(answer(status, XML, "Content-Type: application/xml", "Location: https://s3.test/b?sig=topsecret")))
    with pytest.raises((GrantRefused, ServiceFailed)) as caught:
        put(client, grant_of(server), b"abc")
    assert type(caught.value) is (ServiceFailed if status[0] == "5" or status == "429 x" else GrantRefused)
    assert f"HTTP {status[:3]}" in str(caught.value)
    assert "RequestTimeTooSkewed: Too late for https://s3.test/…" in str(caught.value)
    assert "topsecret" not in str(caught.value) + caught.value.hint


def test_a_refusal_that_is_no_xml_shows_nothing_but_its_status(client: TransferClient, serve: Serve) -> None:
    for body in (b"", b"<html>topsecret0123456789</html>", b"\xff" * 100_000, b"<Code>" + b"a" * 9000):
        with pytest.raises(GrantRefused) as caught:
            put(client, grant_of(serve(always(answer("403 x", body)))), b"abc")
        assert str(caught.value) == "Object storage (127.0.0.1) did not take the file: HTTP 403."


def test_a_refusal_that_comes_before_the_end_of_the_file_is_still_read(client: TransferClient, serve: Serve) -> None:
    """httpcore hides the failed write; what storage said before it closed is what counts."""
    def early(peer: Peer) -> None:
        peer.head()
        peer.send(answer("403 x", XML, "Connection: close"))
        peer.sock.shutdown(1)
        with contextlib.suppress(OSError):
            for _ in range(8):
                peer.sock.recv(MIB)

    with pytest.raises((GrantRefused, Unreachable)) as caught:
        put(client, grant_of(serve(early)), b"x" * (64 * MIB))
    assert "topsecret" not in str(caught.value)


def test_a_200_that_comes_before_the_end_of_the_file_is_no_success(client: TransferClient, serve: Serve) -> None:
    def early(peer: Peer) -> None:
        peer.head()
        peer.send(answer("200 OK", b"", "Connection: close"))

    with pytest.raises(Unreachable):
        put(client, grant_of(serve(early)), b"x" * (64 * MIB))


LOST = {
    "reset at once": lambda peer: (peer.head(), peer.reset()),
    "reset after the body": lambda peer: (peer.request(), peer.reset()),
    "closed without an answer": lambda peer: peer.request(),
    "no HTTP": lambda peer: (peer.request(), peer.send(b"SSH-2.0-x\r\n\r\n")),
}


@pytest.mark.parametrize("how", LOST)
def test_a_connection_that_is_cut_is_unreachable(client: TransferClient, serve: Serve, how: str) -> None:
    with pytest.raises(Unreachable) as caught:
        put(client, grant_of(serve(LOST[how])), b"x" * (2 * MIB))
    assert "topsecret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_a_server_that_reads_nothing_or_says_nothing_meets_the_timeout(serve: Serve) -> None:
    client = TransferClient(public_only=False, timeout=0.3)
    done = threading.Event()
    server = serve(lambda peer: (peer.head(), done.wait(20)))
    for size in (10, 64 * MIB):  # the one lies in buffers, whole; the other does not go into them
        with pytest.raises(Unreachable, match="too long"):
            put(client, grant_of(server), b"x" * size)
    done.set()
    client.close()


def test_what_lies_in_buffers_on_a_slow_way_may_take_its_time(serve: Serve) -> None:
    """At 1 KB a second ten of them take ten seconds, and were written at once."""
    client = TransferClient(public_only=False, timeout=0.3)
    server = serve(lambda peer: (peer.request(), time.sleep(1.0), peer.send(answer("200 OK"))))
    put(client, grant_of(server), b"x" * 10_000)
    client.close()
    assert len(server.seen) == 1


def test_tls_to_storage_is_checked_against_the_ca_file(
    serve: Serve, tls: ssl.SSLContext, certificate: Path, client: TransferClient
) -> None:
    server = serve(always(answer("200 OK")), tls)
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        put(client, grant_of(server), b"abc")
    trusting = TransferClient(public_only=False, ca_file=str(certificate))
    put(trusting, grant_of(server), b"abc")
    trusting.close()
    assert server.seen[0].body == b"abc"


@pytest.mark.parametrize("url", [
    "http://93.184.216.34/x?s=topsecret", "https://127.0.0.1:1/x?s=topsecret", "https://localhost/x?s=topsecret", "https://10.0.0.1/x?s=topsecret",
])
def test_a_public_service_cannot_send_us_inside_or_without_encryption(url: str) -> None:
    client = TransferClient(public_only=True)
    with pytest.raises(TransferError) as caught:
        put(client, UploadGrant("7", url), b"abc")
    client.close()
    assert "topsecret" not in str(caught.value)


def test_a_name_that_leads_inside_is_refused_before_connecting(serve: Serve, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(always(answer("200 OK")), tls)
    names(monkeypatch, [[("93.184.216.34", 443), ("127.0.0.1", server.port)]])
    client = TransferClient(public_only=True)
    with pytest.raises(TransferError, match="not on the public network"):
        put(client, UploadGrant("7", f"https://files.test:{server.port}/x"), b"abc")
    client.close()
    assert server.connections == 0


def test_a_name_that_changes_its_address_after_the_check_gets_no_byte(
    serve: Serve, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is looked up, inside when it is connected to."""
    got: queue.Queue[bytes] = queue.Queue()
    server = serve(lambda peer: got.put(peer.sock.recv(10)))
    names(monkeypatch, [[("93.184.216.34", server.port)], [("127.0.0.1", server.port)]])
    client = TransferClient(public_only=True, ca_file=str(certificate))
    with pytest.raises(TransferError, match="not on the public network"):
        put(client, UploadGrant("7", f"https://files.test:{server.port}/x"), b"abc")
    client.close()
    assert got.get(timeout=5) == b""


def names(monkeypatch: pytest.MonkeyPatch, answers: list[list[tuple[str, int]]]) -> None:
    """What DNS says of files.test, one answer after the other; nothing else can make a name change its address in a test."""
    import socket

    def getaddrinfo(host: str, port: object, *rest: object, **more: object) -> list[Any]:
        assert host == "files.test"
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_netrc_cookies_and_users_in_addresses_add_nothing(
    client: TransferClient, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login mallory password m\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(always(answer("200 OK", b"", "Set-Cookie: a=b; Path=/")))
    put(client, grant_of(server), b"abc")
    put(client, grant_of(server), b"abc")
    assert all({"authorization", "cookie"}.isdisjoint(seen.headers) for seen in server.seen)
    with pytest.raises(TransferError, match="user name"):
        put(client, grant_of(server, upload_url=server.url.replace("://", "://u:p@")), b"abc")


def test_no_library_logs_a_signed_address(client: TransferClient, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    put(client, grant_of(serve(always(answer("200 OK")))), b"abc")
    assert "topsecret" not in caplog.text


def test_a_grant_without_an_address_cannot_be_used(client: TransferClient) -> None:
    with pytest.raises(GrantRefused):
        put(client, UploadGrant("7", url="https://cdn.test/held"), b"abc")


def test_a_proxy_is_used_for_hosts_outside_and_not_for_loopback(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(always(answer("403 Forbidden")))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    client = TransferClient(public_only=True)
    with pytest.raises(Unreachable, match="proxy"):
        put(client, UploadGrant("7", "https://s3.test/x?sig=topsecret"), b"abc")
    client.close()
    assert proxy.seen[0].line == "CONNECT s3.test:443 HTTP/1.1"
    inside = TransferClient(public_only=False)
    put(inside, grant_of(serve(always(answer("200 OK")))), b"abc")
    inside.close()
    assert len(proxy.seen) == 1


def test_a_proxy_that_cannot_be_used_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(ConfigError, match="proxy"):
        TransferClient(public_only=True)


def test_the_rate_is_shared_by_all_uploads(serve: Serve) -> None:
    server = serve(always(answer("200 OK")))
    client = TransferClient(public_only=False, rate=2 * MIB)
    begun = time.monotonic()
    threads = [threading.Thread(target=put, args=(client, grant_of(server), b"x" * (MIB // 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    took = time.monotonic() - begun
    client.close()
    assert len(server.seen) == 3
    assert 0.55 < took < 3


def test_a_slow_rate_can_be_stopped_and_changed_in_the_middle(serve: Serve) -> None:
    class Impatient(Count):
        def advance(self, amount: int) -> None:
            super().advance(amount)
            if not amount:
                raise Stopped("Told to stop.")

    server = serve(lambda peer: peer.request())
    client = TransferClient(public_only=False, rate=1000)
    begun = time.monotonic()
    with pytest.raises(Stopped):
        put(client, grant_of(server), b"x" * MIB, meter=Impatient())
    assert time.monotonic() - begun < 2
    client.set_rate(None)
    put(client, grant_of(serve(always(answer("200 OK")))), b"x" * (4 * MIB))
    client.close()
