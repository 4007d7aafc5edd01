"""The simulated state: what becomes of transactions when a program dies, a disk is full, the power goes, another host steps in."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Stat
from qavix_watch.core.lifecycle import DropState
from qavix_watch.errors import Fenced, NoSpace, StateBusy, StoreError
from qavix_watch.store import file
from tests.simulation.choices import Tape, Taped
from tests.simulation.hosts import Host
from tests.simulation.loop import Loop
from tests.simulation.state import DISK_FULL, FULL_AMID, LOCKED, State

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

EPOCH = 1_788_000_000.0
ORDER = {"folder": b"dub en to es", "order_json": "{}", "canonical": "dub en to es", "task": "video_translation", "priority": 0}
WAITING = (DropState.WAITING,)


class Counts(Counter[str]):
    def count(self, name: str) -> None:
        self[name] += 1


class Box:
    """As much of a machine as the state needs: it dies at the point that it is told to."""

    def __init__(self, world: Small, name: str) -> None:
        self.world = world
        self.name = name
        self.host = Host(name)
        self.deadly = ""
        self.passed: list[str] = []

    async def apoint(self, where: str) -> None:
        self.passed.append(where)
        if where == self.deadly:
            self.kill()
        if self.host.dead:
            await self.world.loop.never()
        await asyncio.sleep(0)

    def kill(self) -> None:
        self.world.loop.kill(self.host)
        self.world.state.died(self)  # type: ignore[arg-type]


class Small:
    """As much of a world."""

    def __init__(self, tape: dict[tuple[str, int], int], real_file: str | None, hosts: int = 1) -> None:
        self.choices = Taped(Tape(tape))
        self.loop = Loop(self.choices)
        self.counters = Counts()
        self.machines = [Box(self, name) for name in "AB"[:hosts]]
        self.told: list[str] = []
        self.state = State(self, real_file=real_file)  # type: ignore[arg-type]

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        return self.choices.fault(stream, every, kinds)

    def pick(self, stream: str, count: int) -> int:
        return self.choices.pick(stream, count)

    def tell(self, who: str, what: str, *values: object) -> None:
        self.told.append(what % values)

    def start(self, box: Box) -> Any:
        """One start of the program on it; gives its store."""
        box.host, box.deadly = Host(box.name), ""
        return self.state.store(box)  # type: ignore[arg-type]

    def run(self, *acts: tuple[Box, Coroutine[Any, Any, Any]], seconds: float = 1.0) -> list[Any]:
        """What comes of these in so many seconds, each on its machine; None of what has not ended."""

        async def all_of_them() -> list[Any]:
            tasks = [self.loop.on(box.host, act) for box, act in acts]
            await asyncio.sleep(seconds)
            return [(task.exception() or task.result()) if task.done() else None for task in tasks]

        return self.loop.run_until_complete(all_of_them())

    def paths(self) -> list[bytes]:
        """The drops that there are."""
        return [row["path"] for row in self.state.rows("SELECT path FROM drops ORDER BY id")]


def drop(path: bytes, now: float = EPOCH) -> Callable[[Any], int]:
    return lambda tx: tx.drops.add("place", path, Stat(1, 2, 3, 4, 5, is_file=True, is_dir=False), ORDER, now, now, 0.0)  # type: ignore[no-any-return]


def refused(tx: Any) -> None:
    drop(b"refused")(tx)
    raise ValueError("no")


@pytest.fixture(params=["in memory", "in a file"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Small]]:
    made: list[Small] = []

    def make(tape: dict[tuple[str, int], int] | None = None, **how: Any) -> Small:
        made.append(Small(tape or {}, str(tmp_path / "state.db") if request.param == "in a file" else None, **how))
        return made[-1]

    yield make
    for world in made:
        world.state.close()
        world.loop.close()


def test_a_transaction_answers_and_is_there(small: Callable[..., Small]) -> None:
    world = small()
    (box,) = world.machines
    store = world.start(box)
    assert world.run((box, store.transaction("a drop", drop(b"one")))) == [1]
    assert world.paths() == [b"one"]
    assert world.state.now(lambda tx: tx.work.get("drop", 1)).path == b"one"
    assert box.passed == ["before “a drop”", "after “a drop”"]


def test_what_an_act_raises_is_taken_back_and_passed_on(small: Callable[..., Small]) -> None:
    world = small()
    (box,) = world.machines
    store = world.start(box)
    (found,) = world.run((box, store.transaction("refused", refused)))
    assert isinstance(found, ValueError)
    assert world.paths() == []


def test_acts_that_wait_at_the_same_time_share_a_commit_and_fail_alone(small: Callable[..., Small]) -> None:
    world = small()
    (box,) = world.machines
    store = world.start(box)
    acts = [("one", drop(b"one")), ("refused", refused), ("two", drop(b"two"))]
    found = world.run(*((box, store.transaction(name, act)) for name, act in acts))
    assert [type(one) for one in found] == [int, ValueError, int]
    assert world.paths() == [b"one", b"two"]
    assert world.told == ["commits one, refused, two"]
    assert world.counters["a commit was shared"] == 1


@pytest.mark.parametrize(("where", "left"), [("before “a drop”", []), ("after “a drop”", [b"one"])])
def test_a_death_before_leaves_nothing_and_one_after_the_commit_all_of_it(
    small: Callable[..., Small], where: str, left: list[bytes]
) -> None:
    world = small()
    (box,) = world.machines
    store = world.start(box)
    box.deadly = where
    assert world.run((box, store.transaction("a drop", drop(b"one")))) == [None]
    assert world.paths() == left


def test_a_death_amid_a_transaction_takes_it_back_and_the_next_start_goes_on(small: Callable[..., Small]) -> None:
    """The act has run, and the commit has not."""
    world = small()
    (box,) = world.machines
    store = world.start(box)
    ran: list[int] = []

    def act(tx: Any) -> None:
        ran.append(drop(b"half")(tx))

    async def dies() -> None:
        waiting = asyncio.create_task(store.transaction("half", act))
        while not store._waiting:  # noqa: ASYNC110 - there is no event at which production's code has begun to wait
            await asyncio.sleep(0)
        box.kill()
        await waiting

    assert world.run((box, dies())) == [None]
    assert ran == [1]
    assert world.paths() == []
    again = world.start(box)
    assert world.run((box, again.transaction("a drop", drop(b"next")))) == [1]
    assert world.paths() == [b"next"]


@pytest.mark.parametrize(("kind", "error"), [(DISK_FULL, NoSpace), (LOCKED, StateBusy), (FULL_AMID, NoSpace)])
def test_what_is_wrong_with_the_database_is_told_as_production_tells_it(
    small: Callable[..., Small], kind: int, error: type[Exception]
) -> None:
    world = small({("state A", 0): kind})
    (box,) = world.machines
    store = world.start(box)
    found = world.run((box, store.transaction("one", drop(b"one"))))
    assert [type(one) for one in found] == [error]
    assert world.paths() == []
    assert world.run((box, store.transaction("two", drop(b"two")))) == [1]


def test_a_disk_that_is_full_amid_an_act_takes_back_those_beside_it(small: Callable[..., Small]) -> None:
    world = small({("state A", 0): FULL_AMID, ("state A: which act", 0): 1})
    (box,) = world.machines
    store = world.start(box)
    found = world.run(*((box, store.transaction(str(number), drop(b"%d" % number))) for number in range(3)))
    assert [type(one) for one in found] == [StoreError, NoSpace, StoreError]
    assert world.paths() == []


def test_after_each_commit_that_changed_anything_the_watchers_look(small: Callable[..., Small]) -> None:
    world = small()
    (box,) = world.machines
    store = world.start(box)
    seen: list[list[bytes]] = []
    world.state.watchers.append(lambda: seen.append(world.paths()))
    world.run((box, store.transaction("a drop", drop(b"one"))))
    world.run((box, store.transaction("a look", lambda tx: tx.drops.find(1))))
    world.state.now(drop(b"two"))
    assert seen == [[b"one"], [b"one", b"two"]]


def test_triggers_see_what_every_start_writes_and_know_the_time(small: Callable[..., Small]) -> None:
    world = small()
    heard: list[float] = []

    def prepare(connection: sqlite3.Connection) -> None:
        connection.create_function("heard", 1, heard.append)
        connection.execute("CREATE TEMP TRIGGER watched AFTER INSERT ON main.drops BEGIN SELECT heard(world_now()); END")

    world.state.each_connection(prepare)
    (box,) = world.machines
    store = world.start(box)
    world.run((box, store.transaction("a drop", drop(b"one"))))
    world.run((box, store.transaction("a drop", drop(b"two"))))
    assert heard == [EPOCH, EPOCH + 1]


def test_a_frozen_holder_is_fenced_out_once_another_host_took_over(small: Callable[..., Small]) -> None:
    world = small(hosts=2)
    a, b = world.machines
    of_a, of_b = world.start(a), world.start(b)
    world.state.now(drop(b"one"))

    def take(owner: str) -> Callable[[Any], Any]:
        how = {"owner": owner, "now": EPOCH + 99, "lease_seconds": 10.0, "limit": 1}
        return lambda tx: tx.work.take("drop", WAITING, **how)

    ((mine,),) = world.run((a, of_a.transaction("claim", take("A:1"))))
    assert world.run((b, of_b.transaction("claim", take("B:1")))) == [[]], "it is held, whatever the clock of who asks says"
    world.loop.freeze(a.host, 60.0)

    async def keep(claim: Any) -> None:
        await of_a.transaction("keep", lambda tx: tx.work.keep(claim, {"reason": "mine"}))

    late = world.loop.on(a.host, keep(mine))
    world.run(seconds=10.0)
    ((taken,),) = world.run((b, of_b.transaction("claim", take("B:1"))))
    assert (taken.owner, taken.row.fence) == ("B:1", mine.row.fence + 1)
    assert not late.done()
    world.run(seconds=60.0)
    assert isinstance(late.exception(), Fenced)
    assert world.run((b, of_b.transaction("keep", lambda tx: tx.work.keep(taken, {"reason": "theirs"})))) == [None]
    assert [row["reason"] for row in world.state.rows("SELECT reason FROM drops")] == ["theirs"]


# Power

LOSE_TWO = {("commits lost", 0): 2}


@pytest.fixture
def powered() -> Iterator[Small]:
    """A world in which each power cut takes two commits, if it may."""
    world = Small(LOSE_TWO, None)
    yield world
    world.state.close()
    world.loop.close()


def commit_three(world: Small) -> None:
    (box,) = world.machines
    store = world.start(box)
    for path in (b"one", b"two", b"three"):
        world.run((box, store.transaction("a drop", drop(path))))
    world.loop.kill(box.host)
    world.state.power_cut(box)  # type: ignore[arg-type]


def test_a_power_loss_takes_nothing_back_that_was_committed(powered: Small) -> None:
    commit_three(powered)
    assert powered.paths() == [b"one", b"two", b"three"]
    assert powered.state._images == [], "images cost time, and are never needed"


def normal(connection: sqlite3.Connection, path: str) -> None:
    _configure(connection, path)
    connection.execute("PRAGMA synchronous = NORMAL")


_configure = file.configure


def test_with_less_than_full_it_takes_back_commits_that_were_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "configure", normal)
    world = Small(LOSE_TWO, None)
    commit_three(world)
    assert world.paths() == [b"one"]
    (box,) = world.machines
    store = world.start(box)
    assert world.run((box, store.transaction("a drop", drop(b"four")))) == [2]
    assert world.paths() == [b"one", b"four"]
    world.state.close()
    world.loop.close()


def test_the_state_of_two_hosts_lies_on_neither_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "configure", normal)
    world = Small(LOSE_TWO, None, hosts=2)
    world.state.now(drop(b"one"))
    world.state.now(drop(b"two"))
    world.state.power_cut(world.machines[0])  # type: ignore[arg-type]
    assert world.paths() == [b"one", b"two"]
    world.state.close()
    world.loop.close()
