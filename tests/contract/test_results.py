"""Every result is real media, belongs to its work alone, and can be fetched in parts."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import av
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.contract.client import Client

PAIR = {"source_language": "en", "target_language": "es"}


def _fetched(client: Client, url: str, path: Path) -> Path:
    answer = client.http.get(url)
    assert answer.status_code == 200
    path.write_bytes(answer.content)
    return path


def _decoded(path: Path) -> dict[str, Any]:
    """Kind of track → its language and how many frames really decode."""
    tracks: dict[str, Any] = {}
    with av.open(str(path)) as media:
        for stream in media.streams:
            media.seek(0)
            frames = sum(1 for _ in media.decode(stream)) if stream.type in {"video", "audio"} else _subtitle_texts(media, stream)
            tracks[stream.type] = (stream.metadata.get("language"), frames)
    return tracks


def _subtitle_texts(media: Any, stream: Any) -> list[str]:
    packets = (bytes(packet) for packet in media.demux(stream))
    return [packet[2:].decode() for packet in packets if len(packet) > 2]


def test_a_dub_is_the_picture_with_new_sound_in_the_language(client: Client, video_url: str, media: Path, tmp_path: Path) -> None:
    output = client.done("video_translation", {"video_url": video_url, **PAIR})["output"]
    assert (output["subtitle_url"], output["audio_url"]) == (None, None)
    path = _fetched(client, output["video_url"], tmp_path / "dub.mp4")
    tracks, original = _decoded(path), _decoded(media / "clip.mp4")
    assert tracks["video"][1] == original["video"][1]
    assert tracks["audio"][0] == "spa"
    assert tracks["audio"][1] > 10
    assert path.read_bytes() != (media / "clip.mp4").read_bytes()


def test_embedded_subtitles_are_a_track_and_a_file(client: Client, video_url: str, tmp_path: Path) -> None:
    output = client.done("subtitle_translation", {"video_url": video_url, **PAIR})["output"]
    tracks = _decoded(_fetched(client, output["video_url"], tmp_path / "subbed.mp4"))
    assert set(tracks) == {"video", "audio", "subtitle"}
    assert tracks["subtitle"] == ("spa", ["¡Hola, mundo! (1)"])
    srt = _fetched(client, output["subtitle_url"], tmp_path / "clip.srt").read_text(encoding="utf-8")
    assert re.fullmatch(r"1\n00:00:00,000 --> 00:00:0\d,\d{3}\n¡Hola, mundo! \(1\)\n", srt)
    with av.open(str(tmp_path / "clip.srt")) as subtitles:
        assert subtitles.streams.subtitles


def test_subtitles_that_are_not_embedded_are_a_file_alone(client: Client, video_url: str) -> None:
    output = client.done("subtitle_translation", {"video_url": video_url, **PAIR, "embed_subtitle": False})["output"]
    assert (output["video_url"], output["audio_url"]) == (None, None)
    assert client.http.head(output["subtitle_url"]).headers["content-type"].startswith("application/x-subrip")


def test_erased_swapped_and_synced_films_are_films(client: Client, video_url: str, media: Path, tmp_path: Path) -> None:
    image, audio = (client.upload(media / name)["url"] for name in ("face.jpg", "voice.wav"))
    requests = {
        "smart_eraser": {"video_url": video_url},
        "face_swap": {"video_url": video_url, "image_url": image},
        "lip_sync": {"video_url": video_url, "audio_url": audio},
    }
    found = set()
    for operation, body in requests.items():
        path = _fetched(client, client.done(operation, body)["output"]["video_url"], tmp_path / "film.mp4")
        tracks = _decoded(path)
        assert tracks["video"][1] == 50, operation
        assert tracks["audio"][1] > 10, operation
        found.add(path.read_bytes())
    assert len(found) == 3


def test_speech_is_as_long_as_its_text(client: Client, tmp_path: Path) -> None:
    lengths = []
    for words in (10, 200):
        task = client.done("text_to_speech", {"text": "hello " * words, "voice_id": "sys-en-ava"})
        path = _fetched(client, task["output"]["audio_url"], tmp_path / "speech.mp3")
        with av.open(str(path)) as speech:
            assert speech.duration is not None
            lengths.append(speech.duration / av.time_base)
            assert sum(1 for _ in speech.decode(audio=0)) > 10
    assert lengths == [pytest.approx(4, abs=0.5), pytest.approx(80, abs=1)]


@pytest.mark.parametrize(("operation", "partner"), [("face_swap", {"image_url": "words.txt"}), ("lip_sync", {"audio_url": "face.jpg"})])
def test_a_partner_of_the_wrong_kind_fails_the_task(
    client: Client, video_url: str, media: Path, operation: str, partner: dict[str, str]
) -> None:
    links = {field: client.upload(media / name)["url"] for field, name in partner.items()}
    task = client.ended(client.data(operation, {"video_url": video_url, **links})["task_id"])
    assert task["status"] == "failed"
    assert next(iter(partner)) in task["error_message"]


def test_the_same_work_gives_the_same_bytes_and_other_work_others(client: Client, video_url: str, box: Running) -> None:
    def sha256(target: str) -> str:
        task = client.done("video_translation", {"video_url": video_url, "source_language": "en", "target_language": target})
        return hashlib.sha256(client.http.get(task["output"]["video_url"]).content).hexdigest()

    first, second, other = sha256("pt-BR"), sha256("pt-BR"), sha256("pt-PT")
    assert first == second != other
    line = next(task for task in box.ledger()["tasks"] if task["target_language"] == "pt-BR")
    assert line["results"]["video_url"]["sha256"] == first


@pytest.fixture
def result_url(client: Client, video_url: str) -> str:
    return str(client.done("video_translation", {"video_url": video_url, **PAIR})["output"]["video_url"])


def test_a_result_can_be_fetched_in_parts(client: Client, result_url: str) -> None:
    whole = client.http.get(result_url)
    assert (whole.headers["accept-ranges"], whole.headers["content-length"]) == ("bytes", str(len(whole.content)))
    part = client.http.get(result_url, headers={"Range": "bytes=1000-", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"
    other = client.http.get(result_url, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)


def test_a_range_beyond_the_end_is_refused(client: Client, result_url: str) -> None:
    answer = client.http.get(result_url, headers={"Range": "bytes=99999999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")


def test_head_tells_length_and_etag_without_a_body(client: Client, result_url: str) -> None:
    head = client.http.head(result_url)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert head.headers["etag"] == client.http.get(result_url).headers["etag"]


def test_a_result_url_is_good_for_its_own_result_alone(client: Client, result_url: str) -> None:
    path, _, query = result_url.partition("?")
    assert client.http.get(f"{path}x?{query}").status_code == 403
    assert client.http.get(path).status_code == 403
    assert client.http.delete(result_url).status_code == 405
