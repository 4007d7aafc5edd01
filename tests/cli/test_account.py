"""`balance`, `usage`, `pricing`, `voices`, `tasks`: what the service says of the account, told to people and to programs."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import select
import subprocess
import time
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from qavix_watch.api.client import Client
from qavix_watch.cli.account import spelling
from qavix_watch.cli.days import Period, day_of, first_day, last_day, period
from qavix_watch.cli.usage import kinds_table, report_of, tasks_table
from qavix_watch.cli.whose import Ours
from qavix_watch.core.lifecycle import DropState, JobState
from qavix_watch.core.secret import Secret
from qavix_watch.core.service import UsageRecord, Voice
from qavix_watch.fs.marker import Marker, create_marker
from qavix_watch.sandbox import SandboxOptions, running
from qavix_watch.store.sqlite import Store
from tests.cli.conftest import Quick, add_drop, add_job
from tests.support.service import PROGRAM, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

MANY = 130  # more than a page


@pytest.fixture(scope="module")
def box() -> Iterator[Running]:
    """A sandbox whose account has spoken many texts, and cloned a voice that bears the name of another."""
    options = SandboxOptions(speed=1000, credits=10**6, requests_per_minute=10**6, queries_per_second=10_000)
    with running(options) as sandbox:
        asyncio.run(_speak(sandbox))
        yield sandbox


async def _speak(sandbox: Running) -> None:
    client = Client(sandbox.base_url, key=Secret(sandbox.api_key), monotonic=time.monotonic)
    for number in range(MANY):
        body = {"text": f"Text number {number}.", "voice_id": "sys-en-ava", "name": f"by hand {number}"}
        await client.create_task("text_to_speech", body)
    await client.close()


@pytest.fixture
def home(tmp_path: Path, box: Running) -> Quick:
    """An installation that uses that account, and made none of what is in it."""
    return installed(tmp_path / "home", box.base_url)


def installed(base: Path, base_url: str, **settings: dict[str, Any]) -> Quick:
    made = Quick(base, base_url, settings, key="sandbox-key")
    for folder in (made.inbox, made.state.parent):
        folder.mkdir(parents=True)
    create_marker(os.fsencode(made.root), Marker("place", "owner"))
    return made


def printed(home: Quick, *words: str) -> Any:
    return json.loads(home.command(*words, "--json").stdout)


def own_job(home: Quick, box: Running, task_id: str, estimated: int, used: int | None = None) -> None:
    """Let a task of the account be one that this state made, of `talk/a [red]b.txt`."""
    home.state.parent.mkdir(exist_ok=True)
    with closing(Store(str(home.state), box.base_url, "default", "owner")) as store:

        def fill(tx: Any) -> None:
            drop = add_drop(tx, b"tts en voice=Ava/a [red]b.txt", DropState.DELIVERING, time.time())
            add_job(tx, drop, "en", JobState.DONE, time.time(), task_id=task_id, credits_estimated=estimated, credits_used=used)

        store.now("fill", fill)


def test_balance_shows_what_is_left_and_the_limits(home: Quick, box: Running) -> None:
    left = box.ledger()["credits"]
    shown = home.command("balance").stdout
    for part in (f"{left:,} credits left", "sandbox", "1,000,000 requests a minute, 10,000 a second", f"default at {box.base_url}"):
        assert part in shown
    assert printed(home, "balance")["credits_remaining"] == left


def test_pricing_names_each_kind_by_the_word_of_its_folders(home: Quick) -> None:
    rows = printed(home, "pricing")
    assert {row["order"] for row in rows} == {"dub", "subs", "erase", "face swap", "lip sync", "clone voice", "tts"}
    assert all(row["credits_per_minute"] >= 0 for row in rows)
    shown = home.command("pricing").stdout
    assert "Credits a minute" in shown
    assert "lip sync" in shown


def test_tasks_lists_all_pages_and_tells_ours_from_others(home: Quick, box: Running) -> None:
    ours = box.ledger()["tasks"][7]["task_id"]
    own_job(home, box, ours, 3)
    rows = printed(home, "tasks")
    assert len({row["task_id"] for row in rows}) == len(rows) >= MANY
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert [(row["task_id"], row["job"], row["path"]) for row in rows if row["whose"] == "ours"] == [
        (ours, "1", f"{home.inbox}/tts en voice=Ava/a [red]b.txt")
    ]
    assert len(printed(home, "tasks", "--limit", "105")) == 105
    assert printed(home, "tasks", "--status", "failed") == printed(home, "tasks", "--type", "dub") == []
    assert len(printed(home, "tasks", "--type", "text_to_speech")) == len(printed(home, "tasks", "--type", "speak"))
    assert "No task is like that." in home.command("tasks", "--type", "dub").stderr
    line = next(line for line in home.command("tasks").stdout.splitlines() if "job 1" in line)
    assert line.split()[0] == ours
    assert line.endswith("a [red]b.txt")


def test_usage_sums_all_pages_and_compares_estimates_with_what_was_used(home: Quick, box: Running) -> None:
    task = box.ledger()["tasks"][3]
    own_job(home, box, task["task_id"], estimated=task["credits"] + 5)
    report = printed(home, "usage")
    billed = box.ledger()["totals"]["credits_billed"]
    assert (report["total"]["credits_used"], report["total"]["tasks"]) == (billed, MANY)
    assert report["total"]["difference"] == -5
    assert sum(row["credits_used"] for row in report["days"]) == billed == sum(row["credits_used"] for row in report["kinds"])
    own = next(row for row in report["tasks"] if row["job"])
    assert (own["task_id"], own["credits_estimated"], own["credits_used"], own["difference"]) == (
        task["task_id"], task["credits"] + 5, task["credits"], -5,
    )  # fmt: skip
    shown = home.command("usage", "--month").stdout
    for part in ("together", "Made here", f"… and {MANY - 20} more; `--limit {MANY}` shows them"):
        assert part in shown
    assert "a [red]b.txt → en" in home.command("usage", "--limit", "1000").stdout
    assert printed(home, "usage", "--to", "2020-01-31")["tasks"] == []
    assert "Nothing was spent." in home.command("usage", "--from", "2020-01", "--to", "2020-01").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["usage", "--from", "soon"], ["usage", "--days", "0"], ["usage", "--from", "2026-02-30"], ["usage", "--month", "--days", "3"],
        ["usage", "--from", "2026-03-01", "--to", "2026-02-01"], ["usage", "--from", "0001-01-01"], ["voices", "--gender", "robot"],
        ["voices", "--language", "kr"], ["tasks", "--status", "lost"], ["tasks", "--type", "cook"], ["tasks", "--limit", "0"],
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_wrong_use(home: Quick, words: list[str]) -> None:
    done = home.command(*words, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_voices_are_listed_with_the_spelling_of_a_folder_name(home: Quick, box: Running) -> None:
    rows = {row["voice_id"]: row for row in printed(home, "voices")}
    assert rows["sys-en-ava"]["spelling"] == "voice=Ava"
    assert rows["sys-zh-xiaoyu"]["spelling"] == "voice=Xiao Yu"
    assert {rows[one]["spelling"] for one in ("sys-es-luna", "sys-mx-luna")} == {"voice=sys-es-luna", "voice=sys-mx-luna"}
    assert {row["voice_id"] for row in printed(home, "voices", "--language", "Spanish", "--gender", "female")} == {
        "sys-es-luna", "sys-mx-luna",
    }  # fmt: skip
    assert {row["voice_id"] for row in printed(home, "voices", "--language", "es-MX")} == {"sys-mx-luna"}
    assert "No voice is like that." in home.command("voices", "--language", "Welsh").stderr
    with closing(Store(str(home.state), box.base_url, "default", "owner")) as store:
        store.now("cloned", lambda tx: tx.jobs.add_voice("sys-en-ava", "Ava", 12))
    assert "cloned here by job 12" in home.command("voices").stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Grandma Rose", "voice=Grandma Rose"), ("a/b", "voice=v-1"), ("x priority=high", "voice=v-1"), ("Rose (old)", "voice=v-1"),
        ("Rose - Copy", "voice=v-1"), ("v-2", "voice=v-1"), ("r o s e", "voice=r o s e"), ("a\nb", "voice=v-1"),
    ],
)  # fmt: skip
def test_a_spelling_always_leads_back_to_its_voice(name: str, expected: str) -> None:
    assert spelling(Voice("v-1", name), [Voice("v-1", name), Voice("v-2", "other")]) == expected


def test_a_voice_that_no_name_can_say_is_left_to_a_file() -> None:
    assert spelling(Voice("a/b", "c/d"), [Voice("a/b", "c/d")]) is None


def test_without_a_key_each_says_where_to_put_it(tmp_path: Path, box: Running) -> None:
    home = Quick(tmp_path / "home", box.base_url, key=None)
    for command in ("balance", "usage", "pricing", "voices", "tasks"):
        done = home.command(command, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("qavix-watch: there is no API key\nPut a valid key into QAVIX_API_KEY")


def test_a_refused_key_says_where_it_comes_from(tmp_path: Path, box: Running) -> None:
    done = Quick(tmp_path / "home", box.base_url, key="wrong-key").command("balance", check=False)
    assert done.returncode == 1
    assert "The key comes from QAVIX_API_KEY" in done.stderr
    assert "wrong-key" not in done.stderr


def test_no_answer_is_told_with_the_address_that_was_asked(tmp_path: Path) -> None:
    done = Quick(tmp_path / "home", "http://127.0.0.1:9/qavix", key="k").command("tasks", "--json", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`api.base_url` (http://127.0.0.1:9/qavix)" in done.stderr
    assert "then ask again" in done.stderr


@pytest.mark.parametrize(
    ("command", "operation"),
    [("balance", "get_balance"), ("usage", "usage_history"), ("pricing", "pricing"), ("voices", "list_voices"), ("tasks", "list_tasks")],
)
def test_a_wrong_path_names_the_line_of_the_configuration(tmp_path: Path, box: Running, command: str, operation: str) -> None:
    home = installed(tmp_path / "home", box.base_url, **{"api.paths": {operation: "/v9/nothing"}})
    done = home.command(command, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "/qavix/v9/nothing" in done.stderr
    assert f'[api.paths] {operation} = "/v9/nothing"' in done.stderr


@pytest.mark.parametrize("fault", [{"kind": "html"}, {"kind": "garbage"}, {"kind": "status", "status": 500}, {"kind": "drop"}])
def test_a_service_that_fails_is_one_message(home: Quick, box: Running, fault: dict[str, Any]) -> None:
    box.faults({"operation": "*", **fault})
    try:
        for command in ("balance", "usage", "tasks", "voices", "pricing"):
            done = home.command(command, check=False)
            assert (done.returncode, done.stdout) == (1, "")
            assert len(done.stderr.splitlines()) == 2
            assert "Traceback" not in done.stderr
    finally:
        box.faults()


def test_a_busy_account_is_waited_for(home: Quick, box: Running) -> None:
    box.faults({"operation": "list_tasks", "kind": "status", "status": 429, "retry_after": 1, "times": 1, "skip": 1})
    try:
        assert len(printed(home, "tasks")) >= MANY
    finally:
        box.faults()


def test_a_slow_answer_has_a_sign_of_life_on_a_terminal(home: Quick, box: Running) -> None:
    box.faults({"operation": "get_balance", "kind": "slow", "delay": 3, "times": 1})
    master, terminal = pty.openpty()
    argv = [*PROGRAM, "balance", "--config", str(home.config)]
    process = subprocess.Popen(argv, env=home.environ() | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    seen = bytearray()

    def drawn() -> bool:
        while select.select([master], [], [], 0)[0]:
            seen.extend(os.read(master, 65536))
        return b"Asking the service" in seen

    wait_for(drawn, 30, "the sign of life")
    out, _ = process.communicate(timeout=30)
    os.close(master)
    assert process.returncode == 0
    assert "credits left" in out


def test_what_the_service_says_cannot_steer_a_terminal() -> None:
    hostile = "[red]a\x1b]0;pwned\x07\u202e"
    report = report_of([UsageRecord(hostile, hostile, 5, None)], Ours(), Period(date(2026, 1, 1), date(2026, 1, 2)))
    assert report["days"][0]["day"] is None
    console = Console(file=io.StringIO(), width=200)
    console.print(kinds_table(report))
    console.print(tasks_table(report["tasks"]))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]a" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_a_task_that_is_billed_in_parts_is_one() -> None:
    now = datetime(2026, 5, 5, 12).astimezone().timestamp()
    records = [UsageRecord("t", "lip_sync", 5, now), UsageRecord("t", "lip_sync", -2, now), UsageRecord("u", "lip_sync", 1, now)]
    own = {"t": {"id": "9", "order": "lip sync", "target": None, "path": None, "path_b64": None, "credits_estimated": 4.5}}
    report = report_of(records, Ours(own), Period(day_of(now), day_of(now)))
    assert report["total"] == {
        "tasks": 2, "credits_used": 4, "ours": 1, "credits_used_ours": 3, "credits_estimated": 4.5, "difference": -1.5,
    }  # fmt: skip
    assert report["days"] == [{"day": "2026-05-05", **report["total"]}]


def test_a_clone_is_ours_where_nothing_else_fits_its_time_and_name() -> None:
    """Voice Clone's answer names no task."""
    clone = {"id": "3", "name": "Rose", "since": 1000.0, "until": 1010.0}
    one, two = Ours(clones=[clone]), Ours(clones=[clone, {**clone, "id": "4", "name": "Lily"}])
    assert one.job("t", "voice_clone", 1012.0) == one.job("t", "voice_clone", 1005.0, "Rose") == clone
    assert one.job("t", "voice_clone", 1005.0, "Lily") is one.job("t", "voice_clone", 2000.0) is one.job("t", "lip_sync", 1005.0) is None
    assert two.job("t", "voice_clone", 1005.0) is one.job("t", "voice_clone", None) is None
    assert two.job("t", "voice_clone", 1005.0, "Rose") == clone


TODAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ("2026-02-09", "2026-03-10")),
        ({"days": 1}, ("2026-03-10", "2026-03-10")),
        ({"month": True}, ("2026-03-01", "2026-03-10")),
        ({"first": "2026-02", "last": "2026-02"}, ("2026-02-01", "2026-02-28")),
        ({"first": "yesterday"}, ("2026-03-09", "2026-03-10")),
        ({"last": "2026-01-31"}, ("2026-01-02", "2026-01-31")),
        ({"days": 10**6}, ("2000-01-01", "2026-03-10")),
    ],
)
def test_a_period_is_read_as_people_say_it(asked: dict[str, Any], expected: tuple[str, str]) -> None:
    given: dict[str, Any] = {"first": None, "last": None, "days": None, "month": False, **asked}
    found = period(given["first"], given["last"], given["days"], month=given["month"], today=TODAY)
    assert (found.first.isoformat(), found.last.isoformat()) == expected


def test_days_are_local_whatever_the_service_counts_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment just after midnight in Auckland is the day before in UTC: more is asked for, and what is too much is left out."""
    try:
        monkeypatch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        moment = datetime(2026, 3, 10, 0, 30).astimezone().timestamp()
        day = Period(date(2026, 3, 10), date(2026, 3, 10))
        assert day.holds(moment)
        assert not day.holds(moment - 3600)
        start, end = day.asked(date(2026, 6, 1))
        assert start <= "2026-03-09"
        assert end is not None
        assert end > "2026-03-10"
        assert day.asked(date(2026, 3, 10))[1] is None, "no service is asked for what is still to come"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_months_end_where_they_end() -> None:
    assert last_day("2024-02", TODAY) == date(2024, 2, 29)
    assert last_day("2026-12", TODAY) == date(2026, 12, 31)
    assert first_day("Today", TODAY) == last_day("today", TODAY) == TODAY == first_day("2026-03-11", TODAY) - timedelta(days=1)
