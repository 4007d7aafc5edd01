"""A real state in a real file, and rows to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Stat
from qavix_watch.core.lifecycle import DropState, JobState
from qavix_watch.store.sqlite import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.core.records import Claim

NOW = 1_800_000_000.0
ORDER = {"folder": b"dub en to es", "order_json": "{}", "canonical": "dub en to es", "task": "video_translation", "priority": 0}


def stat(size: int = 100, mtime_ns: int = 5, inode: int = 7) -> Stat:
    return Stat(size, mtime_ns, mtime_ns, inode, 1, is_file=True, is_dir=False)


class State:
    """A store, with words for what tests do again and again."""

    def __init__(self, path: Path, account: str = "") -> None:
        self.path = path
        self.store = Store(str(path), "https://api.example", account, "id")
        self.present = NOW  # by the database's clock
        self.store.clock = lambda: self.present

    def act(self, verb: Callable[[Any], Any]) -> Any:
        return self.store.now("test", verb)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return self.act(lambda tx: [dict(row) for row in tx.work._connection.execute(sql, values)])

    def events(self) -> list[tuple[str, str, str]]:
        return [(row["item"], row["old"], row["new"]) for row in self.rows("SELECT item, old, new FROM events ORDER BY id")]

    def drop(self, path: bytes = b"dub en to es/clip.mp4", *, now: float = NOW, **order: Any) -> int:
        return self.act(lambda tx: tx.drops.add("place", path, stat(), {**ORDER, **order}, now, now, 0.0))

    def job(self, key: str = "key", state: JobState = JobState.READY, **values: Any) -> int:
        given = {
            "key": key, "identity": key, "generation": 1, "task": "video_translation", "operation": "video_translation",
            "canonical": "dub en to es", "source": "en", "language": "es", "stem": "clip", "params_json": "{}", "text": None,
            "main_sha256": "aa", "partner_sha256": None, "token": "secret", "priority": 0, **values,
        }
        return self.act(lambda tx: tx.jobs.add(given, state, NOW, "ordered"))

    def want(self, job: int, drop: int) -> None:
        """The drop waits for the job."""
        self.act(lambda tx: tx.jobs.expect_delivery(job, drop, NOW))
        self.put("drops", drop, state=DropState.DELIVERING, due=None)

    def put(self, table: str, number: int, **values: Any) -> None:
        """Have a row so, whatever the law says."""
        sets = ", ".join(f"{name} = ?" for name in values)
        self.act(lambda tx: tx.work._connection.execute(f"UPDATE {table} SET {sets} WHERE id = ?", (*values.values(), number)))

    def row(self, table: str, number: int) -> dict[str, Any]:
        return self.rows(f"SELECT * FROM {table} WHERE id = ?", number)[0]

    def take(self, item: str = "drop", states: Any = DropState, *, now: float = NOW, owner: str = "node:1", **more: Any) -> list[Claim]:
        self.present = now
        given = {"owner": owner, "now": now, "lease_seconds": 60.0, "limit": 10, **more}
        return self.act(lambda tx: tx.work.take(item, tuple(states), **given))

    def settle(self, claim: Claim, to: Any, *, due: float | None = None, now: float = NOW, **fields: Any) -> None:
        self.act(lambda tx: tx.work.settle(claim, to, now, "because", fields, due=due))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def states(path: Path) -> Iterator[Callable[..., State]]:
    """Opens the file, as often as it is called: each as one more process would."""
    made: list[State] = []

    def make(account: str = "", path: Path = path) -> State:
        made.append(State(path, account))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture
def state(states: Callable[..., State]) -> State:
    return states()
