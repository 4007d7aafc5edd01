"""Somebody at a keyboard: what they do is drawn from streams of their own, done by a program of their own, and written down."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import closing, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from qavix_watch.core.grammar import is_order_shaped, read_order
from qavix_watch.core.layout import folders_down
from qavix_watch.core.options import parse_options
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import OrderError
from tests.simulation.gifts import Gift, Place, Possession, digest
from tests.simulation.kernel import Program
from tests.simulation.volumes import refusal
from tests.simulation.wares import DEADLY, Ware, has_salt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.order import Order
    from tests.simulation.gifts import Record
    from tests.simulation.volumes import Inode
    from tests.simulation.world import World

T = TypeVar("T")
OPTIONS = b"qavix.toml"
BREATHS = (0.5, 0.05, 2.0, 6.0, 15.0, 40.0)
IMPATIENCE_SECONDS = 0.2
LAZY = 4
"""Of so many files one is left to the mercy of the next power cut; the others are on the disk when their person lets go of them."""


class Person:
    """One of the people. Paths are absolute; what raises OSError came too late, or the disk is away or full."""

    def __init__(self, world: World, record: Record, name: str) -> None:
        self.world = world
        self.record = record
        self.name = name
        self.layout = world.layout
        self.program = Program(world.ground.kernel, name)

    # What they decide and say

    def pick(self, what: str, count: int) -> int:
        return self.world.pick(f"{self.name}: {what}", count)

    def one_of(self, what: str, things: Sequence[T]) -> T:
        return things[self.pick(what, len(things))]

    def now_and_then(self, what: str, every: int) -> bool:
        """Once in `every` times."""
        return self.pick(what, every) == every - 1

    def tell(self, what: str, *values: object) -> None:
        self.world.tell(self.name, what, *values)

    def count(self, name: str) -> None:
        self.world.counters.count(name)

    async def wait(self) -> None:
        """Nobody does two things at once."""
        await asyncio.sleep(self.one_of("waits", BREATHS))

    async def until_there(self) -> None:
        """Wait until the inbox is there, if it is away."""
        while not self.program.exists(self.layout.inbox):  # noqa: ASYNC110 - nobody tells people but their eyes
            await asyncio.sleep(IMPATIENCE_SECONDS)

    # What lies there

    def inode(self, path: bytes) -> Inode | None:
        """What a path leads to, without troubling anybody."""
        try:
            return self.program.kernel.find(path).inode
        except OSError:
            return None

    def content(self, path: bytes) -> bytes | None:
        """What is in a file; None where there is none."""
        inode = self.inode(path)
        return None if inode is None or inode.is_dir else bytes(inode.now.data)

    def lies(self, gift: Gift) -> bool:
        """Whether it is still where people left it, as they left it."""
        data = None if gift.removed else self.content(gift.path)
        return data is not None and len(data) == gift.size and digest(data) == gift.sha256

    def files_below(self, folder: bytes, *, hidden: bool = False) -> list[bytes]:
        """The paths of all files in a tree that people see; `hidden`: of the others as well."""
        inode = self.inode(folder)
        names = sorted(inode.names) if inode is not None else []
        found: list[bytes] = []
        for name in names:
            path = os.path.join(folder, name)
            if hidden or not name.startswith(b"."):
                found += self.files_below(path, hidden=hidden) if self._is_folder(path) else [path]
        return found

    def folders_in(self, folder: bytes) -> list[bytes]:
        """The folders in a folder that people see."""
        inode = self.inode(folder)
        paths = [os.path.join(folder, name) for name in sorted(inode.names if inode else ()) if not name.startswith(b".")]
        return [path for path in paths if self._is_folder(path)]

    def _is_folder(self, path: bytes) -> bool:
        inode = self.inode(path)
        return inode is not None and inode.is_dir

    def free_name(self, folder: bytes, stem: bytes, suffix: bytes) -> bytes:
        """A path in a folder at which nothing lies, and that nobody else has chosen."""
        for number in range(1, 1000):
            path = os.path.join(folder, stem + (b" %d" % number if number > 1 else b"") + suffix)
            if path not in self.record.names and not self.program.exists(path):
                self.record.names.add(path)
                return path
        raise AssertionError(f"{folder!r} is full of {stem!r}")

    # What they do

    def make_folder(self, path: bytes) -> None:
        """`mkdir -p`, below the media and nowhere else."""
        if not self.program.exists(self.layout.inbox):
            raise refusal(errno.ENOENT, self.layout.inbox)
        self.program.make_folders(path)

    def save(self, path: bytes, data: bytes) -> None:
        """Write a small file in one go, and make it durable; one that did not come whole is removed again."""
        self.make_folder(os.path.dirname(path))
        with closing(self.program.open_to_write(path, truncate=True)) as handle:
            try:
                handle.write(data)
                handle.sync()
            except OSError:
                self.program.unlink(path)
                raise
        self.keep_names(path)

    def own(self, path: bytes, data: bytes) -> None:
        """Put a file of their own somewhere, that has to stay as it is."""
        self.save(path, data)
        self.record.possessions[path] = Possession(digest(data))

    def keep_names(self, *paths: bytes) -> None:
        """Make durable what lies where, from each path up to the root."""
        for path in paths:
            while (path := os.path.dirname(path)) not in (b"/", b""):
                self.program.sync_folder(path)

    def keep(self, gift: Gift) -> None:
        """Have the disk keep a gift at its path, unless it was taken away in this very moment."""
        if self.now_and_then("lazy disk", LAZY) and not self.world.ground.remote:
            return
        with suppress(OSError):
            handle = self.program.open(gift.path)
            handle.sync()
            handle.close()
            self.keep_names(gift.path)
            gift.durable = True

    def put(self, path: bytes, ware: Ware) -> Gift:
        """Put a whole ware somewhere, in one go and for good."""
        self.save(path, ware.data)
        gift = self.give(path, ware)
        gift.durable = True
        return gift

    def move(self, gift: Gift, path: bytes, deed: str) -> None:
        """Move one file to a name that is free."""
        self.program.rename(gift.path, path, replace=False)
        old = gift.path
        self.relocate(gift, path, deed)
        self.keep_names(old, path)

    def move_folder(self, source: bytes, target: bytes) -> None:
        """Rename a folder in the inbox, with all that lies in it."""
        moved = [gift for gift in self.record.gifts if gift.path.startswith(source + b"/") and self.lies(gift)]
        self.program.rename(source, target, replace=False)
        self.tell("has renamed %s to %s", source, target)
        for gift in moved:
            self.relocate(gift, target + gift.path[len(source) :], "its folder was renamed")
        for path in [path for path in self.record.possessions if path.startswith(source + b"/")]:
            self.record.possessions[target + path[len(source) :]] = self.record.possessions.pop(path)
        self.keep_names(target)
        self.count("folder renamed")

    def delete(self, path: bytes) -> None:
        """Delete one file, whatever it is; what it held may be gone for good."""
        data = self.content(path)
        self.program.unlink(path)
        self.tell("has deleted %s", path)
        self.record.possessions.pop(path, None)
        if data is not None:
            self._deleted(path, digest(data))

    def _deleted(self, path: bytes, sha256: str) -> None:
        """A result is taken out of the outbox, or a gift is gone: the one of this path, or where it lies elsewhere any of this content."""
        self.record.taken.add(sha256)
        alike = [] if path.startswith(self.layout.outbox + b"/") else self.record.of_content(sha256)  # a result may have been brought, too
        for gift in [gift for gift in alike if gift.path == path] or alike:
            gift.removed = True
            gift.deeds.append(f"deleted at {path!r}")

    def delete_folder(self, folder: bytes) -> None:
        """`rm -r`, hidden files too. OSError where something came into it meanwhile, or went."""
        inode = self.inode(folder)
        for name in sorted(inode.names) if inode is not None else ():
            path = os.path.join(folder, name)
            self.delete_folder(path) if self._is_folder(path) else self.delete(path)
        self.program.rmdir(folder)

    # What they write down

    def asked_at(self, path: bytes) -> Place:
        """What the folders above a path in the inbox ask for, as they are now."""
        inside = path[len(self.layout.inbox) + 1 :]
        folder = self.layout.order_folder(inside)
        if folder is None:
            return Place(path, b"", None, self.world.now())
        levels = folders_down(folder, inside)
        names = tuple(os.path.basename(level) for level in levels)
        options = tuple(self.content(os.path.join(self.layout.in_inbox(level), OPTIONS)) for level in levels)
        return Place(path, self.layout.in_inbox(folder), _order(names, options), self.world.now())

    def give(self, path: bytes, ware: Ware, data: bytes | None = None, *, main: bool = True) -> Gift:
        """Write down what lies at a path now: a whole ware, or the `data` of it that has come."""
        lies = ware.data if data is None else data
        text = digest(Ware(ware.kind, lies, ware.shows).text.encode()) if ware.kind is MediaKind.TEXT else ""
        place = self.asked_at(path)
        gift = Gift(len(self.record.gifts) + 1, ware.kind, digest(lies), len(lies), [place], main, data is None, ware.shows, text=text)
        gift.deadly = has_salt(lies, DEADLY)
        gift.hindrance = self.record.cancelled.get(gift.sha256, self.record.cancelled.get(path, ""))
        self.record.gifts.append(gift)
        if gift.whole and gift.main and place.order is not None:
            self.count(f"one of each kind: {place.order.task}")
        self.tell("has brought %s (%s bytes of %s, gift %s)", path, gift.size, gift.kind, gift.number)
        return gift

    def relocate(self, gift: Gift, path: bytes, deed: str) -> None:
        """Write down that a gift lies elsewhere now."""
        gift.places.append(self.asked_at(path))
        gift.deeds.append(deed)
        gift.hindrance = gift.hindrance or self.record.cancelled.get(path, "")

    def overwritten(self, path: bytes) -> Gift | None:
        """The gift that will be lost if somebody writes over this path now."""
        gift = self.record.lying_at(path)
        return gift if gift is not None and self.lies(gift) else None

    def lying_below(self, folder: bytes) -> list[Gift]:
        """The gifts that lie in a folder or below it."""
        return [gift for gift in self.record.gifts if gift.path.startswith(folder + b"/") and self.lies(gift)]

    def mains(self) -> list[Gift]:
        """What orders were made of and still lies where people put it."""
        return [gift for gift in self.record.gifts if gift.main and self.lies(gift)]


@lru_cache(maxsize=4096)
def _order(names: tuple[bytes, ...], options: tuple[bytes | None, ...]) -> Order | None:
    """What folders of these names, with these qavix.toml, ask for; None where that is no order."""
    words = [name.decode("utf-8", "surrogateescape") for name in names]
    if any(is_order_shaped(word) for word in words[1:]):
        return None
    try:
        return read_order(words[0], [None if text is None else parse_options(text, OPTIONS.decode()) for text in options])
    except OrderError:
        return None
