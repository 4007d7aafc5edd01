"""`status`: the service, what stands still, folders, work in hand; once, as JSON, and drawn anew until Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from qavix_watch.cli.board import MOST_LINES, time_left
from qavix_watch.cli.status import is_running, render
from qavix_watch.store.sqlite import Store
from tests.cli.conftest import NOWHERE
from tests.support.service import PROGRAM, wait_for

if TYPE_CHECKING:
    from tests.cli.conftest import Quick

NOW = 1_764_000_000.0
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def served(home: Quick, pid: int, node: str = "", boot: str = BOOT) -> None:
    """The state as a service with this process would leave it."""
    with closing(Store(str(home.state), NOWHERE, "default", "owner")) as store:
        store.now("started", lambda tx: tx.house.started(pid, node or socket.gethostname(), boot, "/etc/q.toml", time.time() - 300))
        store.now("ready", lambda tx: tx.house.ready())


def status_of(**parts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {key: [] for key in ("brakes", "troubles", "folders", "in_hand", "waiting_for")}
    return {**empty, "service": None, "counts": {}, "running": False, **parts}


def drawn(status: dict[str, Any], width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    console.print(render(status, NOW))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def act(name: str, done: int, total: int, rate: float | None, **more: Any) -> dict[str, Any]:
    return {"item": "job", "item_id": 1, "act": name, "done": done, "total": total, "rate": rate, "at": NOW, "name": "clip.mp4", **more}


def test_before_the_first_start_it_says_what_to_do(home: Quick) -> None:
    printed = home.command("status").stdout
    assert "not running; `qavix-watch run` starts it" in printed
    assert "There is no state yet" in printed
    for path in (home.config, home.state, home.inbox):
        assert str(path) in printed
    assert "127.0.0.1:9 (account default)" in printed


def test_json_has_the_same_keys_with_and_without_a_state(home: Quick, filled: Quick) -> None:
    full = json.loads(filled.command("status", "--json").stdout)
    home.state.rename(home.state.with_name("away"))
    empty = json.loads(home.command("status", "--json").stdout)
    assert full.keys() == empty.keys()
    assert (full["state_exists"], empty["state_exists"]) == (True, False)
    assert full["counts"] == {"waiting": 1, "failed": 1, "done": 2, "processing": 1}
    assert full["running"] is False


def test_a_state_in_use_is_told_in_words(filled: Quick) -> None:
    printed = filled.command("status").stdout
    for part in (
        "1 waiting, 1 processing, 1 failed, 2 done",
        "nothing is submitted: credits, since", "the balance does not cover the task", "→ Add credits to the account.",
        "too few inotify watches (just now)",
        "dub en to es,fr  Dub from English into Spanish and French",
        "dubb             not understood: `dubb` begins with no job.",
        "clip.mp4 → fr", "40%",
        "erase/[red]a␊␛[31mb\ufffd\\u202e.mp4: it has ␛]0;pwned␇ a [bold]hole[/bold]",
    ):  # fmt: skip
        assert part in printed
    assert "dubb/inner" not in printed
    assert "bad.mp4" not in printed, "what failed long ago does not wait"
    assert "\x1b" not in printed


def test_a_service_that_runs_is_told_with_its_process(filled: Quick) -> None:
    served(filled, os.getpid())
    printed = filled.command("status").stdout
    assert f"running (process {os.getpid()} on {socket.gethostname()}, since" in printed
    assert "5 min ago" in printed


def test_a_service_that_died_is_told(filled: Quick) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    served(filled, ended.pid)
    printed = filled.command("status").stdout
    assert "not running: process" in printed
    assert "ended without a word" in printed


@pytest.mark.parametrize(
    ("node", "boot", "running"), [("", BOOT, True), ("", "another boot", False), ("another-host", BOOT, None)]
)  # fmt: skip
def test_a_process_number_counts_only_on_its_host_and_since_its_boot(node: str, boot: str, running: bool | None) -> None:
    assert is_running({"pid": os.getpid(), "node": node or socket.gethostname(), "boot": boot}) is running


def test_what_a_dead_process_had_in_hand_is_not_in_hand() -> None:
    acts = [act("uploading", 1, 2, 1.0), act("processing", 50, 100, None, since=NOW - 60)]
    assert "uploading" in drawn(status_of(in_hand=acts, running=True))
    stopped = drawn(status_of(in_hand=acts, running=False))
    assert "uploading" not in stopped
    assert "processing" in stopped


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (act("uploading", 25_000_000, 100_000_000, 5e6), ["25%", "25.0 MB of 100 MB, 5.0 MB/s, 15 s left"]),
        (act("hashing", 0, 2_000_000_000, 0.0), ["reading", "0%", "0 B of 2.0 GB"]),
        (act("downloading", 300, 200, 1.0), ["100%", "0 s left"]),
        (act("processing", 25, 100, None, since=NOW - 60), ["25%", "about 3 min left"]),
        (act("processing", 0, 100, None, since=NOW - 60), ["0%"]),
        (act("processing", 50, 100, None, since=None), ["50%"]),
        (act("copying", 0, 0, 0.0), ["0%"]),
    ],
)
def test_work_in_hand_has_a_bar_a_speed_and_the_time_left(row: dict[str, Any], parts: list[str]) -> None:
    printed = drawn(status_of(in_hand=[row], running=True))
    for part in parts:
        assert part in printed


def test_the_time_left_is_as_the_rest_would_take() -> None:
    assert time_left(50, 60) == 60
    assert time_left(100, 60) == 0
    assert time_left(1, 60) is None
    assert time_left(50, -5) is None


def test_long_lists_are_counted_not_told() -> None:
    rows = [{"path": f"/in/erase/{number}.mp4", "why": "x"} for number in range(MOST_LINES + 7)]
    printed = drawn(status_of(waiting_for=rows))
    assert "… and 7 more" in printed
    assert printed.count("erase/") == MOST_LINES


def test_what_is_held_says_what_to_type_unless_it_says_so_itself() -> None:
    film = {"path": "/in/erase/a.mp4", "state": "held"}
    printed = drawn(status_of(waiting_for=[film | {"id": "7", "why": "waits for approval"}]))
    assert "erase/a.mp4: waits for approval" in printed
    assert "→ `qavix-watch approve 7` lets it go on" in printed
    printed = drawn(status_of(waiting_for=[film | {"id": "8", "why": "it is dear: `qavix-watch approve 8` lets it go on"}]))
    assert printed.count("approve 8") == 1


def test_a_batch_is_told_once_and_not_file_by_file() -> None:
    said = "2 files, about 60 credits, wait for you: `qavix-watch approve batch-3`, or take them out."
    rows = [{"id": str(number), "state": "held", "path": f"/in/erase/{number}.mp4", "why": said} for number in range(2)]
    other = {"id": "9", "state": "waiting", "path": "/in/erase/9.mp4", "why": "it changed"}
    printed = drawn(status_of(waiting_for=[*rows, other]) | {"batches": [{"order": "erase", "said": said}]})
    assert printed.count("approve batch-3") == 1
    assert "erase/9.mp4: it changed" in printed


@pytest.mark.parametrize("width", [20, 40, 300])
def test_any_window_and_any_name_can_be_drawn(width: int) -> None:
    nasty = "[/red][link=x]\x1b[2J\n\u202e" + "名" * 300
    brake = {"name": nasty, "scope": nasty, "since": NOW - 5, "why": nasty, "hint": nasty, "until": NOW}
    folder = {"name": nasty, "canonical": None, "words": None, "problem": nasty}
    service = {"pid": 1, "node": nasty, "boot": nasty, "started_at": NOW, "config": nasty, "ready": 0}
    status = status_of(
        brakes=[brake], troubles=[{"name": nasty, "at": NOW, "text": nasty}], folders=[folder], service=service, running=None,
        in_hand=[act(nasty, 1, 2, 1.0) | {"name": nasty}], waiting_for=[{"path": nasty, "why": nasty}], counts={"odd": 1},
    )  # fmt: skip
    printed = drawn(status, width)
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "1 odd" in printed


def test_watch_draws_until_ctrl_c_and_ends_well(filled: Quick) -> None:
    master, terminal = pty.openpty()
    argv = [*PROGRAM, "status", "--watch", "--config", str(filled.config)]
    process = subprocess.Popen(argv, env=filled.environ() | {"TERM": "xterm"}, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = bytearray()

    def drawn_twice() -> bool:
        while select.select([master], [], [], 0)[0]:
            seen.extend(os.read(master, 65536))
        return seen.count(b"Service") >= 2

    wait_for(drawn_twice, 30, "two frames")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(master)
    assert b"Traceback" not in seen
    assert b"pwned\x07" not in seen


def test_watch_in_a_pipe_prints_whole_states(filled: Quick) -> None:
    argv = [*PROGRAM, "status", "--watch", "--config", str(filled.config)]
    process = subprocess.Popen(argv, env=filled.environ(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert first.startswith("Service")


def test_watch_and_json_do_not_go_together(home: Quick) -> None:
    assert home.command("status", "--watch", "--json", check=False).returncode == 2
