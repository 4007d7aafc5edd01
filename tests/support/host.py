"""A host on a real systemd on which the program is a service, installed step by step, and a Qavix that it can reach."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox import SandboxOptions, running
from tests.support.service import toml, wait_for

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

    from qavix_watch.sandbox import Running
    from tests.support.systemd import Machine

SOURCE = Path(__file__).parents[2]
SHIPPED = SOURCE / "systemd"
UNIT = "qavix-watch.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
CONFIG = "/etc/qavix-watch/qavix-watch.toml"
CREDENTIAL = "/etc/credstore/qavix-api-key"
KEY = "qx-live-Zp3vDistinctive/Key+0042="
ORDER = "dub en to es"
LAUNCHER = f"""#!/bin/sh
exec {sys.executable} -m qavix_watch "$@"
"""
LOOK = """
import json, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=10)
print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""
LONG = "1 h"
SETTINGS: dict[str, dict[str, Any]] = {
    "folders": {"root": "/srv/qavix"},
    "state": {"path": "/var/lib/qavix-watch/state.db"},
    # A file whose lease cannot be probed would be settled for an hour: what comes through shows that CAP_LEASE is there.
    "watch": {"settle": 0.2, "settle_remote": LONG, "settle_folder": 0.3, "rescan": 1},
    "follow": {"poll_min": 0.2, "poll_max": 1},
    "deliver": {"min_free": "1 MB"},
    "log": {"level": "debug"},
}
QUICK = """[Service]
RestartSec=200ms
WatchdogSec=15s
"""
OUT_OF_HOME = """[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={}
"""
STAND_IN_FOR_SUDO = """#!/bin/sh
if [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi
exec "$@"
"""
CHECKOUT = "/root/checkout"  # where an administrator may have it, and the service's user may not look


@dataclass
class Host:
    """A machine on which the service was installed as the README says, and a Qavix that it can reach."""

    machine: Machine
    box: Running
    thread: ThreadPoolExecutor
    numbers: int = 0

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        there = self.machine.path(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
        there.chmod(mode)

    def configure(self, **changes: dict[str, Any]) -> None:
        """Write the configuration: the usual one, with these changes."""
        merged = {**SETTINGS, "api": {"base_url": self.box.base_url}}
        for section, keys in changes.items():
            merged[section] = merged.get(section, {}) | keys
        self.write(CONFIG, toml(merged))

    def ctl(self, *words: str, check: bool = True) -> str:
        done = self.machine.run("systemctl", *words, check=check)
        return done.stdout + done.stderr

    def pid(self) -> int:
        return int(self.machine.show(UNIT, "MainPID")["MainPID"])

    def signal(self, number: signal.Signals) -> None:
        self.machine.run("kill", f"-{int(number)}", str(self.pid()))

    def status(self) -> str:
        return self.machine.show(UNIT, "StatusText")["StatusText"]

    def as_service(self, *command: str) -> None:
        self.machine.run("runuser", "-u", "qavix-watch", "--", "/opt/qavix-watch/bin/qavix-watch", *command)

    def query(self, sql: str) -> list[Any]:
        """Look into the state, from inside: SQLite follows the link that leads there from here to the wrong place."""
        said = self.machine.run(sys.executable, "-I", "-c", LOOK, SETTINGS["state"]["path"], sql).stdout
        return [tuple(row) for row in json.loads(said)]

    def drop(self, data: bytes, folder: str = f"/srv/qavix/inbox/{ORDER}") -> str:
        """A file of another user's, as a share would put it there: hers and the group's."""
        self.numbers += 1
        stem = f"film {self.numbers}"
        there = self.machine.path(folder)
        there.mkdir(parents=True, exist_ok=True)
        anna, media = self.ids("anna", "media")
        os.chown(there, anna, media)
        there.chmod(0o2770)
        hidden = there / f".{stem}.mp4"
        hidden.write_bytes(data)
        hidden.chmod(0o640)
        os.chown(hidden, anna, media)
        hidden.rename(there / f"{stem}.mp4")
        return stem

    def ids(self, user: str, group: str) -> tuple[int, int]:
        return int(self.machine.run("id", "-u", user).stdout), int(self.machine.run("getent", "group", group).stdout.split(":")[2])

    def result(self, stem: str) -> Path:
        return self.machine.path(f"/srv/qavix/outbox/{ORDER}/{stem}.es.mp4")

    def wait_for_result(self, stem: str, seconds: float = 40) -> Path:
        try:
            wait_for(self.result(stem).exists, seconds, f"the result of {stem}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.said()[-4000:]}") from None
        return self.result(stem)

    def said(self) -> str:
        return "\n".join(str(one.get("MESSAGE")) for one in self.machine.journal(UNIT))

    def faults(self, *rules: dict[str, Any]) -> None:
        self.asked(self.box.faults, *rules)

    def hits(self) -> int:
        return sum(int(rule["hits"]) for rule in self.asked(self.box.control, "faults"))

    def asked(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Ask the sandbox something, from where it can be reached."""
        done: Future[Any] = self.thread.submit(act, *arguments)
        return done.result(30)

    def tasks(self) -> int:
        return int(self.asked(self.box.ledger)["totals"]["tasks"])

    def start(self) -> None:
        done = self.machine.run("systemctl", "start", UNIT, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{self.machine.run('journalctl', '--no-pager', '-n', '40').stdout}"

    def stop(self) -> None:
        self.faults()
        self.ctl("stop", UNIT)
        self.ctl("reset-failed", UNIT, check=False)


def reachable_by_others(machine: Machine) -> None:
    """The service's user has to come at the program under test, wherever it lies; in this copy of the host that may be changed."""
    for place in (sys.executable, os.path.realpath(sys.executable), sys.prefix, sys.base_prefix, SOURCE):
        for folder in [Path(place), *Path(place).parents]:
            if folder.is_dir() and not folder.stat().st_mode & 0o001:
                machine.run("chmod", "o+x", str(folder))


def out_of_sight(path: str | Path) -> bool:
    """Whether the unit hides it: a checkout in somebody's home, or among temporary files."""
    return os.path.realpath(path).startswith(("/home/", "/root/", "/tmp/", "/run/"))


def provide_program(host: Host) -> None:
    """What the README's first step leaves behind, without the network that it needs: the program is this checkout."""
    reachable_by_others(host.machine)
    host.write("/opt/qavix-watch/bin/qavix-watch", LAUNCHER, 0o755)
    if hidden := [str(place) for place in (SOURCE, sys.prefix, sys.base_prefix) if out_of_sight(place)]:
        host.write(f"{UNIT_FILE}.d/home.conf", OUT_OF_HOME.format(" ".join(hidden)))


def install(host: Host) -> None:
    """As the README says, step by step; only waiting is short."""
    provide_program(host)
    for shipped, there in {
        UNIT: UNIT_FILE, "sysusers.d/qavix-watch.conf": "/etc/sysusers.d/qavix-watch.conf",
        "tmpfiles.d/qavix-watch.conf": "/etc/tmpfiles.d/qavix-watch.conf",
    }.items():
        host.write(there, (SHIPPED / shipped).read_text())
    host.write(f"{UNIT_FILE}.d/quick.conf", QUICK)
    host.write(CREDENTIAL, KEY + "\n", 0o600)
    host.machine.run("systemd-sysusers")
    host.machine.run("systemd-tmpfiles", "--create", "qavix-watch.conf")
    host.machine.run("useradd", "--no-create-home", "--groups", "media", "anna")
    host.configure()
    host.as_service("init", "--config", CONFIG)
    host.ctl("daemon-reload")


def types(host: Host, script: str, given: str | None = None) -> str:
    """What a person at the machine sees who types this; AssertionError where any line of it fails."""
    done = host.machine.run("bash", "-ec", f"cd {CHECKOUT}\n{script}", given=given, check=False)
    assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def wait_for_rest(host: Host, seconds: float = 30) -> None:
    """Wait until everything is done; the message says what still is not."""
    try:
        wait_for(lambda: host.status() == "Nothing to do.", seconds, "the status to say so")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{host.status()}\n{host.said()[-4000:]}") from None


def prepared(host: Host) -> None:
    """All that the README's other steps begin with: the program, a checkout, `sudo`, and one who drops films."""
    provide_program(host)
    if host.machine.run("sh", "-c", "command -v sudo", check=False).returncode:
        host.write("/usr/bin/sudo", STAND_IN_FOR_SUDO, 0o755)
    host.machine.run("install", "-d", "-m700", CHECKOUT)
    shutil.copytree(SHIPPED, host.machine.path(f"{CHECKOUT}/systemd"))
    host.machine.run("useradd", "--create-home", "anna")


def sessions() -> bool:
    """Whether somebody can log in on the machine, and keep her services without being asked for a password."""
    return all(any(Path("/usr/lib").glob(tool)) for tool in ("*/security/pam_systemd.so", "polkit-1/polkitd"))


def by_anna(host: Host, script: str) -> str:
    """What anna sees who logs in, types this in her checkout, and logs out."""
    login = ("systemd-run", "--quiet", "--wait", "--pipe", "--property=PAMName=login", "--property=User=anna")
    done = host.machine.run(*login, "bash", "-ec", f"cd ~/checkout\n{script}", check=False)
    assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def reached(machine: Machine, options: SandboxOptions) -> Iterator[tuple[Running, ThreadPoolExecutor]]:
    """A sandbox inside the machine's network."""
    with machine.network() as thread:
        sandbox = running(options)
        try:
            yield thread.submit(sandbox.__enter__).result(60), thread
        finally:
            thread.submit(sandbox.__exit__, None, None, None).result(60)
