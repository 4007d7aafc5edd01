"""Clients that bring films, and what becomes of these: how often each was taken, when, whether whole, and what was billed for it."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults.ground import ORDER, SIZE
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.faults.bringing import Bring, Tempo
    from tests.faults.ground import Ground, Ware

ONE = ("{order}/{client} {number}.mp4",)


@dataclass(frozen=True, slots=True)
class Client:
    """`does`: what it does to the file. `files`: what it brings at once. `leaves`: what the service says of what a dying one leaves."""

    name: str
    does: str
    bring: Bring
    tools: tuple[str, ...] = ()
    files: tuple[str, ...] = ONE
    leaves: str = ""
    remote: bool = False

    def wares(self, ground: Ground, number: int) -> list[Ware]:
        """Films for it to bring."""
        names = [name.format(order=ORDER, client=self.name, number=number) for name in self.files]
        return [ground.film(name, SIZE // len(names)) for name in names]


@dataclass(frozen=True, slots=True)
class Brought:
    """A film, and when (seconds since 1970) the client that brought it was done."""

    client: Client
    ware: Ware
    done_at: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a film. `taken`: when, each time. `wrong`: what was read, sent or kept of it that is not what was sent."""

    brought: Brought
    drops: int
    state: str
    reason: str
    taken: tuple[float, ...]
    tasks: int
    whole: bool
    wrong: int

    @property
    def seconds(self) -> float | None:
        """From the client being done until the film was taken."""
        return self.taken[0] - self.brought.done_at if self.taken else None

    @property
    def trouble(self) -> str:
        """What is not as promised; "" where all is."""
        leaves = self.brought.client.leaves
        if leaves:
            promised = self.state == "waiting" and leaves in self.reason and not self.taken and not self.tasks
        else:
            promised = self.state == "archived" and len(self.taken) == 1 and self.tasks == 1 and self.whole
        return "" if promised and self.drops == 1 and not self.wrong else self._told()

    def _told(self) -> str:
        taken = ", ".join(f"{at - self.brought.done_at:+.1f} s" for at in self.taken) or "never"
        return (
            f"{self.brought.ware.name}: {self.state} ({self.reason or 'no reason'}), taken {taken}, drops {self.drops}, tasks {self.tasks},"
            f" {'whole' if self.whole else 'not whole'}, wrong {self.wrong}"
        )


def bring(client: Client, ground: Ground, wares: list[Ware], tempo: Tempo) -> list[Brought]:
    """Let a client bring films."""
    done_at = client.bring(ground, wares, tempo) or time.time()
    return [Brought(client, ware, done_at) for ware in wares]


def wait_for_fates(ground: Ground, brought: list[Brought], seconds: float) -> list[Fate]:
    """Wait until each film is at rest, or the service says what it waits for; gives what became of them all by then."""
    with suppress(AssertionError):  # what did not come to rest shows it
        wait_for(lambda: all(_at_rest(ground, one) for one in brought), seconds)
    return fates(ground, brought)


def _at_rest(ground: Ground, one: Brought) -> bool:
    rows = _drops(ground, one.ware)
    if one.client.leaves:
        return any(one.client.leaves in reason for _, _, reason, _ in rows)
    return bool(rows) and rows[-1][1] == "archived"


def _drops(ground: Ground, ware: Ware) -> list[tuple[int, str, str, str | None]]:
    """Every drop that was ever made of it: id, state, reason, SHA-256."""
    return ground.home.query("SELECT id, state, reason, sha256 FROM drops WHERE path = ? ORDER BY id", os.fsencode(ware.name))


def fates(ground: Ground, brought: Iterable[Brought]) -> list[Fate]:
    """What became of these films so far."""
    tasks: list[dict[str, Any]] = ground.sandbox.ledger()["tasks"]
    return [_fate(ground, one, tasks) for one in brought]


def _fate(ground: Ground, one: Brought, tasks: list[dict[str, Any]]) -> Fate:
    ware = one.ware
    rows = _drops(ground, ware)
    taken = ground.home.query(
        "SELECT at FROM events WHERE item = 'drop' AND old = 'waiting' AND new = 'settled'"
        " AND item_id IN (SELECT id FROM drops WHERE path = ?) ORDER BY id", os.fsencode(ware.name)
    )  # fmt: skip
    inputs = Counter(task["inputs"]["video_url"]["sha256"] for task in tasks)
    kept = _sha256(ground.home.root / "archive" / ware.name)
    _, state, reason, _ = rows[-1] if rows else (0, "not seen", "", None)
    return Fate(
        brought=one, drops=len(rows), state=state, reason=reason, taken=tuple(at for (at,) in taken), tasks=inputs[ware.sha256],
        whole=kept == ware.sha256, wrong=sum(sha256 not in {None, ware.sha256} for *_, sha256 in rows) + (kept not in {None, ware.sha256}),
    )


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def foreign(ground: Ground) -> list[str]:
    """What was uploaded or billed though nobody sent it: a film that was not whole yet."""
    ledger = ground.sandbox.ledger()
    seen = {upload["sha256"] for upload in ledger["uploads"]}
    seen |= {task["inputs"]["video_url"]["sha256"] for task in ledger["tasks"]}
    return sorted(seen - ground.sent)
