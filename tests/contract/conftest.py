from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import Running, SandboxOptions, running
from tests.contract.client import Client, client_of
from tests.support.media import make_audio, make_image, make_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def shared_box() -> Iterator[Running]:
    with running(SandboxOptions(speed=100, queries_per_second=10_000, requests_per_minute=100_000)) as box:
        yield box


@pytest.fixture
def box(shared_box: Running) -> Iterator[Running]:
    """A quick sandbox with plenty of credits and no faults; its tasks and files are those of every test before."""
    shared_box.faults()
    shared_box.control("credits", {"credits": 1_000_000})
    yield shared_box
    shared_box.faults()


@pytest.fixture
def client(box: Running) -> Iterator[Client]:
    client = client_of(box)
    yield client
    client.http.close()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with clip.mp4 (2 s), other.mp4, face.jpg, voice.wav and words.txt."""
    directory = tmp_path_factory.mktemp("media")
    make_video(directory / "clip.mp4", seconds=2)
    make_video(directory / "other.mp4", seconds=1, seed=7)
    make_image(directory / "face.jpg")
    make_audio(directory / "voice.wav", seconds=1)
    (directory / "words.txt").write_text("no media at all", encoding="utf-8")
    return directory


@pytest.fixture
def video_url(client: Client, media: Path) -> str:
    return str(client.upload(media / "clip.mp4")["url"])
