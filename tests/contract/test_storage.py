"""Object storage is as strict as S3."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.contract.client import client_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from qavix_watch.sandbox import Running
    from tests.contract.client import Client


@pytest.fixture
def content() -> bytes:
    return os.urandom(300_000)


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("application/xml")
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_a_file_that_was_put_and_confirmed_can_be_fetched_back(client: Client, content: bytes) -> None:
    grant = client.grant(content, "a.bin")
    assert grant["upload_method"] == "PUT"
    assert set(grant["upload_headers"]) == {"Content-Type", "Content-MD5"}
    answer = client.put(grant, content)
    assert answer.headers["etag"] == f'"{hashlib.md5(content).hexdigest()}"'
    link = client.data("confirm_upload", {"file_id": grant["file_id"]})
    assert client.http.get(link["url"]).content == content
    assert client.http.get(link["url"], headers={"Range": "bytes=-10"}).content == content[-10:]


def test_a_body_of_many_chunks_is_hashed_in_order(client: Client, box: Running) -> None:
    content = os.urandom(11 * 1024 * 1024)
    grant = client.grant(content, "large.bin")
    assert client.put(grant, content).status_code == 200
    upload = box.ledger()["uploads"][-1]
    assert (upload["sha256"], upload["size"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_confirming_before_the_upload_is_refused(client: Client, content: bytes) -> None:
    error = client.error("confirm_upload", {"file_id": client.grant(content)["file_id"]})
    assert (error["type"], error["param"]) == ("validation_error", "file_id")


def test_chunked_bodies_are_refused(client: Client, content: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield content

    assert _refusal(client.put(client.grant(content), pieces())) == (501, "NotImplemented")


def test_a_second_way_to_authenticate_is_refused(client: Client, content: bytes) -> None:
    assert _refusal(client.put(client.grant(content), content, Authorization="Bearer x")) == (400, "InvalidArgument")


@pytest.mark.parametrize("name", ["Content-Type", "Content-MD5"])
def test_a_granted_header_that_is_missing_or_other_breaks_the_signature(client: Client, content: bytes, name: str) -> None:
    grant = client.grant(content)
    other = {"Content-Type": "text/html", "Content-MD5": base64.b64encode(bytes(16)).decode()}
    assert _refusal(client.put(grant, content, **{name: other[name]})) == (403, "SignatureDoesNotMatch")
    del grant["upload_headers"][name]
    assert _refusal(client.put(grant, content)) == (403, "SignatureDoesNotMatch")


def test_a_body_of_another_length_breaks_the_signature(client: Client, content: bytes) -> None:
    assert _refusal(client.put(client.grant(content), content[:-1])) == (403, "SignatureDoesNotMatch")


def test_a_put_without_length_is_refused(client: Client, content: bytes) -> None:
    grant = client.grant(content)
    request = client.http.build_request("PUT", grant["upload_url"], headers=grant["upload_headers"])
    del request.headers["content-length"]
    assert _refusal(client.http.send(request)) == (411, "MissingContentLength")


def test_a_body_that_is_not_what_its_digest_says_is_refused(client: Client, content: bytes) -> None:
    grant = client.grant(content)
    assert _refusal(client.put(grant, b"x" + content[1:])) == (400, "BadDigest")
    assert client.error("confirm_upload", {"file_id": grant["file_id"]})["type"] == "validation_error"


def test_a_digest_that_is_none_is_refused(client: Client, content: bytes) -> None:
    grant = client.grant(content, md5=False)
    assert _refusal(client.put(grant, content, **{"Content-MD5": "!"})) == (400, "InvalidDigest")


@pytest.mark.parametrize("change", [("signature=", "signature=0"), ("expires=", "expires=9"), ("/storage/", "/storage/x")])
def test_a_url_that_was_tampered_with_is_refused(client: Client, content: bytes, change: tuple[str, str]) -> None:
    grant = client.grant(content)
    grant["upload_url"] = grant["upload_url"].replace(*change)
    assert _refusal(client.put(grant, content)) in {(403, "SignatureDoesNotMatch"), (404, "NoSuchKey")}


def test_an_unsigned_url_is_refused(client: Client, content: bytes) -> None:
    grant = client.grant(content)
    grant["upload_url"] = grant["upload_url"].partition("?")[0]
    assert _refusal(client.put(grant, content)) == (403, "AccessDenied")


def test_a_grant_allows_no_reading(client: Client, content: bytes) -> None:
    grant = client.grant(content)
    client.put(grant, content)
    assert client.http.get(grant["upload_url"]).status_code == 403


def test_expired_grants_links_and_results_are_refused_and_renewed(media: Path) -> None:
    """With real, short expiries."""
    with running(SandboxOptions(speed=100, grant_seconds=0.4, link_seconds=0.4, result_seconds=0.4, dedupe=False)) as box:
        client = client_of(box)
        content = (media / "clip.mp4").read_bytes()
        grant = client.grant(content)
        link = client.upload(media / "clip.mp4")
        body = {"source_language": "en", "target_language": "es"}
        task = client.done("video_translation", {"video_url": link["url"], **body})
        result = task["output"]["video_url"]
        until(lambda: client.http.head(result).status_code == 403, "the end of the result's URL")
        assert _refusal(client.put(grant, content)) == (403, "AccessDenied")
        assert client.error("video_translation", {"video_url": link["url"], **body})["code"] == "url_expired"
        fresh = client.data("refresh_url", {"file_id": link["file_id"]})["url"]
        client.data("video_translation", {"video_url": fresh, **body})
        assert client.http.head(client.task(task["task_id"])["output"]["video_url"]).status_code == 200
        client.http.close()


def test_everything_given_out_can_be_made_to_expire_at_once(client: Client, box: Running, content: bytes) -> None:
    grant = client.grant(content)
    box.control("expire-links", {"purpose": "grant"})
    assert _refusal(client.put(grant, content)) == (403, "AccessDenied")
    assert client.put(client.grant(content), content).status_code == 200


def test_content_that_is_held_needs_no_second_upload(client: Client, content: bytes) -> None:
    grant = client.grant(content)
    client.put(grant, content)
    assert client.grant(content)["upload_url"], "what is not confirmed is not held"
    client.data("confirm_upload", {"file_id": grant["file_id"]})
    again = client.grant(content)
    assert (again["file_id"], again.get("upload_url")) == (grant["file_id"], None)
    assert client.http.head(again["url"]).status_code == 200


def test_a_forgotten_file_is_gone_everywhere(client: Client, box: Running, content: bytes) -> None:
    grant = client.grant(content)
    client.put(grant, content)
    link = client.data("confirm_upload", {"file_id": grant["file_id"]})
    assert box.control("forget-files", {"file_ids": [grant["file_id"]]}) == {"forgotten": 1}
    assert client.error("refresh_url", {"file_id": grant["file_id"]})["status"] == 404
    assert client.http.get(link["url"]).status_code == 404
    body = {"video_url": link["url"], "source_language": "en", "target_language": "es"}
    assert client.error("video_translation", body)["code"] == "file_not_found"
    assert client.grant(content)["upload_url"]


def test_a_repeated_put_is_counted_and_cannot_change_what_was_confirmed(client: Client, box: Running, content: bytes) -> None:
    grant = client.grant(content, md5=False)
    client.put(grant, content)
    client.data("confirm_upload", {"file_id": grant["file_id"]})
    assert client.put(grant, content).status_code == 200
    assert _refusal(client.put(grant, content[::-1])) == (403, "AccessDenied")
    puts = [upload["puts"] for upload in box.ledger()["uploads"] if upload["sha256"] == hashlib.sha256(content).hexdigest()]
    assert puts == [2]


def test_secrets_that_reach_storage_are_seen(client: Client, box: Running, content: bytes) -> None:
    box.control("requests", method="DELETE")
    grant = client.grant(content)
    client.put(grant, content)
    seen: Any = box.control("requests")
    assert seen["secrets"] == {"authorization_headers": 0, "api_key_seen": 0}
    assert {"content-md5", "content-type", "content-length"} <= set(seen["header_names"]["storage_put"])
    client.put(grant, content, Authorization=f"Bearer {client.api_key}")
    assert box.control("requests")["secrets"] == {"authorization_headers": 1, "api_key_seen": 1}
