"""The real program as a process, and a state with something of everything in it, made by the store's own verbs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.cli.program import execute
from qavix_watch.core.files import Stat
from qavix_watch.core.grammar import parse
from qavix_watch.core.lifecycle import DropState, JobState
from qavix_watch.fs.marker import Marker, create_marker
from qavix_watch.stages.order import order_fields
from qavix_watch.store.sqlite import Store
from tests.support.service import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

HOSTILE = b"[red]a\n\x1b[31mb\xff\xe2\x80\xae.mp4"
"""Markup, a new line, an escape code, a byte that is no UTF-8, and what reverses text."""

_WAY = {
    DropState.DELIVERING: (DropState.SETTLED, DropState.FINGERPRINTED),
    DropState.FAILED: (DropState.ARCHIVING,),
    DropState.ARCHIVED: (DropState.ARCHIVING,),
}
NOWHERE = "http://127.0.0.1:9/qavix"


class Quick(Home):
    """An installation whose commands run in this process, which is ten times as quick. A few tests start the real one."""

    def command(self, *words: str | bytes, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command with this configuration."""
        done = in_process([words[0], "--config", str(self.config), *words[1:]], self.environ(), self.base)
        assert not check or done.returncode == 0, done.stderr
        return done


def in_process(words: Sequence[str | bytes], environ: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """The whole program but for the start of the interpreter."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    argv = ["qavix-watch", *map(os.fsdecode, words)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", argv)
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        for name in set(os.environ) - set(environ):
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        code = execute()
    out, err = (stream.buffer.getvalue().decode() for stream in streams if not stream.flush())
    return subprocess.CompletedProcess(argv, code, out, err)


@pytest.fixture
def home(tmp_path: Path) -> Quick:
    """An installation whose folders are marked; its service has never run, and nobody answers at its address."""
    made = Quick(tmp_path / "home", NOWHERE, key=None)
    for folder in (made.inbox, made.outbox, made.root / "archive", made.root / "failed", made.state.parent):
        folder.mkdir(parents=True)
    create_marker(os.fsencode(made.root), Marker("place", "owner"))
    return made


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `qavix-watch …` in an empty folder, without any configuration."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("QAVIX_") and name != "COLUMNS"}
    plain |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "none")}
    return lambda *words: in_process(words, plain, tmp_path)


@pytest.fixture
def filled(home: Quick) -> Quick:
    """Two jobs of one drop (one done, one being processed), a drop that waits, one that failed, one that is archived, and a brake."""
    with closing(Store(str(home.state), NOWHERE, "default", "owner")) as store:
        store.now("fill", lambda tx: _fill(tx, home, time.time()))
    return home


def _fill(tx: Any, home: Home, now: float) -> None:
    clip = add_drop(tx, b"dub en to es,fr/clip.mp4", DropState.DELIVERING, now)
    done = add_job(tx, clip, "es", JobState.DONE, now, task_id="t-1", credits_estimated=60, credits_used=61)
    add_job(tx, clip, "fr", JobState.PROCESSING, now, task_id="t-2", progress=40, submitted_at=now - 60, credits_estimated=60)
    tx.jobs.add_result(done, "video", "mp4", "5" * 64, 1234, None, None)
    result, delivery = tx.jobs.results(done)[0], tx.jobs.deliveries(done)[0]
    tx.jobs.placed(result.id, delivery.id, b"dub en to es,fr/clip.es.mp4", 1234, "5" * 64)
    tx.work.move("delivery", delivery.id, (delivery.state,), type(delivery.state).DONE, now, "in place")
    add_drop(tx, b"erase/" + HOSTILE, DropState.WAITING, now, reason="it has \x1b]0;pwned\x07 a [bold]hole[/bold]")
    failed, archive = os.fsencode(home.root / "failed/erase/bad.mp4"), os.fsencode(home.root / "archive/erase/old.mp4")
    add_drop(tx, b"erase/bad.mp4", DropState.FAILED, now, reason="this is not a video", target=failed, ended_at=now)
    add_drop(tx, b"erase/old.mp4", DropState.ARCHIVED, now, target=archive, ended_at=now - 3600)
    tx.brakes.pull("credits", "", "the balance does not cover the task", "Add credits to the account.", now, now + 60)
    tx.house.trouble("watch", "too few inotify watches", now)
    tx.house.folders("place", {
        b"dub en to es,fr": ("dub en to es,fr", "Dub from English into Spanish and French", None),
        b"dubb": (None, None, "`dubb` begins with no job."),
        b"dubb/inner": (None, None, "`dubb` begins with no job."),
    })  # fmt: skip
    tx.house.progress([("drop", clip, "uploading", 25_000_000, 100_000_000, 5_000_000.0, now)])


def add_drop(tx: Any, path: bytes, state: DropState, now: float, *, reason: str = "", **fields: Any) -> int:
    """A drop in a state that it came to by the way of the law."""
    folder = path.split(b"/")[0]
    stat = Stat(1000, 1, 1, 1, 1, is_file=True, is_dir=False)
    number: int = tx.drops.add("place", path, stat, order_fields(folder, parse(folder.decode())), now, now, 0.0)
    before = DropState.WAITING
    for after in (*_WAY.get(state, ()), state):
        tx.work.move("drop", number, (before,), after, now, reason or "test", {"reason": reason, **fields})
        before = after
    return number


def add_job(tx: Any, drop: int, language: str, state: JobState, now: float, **fields: Any) -> int:
    """A job of a drop."""
    values = {
        "key": f"key-{language}", "identity": f"identity-{language}", "generation": 1, "task": "video_translation",
        "operation": "video_translation", "canonical": "dub en to es,fr", "source": "en", "language": language, "stem": "clip",
        "params_json": "{}", "main_sha256": "a" * 64, "token": "token", **fields,
    }  # fmt: skip
    number: int = tx.jobs.add(values, state, now, "ordered")
    tx.jobs.expect_delivery(number, drop, now)
    return number
