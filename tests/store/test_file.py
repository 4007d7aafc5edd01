"""The SQLite file itself: how it is opened, what makes it durable, and what becomes of what goes wrong with it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import DropState, JobState
from qavix_watch.errors import NoSpace, QavixWatchError, StateBusy, StateUnusable, StoreError
from qavix_watch.store import migrations
from qavix_watch.store.sqlite import Store
from tests.store.conftest import NOW, ORDER, State, stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def open_store(path: Path) -> Store:
    return Store(str(path), "https://api.example", "", "id")


def pragma(store: Store, name: str) -> Any:
    return store.now("pragma", lambda tx: tx.work._connection.execute(f"PRAGMA {name}").fetchone()[0])


def test_a_commit_survives_a_power_loss(state: State) -> None:
    """WAL with synchronous=FULL (2): NORMAL was seen to lose commits."""
    assert pragma(state.store, "journal_mode") == "wal"
    assert pragma(state.store, "synchronous") == 2
    assert pragma(state.store, "foreign_keys") == 1


def test_a_state_keeps_the_id_that_it_was_born_with(state: State, path: Path) -> None:
    with closing(Store(str(path), "https://api.example", "", "another")) as again:
        assert again.id == state.store.id == "id"


def test_a_second_opening_changes_nothing(state: State, path: Path) -> None:
    state.drop()
    before = state.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    with closing(open_store(path)):
        pass
    assert state.rows("SELECT name, sql FROM sqlite_master ORDER BY name") == before
    assert pragma(state.store, "user_version") == len(migrations.MIGRATIONS)
    assert len(state.rows("SELECT id FROM drops")) == 1


def test_a_newer_state_is_refused_and_left_as_it_is(state: State, path: Path) -> None:
    state.act(lambda tx: tx.work._connection.execute("PRAGMA user_version = 9999"))
    with pytest.raises(StateUnusable, match="newer version"):
        open_store(path)
    assert pragma(state.store, "user_version") == 9999


def test_many_processes_that_make_the_state_at_once_all_find_it_made(tmp_path: Path) -> None:
    path, failed, ids = tmp_path / "new.db", list[BaseException](), set[str]()
    ready = threading.Barrier(6)

    def make(number: int) -> None:
        ready.wait()
        try:
            store = Store(str(path), "https://api.example", "", f"id{number}")
            ids.add(store.id)
            store.close()
        except QavixWatchError as error:
            failed.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(ids) == 1


def test_a_step_that_fails_leaves_the_shape_as_it_was(state: State, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*migrations.MIGRATIONS, "CREATE TABLE further (id); CREATE TABLE drops (id)")
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    with pytest.raises(StoreError):
        open_store(path)
    assert pragma(state.store, "user_version") == len(steps) - 1
    assert state.rows("SELECT name FROM sqlite_master WHERE name = 'further'") == []


def test_what_an_earlier_version_submitted_counts_against_the_budget(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of the first shape, with jobs in it that were paid for, that failed, whose request is unclear, and that wait."""
    columns = "id, account, state, key, identity, generation, task, operation, canonical, stem, params_json, main_sha256, token, created_at"
    jobs = [
        ("done", 1, NOW, NOW, 60, 55), ("processing", 1, NOW, NOW, 60, None), ("failed", 1, NOW, NOW, 60, None),
        ("submitting", 1, NOW, None, None, None), ("ready", 0, None, None, None, None), ("done", 1, NOW - 10, NOW - 10, 60, 60),
    ]
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        with closing(open_store(path)) as store:
            for number, job in enumerate(jobs, start=1):
                values = (number, job[0], f"key {number}", *job[1:])
                store.now("a job", lambda tx, values=values: tx.work._connection.execute(  # type: ignore[misc]
                    f"INSERT INTO jobs ({columns}, posted, posted_at, submitted_at, credits_estimated, credits_used)"
                    " SELECT ?1, id, ?2, ?3, ?3, 1, 't', 'o', 'c', 's', '{}', 'x', 'y', 0, ?4, ?5, ?6, ?7, ?8 FROM accounts", values
                ))
    with closing(open_store(path)) as store:
        assert store.now("spent", lambda tx: tx.money.spent(NOW)) == 55 + 60
        store.now("accepted", lambda tx: tx.work._connection.execute("UPDATE jobs SET reserved = 60 WHERE state = 'submitting'"))
        assert store.now("spent", lambda tx: tx.money.spent(NOW)) == 55 + 60 + 60


def test_what_is_no_database_is_unusable(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StateUnusable, match="damaged") as found:
        open_store(path)
    assert "backup" in found.value.hint


def test_a_state_that_cannot_be_opened_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="cannot be opened"):
        open_store(tmp_path / "no such folder" / "state.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateUnusable, match="cannot be opened"):
        open_store(tmp_path / "folder")


def test_a_failed_opening_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StateUnusable):
        open_store(path)
    assert str(path) not in [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]


def test_damage_that_shows_while_running_is_unusable(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(open_store(path)) as store:
        store.now("many", lambda tx: [tx.drops.add("place", b"f/%d" % n, stat(), ORDER, NOW, NOW, 0.0) for n in range(2000)])
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 100_000)
    with closing(open_store(path)) as store, pytest.raises(StateUnusable, match="damaged"):
        store.now("read", lambda tx: tx.work._connection.execute("SELECT max(reason || path || order_json) FROM drops").fetchone())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nothing",                                             # OperationalError
        "INSERT INTO deliveries (account, state, job, drop_id) VALUES (1, 'pending', 99, 99)",  # IntegrityError
        "INSERT INTO state_id SELECT id FROM state_id",                      # IntegrityError
        "SELECT ?",                                                          # ProgrammingError
        "COMMIT; SELECT 1",                                                  # ProgrammingError
    ],
)
def test_nothing_of_sqlite_leaves_the_room_unmapped(state: State, sql: str) -> None:
    with pytest.raises(StoreError):
        state.act(lambda tx: tx.work._connection.execute(sql).fetchall())
    state.drop()


def test_every_kind_of_sqlite_error_is_mapped(state: State) -> None:
    def kinds(of: type[Exception]) -> Iterator[type[Exception]]:
        yield of
        for kind in of.__subclasses__():
            yield from kinds(kind)

    for kind in kinds(sqlite3.Error):
        def act(_: Any, kind: type[Exception] = kind) -> None:
            raise kind("made up")

        with pytest.raises(StoreError):
            state.act(act)


def test_a_value_that_sqlite_cannot_hold_is_an_error_like_any_other(state: State) -> None:
    with pytest.raises(OverflowError):
        state.act(lambda tx: tx.work._connection.execute("SELECT ?", (1 << 80,)))
    state.drop()


def test_an_act_that_raises_is_taken_back_whole(state: State) -> None:
    def act(tx: Any) -> None:
        tx.drops.add("place", b"f/1.mp4", stat(), ORDER, NOW, NOW, 0.0)
        tx.brakes.pull("rate", "", "slow down", "", NOW, NOW)
        raise KeyError("a defect of ours")

    with pytest.raises(KeyError):
        state.act(act)
    assert state.rows("SELECT id FROM drops") == state.rows("SELECT name FROM brakes") == state.rows("SELECT id FROM events") == []


def test_acts_that_share_a_commit_fail_alone(state: State) -> None:
    """One that raises takes back its own changes, and those beside it stand."""

    def good(number: int) -> Callable[[Any], int]:
        return lambda tx: tx.drops.add("place", b"f/%d.mp4" % number, stat(), ORDER, NOW, NOW, 0.0)

    def bad(tx: Any) -> None:
        good(99)(tx)
        raise ValueError("no")

    async def both() -> list[Any]:
        acts = [good(1), bad, good(2), bad, good(3)]
        return await asyncio.gather(*(state.store.transaction("one of many", act) for act in acts), return_exceptions=True)

    found = asyncio.run(both())
    assert [isinstance(one, ValueError) for one in found] == [False, True, False, True, False]
    assert [row["path"] for row in state.rows("SELECT path FROM drops ORDER BY id")] == [b"f/1.mp4", b"f/2.mp4", b"f/3.mp4"]


def test_whoever_no_longer_waits_does_not_stop_the_store(state: State) -> None:
    async def cancelled() -> None:
        waiting = asyncio.create_task(state.store.transaction("slow", lambda tx: tx.drops.known("place")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    state.drop()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A filesystem with room for little."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("only root may mount a small filesystem")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_takes_back_what_did_not_fit_and_work_goes_on_when_there_is_room(states: Callable[..., State], tiny: Path) -> None:
    state = states(path=tiny / "state.db")
    state.drop(b"f/first.mp4")
    ballast = tiny / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)

    def much(tx: Any) -> None:
        for number in range(200):
            tx.drops.add("place", b"f/%d.mp4" % number, stat(), {**ORDER, "order_json": "x" * 500}, NOW, NOW, 0.0)

    for _ in range(3):
        with pytest.raises(NoSpace) as found:
            state.act(much)
        assert "room" in found.value.hint
    assert [row["path"] for row in state.rows("SELECT path FROM drops")] == [b"f/first.mp4"]
    ballast.unlink()
    state.act(lambda tx: tx.drops.add("place", b"f/second.mp4", stat(), ORDER, NOW, NOW, 0.0))
    with closing(open_store(tiny / "state.db")) as again:
        assert len(again.now("known", lambda tx: list(tx.drops.known("place")))) == 2


def test_a_file_that_became_read_only_is_an_error_that_passes(state: State) -> None:
    state.store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="readonly"):
        state.drop()
    state.store._connection.execute("PRAGMA query_only = 0")
    state.drop()


def test_a_database_that_another_program_has_in_hand_is_an_error_that_passes(state: State) -> None:
    state.store._connection.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(state.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateBusy, match="locked"):
            state.drop()
    state.drop()


def test_where_the_whole_transaction_was_taken_back_nobody_beside_is_told_of_success(state: State) -> None:
    """As SQLite may do on a full disk: then the acts before and after it in the same commit have not happened either."""

    def add(number: int) -> Callable[[Any], int]:
        return lambda tx: tx.drops.add("place", b"f/%d.mp4" % number, stat(), ORDER, NOW, NOW, 0.0)

    def undo(tx: Any) -> None:
        tx.work._connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        begun.set()
        assert go_on.wait(30)

    async def together() -> list[Any]:
        """While one commit is held up, three acts are asked for: they are the next commit."""
        held = asyncio.create_task(state.store.transaction("one before", hold))
        assert await asyncio.to_thread(begun.wait, 30)
        acts = [asyncio.create_task(state.store.transaction("one of three", act)) for act in (add(1), undo, add(2))]
        await asyncio.sleep(0)  # each of them is asked for at its first step
        go_on.set()
        await held
        return await asyncio.gather(*acts, return_exceptions=True)

    found = asyncio.run(together())
    assert all(isinstance(one, QavixWatchError) for one in found)
    assert isinstance(found[1], NoSpace)
    assert state.rows("SELECT id FROM drops") == []
    state.drop()


def test_accounts_in_one_file_do_not_see_each_other(states: Callable[..., State]) -> None:
    one, two = states("one"), states("two")
    drop = one.drop()
    one.act(lambda tx: tx.contents.ensure("aa", "md5", 1, "video", 1.0))
    job = one.job("key of one", JobState.PROCESSING)
    one.want(job, drop)
    one.act(lambda tx: tx.brakes.pull("auth", "", "no key", "", NOW, NOW))
    one.act(lambda tx: tx.house.duty("follow", NOW))
    one.act(lambda tx: tx.jobs.add_voice("v1", "Ada", job))
    one.put("drops", drop, sha256="aa")

    assert two.take() == two.take("duty", ["due"]) == two.take("delivery", ["pending"]) == []
    assert two.act(lambda tx: list(tx.drops.known("place"))) == []
    assert two.act(lambda tx: tx.contents.find("aa")) is None
    assert two.act(lambda tx: tx.jobs.newest("key of one")) is None
    assert two.act(lambda tx: tx.drops.holding("aa")) == []
    assert two.act(lambda tx: tx.brakes.on()) == []
    assert two.act(lambda tx: tx.jobs.voices()) == []
    assert not two.act(lambda tx: tx.jobs.called_back(job, "secret", NOW))
    assert two.act(lambda tx: tx.work.due((), 0.0)) == ([], None)
    assert two.drop() == drop + 1, "the same path is another drop there"


def test_one_path_is_one_live_drop(state: State) -> None:
    state.drop()
    with pytest.raises(StoreError, match="UNIQUE"):
        state.drop()
    state.act(lambda tx: tx.work.move("drop", 1, (DropState.WAITING,), DropState.GONE, NOW, "taken out"))
    state.drop()


