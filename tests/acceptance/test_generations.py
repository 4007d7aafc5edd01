"""Failure and generations, on the real program: what is tried again, with which key, what it costs, and where the files lie."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.support.service import wait_for
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"
FAN_OUT = "dub en to es,de"
FAIL = {"operation": "task", "kind": "fail_task", "message": "no speech found"}


def files(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in files_below(top))


def generations(here: Home) -> list[tuple[int, str]]:
    return here.query("SELECT generation, state FROM jobs ORDER BY id")


def test_of_a_fan_out_only_what_failed_is_done_again(
    home: Callable[..., Home], box: Running, clip: Callable[[], bytes], tasks_with: Callable[[str], list[dict[str, Any]]]
) -> None:
    """The good result stays, the original goes from failed/ to the archive, also where the service was killed in between."""
    here, data = home(), clip()
    box.faults({**FAIL, "times": 1})
    here.drop(FAN_OUT, "clip.mp4", data)
    here.rest(1)
    failed = here.root / "failed"
    assert files(failed) == [f"{FAN_OUT}/clip.mp4", f"{FAN_OUT}/clip.mp4.why.txt"]
    why = (failed / FAN_OUT / "clip.mp4.why.txt").read_text()
    assert "no speech found" in why
    assert "Delivered already" in why
    assert "a new task, about" in why
    (good,) = here.results()
    inode = (here.outbox / good).stat().st_ino
    box.faults({"operation": "video_translation", "kind": "lost_answer", "times": 1})
    here.command("retry", "--failed")
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE posted = 1 AND generation = 2"), what="the new generation to be submitted")
    here.kill()
    here.start()
    here.rest(1)
    assert here.results() == [f"{FAN_OUT}/clip.de.mp4", f"{FAN_OUT}/clip.es.mp4"]
    assert (here.outbox / good).stat().st_ino == inode
    assert (files(failed), files(here.root / "archive")) == ([], [f"{FAN_OUT}/clip.mp4"])
    assert len(tasks_with(hashlib.sha256(data).hexdigest())) == 3
    assert here.query("SELECT state FROM drops") == [("archived",)]


def test_content_that_keeps_failing_is_tried_three_times_and_then_held(
    home: Callable[..., Home], box: Running, clip: Callable[[], bytes], tasks_with: Callable[[str], list[dict[str, Any]]]
) -> None:
    here, data = home(), clip()
    box.faults(FAIL)
    path = here.drop(ORDER, "clip.mp4", data)
    away = here.root / "failed" / ORDER / "clip.mp4"
    for number in (1, 2, 3):
        here.rest(number)
        assert generations(here) == [(one, "failed") for one in range(1, number + 1)]
        assert files(here.root / "failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
        path.parent.mkdir(exist_ok=True)
        away.rename(path)
    wait_for(lambda: generations(here)[3:] == [(4, "held")], what="the fourth to be held")
    assert "approve" in here.command("show", "4").stdout
    assert files(here.root / "failed") == [], "our text beside an original that was dragged back goes with it"
    box.faults()
    here.command("approve", "4")
    here.rest(4)
    assert generations(here)[3] == (4, "done")
    assert len(tasks_with(hashlib.sha256(data).hexdigest())) == 4
    assert here.results() == [f"{ORDER}/clip.es.mp4"]


def test_where_originals_are_kept_a_retry_works_from_the_inbox(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """And a cancelled file is left alone, until it is retried."""
    here = home(folders={"after": "keep"})
    box.faults({**FAIL, "times": 1})
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1)
    assert files(here.inbox) == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    here.stop()
    here.start()
    assert generations(here) == [(1, "failed")], "a start is no retry"
    here.command("retry", "drop-1")
    here.rest(1)
    assert generations(here) == [(1, "failed"), (2, "done")]
    assert files(here.inbox) == [f"{ORDER}/clip.mp4"]
    box.faults({"operation": "task", "kind": "stuck_task"})
    here.drop(ORDER, "other.mp4", clip())
    wait_for(lambda: generations(here)[2:] == [(1, "processing")], what="the task to be followed")
    assert "stays billed" in here.command("cancel", "3").stdout
    here.rest(2)
    here.command("scan")
    here.stop()
    here.start()
    here.command("scan")
    assert here.query("SELECT state FROM drops") == [("kept",), ("kept",)]
    box.faults()
    (task,) = [row for (row,) in here.query("SELECT task_id FROM jobs WHERE id = 3")]
    box.control(f"tasks/{task}", {"status": "completed"}, method="POST")
    assert "followed again" in here.command("retry", "3").stdout
    here.rest(2)
    assert here.results() == [f"{ORDER}/clip.es.mp4", f"{ORDER}/other.es.mp4"]
