"""A backup of the state taken in the midst of the work: what it knows is paid once, whatever happened after it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

DROPS = 20


@pytest.mark.timeout(180)
@pytest.mark.parametrize("after", ["archive", "keep"])
def test_a_backup_taken_at_work_and_restored_pays_nothing_twice(
    home: Callable[..., Home],
    box: Running,
    clip: Callable[[], bytes],
    tasks_with: Callable[[str], list[dict[str, Any]]],
    tmp_path: Path,
    after: str,
) -> None:
    box.faults({"operation": "video_translation", "kind": "slow", "delay": 0.2})
    mine = home(folders={"after": after})
    contents = {f"clip{number:02}.mp4": clip() for number in range(DROPS)}
    for name, data in contents.items():
        mine.drop("dub en to es", name, data)
    wait_for(lambda: (mine.query("SELECT count(*) FROM jobs WHERE task_id IS NOT NULL") or [(0,)])[0][0] >= 4, 60, "the first tasks")

    backup = tmp_path / "backup.db"
    restore = mine.command("backup", str(backup)).stdout.splitlines()[-2:]
    states = {state for state, in rows(backup, "SELECT state FROM jobs UNION SELECT state FROM drops")}
    assert states - {"done", "archived", "kept"}, "it was taken in the midst of the work"
    mine.rest(DROPS, 90)
    assert billed(box, contents, tasks_with) == dict.fromkeys(contents, 1)
    results = mine.results()
    assert mine.stop() == 0

    for line in restore:
        subprocess.run(line, shell=True, check=True)
    mine.start()
    mine.rest(1, 90)
    assert "an older state was found" in mine.log.read_text()
    assert billed(box, contents, tasks_with) == dict.fromkeys(contents, 1)
    assert mine.results() == results, "every result is there once, under the name that it had"

    known = mine.query("SELECT count(*) FROM drops")[0][0]
    mine.drop("dub en to es", "clip19.mp4" if after == "archive" else "again.mp4", contents["clip19.mp4"])
    mine.rest(known + 1, 60)
    assert mine.results() == sorted([*results, *(["dub en to es/again.es.mp4"] if after == "keep" else [])])
    assert billed(box, contents, tasks_with) == dict.fromkeys(contents, 1)
    assert mine.stop() == 0
    mine.log.write_text("")
    mine.start()
    assert "an older state" not in mine.log.read_text(), "it is told once"


def test_a_start_that_was_refused_does_not_make_the_state_look_old(home: Callable[..., Home], tmp_path: Path) -> None:
    """The archive's disk is not there, again and again: the root, which is, has seen no start."""
    archive = tmp_path / "disk" / "archive"
    mine = home(start=False, folders={"archive": str(archive)})
    marker = archive / ".qavix-watch"
    marker.rename(tmp_path / "away")
    for _ in range(2):
        assert mine.command("run", check=False).returncode == 2
    (tmp_path / "away").rename(marker)
    for _ in range(2):
        mine.start()
        assert mine.stop() == 0
    assert "an older state" not in mine.log.read_text()


def billed(box: Running, contents: dict[str, bytes], tasks_with: Callable[[str], list[dict[str, Any]]]) -> dict[str, int]:
    """How many tasks each content has at the service."""
    assert box.ledger()["totals"]["tasks"]
    return {name: len(tasks_with(hashlib.sha256(data).hexdigest())) for name, data in contents.items()}


def rows(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def test_money_spent_is_seen_in_the_account(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """After a drop, `tasks` and `usage` know its job and its file, and what it cost against what was said."""
    mine = home()
    path = mine.drop("dub en to es", "clip.mp4", clip())
    mine.rest(1)
    task_id = mine.jobs()[0]["task_id"]
    task = next(row for row in json.loads(mine.command("tasks", "--json").stdout) if row["task_id"] == task_id)
    assert (task["whose"], task["job"], task["path"], task["status"]) == ("ours", "1", str(path), "completed")
    report = json.loads(mine.command("usage", "--days", "1", "--json").stdout)
    ours = [row for row in report["tasks"] if row["job"]]
    assert [(row["task_id"], row["path"], row["difference"]) for row in ours] == [(task_id, str(path), 0)]
    assert report["total"]["credits_used_ours"] == ours[0]["credits_used"] > 0
