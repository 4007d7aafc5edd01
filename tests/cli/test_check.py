"""`check` looks at everything that work needs; each trouble is a line with its mend, and nothing is left behind or billed."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.cli.init import prepare
from qavix_watch.config import load
from qavix_watch.fs.marker import hold_marker
from tests.cli.conftest import NOWHERE, Quick
from tests.support.service import KEY, PROGRAM, at_home, toml, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

    Row = dict[str, Any]


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Quick]:
    """Makes installations whose folders are marked by `init`: `prepared(base_url, deliver={…})`."""

    def make(base_url: str = NOWHERE, key: str | None = None, **settings: Row) -> Quick:
        made = Quick(tmp_path / "home", base_url, settings, key=key)
        prepare(load(str(made.config), {}), lambda _: None)
        return made

    return make


def checked(here: Home, code: int | None = None) -> list[Row]:
    done = here.command("check", "--json", check=False)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    found = json.loads(done.stdout)
    worst = {finding["level"] for finding in found["findings"]}
    assert found["ok"] is ("problem" not in worst)
    return list(found["findings"])


def lines(findings: list[Row], group: str = "", level: str = "") -> list[str]:
    return [
        f"{row['text']} → {row['mend']}" for row in findings if group in {"", row["group"]} and level in {"", row["level"]}
    ]


def the_line(findings: list[Row], group: str, level: str, words: str) -> str:
    """The one line of a group and level that holds these words."""
    found = [line for line in lines(findings, group, level) if words in line]
    assert len(found) == 1, (words, lines(findings, group))
    return found[0]


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# All is well


def test_where_all_is_well_there_is_no_problem_and_the_exit_status_is_0(prepared: Callable[..., Quick], service: Running) -> None:
    """Every group has a line, every operation but Get Task was seen to answer, nothing was billed, nothing was left in the folders."""
    here = prepared(service.base_url, KEY)
    before, billed = everything_in(here.root), service.ledger()["totals"]
    findings = checked(here, 0)
    groups = {row["group"] for row in findings}
    assert groups == {
        "Configuration", "API key", "Folders", "Rights", "Space", "State", "Watching", "Qavix", "Callbacks", "This machine",
    }  # fmt: skip
    answered = the_line(findings, "Qavix", "ok", "Answered as the reference says")
    for operation in ("get_balance", "video_translation", "voice_clone", "confirm_upload", "list_tasks", "text_to_speech"):
        assert operation in answered
    assert the_line(findings, "Qavix", "ok", "credits left")
    assert the_line(findings, "Qavix", "ok", "The clock of this machine agrees")
    assert everything_in(here.root) == before
    assert service.ledger()["totals"] == billed


def test_for_people_it_is_a_board_with_a_summary(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    done = here.command("check", check=False)
    assert done.returncode == 1
    assert "\nAPI key\n  problem  There is no API key" in done.stdout
    assert "           → Put it into QAVIX_API_KEY" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("1 problem, ")
    assert done.stderr == ""


def test_the_key_is_never_shown(prepared: Callable[..., Quick], service: Running) -> None:
    here = prepared(service.base_url, KEY)
    assert KEY not in here.command("check").stdout
    assert KEY not in here.command("check", "--json").stdout


# Configuration and key


def test_a_wrong_key_in_the_configuration_is_a_line_and_the_exit_status_2(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    here.config.write_text(here.config.read_text() + '\n[watch2]\nx = 1\n[retry]\ngive_up_after = "never"\n')
    problems = lines(checked(here, 2), "Configuration", "problem")
    assert len(problems) == 2
    assert any("`watch2`" in line and "did you mean `watch`" in line for line in problems)
    assert any("`retry.give_up_after`" in line for line in problems)


@pytest.mark.parametrize(("text", "words"), [(b"[api\n", "is broken in line 1"), (b"\xff\xfe", "is not UTF-8")])
def test_a_configuration_that_cannot_be_read_ends_with_2(prepared: Callable[..., Quick], text: bytes, words: str) -> None:
    here = prepared()
    here.config.write_bytes(text)
    assert words in lines(checked(here, 2), "Configuration", "problem")[0]


def test_a_configuration_that_is_not_there_ends_with_2(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    here.config.unlink()
    findings = checked(here, 2)
    assert "which is not there" in lines(findings, "Configuration", "problem")[0]
    assert lines(findings, "This machine", "ok")


def test_keys_without_effect_and_variables_that_count_are_named(prepared: Callable[..., Quick]) -> None:
    here = prepared(notify={"urls": ["mailto://x"]})
    findings = checked(here)
    assert the_line(findings, "Configuration", "warning", "`notify.urls`")
    assert str(here.config) in the_line(findings, "Configuration", "ok", "is in order")


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [
        (0o600, "ok", "for its owner alone"),
        (0o644, "problem", "Every user of this machine can read"),
        (0o622, "problem", "Every user of this machine can change"),
        (0o604, "problem", "chmod 600"),
    ],
)
def test_a_key_file_that_others_can_read_is_a_problem_with_the_chmod(
    prepared: Callable[..., Quick], tmp_path: Path, mode: int, level: str, words: str
) -> None:
    path = tmp_path / "the key"
    path.write_text("secret-of-mine\n")
    path.chmod(mode)
    findings = checked(prepared(api={"base_url": NOWHERE, "key_file": str(path)}))
    line = the_line(findings, "API key", level, words)
    assert "secret-of-mine" not in json.dumps(findings)
    if level == "problem":
        assert line.endswith(f"Type: chmod 600 '{path}'")
        subprocess.run(["sh", "-c", line.partition("Type: ")[2]], check=True)
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("text", "words"), [("", "is empty"), ("Bearer abc", "begins with the word Bearer")])
def test_a_key_that_cannot_be_one_is_a_problem(prepared: Callable[..., Quick], tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    assert words in the_line(checked(prepared(api={"base_url": NOWHERE, "key_file": str(path)}), 1), "API key", "problem", "key_file")


# Folders and rights


def test_a_root_without_marker_is_a_problem_and_nothing_is_written_into_it(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    (here.root / ".qavix-watch").unlink()
    before = here.root.stat().st_mtime_ns
    findings = checked(here, 1)
    assert f"qavix-watch init {here.root}" in the_line(findings, "Folders", "problem", "has no marker")
    assert lines(findings, "Rights", "warning")
    assert here.root.stat().st_mtime_ns == before


def test_a_root_of_another_state_is_told_from_one_whose_service_runs(prepared: Callable[..., Quick], tmp_path: Path) -> None:
    here = prepared()
    other = Quick(tmp_path / "other", NOWHERE, {"folders": {"root": str(here.root)}}, key=None)
    other.command("init")
    assert f"init {here.root}" in the_line(checked(here, 1), "Folders", "problem", f"belongs to another state ({other.state})")
    with hold_marker(os.fsencode(here.root)) as held:
        held.count_start()
        line = the_line(checked(here, 1), "Folders", "problem", "belongs to another state")
    assert f"process {os.getpid()} on" in line
    assert "Stop that service" in line


def test_a_root_whose_state_is_lost_says_so(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    for path in here.state.parent.iterdir():
        path.unlink()
    findings = checked(here, 1)
    assert "not there any more" in the_line(findings, "Folders", "problem", str(here.state))
    assert the_line(findings, "State", "problem", "There is no state")
    assert not here.state.exists()


def test_what_a_killed_trial_left_is_swept_and_an_interrupted_one_leaves_nothing(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    left = here.inbox / ".qavix-check-0123.2"
    left.write_text("x")
    os.utime(left, (1, 1))
    young = here.inbox / ".qavix-check-4567"
    young.write_text("another check that runs just now")
    checked(here)
    assert not left.exists()
    assert young.exists()


@pytest.fixture
def as_nobody() -> Callable[[Home], subprocess.CompletedProcess[str]]:
    """Runs `check --json` as the user 65534, who is in no group."""
    if os.geteuid() != 0:
        pytest.skip("only the superuser may become others")

    def run(here: Home) -> subprocess.CompletedProcess[str]:
        argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *PROGRAM, "check", "--json"]
        argv += ["--config", str(here.config)]
        return subprocess.run(argv, env=here.environ(), capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def open_home() -> Iterator[Callable[..., Quick]]:
    """As `prepared`, where other users may walk; pytest's own folders are shut again by every pytest that starts."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)

        def make(**settings: Row) -> Quick:
            made = Quick(base / "home", NOWHERE, settings, key=None)
            prepare(load(str(made.config), {}), lambda _: None)
            made.state.parent.chmod(0o755)
            made.state.chmod(0o644)
            return made

        yield make


def test_rights_are_really_tried_for_the_user_who_asks(
    open_home: Callable[..., Quick], as_nobody: Callable[[Home], subprocess.CompletedProcess[str]]
) -> None:
    """Inbox writable, outbox not; an order's folder that belongs to somebody else; the state another's: each its own line."""
    here = open_home()
    (here.inbox / "dub en to es").mkdir(mode=0o755)
    for folder in (here.root, here.inbox, here.root / "archive", here.root / "failed"):
        folder.chmod(0o777)
    here.outbox.chmod(0o755)
    done = as_nobody(here)
    assert done.returncode == 1, done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert f"Could not make {here.outbox}" in the_line(findings, "Rights", "problem", "Permission denied")
    assert "sudo chmod g+rwx" in the_line(findings, "Rights", "problem", "dub en to es")
    assert f"{here.inbox}" in the_line(findings, "Rights", "ok", "Files can be made")
    assert "sudo -u root qavix-watch check" in the_line(findings, "Rights", "warning", "belongs to root")
    assert not [path for path in everything_in(here.root) if ".qavix-check" in path]


def test_a_group_that_cannot_be_given_is_a_problem(
    open_home: Callable[..., Quick], as_nobody: Callable[[Home], subprocess.CompletedProcess[str]]
) -> None:
    here = open_home(deliver={"group": "adm", "mode": "0640"})
    findings = json.loads(as_nobody(here).stdout)["findings"]
    assert "sudo usermod -aG adm" in the_line(findings, "Rights", "problem", "is not in the group adm")
    here = open_home(deliver={"group": "no-such-group"})
    assert "groupadd" in the_line(checked(here, 1), "Rights", "problem", "no-such-group")


# Space


def test_too_little_room_is_a_problem_of_that_filesystem_alone(prepared: Callable[..., Quick]) -> None:
    here = prepared(deliver={"min_free": "900 TB"})
    assert "outbox, archive, failed" in the_line(checked(here, 1), "Space", "problem", "work stands still")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Mounts a memory disk at a folder, with options of tmpfs(5)."""
    if os.geteuid() != 0:
        pytest.skip("only the superuser may mount")
    places: list[Path] = []

    def mount(place: Path, options: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        places.append(place)

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=False)


def test_each_filesystem_has_its_own_line_and_inodes_count(
    prepared: Callable[..., Quick], small_disk: Callable[[Path, str], None], tmp_path: Path
) -> None:
    outbox = tmp_path / "outbox disk"
    small_disk(outbox, "size=3m,nr_inodes=40")
    here = prepared(folders={"outbox": str(outbox)}, deliver={"min_free": "2 MB"})
    findings = checked(here)
    assert the_line(findings, "Space", "warning", "outbox: only")
    assert "Make room there soon" in the_line(findings, "Space", "warning", "outbox: 3")
    assert the_line(findings, "Space", "ok", "archive, failed, state")
    (outbox / "big").write_bytes(bytes(2_500_000))
    assert the_line(checked(here, 1), "Space", "problem", "outbox: ")
    (outbox / "bigger").write_bytes(bytes(3 * 1024 * 1024 - 4096 * ((2_500_000 + 4095) // 4096) - 8192))
    problems = lines(checked(here, 1), "Rights", "problem")
    assert all("no room" in line for line in problems)


def test_a_filesystem_that_does_not_tell_its_size_is_not_full(
    prepared: Callable[..., Quick], small_disk: Callable[[Path, str], None], tmp_path: Path
) -> None:
    """A tmpfs without a limit says 0 of 0 bytes."""
    small_disk(tmp_path / "endless", "size=0")
    findings = checked(prepared(folders={"outbox": str(tmp_path / "endless")}, deliver={"min_free": "900 GB"}))
    assert "none is missed" in the_line(findings, "Space", "ok", "outbox: ")


# State


def test_a_damaged_state_and_a_newer_one_are_problems(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    with closing(sqlite3.connect(here.state, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert the_line(checked(here, 1), "State", "problem", "newer version")
    data = bytearray(here.state.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    here.state.write_bytes(data)
    assert "restore a backup" in the_line(checked(here, 1), "State", "problem", "is damaged")


def test_a_state_that_others_can_read_is_a_warning(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    here.state.parent.chmod(0o755)
    here.state.chmod(0o644)
    assert f"chmod 700 {here.state.parent}" in the_line(checked(here), "State", "warning", "Every user of this machine can read the state")


def test_an_older_copy_of_the_state_is_noticed(prepared: Callable[..., Quick]) -> None:
    here = prepared()
    with hold_marker(os.fsencode(here.root)) as held:
        with closing(sqlite3.connect(here.state, isolation_level=None)) as connection:
            connection.execute("INSERT INTO places VALUES (?, ?, 1)", (held.marker.id, os.fsencode(here.root)))
        held.count_start()
        held.count_start()
    assert "seen 2 starts, and the state knows of 1" in the_line(checked(here), "Folders", "warning", "older copy")


# Watching


def test_too_few_watches_are_a_warning_with_the_sysctl_to_set(prepared: Callable[..., Quick]) -> None:
    """In a user namespace of its own, where the limit is this test's alone."""
    here = prepared()
    for number in range(8):
        (here.inbox / f"dub en to es ({number})").mkdir()
    program = " ".join([*PROGRAM, "check", "--json", "--config", str(here.config)])
    script = f"echo 4 > /proc/sys/user/max_inotify_watches && exec {program}"
    unshared = ["unshare", "-U", "--map-root-user", "sh", "-c", script]
    done = subprocess.run(unshared, env=here.environ(), capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr or "/proc/sys/user" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr}")
    line = the_line(json.loads(done.stdout)["findings"], "Watching", "warning", "too few inotify watches")
    assert "fs.inotify.max_user_watches = 1048576" in line
    assert "/etc/sysctl.d/" in line


def test_a_scanned_inbox_needs_no_watches(prepared: Callable[..., Quick]) -> None:
    assert the_line(checked(prepared(watch={"mode": "poll"})), "Watching", "ok", "scanned and not watched")


# The service


def test_a_service_that_cannot_be_reached_is_a_problem(prepared: Callable[..., Quick]) -> None:
    findings = checked(prepared(NOWHERE, KEY), 1)
    assert the_line(findings, "Qavix", "problem", "is not reached")
    assert the_line(findings, "Qavix", "warning", "paths of the API were not tried")


def test_a_key_that_is_not_taken_is_a_problem(prepared: Callable[..., Quick], service: Running) -> None:
    findings = checked(prepared(service.base_url, "another-key"), 1)
    assert the_line(findings, "Qavix", "problem", "does not take the key")
    assert "another-key" not in json.dumps(findings)


def test_wrong_paths_are_named_with_their_configuration_key(prepared: Callable[..., Quick], service: Running) -> None:
    """Not found, another method, another operation's path that takes no body: each is known, and nothing is billed."""
    paths = {"api": {"base_url": service.base_url, "paths": {"face_swap": "/wrong", "lip_sync": "/tasks", "list_voices": "/nowhere"}}}
    here = prepared(service.base_url, KEY)
    here.config.write_text(
        toml({"folders": {"root": str(here.root)}, "state": {"path": str(here.state)}, "api": {"base_url": service.base_url}})
        + "[api.paths]\n" + "".join(f'{name} = "{path}"\n' for name, path in paths["api"]["paths"].items())  # type: ignore[index,union-attr]
    )
    before = service.ledger()["totals"]
    findings = checked(here, 1)
    for operation in ("face_swap", "lip_sync", "list_voices"):
        assert f"api.paths.{operation}" in the_line(findings, "Qavix", "problem", f"{operation}:")
    assert len(lines(findings, "Qavix", "problem")) == 3
    assert service.ledger()["totals"] == before


@pytest.mark.parametrize(
    ("fault", "level", "words"),
    [
        ({"operation": "smart_eraser", "kind": "html", "status": 404}, "problem", "smart_eraser: HTTP 404 without"),
        ({"operation": "smart_eraser", "kind": "status", "status": 405}, "problem", "smart_eraser:"),
        ({"operation": "smart_eraser", "kind": "html", "status": 502}, "warning", "smart_eraser: not told"),
        ({"operation": "smart_eraser", "kind": "status", "status": 429, "retry_after": 60}, "warning", "smart_eraser: not tried"),
        ({"operation": "smart_eraser", "kind": "redirect"}, "problem", "a redirect to"),
        ({"operation": "smart_eraser", "kind": "garbage"}, "problem", "smart_eraser:"),
        ({"operation": "smart_eraser", "kind": "status", "status": 402}, "ok", "smart_eraser"),
        ({"operation": "smart_eraser", "kind": "status", "status": 403}, "problem", "may only read"),
        ({"operation": "pricing", "kind": "garbage"}, "problem", "pricing:"),
        ({"operation": "get_balance", "kind": "html", "status": 404}, "problem", "get_balance:"),
    ],
)
def test_what_an_answer_says_of_a_path(
    prepared: Callable[..., Quick], service: Running, fault: Row, level: str, words: str
) -> None:
    service.faults(fault)
    findings = checked(prepared(service.base_url, KEY))
    assert the_line(findings, "Qavix", level, words)


def test_a_short_refusal_for_haste_is_waited_for(prepared: Callable[..., Quick], service: Running) -> None:
    service.faults({"operation": "pricing", "kind": "status", "status": 429, "retry_after": 1, "times": 1})
    assert "pricing" in the_line(checked(prepared(service.base_url, KEY), 0), "Qavix", "ok", "Answered")


def test_a_key_that_may_only_read_is_a_problem_of_every_operation_that_works(prepared: Callable[..., Quick], service: Running) -> None:
    problems = lines(checked(prepared(service.base_url, f"{KEY}-readonly"), 1), "Qavix", "problem")
    assert len(problems) == 10
    assert all("may only read" in line for line in problems)


def test_a_wrong_clock_is_a_warning_in_seconds(prepared: Callable[..., Quick], service: Running) -> None:
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
    if not os.path.exists(library):
        pytest.skip("libfaketime is not installed")
    here = prepared(service.base_url, KEY)
    environ = here.environ() | {"LD_PRELOAD": library, "FAKETIME": "-1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = subprocess.run(
        [*PROGRAM, "check", "--json", "--config", str(here.config)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    line = the_line(json.loads(done.stdout)["findings"], "Qavix", "warning", "behind the service's")
    assert any(f"({seconds} s)" in line for seconds in range(3595, 3606))


def test_an_account_without_credits_is_a_warning(prepared: Callable[..., Quick], tmp_path: Path) -> None:
    from qavix_watch.sandbox import SandboxOptions, running

    with running(SandboxOptions(speed=100, credits=0)) as poor:
        assert the_line(checked(prepared(poor.base_url, KEY), 0), "Qavix", "warning", "0 credits left")


# Callbacks


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_callback_url_that_comes_back_is_seen_to(prepared: Callable[..., Quick]) -> None:
    """Nobody listens yet: the check does, for a moment. Then another port, and then a port that is taken by something else."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    here = prepared(callback={"public_url": url, "listen": f"127.0.0.1:{port}"})
    assert the_line(checked(here), "Callbacks", "ok", "comes back")
    here = prepared(callback={"public_url": url, "listen": f"127.0.0.1:{free_port()}"})
    assert the_line(checked(here, 1), "Callbacks", "problem", "is not reached")
    here = prepared(callback={"public_url": f"{url}/qavix", "listen": f"127.0.0.1:{port}"})
    assert the_line(checked(here, 1), "Callbacks", "problem", "under another path")
    with socket.create_server(("127.0.0.1", port)):
        assert the_line(checked(here, 1), "Callbacks", "problem", "cannot be listened on")


def test_a_callback_url_that_something_else_answers_is_a_problem(prepared: Callable[..., Quick], service: Running) -> None:
    here = prepared(callback={"public_url": service.origin, "listen": f"127.0.0.1:{free_port()}"})
    assert the_line(checked(here, 1), "Callbacks", "problem", "answered by something else")


# While the service runs


def test_beside_a_running_service(tmp_path: Path, service: Running) -> None:
    """It names its process, asks it through the public address, takes no watch from it, and does not disturb it."""
    port = free_port()
    with at_home(
        tmp_path / "home", service, callback={"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    ) as here:
        here.start()
        assert here.process is not None
        findings = checked(here, 0)
        pid = f"process {here.process.pid} on"
        assert pid in the_line(findings, "Folders", "ok", "is marked")
        assert the_line(findings, "State", "ok", pid)
        assert the_line(findings, "Callbacks", "ok", "comes back")
        assert here.query("SELECT count(*) FROM drops") == [(0,)]
        here.kill()
        findings = checked(here, 0)
        assert the_line(findings, "State", "warning", "ended without saying so")
        assert the_line(findings, "Folders", "ok", "is marked and free (1 start so far)")


def test_terminated_while_it_looks_it_ends_at_once_and_leaves_nothing(prepared: Callable[..., Quick], service: Running) -> None:
    service.faults({"operation": "get_balance", "kind": "slow", "delay": 8})
    here = prepared(service.base_url, KEY)
    before = everything_in(here.root)
    process = subprocess.Popen([*PROGRAM, "check", "--config", str(here.config)], env=here.environ(), stdout=subprocess.PIPE)
    wait_for(lambda: [row for row in service.control("requests")["recent"] if row["operation"] == "get_balance"], 20, "the question")
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.communicate(timeout=20)
    assert time.monotonic() - began < 6
    assert process.returncode != 0
    assert everything_in(here.root) == before
