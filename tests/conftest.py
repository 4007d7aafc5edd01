"""What every room's tests may use."""

from __future__ import annotations

import itertools
import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.fs.media import MediaReader
from qavix_watch.sandbox import SandboxOptions, running
from tests.support.media import make_image, make_video
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

# A shell that runs this in its background has SIGINT ignored, which every program that is started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

_IN_MINUTES = (
    "faults/", "acceptance/test_kill", "acceptance/test_files", "acceptance/test_faults", "acceptance/test_systemd",
    "acceptance/test_changes", "simulation/", "acceptance/test_writers", "acceptance/test_roots", "acceptance/test_brakes",
    "acceptance/test_notes", "acceptance/test_status_file", "acceptance/test_idle", "acceptance/",
)  # fmt: skip
LONG_FIRST = tuple(f"tests/{begin}" for begin in _IN_MINUTES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, each with its slow tests: at the end nobody waits for one worker that took such a file last.

    A worker whose file has two tests left is given its next file already, which would lie behind a long last test.
    """
    places: dict[str, int] = dict.fromkeys((_file(item) for item in items), 0)
    for number, name in enumerate(places):
        long = (place for place, begin in enumerate(LONG_FIRST) if name.startswith(begin))
        places[name] = next(long, len(LONG_FIRST)) * len(places) + number
    items.sort(key=lambda item: (places[_file(item)], item.get_closest_marker("slow") is None))


PLENTY = 10**9
"""Credits that no test uses up."""


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Running]:
    """A very quick sandbox without limits that matter; tests share it, and tell their own by content."""
    options = SandboxOptions(speed=100, credits=PLENTY, requests_per_minute=10**6, queries_per_second=10_000)
    with running(options) as sandbox:
        yield sandbox


@pytest.fixture
def service(shared_service: Running) -> Iterator[Running]:
    """The session's sandbox, without faults before and after, and rich."""
    shared_service.faults()
    yield shared_service
    shared_service.faults()
    shared_service.control("credits", {"credits": PLENTY})


@pytest.fixture(scope="session")
def media_reader() -> Iterator[MediaReader]:
    reader = MediaReader()
    yield reader
    reader.close()


@pytest.fixture
def worlds(tmp_path: Path, service: Running, media_reader: MediaReader) -> Iterator[Callable[..., World]]:
    """Makes worlds: `worlds(settle_seconds=…)`."""
    made: list[World] = []

    def make(sandbox: Running | None = None, **rules: Any) -> World:
        made.append(World(tmp_path / f"world{len(made)}", sandbox or service, media_reader, **rules))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(worlds: Callable[..., World]) -> World:
    return worlds()


@pytest.fixture(scope="session")
def _plain_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_video(tmp_path_factory.mktemp("clips") / "plain.mp4", seconds=1, faststart=True).read_bytes()


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A picture."""
    return make_image(tmp_path_factory.mktemp("pictures") / "face.jpg").read_bytes()


@pytest.fixture
def video(_plain_video: bytes) -> Callable[..., bytes]:
    """Gives a film of another content at each call: the plain one with a box of its own at the end."""
    numbers = itertools.count()
    this = uuid.uuid4().hex

    def another(padding: int = 0) -> bytes:
        mark = f"{os.getpid()} {this} {next(numbers):06} ".encode() + b"x" * padding
        return _plain_video + (len(mark) + 8).to_bytes(4, "big") + b"free" + mark

    return another
