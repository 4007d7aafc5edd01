"""A state that was lost, or restored from an old backup: nothing is billed twice, nothing is lost, results are delivered."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.sandbox import SandboxOptions
from tests.acceptance.brakes import history, told
from tests.support.kinds import Wares, drop_one
from tests.support.pair import assert_nothing_twice, counts, forget_requests, paired, states, totals
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

    Pair = tuple[Home, Running]

ORDER = "dub en to es"
FAN_OUT = "dub en to es,de"
PLENTY = {"budget": {"approve_mass": 0}}
QUICK = SandboxOptions(speed=50, requests_per_minute=100_000, queries_per_second=2000, credits=10**6)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home", QUICK, **PLENTY) as found:
        yield found


@pytest.fixture
def wares(tmp_path: Path) -> Wares:
    return Wares(tmp_path)


def lose(home: Home) -> None:
    """The state is gone; `init` begins another, to which the folders belong from now on."""
    shutil.rmtree(home.state.parent)
    home.prepare()


def drag_back(home: Home, order: str, name: str, new: str = "") -> None:
    """Take an original from the archive and drop it again, under another name perhaps."""
    folder = home.inbox / order
    folder.mkdir(exist_ok=True)
    (home.root / "archive" / order / name).rename(folder / (new or name))


def submits(sandbox: Running) -> int:
    """POSTs that would make a task, since they were last forgotten."""
    seen = counts(sandbox)
    return seen["video_translation"] + seen["subtitle_translation"] + seen["smart_eraser"] + seen["lip_sync"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["the keys are known", "the keys are forgotten"])
def test_a_lost_state_is_rebuilt_by_dropping_the_originals_again(pair: Pair, wares: Wares, *, forgotten: bool) -> None:
    """Each task is found by its mark, under whatever name the file comes back: nothing is uploaded, nothing submitted."""
    home, sandbox = pair
    orders = (FAN_OUT, "subs en to fr", "erase", "lip sync")
    home.start()
    for number, order in enumerate(orders):
        drop_one(home, wares, order, number)
    home.rest(4)
    before = totals(sandbox)
    home.stop()
    lose(home)
    if forgotten:
        assert sandbox.control("forget-keys", {})["forgotten"] == 5
        sandbox.control("forget-files", {})
    shutil.rmtree(home.outbox)
    home.outbox.mkdir()
    forget_requests(sandbox)
    home.start()
    drag_back(home, FAN_OUT, "work 0.mp4", "another name.mp4")
    drag_back(home, "subs en to fr", "work 1.mp4")
    drag_back(home, "erase", "work 2.mp4")
    for suffix in (".mp4", ".wav"):
        if (home.root / "archive" / "lip sync" / f"work 3{suffix}").exists():
            drag_back(home, "lip sync", f"work 3{suffix}")
    home.rest(4)
    assert totals(sandbox) == before
    assert submits(sandbox) == 0
    assert counts(sandbox)["storage_put"] == 0
    assert home.results() == [
        f"{FAN_OUT}/another name.de.mp4", f"{FAN_OUT}/another name.es.mp4", "erase/work 2.erased.mp4", "lip sync/work 3.synced.mp4",
        "subs en to fr/work 1.fr.srt",
    ]  # fmt: skip
    assert "an older state was found" in home.log.read_text()
    assert history(home, "recovery") == [("off", "on"), ("on", "off")]
    assert told(home, "recovery", "brake off") == 1
    said = [event["why"] for job in home.jobs() for event in json.loads(home.command("show", job["id"], "--json").stdout)["history"]]
    assert sum("found by its mark" in why for why in said) == 5


def test_speech_and_voices_of_a_lost_state(pair: Pair, wares: Wares) -> None:
    """A task that speaks has no name, so that its key alone saves it; a voice of that name waits for a person."""
    home, sandbox = pair
    home.start()
    for number, order in enumerate(("clone voice", "tts voice=sys-en-ava")):
        drop_one(home, wares, order, number)
    home.rest(2)
    before = totals(sandbox)
    home.stop()
    lose(home)
    home.start()
    drag_back(home, "clone voice", "work 0.wav")
    drag_back(home, "tts voice=sys-en-ava", "work 1.txt")
    wait_for(lambda: states(home, "jobs") == {"done": 1, "held": 1}, what="the speech, and the voice to be held")
    assert {**totals(sandbox), "posts": 0} == {**before, "posts": 0}
    (held,) = [job for job in home.jobs() if job["state"] == "held"]
    assert "exists already, and it was not made here" in held["error"]


def test_nothing_is_submitted_before_the_list_was_read(pair: Pair, wares: Wares) -> None:
    """While the list does not come, everything waits and says so; a kill in between does not make it forgotten."""
    home, sandbox = pair
    home.start()
    drop_one(home, wares, ORDER, 0)
    home.rest(1)
    home.stop()
    lose(home)
    sandbox.control("forget-keys", {})
    sandbox.faults({"operation": "list_tasks", "kind": "slow", "delay": 600})
    forget_requests(sandbox)
    drag_back(home, ORDER, "work 0.mp4")
    drop_one(home, wares, ORDER, 1)
    home.start()
    wait_for(lambda: states(home, "jobs") == {"ready": 2}, what="both to wait")
    wait_for(lambda: counts(sandbox)["list_tasks"], what="the list to be asked for")
    why = " ".join(home.command("why", str(home.inbox / ORDER / "work 1.mp4")).stdout.split())
    status = json.loads(home.command("status", "--json").stdout)
    (brake,) = [one for one in status["brakes"] if one["name"] == "recovery"]
    assert brake["stops"] == "nothing is submitted: the service's list of tasks is read first"
    assert "seen more starts of the service than the state knows of" in brake["why"]
    assert brake["why"] in why
    home.kill()
    assert (submits(sandbox), counts(sandbox)["get_upload_url"]) == (0, 0)
    sandbox.faults()
    home.start()
    home.rest(2)
    assert (submits(sandbox), totals(sandbox)["tasks"]) == (1, 2)
    assert_nothing_twice(sandbox)


def restore(home: Home, backup: Path) -> None:
    """As `backup` says."""
    for companion in ("-wal", "-shm"):
        home.state.with_name(home.state.name + companion).unlink(missing_ok=True)
    shutil.copy(backup, home.state)


def test_an_old_backup_knows_nothing_of_what_came_after_it_and_pays_it_once(pair: Pair, wares: Wares, tmp_path: Path) -> None:
    """Done, failed and retried, and still open: all of it came after the backup, and the service has forgotten every key."""
    home, sandbox = pair
    backup = tmp_path / "backup.db"
    home.start()
    drop_one(home, wares, ORDER, 0)
    home.rest(1)
    home.command("backup", str(backup))
    sandbox.faults({"operation": "task", "kind": "fail_task", "message": "no speech found", "times": 1})
    drop_one(home, wares, ORDER, 1)
    home.rest(2)
    home.command("retry", "--failed")
    wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE generation = 2"), what="the second generation")
    home.rest(2)
    sandbox.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    drop_one(home, wares, ORDER, 2)
    wait_for(lambda: states(home, "jobs")["processing"] == 1, what="the stuck task")
    (stuck,) = [task["task_id"] for task in sandbox.ledger()["tasks"] if task["status"] != "completed" and task["status"] != "failed"]
    before = totals(sandbox)
    home.kill()
    restore(home, backup)
    sandbox.control("forget-keys", {})
    sandbox.faults()
    forget_requests(sandbox)
    drag_back(home, ORDER, "work 1.mp4")
    home.start()
    wait_for(lambda: states(home, "jobs") == {"done": 2, "failed": 1, "processing": 1}, what="the tasks to be adopted")
    tried_twice = "identity = (SELECT identity FROM jobs WHERE generation = 2)"
    generations = home.query(f"SELECT generation, state FROM jobs WHERE {tried_twice} ORDER BY generation")
    assert generations == [(1, "failed"), (2, "done")]
    sandbox.control(f"tasks/{stuck}", {"status": "completed"})
    home.rest(3)
    assert totals(sandbox) == before
    assert submits(sandbox) == 0
    assert home.results() == [f"{ORDER}/work {number}.es.mp4" for number in range(3)]


def test_a_key_that_the_service_knows_under_another_name_leads_to_its_task(pair: Pair, wares: Wares) -> None:
    """State and markers are lost, so that nothing tells of a loss; the service refuses the key, and its task is found by its mark."""
    home, sandbox = pair
    home.start()
    for number in range(3):
        drop_one(home, wares, ORDER, number)
    home.rest(3)
    before = totals(sandbox)
    home.stop()
    shutil.rmtree(home.state.parent)
    (home.root / ".qavix-watch").unlink()
    for number in range(3):
        drag_back(home, ORDER, f"work {number}.mp4", f"other {number}.mp4")
    shutil.rmtree(home.root / "archive")
    home.start()
    home.rest(3)
    assert "an older state" not in home.log.read_text()
    assert {**totals(sandbox), "grants": 0} == {**before, "grants": 0}
    assert {f"{ORDER}/other {number}.es.mp4" for number in range(3)} < set(home.results())
    assert history(home, "recovery") == [("off", "on"), ("on", "off")]


def test_what_failed_three_times_before_the_loss_is_not_paid_a_fourth_time(pair: Pair, wares: Wares) -> None:
    home, sandbox = pair
    sandbox.faults({"operation": "task", "kind": "fail_task"})
    home.start()
    drop_one(home, wares, ORDER, 0)
    home.rest(1)
    for generation in (2, 3):
        home.command("retry", "--failed")
        wait_for(lambda of=generation: home.query("SELECT 1 FROM jobs WHERE generation = ?", of), what="the next generation")
        home.rest(1)
    assert totals(sandbox)["tasks"] == 3
    home.stop()
    lose(home)
    home.start()
    (home.root / "failed" / ORDER / "work 0.mp4").rename(home.inbox / ORDER / "work 0.mp4")
    wait_for(lambda: states(home, "jobs") == {"failed": 3, "held": 1}, what="it to be held")
    assert "it failed 3 times already" in home.command("show", "1").stdout
    assert totals(sandbox)["tasks"] == 3
    sandbox.faults()
    home.command("approve", "1")
    home.rest(1)
    assert totals(sandbox)["tasks"] == 4
    assert home.results() == [f"{ORDER}/work 0.es.mp4"]


RESTORE = "restore a backup of the state"


def truncated(state: Path) -> None:
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 3])


def one_page_lost(state: Path) -> None:
    """Somewhere in the midst, where a start would not come by."""
    with closing(sqlite3.connect(state)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'results'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with state.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x77" * size)


def scribbled(state: Path) -> None:
    with state.open("r+b") as file:
        file.write(b"this is no database at all, but somebody's shopping list\n" * 20)


def newer(state: Path) -> None:
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("PRAGMA user_version = 999")


@pytest.mark.parametrize(
    ("damage", "mend"),
    [(truncated, RESTORE), (one_page_lost, RESTORE), (scribbled, RESTORE), (newer, "Start the newer version again")],
    ids=["cut short", "one page lost", "overwritten", "newer"],
)
def test_a_state_that_cannot_be_used_is_refused_and_left_as_it_is(home_with_state: Home, damage: Any, mend: str) -> None:
    """The message names the file and says what to do."""
    home = home_with_state
    damage(home.state)
    before = {path.name: path.read_bytes() for path in home.state.parent.iterdir() if path.name != "state.db.lock"}
    done = home.command("run", check=False)
    assert done.returncode == 1, done.stderr
    assert str(home.state) in done.stderr
    assert mend in done.stderr
    assert "Traceback" not in done.stderr
    assert {name: (home.state.parent / name).read_bytes() for name in before} == before


@pytest.fixture
def home_with_state(pair: Pair) -> Home:
    """An installation that has run, and is stopped."""
    home, _ = pair
    home.start()
    home.stop()
    return home
