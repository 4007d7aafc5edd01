"""Putting originals away, interrupted: a disk that a test may step into, and the death of a process in the middle."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.fs.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.core.outcomes import Outcome
    from tests.support.world import World


class Killed(BaseException):
    """The process died here."""


class Disks(Disk):
    """The real disk, where a test may step in before an act, or have the process die before or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[], None]] = {}

    def _around(self, act: str, *arguments: Any, **how: Any) -> Any:
        self.before.pop(act, lambda: None)()
        found = getattr(Disk, act)(self, *arguments, **how)
        self.after.pop(act, lambda: None)()
        return found

    def at_third_name(self, act: Callable[[], None], *, when: str = "before") -> None:
        """Step in at the third name that is given, after the two of an original that is put away."""
        steps = getattr(self, when)
        steps["rename_new"] = lambda: steps.update(rename_new=lambda: steps.update(rename_new=act))

    def rename_new(self, source: bytes, target: bytes) -> None:
        self._around("rename_new", source, target)

    def remove(self, path: bytes, *, durable: bool = False) -> None:
        self._around("remove", path, durable=durable)

    def copy(self, source: bytes, temporary: bytes, meter: Any) -> str:
        found: str = self._around("copy", source, temporary, meter)
        return found


def die() -> None:
    raise Killed


def settled_under(world: World, after: str) -> None:
    """As if what is there had settled under this setting."""
    world.with_layout(after=after)
    world.act(lambda tx: tx.work._connection.execute("UPDATE drops SET after = ?", (after,)))


def again(world: World) -> Outcome:
    """A new process takes over what a dead one had in hand."""
    world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    return world.step("archive")


def killed(world: World) -> None:
    """The archiving begins, and the process dies in the middle."""
    piece = world.claim("archive")
    assert piece is not None
    with pytest.raises(Killed):
        world.run(piece.lane.stage(world.ports, world.rules, piece))


def sweep(world: World) -> None:
    """The duty, as the next start finds it due."""
    world.act(lambda tx: (tx.house.duty("sweep", 0.0), tx.house.hurry("sweep", 0.0)))
    world.step("sweep")


def litter(world: World) -> list[str]:
    return [str(path) for path in world.root.rglob(".qavix-*") if path.name != ".qavix-watch"]


@contextmanager
def mounted(folder: Path, size: str = "64m") -> Iterator[None]:
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("only root may mount another filesystem")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
