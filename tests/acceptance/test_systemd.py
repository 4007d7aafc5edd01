"""Life as a service, on a real systemd: started, watched over, reloaded, killed, hung and stopped, with the unit as it is shipped."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import SandboxOptions
from tests.support.host import (
    CONFIG,
    CREDENTIAL,
    KEY,
    LAUNCHER,
    ORDER,
    SHIPPED,
    UNIT,
    Host,
    by_anna,
    install,
    prepared,
    reached,
    sessions,
    types,
    wait_for_rest,
)
from tests.support.readme import block, line
from tests.support.service import toml, wait_for
from tests.support.systemd import booted, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(300),
    pytest.mark.skipif(bool(missing()), reason=missing() or "a systemd can be booted"),
]  # fmt: skip

STOP_SECONDS = 45


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    options = SandboxOptions(speed=20, credits=10**9, api_key=KEY, requests_per_minute=100_000, queries_per_second=2000)
    with booted(tmp_path_factory.mktemp("machine")) as machine, reached(machine, options) as (box, thread):
        host = Host(machine, box, thread)
        install(host)
        yield host


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A machine on which nothing was installed but the program."""
    options = SandboxOptions(speed=20, credits=10**9, api_key=KEY, requests_per_minute=100_000)
    with booted(tmp_path_factory.mktemp("bare")) as machine, reached(machine, options) as (box, thread):
        host = Host(machine, box, thread)
        prepared(host)
        yield host


@pytest.fixture
def host(installed: Host) -> Iterator[Host]:
    """The service runs; at the end it is stopped, and as it was."""
    installed.faults()
    installed.start()
    yield installed
    installed.stop()
    installed.configure()


@pytest.fixture
def film(tmp_path_factory: pytest.TempPathFactory, video: Callable[..., bytes]) -> Callable[..., bytes]:
    return video


def test_the_unit_is_without_fault_and_exposes_little(installed: Host) -> None:
    """For systemd's own critics: nothing to complain of, and an exposure of 1.5 at most."""
    alone = "/run/judged.service"  # under a name that no drop-in of this test is for
    installed.write(alone, (SHIPPED / UNIT).read_text())
    checked = installed.machine.run("systemd-analyze", "verify", "--man=no", alone)
    assert checked.stdout + checked.stderr == ""
    judged = installed.machine.run("systemd-analyze", "security", "--offline=true", "--threshold=15", alone, check=False)
    assert judged.returncode == 0, judged.stdout


def test_users_and_folders_are_made(installed: Host) -> None:
    machine = installed.machine
    assert machine.run("id", "-nG", "qavix-watch").stdout.split() == ["qavix-watch", "media"]
    found = machine.run("stat", "-c", "%a %U %G %n", "/var/lib/qavix-watch", "/srv/qavix", "/etc/qavix-watch").stdout.splitlines()
    assert found == [
        "700 qavix-watch qavix-watch /var/lib/qavix-watch", "2770 qavix-watch media /srv/qavix", "755 root root /etc/qavix-watch",
    ]


def test_started_is_ready_and_another_users_file_is_done(host: Host, video: Callable[..., bytes]) -> None:
    """`systemctl start` returns when the folders were looked through; then work is done on what others own, and shared with them."""
    assert host.query("SELECT ready, pid > 0 FROM service") == [(1, 1)]
    assert host.machine.show(UNIT, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    stem = host.drop(video())
    result = host.wait_for_result(stem)
    assert result.stat().st_gid == host.ids("anna", "media")[1]
    wait_for(lambda: host.status() == "Nothing to do.", 20, "the status to say so")
    assert host.machine.path(f"/srv/qavix/archive/{ORDER}/{stem}.mp4").exists()


def test_the_journal_has_priorities_and_fields_and_no_secret(host: Host, video: Callable[..., bytes]) -> None:
    host.wait_for_result(host.drop(video()))
    entries = host.machine.journal(UNIT)
    done = [one for one in entries if one.get("QAVIX_JOB") and one["MESSAGE"].startswith("submit")]
    assert done, [(one["MESSAGE"], sorted(one)) for one in entries][-5:]
    assert {one["PRIORITY"] for one in done} == {"6"}
    assert {one["PRIORITY"] for one in entries if str(one["MESSAGE"]).startswith("api call")} == {"7"}
    everything = host.machine.run("journalctl", "--output=json", "--all", "--no-pager").stdout
    assert KEY not in everything
    assert "signature=" not in everything
    assert not [token for (token,) in host.query("SELECT token FROM jobs") if token in everything]


def test_a_reload_while_a_transfer_runs_takes_hold_of_it_and_a_wrong_one_of_nothing(host: Host, video: Callable[..., bytes]) -> None:
    """One upload, one task, the same process; a mistake is told with its place, and the service goes on as before."""
    host.configure(upload={"rate": "50 kB/s"})
    host.ctl("reload", UNIT)
    wait_for(lambda: "upload.rate" in host.said(), 10, "the reload")
    pid, before = host.pid(), host.tasks()
    stem = host.drop(video(4_000_000))
    wait_for(lambda: host.query("SELECT 1 FROM progress WHERE act = 'uploading' AND done > 0"), 20, "the upload")
    host.write(CONFIG, host.machine.path(CONFIG).read_text().replace('rate = "50 kB/s"', 'rate = "quickly"'))
    host.ctl("reload", UNIT)
    wait_for(lambda: "not reloaded" in host.said(), 10, "the refusal")
    assert re.search(rf"`upload.rate` in {CONFIG}: .* write", host.said())
    assert host.machine.show(UNIT, "ActiveState")["ActiveState"] == "active"
    assert host.query("SELECT 1 FROM progress WHERE act = 'uploading'")
    host.configure()
    host.ctl("reload", UNIT)
    host.wait_for_result(stem)  # at 50 kB/s it would take more than a minute
    assert (host.pid(), host.tasks()) == (pid, before + 1)


def test_folders_and_key_change_by_a_reload_in_the_same_process(host: Host, video: Callable[..., bytes]) -> None:
    """What is in hand goes on under the new configuration, and is billed once."""
    pid, before = host.pid(), host.tasks()
    host.faults({"operation": "storage_put", "kind": "slow", "delay": 2, "times": 1})
    first = host.drop(video())
    wait_for(host.hits, 20, "the upload")
    host.configure(folders={"outbox": "fertig"})
    host.ctl("reload", UNIT)
    wait_for(lambda: host.machine.path("/srv/qavix/fertig").is_dir(), 20, "the new folder")
    wait_for(host.machine.path(f"/srv/qavix/fertig/{ORDER}/{first}.es.mp4").exists, 40, "the result in the new folder")
    host.write("/etc/qavix-watch/key", "qx-live-AnotherDistinctive", 0o644)
    host.configure(api={"base_url": host.box.base_url, "key_file": "/etc/qavix-watch/key"})
    host.ctl("reload", UNIT)
    host.drop(video())
    wait_for(lambda: "auth" in host.status(), 30, "the brake in the status")
    host.configure()
    host.ctl("reload", UNIT)
    host.wait_for_result(f"film {host.numbers}", 20)  # at once: nobody waits for the next look at the brake
    assert (host.pid(), host.tasks()) == (pid, before + 2)


def test_killed_it_is_started_again_and_goes_on(host: Host, video: Callable[..., bytes]) -> None:
    host.faults({"operation": "storage_put", "kind": "slow", "delay": 60, "times": 1})
    stem, pid, before = host.drop(video()), host.pid(), host.tasks()
    wait_for(host.hits, 20, "the upload")
    host.signal(signal.SIGKILL)
    host.wait_for_result(stem)
    assert host.pid() not in {0, pid}
    assert host.tasks() == before + 1


def test_hung_it_is_killed_and_started_again(host: Host, video: Callable[..., bytes]) -> None:
    """Stopped by a signal it cannot say that it lives."""
    pid = host.pid()
    host.signal(signal.SIGSTOP)
    stem = host.drop(video())
    wait_for(lambda: host.pid() not in {0, pid}, 40, "another process")
    host.wait_for_result(stem)
    assert "watchdog" in host.machine.run("journalctl", "--unit", UNIT, "--no-pager").stdout.lower()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes a disk hang, and is not installed")
def test_a_state_whose_disk_hangs_counts_as_hung(host: Host, video: Callable[..., bytes]) -> None:
    """The process runs and its clock ticks; what is missing is an answer of the state. The journal shows where it hung."""
    pid, before = host.pid(), len(host.said())
    hung = "fsync,fdatasync"
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={hung}", "-e", f"inject={hung}:delay_enter=300s"]
    strace = subprocess.Popen(host.machine.argv(*trace), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        tasks = host.machine.path(f"/proc/{pid}/task")
        wait_for(lambda: not any("TracerPid:\t0\n" in (task / "status").read_text() for task in tasks.iterdir()), 30, "strace")
        stem = host.drop(video())
        wait_for(lambda: "Watchdog timeout" in host.said()[before:] and "in _serve" in host.said()[before:], 120, "the watchdog")
    finally:
        os.killpg(strace.pid, signal.SIGKILL)  # before that the process cannot even be killed, as with a real disk
        strace.wait(10)
    wait_for(lambda: host.pid() not in {0, pid}, 100, "another process")
    host.wait_for_result(stem)


def test_stopped_under_load_it_ends_in_time_and_goes_on_later(host: Host, video: Callable[..., bytes]) -> None:
    """Two uploads that storage does not answer, and two that crawl."""
    before = host.tasks()
    host.faults({"operation": "storage_put", "kind": "slow", "delay": 100, "times": 2})
    stems = [host.drop(video()) for _ in range(4)]
    wait_for(lambda: host.hits() == 2, 20, "the uploads")
    began = time.monotonic()
    host.ctl("stop", UNIT)
    assert time.monotonic() - began < STOP_SECONDS
    assert host.machine.show(UNIT, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    host.faults()
    host.start()
    for stem in stems:
        host.wait_for_result(stem)
    assert host.tasks() == before + 4


def test_without_a_key_it_starts_and_says_what_it_waits_for(installed: Host) -> None:
    """The credential is optional: a host without it gets a service that says so, not a failed unit."""
    there = installed.machine.path(CREDENTIAL)
    aside = there.with_name("aside")
    there.rename(aside)
    try:
        installed.start()
        wait_for(lambda: "auth" in installed.status(), 20, "the status to say so")
    finally:
        aside.rename(there)
        installed.stop()


def test_the_readme_as_typed_makes_a_service_that_does_a_film(bare: Host, video: Callable[..., bytes]) -> None:
    """Every line of the section's steps; the configuration has one line more, which names the sandbox."""
    host = bare
    types(host, block("unit"))
    types(host, line("sudo usermod"))
    types(host, block("key"), given=KEY + "\n")
    assert host.machine.run("stat", "-c", "%a %U", CREDENTIAL).stdout == "600 root\n"
    shown = types(host, block("start"))
    assert "active (running)" in shown
    assert "Status: " in shown
    host.write(CONFIG, f'api.base_url = "{host.box.base_url}"\n{host.machine.path(CONFIG).read_text()}')
    types(host, line("sudo systemctl reload"))
    wait_for(lambda: "api.base_url" in host.said(), 20, "the reload")
    host.write("/home/anna/film.mp4", "")
    host.machine.path("/home/anna/film.mp4").write_bytes(video())
    folder = f"/srv/qavix/inbox/{ORDER}"
    host.machine.run("runuser", "-u", "anna", "--", "sh", "-ec", f"umask 022; mkdir '{folder}'; cp /home/anna/film.mp4 '{folder}'")
    host.wait_for_result("film", 90)
    wait_for_rest(host)
    assert host.machine.path(f"/srv/qavix/archive/{ORDER}/film.mp4").exists()
    host.machine.run("runuser", "-u", "anna", "--", "cp", f"/srv/qavix/outbox/{ORDER}/film.es.mp4", "/home/anna/mine.mp4")
    looked = block("journal")
    assert "-- No entries --" in types(host, looked)  # there are no seven jobs
    assert "film" in types(host, looked.splitlines()[-1].replace("QAVIX_JOB=7", "QAVIX_JOB=1"))
    assert re.search(r"^Service +running .*^Jobs +1 done$", types(host, line("sudo -u qavix-watch")), re.MULTILINE | re.DOTALL)


def test_the_key_can_be_pasted_at_a_terminal(bare: Host) -> None:
    """The step that reads it from a terminal, the lines that follow typed after Ctrl-D."""
    ours, terminal = pty.openpty()
    argv = bare.machine.argv("bash", "-ec", block("key"))
    typing = subprocess.Popen(argv, stdin=terminal, stdout=subprocess.DEVNULL)
    os.close(terminal)
    os.write(ours, KEY.encode() + b"\n\x04")
    try:
        assert typing.wait(10) == 0
    finally:
        typing.kill()
        os.close(ours)
    assert bare.machine.path(CREDENTIAL).read_text() == KEY + "\n"
    assert bare.machine.run("stat", "-c", "%a %U", CREDENTIAL).stdout == "600 root\n"


@pytest.mark.skipif(not sessions(), reason="logging in needs libpam-systemd, and lingering without root polkit")
def test_without_root_the_readme_as_typed_makes_a_service_of_ones_own(bare: Host, video: Callable[..., bytes]) -> None:
    """In a session of anna's, with the program and the configuration in her home; it goes on when she has logged out."""
    host, home = bare, "/home/anna"
    host.write(f"{home}/.local/share/qavix-watch/bin/qavix-watch", LAUNCHER, 0o755)
    host.write(f"{home}/key", KEY, 0o600)
    host.write(f"{home}/.config/qavix-watch/qavix-watch.toml", toml({"api": {"base_url": host.box.base_url, "key_file": f"{home}/key"}}))
    shutil.copytree(SHIPPED, host.machine.path(f"{home}/checkout/systemd"))
    host.machine.path(f"{home}/film.mp4").write_bytes(video())
    host.machine.run("chown", "-R", "anna:anna", home)
    checked = by_anna(host, "systemd-analyze verify --user --man=no systemd/user/qavix-watch.service")
    assert checked == ""
    by_anna(host, f"{home}/.local/share/qavix-watch/bin/qavix-watch init ~/Qavix")
    by_anna(host, block("own"))
    assert host.machine.path("/var/lib/systemd/linger/anna").exists()
    by_anna(host, f"mkdir ~/'Qavix/inbox/{ORDER}'; mv ~/film.mp4 ~/'Qavix/inbox/{ORDER}'")
    wait_for(host.machine.path(f"{home}/Qavix/archive/{ORDER}/film.mp4").exists, 90, "the film in the archive")
    assert host.machine.path(f"{home}/Qavix/outbox/{ORDER}/film.es.mp4").exists()
    by_anna(host, "systemctl --user reload qavix-watch")  # it ends when the signal was sent, not when it was obeyed
    wait_for(lambda: by_anna(host, "systemctl --user is-active qavix-watch || true").strip() == "active", 30, "the reload's end")
    status = by_anna(host, "systemctl --user status qavix-watch")
    assert "active (running)" in status
    assert "Status: " in status
