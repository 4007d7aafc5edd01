"""The commands that steer, beside a service that runs and before its next start: durable, answered, its owner's alone."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.service import wait_for
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"


def said(home: Home, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """What a command says with --json; `code` is its exit status."""
    done = home.command(*words, "--json", check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def states(home: Home) -> list[str]:
    return [state for (state,) in home.query("SELECT state FROM jobs ORDER BY id")]


def test_a_day_of_steering_beside_a_running_service(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """Pause, scan, resume, cancel, retry, redo, approve: each is answered by the service, and `status` and `show` tell of it."""
    here = home(watch={"mode": "poll", "rescan": 600})
    assert said(here, "pause")[0]["ok"] is True
    here.drop(ORDER, "one.mp4", clip())
    assert said(here, "scan") == [{"id": None, "command": "scan", "ok": True, "answer": "the whole inbox was looked at"}]
    assert here.query("SELECT state FROM drops") == [("waiting",)]
    assert "resume" in here.command("status").stdout
    assert here.command("resume").stdout == "resume: new work goes on.\n"
    here.rest(1)
    assert here.results() == [f"{ORDER}/one.es.mp4"]
    assert "done already" not in here.command("redo", "1").stdout
    here.rest(1)
    assert states(here) == ["done", "done"]
    refused = here.command("retry", "1", "99", "drop-x", check=False)
    assert refused.returncode == 1
    assert "1: it is done" in refused.stderr
    assert "99: there is no job 99" in refused.stderr
    assert "drop-x: `drop-x` is no id" in refused.stderr
    here.drop(f"{ORDER} hold=yes", "two.mp4", clip())
    said(here, "scan")
    wait_for(lambda: states(here)[2:] == ["held"], what="the job to be held")
    assert [one["ok"] for one in said(here, "approve", "--held")] == [True]
    here.rest(2)
    assert "approved by" in here.command("show", "3").stdout
    assert here.command("cancel", "3", check=False).returncode == 1


def test_what_is_said_before_the_next_start_is_done_then(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """And what is impossible is refused at once. The service that starts is paused, and does what was said before."""
    here = home()
    box.faults({"operation": "task", "kind": "fail_task", "times": 1})
    here.drop(ORDER, "one.mp4", clip())
    here.rest(1)
    assert here.stop() == 0
    assert not Path(f"{here.state}.sock").exists()
    assert [one["ok"] for one in said(here, "retry", "--failed")] == [None]
    refused = said(here, "cancel", "1", code=1)
    assert (refused[0]["ok"], "ended already" in refused[0]["answer"]) == (False, True)
    assert "will be done" in here.command("pause").stdout
    assert states(here) == ["failed"], "nothing is done before the start"
    here.start()
    wait_for(lambda: here.query("SELECT count(*) FROM commands WHERE done_at IS NULL") == [(0,)], what="every command to be done")
    wait_for(lambda: states(here)[1:] == ["ready"], what="the retry to wait")
    here.kill()
    here.start()
    assert here.query("SELECT state FROM brakes WHERE name = 'paused'") == [("on",)], "a pause outlives a crash"
    here.command("resume")
    here.rest(1)
    assert states(here) == ["failed", "done"]
    assert not list(files_below(here.root / "failed"))


def test_the_socket_is_its_owners_alone_and_a_stale_one_does_no_harm(home: Callable[..., Home]) -> None:
    here = home(start=False)
    sock = Path(f"{here.state}.sock")
    here.start()
    assert stat.S_IMODE(wait_for(lambda: sock.exists() and sock.stat(), what="the socket").st_mode) == 0o600
    here.kill()
    assert sock.exists(), "a killed service leaves its socket"
    assert "will be done" in here.command("pause").stdout
    here.start()
    assert said(here, "resume")[0]["ok"] is True


def test_a_path_that_is_too_long_for_a_socket_is_reached_all_the_same(home: Callable[..., Home], tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100) / ("f" * 200 + ".db")
    here = home(start=False, state={"path": str(deep)})
    here.start(ready=False)
    wait_for(lambda: list(deep.parent.glob("*.sock")), what="the socket")
    assert said(here, "pause")[0]["ok"] is True


def test_no_state_is_made_by_accident(home: Callable[..., Home], tmp_path: Path) -> None:
    here = home(start=False)
    shutil.rmtree(here.state.parent)
    done = here.command("pause", check=False)
    assert done.returncode == 1
    assert "nothing to steer" in done.stderr
    assert not here.state.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_another_user_is_refused_with_what_to_type(home: Callable[..., Home]) -> None:
    """Root is another user too: what it made in the state's folder would stop the service."""
    here = home(start=False)
    os.chown(here.state, 65534, 65534)
    before = sorted(os.listdir(here.state.parent))
    done = here.command("retry", "7", check=False)
    assert done.returncode == 1
    assert "belongs to the user nobody, and you are root" in done.stderr
    assert f"sudo -u nobody qavix-watch retry --config {here.config} 7" in done.stderr
    assert sorted(os.listdir(here.state.parent)) == before


NOBODY = """
import os, sys
from qavix_watch.cli.context import settings
from qavix_watch.cli.steering import refuse_others
from qavix_watch.errors import StateUnusable
found = settings(sys.argv[1])
os.setgid(65534)
os.setuid(65534)
sys.argv = ["qavix-watch", "pause"]
try:
    refuse_others(found)
except StateUnusable as error:
    print(error, error.hint)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_even_look_is_told_whose_it_is(home: Callable[..., Home]) -> None:
    here = home(start=False)
    here.state.parent.chmod(0o700)
    argv = [sys.executable, "-c", NOBODY, str(here.config)]
    done = subprocess.run(argv, env=here.environ(), capture_output=True, text=True, timeout=60, check=False)
    assert "belongs to the user root, and you are nobody" in done.stdout, done.stderr
    assert f"sudo -u root qavix-watch pause --config {here.config}" in done.stdout
