"""Nothing to do costs next to nothing."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.support.service import at_home, wait_for

if TYPE_CHECKING:
    from pathlib import Path

FILES = 2000
SECONDS = 60.0
MOST = 0.01


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used."""
    found = psutil.Process(pid)
    times = [process.cpu_times() for process in (found, *found.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def busy_tree(inbox: Path) -> None:
    """Companions, litter, films in a folder that is no order, and an order's folder that was emptied: nothing to work on."""
    for number in range(FILES // 4):
        for folder, name in (
            ("dub en to es", f"film {number}.nfo"), ("dub en to es/posters", f"film {number}-poster.jpg"),
            ("no order at all", f"film {number}.mp4"), ("subs en to fr", f"film {number}.mp4.part"),
        ):
            (inbox / folder).mkdir(parents=True, exist_ok=True)
            (inbox / folder / name).write_bytes(b"x")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_idle_service_over_two_thousand_files_uses_less_than_one_percent_of_a_core(tmp_path):
    """The default settings; the time is measured, so it has to pass."""
    defaults = {"watch": {"settle": 1, "settle_folder": 10, "rescan": 60}, "follow": {"poll_min": 5, "poll_max": 300}}
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    with running(SandboxOptions()) as box, at_home(tmp_path / "home", box, **defaults) as home:
        home.command("init")
        busy_tree(home.inbox)
        home.start()
        note = home.inbox / "no order at all" / "QAVIX-READ-ME.txt"
        wait_for(note.exists, what="the first scan to have said what it thinks")
        process = home.process
        assert process is not None
        before, began = cpu_seconds(process.pid), time.monotonic()
        with pytest.raises(Exception, match="timed out"):
            process.wait(SECONDS)
        share = (cpu_seconds(process.pid) - before) / (time.monotonic() - began)
        assert share < MOST, f"{share:.2%} of a core"
