"""The real program against the sandbox, as a person's machine would have it: processes, folders, a state file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qavix_watch.cli.init import prepare
from qavix_watch.config import load
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.sandbox import Running

KEY = "sandbox-key"
PROGRAM = [sys.executable, "-m", "qavix_watch"]

QUICK = {
    "watch": {"settle": 0.2, "settle_folder": 0.3, "rescan": 1},
    "follow": {"poll_min": 0.2, "poll_max": 1},
    "deliver": {"min_free": "1 MB"},
    "log": {"level": "debug", "format": "json"},
}
"""Settings that make a test quick and change nothing else."""


def wait_for(condition: Callable[[], Any], seconds: float = 30.0, what: str = "the condition", every: float = 0.05) -> Any:
    """Wait until `condition` gives something true, and give it; AssertionError after `seconds`. It is asked every so many seconds."""
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited {seconds} s in vain for {what}"
        time.sleep(every)


def toml(settings: dict[str, Any]) -> str:
    """A configuration file from nested dictionaries."""
    lines = []
    for section, keys in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


@dataclass
class Home:
    """One installation: a root, a configuration, a state, and the service when it runs.

    `prefix` is a command that the service is run by (as `nsenter …`), `variables` what its environment has besides.
    """

    base: Path
    base_url: str
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: str | None = KEY
    prefix: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        merged: dict[str, dict[str, Any]] = {
            "api": {"base_url": self.base_url}, "folders": {"root": str(self.root)}, "state": {"path": str(self.state)},
        }
        for source in (QUICK, self.settings):
            for section, keys in source.items():
                merged[section] = merged.get(section, {}) | keys
        self.base.mkdir(parents=True, exist_ok=True)
        self.config.write_text(toml(merged))

    @property
    def root(self) -> Path:
        return self.base / "root"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    @property
    def state(self) -> Path:
        return self.base / "state" / "state.db"

    @property
    def config(self) -> Path:
        return self.base / "qavix-watch.toml"

    @property
    def log(self) -> Path:
        return self.base / "service.log"

    def environ(self) -> dict[str, str]:
        # COLUMNS comes from whoever runs tests side by side; the program is to be seen as in a pipe.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("QAVIX_") and name != "COLUMNS"}
        return plain | ({} if self.key is None else {"QAVIX_API_KEY": self.key}) | self.variables

    def command(self, *words: str | bytes, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the program, with this configuration."""
        argv = [*PROGRAM, words[0], "--config", str(self.config), *words[1:]]
        done = subprocess.run(argv, env=self.environ(), capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def prepare(self) -> None:
        """Folders and markers, as `init` makes them, without the time that another process takes."""
        prepare(load(str(self.config), {}), lambda _: None)

    def start(self, *, ready: bool = True, settle: float = 30.0) -> None:
        """Start the service; wait until it has scanned, unless told not to."""
        if not (self.root / ".qavix-watch").exists():
            self.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *PROGRAM, "run", "--config", str(self.config)],
                env=self.environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        if ready:
            wait_for(self.is_ready, settle, f"the service to be ready: {self.log.read_text()[-2000:]}")

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the service ended: {self.log.read_text()[-3000:]}"
        return bool(self.query("SELECT 1 FROM service WHERE ready = 1 AND pid = ?", self.process.pid))

    def signal(self, number: signal.Signals) -> None:
        """Send the service a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """As the power button would: nothing runs any more."""
        assert self.process is not None
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Look into the state."""
        if not self.state.exists():
            return []
        connection = sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            return []  # it is only just being made
        finally:
            connection.close()

    def unsound(self) -> list[str]:
        """What SQLite finds wrong with the state."""
        found = self.query("SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
        return [str(row) for row in (*found, *self.query("SELECT * FROM pragma_foreign_key_check"))]

    def jobs(self) -> list[dict[str, Any]]:
        """`jobs --json`."""
        found: list[dict[str, Any]] = json.loads(self.command("jobs", "--json").stdout)
        return found

    def open_work(self) -> list[tuple[Any, ...]]:
        """What is not at rest yet."""
        return self.query(
            "SELECT 'drop', id, state, reason FROM drops WHERE state IN ('waiting','settled','fingerprinted','delivering','archiving')"
            " UNION ALL SELECT 'job', id, state, reason FROM jobs WHERE state NOT IN ('done','failed','cancelled')"
        )

    def at_rest(self, drops: int) -> bool:
        """Whether there are so many drops, and nothing is left to do."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the service ended: {self.log.read_text()[-3000:]}")
        there = self.query("SELECT count(*) FROM drops")
        return bool(there) and there[0][0] >= drops and not self.open_work()

    def rest(self, drops: int, seconds: float = 60.0) -> None:
        """Wait until `drops` drops came and everything is at rest."""
        try:
            wait_for(lambda: self.at_rest(drops), seconds, f"{drops} drops to be at rest")
        except AssertionError as error:
            raise AssertionError(f"{error}\nopen: {self.open_work()[:20]}\n{self.log.read_text()[-4000:]}") from None

    def drop(self, order: str, name: str | bytes, source: Path | bytes) -> Path:
        """Copy a file (or write bytes) into an order's folder, as `cp` would."""
        folder = self.inbox / order
        folder.mkdir(parents=True, exist_ok=True)
        target = os.path.join(os.fsencode(folder), os.fsencode(name))
        data = source if isinstance(source, bytes) else source.read_bytes()
        with open(target, "wb") as file:
            file.write(data)
        return Path(os.fsdecode(target))

    def results(self) -> list[str]:
        """Every file in the outbox, relative to it."""
        return sorted(str(path.relative_to(self.outbox)) for path in files_below(self.outbox))


@contextmanager
def at_home(base: Path, sandbox: Running, **settings: dict[str, Any]) -> Iterator[Home]:
    """An installation that uses `sandbox`; its service is stopped at the end."""
    home = Home(base, sandbox.base_url, settings)
    try:
        yield home
    finally:
        if home.process is not None and home.process.poll() is None:
            home.stop()
