"""`backup`: one file, whole, of one moment, whatever happens meanwhile; and nothing half or wrong under its name."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.cli.backup import write_backup
from qavix_watch.errors import StateUnusable
from qavix_watch.store.backup import copy_state
from qavix_watch.store.sqlite import Store
from tests.cli.conftest import NOWHERE
from tests.support.service import PROGRAM, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Quick


def rows(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def test_the_copy_is_one_private_file_that_can_take_the_place_of_the_state(filled: Quick, tmp_path: Path) -> None:
    target = tmp_path / "a backup [red].db"
    done = filled.command("backup", str(target))
    assert f"Wrote {target} (" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [target.name]
    assert target.stat().st_mode & 0o777 == 0o600
    before = json.loads(filled.command("jobs", "--json").stdout)
    for line in done.stdout.splitlines()[-2:]:
        subprocess.run(line, shell=True, check=True)
    assert json.loads(filled.command("jobs", "--json").stdout) == before
    said = json.loads(filled.command("backup", "--json", str(tmp_path / "other")).stdout)
    assert (said["path"], said["bytes"]) == (str(tmp_path / "other"), (tmp_path / "other").stat().st_size)


def test_a_name_in_use_is_left_alone_unless_it_may_be_replaced(filled: Quick, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_bytes(b"precious")
    done = filled.command("backup", str(target), check=False)
    assert (done.returncode, target.read_bytes()) == (1, b"precious")
    assert "is there already" in done.stderr
    assert "--replace" in done.stderr
    filled.command("backup", str(target), "--replace")
    assert rows(target, "SELECT count(*) FROM jobs") == [(2,)]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [target.name]


def test_the_state_itself_and_folders_are_no_place_for_a_copy(filled: Quick, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(filled.state)
    for target in (filled.state, f"{filled.state}-wal", f"{filled.state}.lock", tmp_path / "link", tmp_path):
        done = filled.command("backup", str(target), "--replace", check=False)
        assert (done.returncode, done.stdout) == (2, "")
    assert rows(filled.state, "SELECT count(*) FROM jobs") == [(2,)]
    done = filled.command("backup", str(tmp_path / "none" / "b.db"), check=False)
    assert done.returncode == 1
    assert "is not there" in done.stderr


def test_without_a_state_there_is_nothing_to_copy(home: Quick, tmp_path: Path) -> None:
    done = home.command("backup", str(tmp_path / "b.db"), check=False)
    assert done.returncode == 1
    assert "there is no state at" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give a state away, with setpriv")
def test_who_may_not_read_the_state_is_told_who_to_be(filled: Quick, tmp_path: Path) -> None:
    os.chown(filled.state.parent, 65534, 65534)
    filled.state.parent.chmod(0o700)
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    argv = [*bound, *PROGRAM, "backup", "--config", str(filled.config), str(tmp_path / "b.db")]
    done = subprocess.run(argv, env=filled.environ(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be read: Permission denied" in done.stderr
    assert "Run this as the user of the service" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_damaged_state_never_takes_the_place_of_a_good_backup(filled: Quick, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    filled.command("backup", str(target))
    good = target.read_bytes()
    page = bytearray(filled.state.read_bytes())
    page[4096 * 2 : 4096 * 12] = os.urandom(4096 * 10)
    filled.state.write_bytes(page)
    done = filled.command("backup", str(target), "--replace", check=False)
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert target.read_bytes() == good
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [target.name]
    filled.state.write_bytes(b"no database at all" * 500)
    with pytest.raises(StateUnusable, match="is damaged"):
        write_backup(str(filled.state), str(target), replace=True)


def test_a_copy_is_of_one_moment_while_the_state_is_written(home: Quick, tmp_path: Path) -> None:
    """Two tables that change together agree in every copy, and none is begun anew for ever."""
    with closing(Store(str(home.state), NOWHERE, "default", "owner")):
        pass
    writer = sqlite3.connect(home.state, isolation_level=None, check_same_thread=False)
    writer.execute("CREATE TABLE one (x)")
    writer.execute("CREATE TABLE two (x, fill)")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            writer.execute("BEGIN")
            writer.execute("INSERT INTO one VALUES (1)")
            writer.execute("INSERT INTO two VALUES (1, zeroblob(3000))")
            writer.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            copy, told = tmp_path / str(number), []
            wait_for(lambda number=number: rows(home.state, "SELECT count(*) FROM one")[0][0] > 300 * (number + 1), 30)  # type: ignore[misc]
            copy.touch()
            copy_state(str(home.state), str(copy), lambda *pages, told=told: told.append(pages))  # type: ignore[misc]
            one, two = rows(copy, "SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)")[0]
            assert one == two > 0
            assert told
            assert told[-1][0] == told[-1][1]
    finally:
        stop.set()
        thread.join()
        writer.close()


def test_a_copy_knows_itself_for_one(filled: Quick, tmp_path: Path) -> None:
    """Its folders have seen one start more than it, and nobody serves it: so a start on it tells that it is an older state."""
    with closing(Store(str(filled.state), NOWHERE, "default", "owner")) as store:
        store.now("started", lambda tx: tx.house.started(1, "node", "boot", "", 0.0))
        assert store.now("first", lambda tx: tx.house.place("marker", b"/in", 1)) == 0
        assert store.now("second", lambda tx: tx.house.place("marker", b"/in", 2)) == 0
    filled.command("backup", str(tmp_path / "b.db"))
    os.replace(tmp_path / "b.db", filled.state)
    with closing(Store(str(filled.state), NOWHERE, "default", "owner")) as store:
        assert rows(filled.state, "SELECT pid FROM service") == [(0,)]
        assert store.now("third", lambda tx: tx.house.place("marker", b"/in", 3)) == 1
        assert store.now("fourth", lambda tx: tx.house.place("marker", b"/in", 4)) == 0


def test_where_there_is_no_room_it_says_so_and_leaves_nothing(filled: Quick, tmp_path: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    argv = [*PROGRAM, "backup", "--config", str(filled.config), str(tmp_path / "b.db")]
    done = subprocess.run(argv, env=filled.environ(), capture_output=True, text=True, timeout=60, check=False, preexec_fn=small)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no room for the copy" in done.stderr
    assert "name a file on another disk" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_large_copy_has_a_bar_on_a_terminal(filled: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qavix_watch.cli.backup.QUIET_SECONDS", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = filled.command("backup", str(tmp_path / "b.db"))
    assert "Copying the state" in done.stderr
    assert "100%" in done.stderr
    assert done.stdout.startswith("Wrote ")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_copy_that_is_broken_off_leaves_nothing(
    filled: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, error: type[BaseException]
) -> None:
    def ended(*_: object) -> None:
        assert [path.name.startswith(".qavix-backup-") for path in tmp_path.iterdir() if path.is_file()] == [True]
        signal.raise_signal(number)

    monkeypatch.setattr("qavix_watch.store.backup._check", ended)
    with pytest.raises(error):
        write_backup(str(filled.state), str(tmp_path / "b.db"), replace=False)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
