"""One sandbox for a whole session, installations that use it, and clips of which no two are the same."""

from __future__ import annotations

import itertools
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.support.media import make_video
from tests.support.service import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running


@pytest.fixture(scope="session")
def session_box() -> Iterator[Running]:
    """A quick sandbox without limits that matter. Tests share its ledger, and tell their own by content."""
    with running(SandboxOptions(speed=20, credits=10**9, requests_per_minute=100_000, queries_per_second=2000)) as sandbox:
        yield sandbox


@pytest.fixture
def box(session_box: Running) -> Iterator[Running]:
    """The session's sandbox, without faults before and after."""
    session_box.faults()
    yield session_box
    session_box.faults()


@pytest.fixture
def home(tmp_path: Path, box: Running) -> Iterator[Callable[..., Home]]:
    """Makes installations: `home(watch={...}, folders={...})` starts its service unless `start=False` is said."""
    made: list[Home] = []

    def make(*, start: bool = True, base: Path | None = None, **settings: dict[str, Any]) -> Home:
        one = Home(base or tmp_path / f"home{len(made)}", box.base_url, settings)
        made.append(one)
        one.prepare()
        if start:
            one.start()
        return one

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="session")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second of video, its index first."""
    return make_video(tmp_path_factory.mktemp("clips") / "plain.mp4", seconds=1, faststart=True).read_bytes()


@pytest.fixture
def clip(plain_clip: bytes) -> Callable[[], bytes]:
    """Gives another content at each call: the plain clip and a box of its own at the end."""
    numbers = itertools.count()
    this = uuid.uuid4().hex

    def another(padding: int = 0) -> bytes:
        mark = f"{os.getpid()} {this} {next(numbers)} ".encode() + b"x" * padding
        return plain_clip + (len(mark) + 8).to_bytes(4, "big") + b"free" + mark

    return another


@pytest.fixture
def tasks_with(box: Running) -> Callable[[str], list[dict[str, Any]]]:
    """The tasks of the sandbox's ledger that have the content with this SHA-256 among their inputs."""

    def of(sha256: str) -> list[dict[str, Any]]:
        return [task for task in box.ledger()["tasks"] if sha256 in {given["sha256"] for given in task["inputs"].values()}]

    return of
