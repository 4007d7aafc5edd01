"""How a file of people's comes in: by every kind of client, fast or slowly, whole or until the client dies.

People stay within what is promised (PRODUCT §3): where neither lease, hole nor container can show that a file still grows, nobody makes a
pause in it that is as long as a settling time.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import closing
from typing import TYPE_CHECKING

from tests.simulation.gifts import digest
from tests.simulation.volumes import PAGE, refusal
from tests.simulation.wares import HEAD_BYTES
from tests.simulation.writers import WAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.gifts import Gift
    from tests.simulation.person import Person
    from tests.simulation.volumes import Inode
    from tests.simulation.wares import Ware

CLIENTS = ("plain", "explorer", "finder", "rsync", "dav", "partial")
ATOMIC = ("rsync", "partial")
"""Clients whose file appears under its name whole, at once."""
CLIENTS_DIE = 8
"""Of so many one dies."""
STEADY = (0.01, 0.3, 0.8)
"""Pauses as parts of the time for which a file has to be quiet."""
SLOW = (0.01, 0.3, 2.5, 9.0, 20.0)
"""Pauses in seconds, where it is to be seen that more will come."""


class Bring:
    """One file on its way. `main` as of a gift; `once_whole` is called with the gift as soon as all of it lies there."""

    def __init__(
        self, person: Person, path: bytes, ware: Ware, *, may_die: bool = False, main: bool = True,
        once_whole: Callable[[Gift], None] = lambda _: None,
    ) -> None:
        self.person = person
        self.path = path
        self.ware = ware
        self.main = main
        self.once_whole = once_whole
        self.remote = person.world.ground.remote
        over = self.remote and person.program.exists(path)  # nobody could see that it is open: such a file is replaced in one go
        self.way = person.one_of("client", ATOMIC if over else CLIENTS)
        self.chunk = self._chunk()
        dies = may_die and person.now_and_then("client dies", CLIENTS_DIE)
        self.dies_after = person.pick("dies after", -(-len(ware.data) // self.chunk)) if dies else None
        self.pause = self._pause()
        self._is_cut_off = False
        self._victim: Victim | None = None
        self._seen: Inode | None = None
        self._gift: Gift | None = None

    def _chunk(self) -> int:
        size = len(self.ware.data)
        if self.person.pick("pieces", 2) == 0:
            return size
        return PAGE if self.way == "explorer" else max(HEAD_BYTES, size // 3)

    def _pause(self) -> float:
        rules = self.person.world.rules
        is_seen = self.ware.shows or self.way in (*ATOMIC, "explorer") or (self.way != "finder" and not self.remote)
        if is_seen:
            return self.person.one_of("slow", SLOW)
        quiet = rules.settle_remote_seconds if self.remote else rules.settle_seconds
        return self.person.one_of("steady", STEADY) * quiet / (2 if self.way == "finder" else 1)  # that pauses with it closed and open

    async def run(self) -> Gift | None:
        """Let it come. Gives what people think lies there in the end; None where that is nothing."""
        self.person.make_folder(os.path.dirname(self.path))
        if self.person.record.is_busy(self.path):
            raise refusal(errno.EBUSY, self.path)  # two at once would be nobody's file
        self._victim = Victim(self.person, self.path)
        self.person.record.under_way.append(self)
        try:
            await self._come()
        except OSError as error:
            self.person.tell("cannot go on with %s: %s", self.path, error)
        await self.person.until_there()  # what has come of it is not to be seen before
        self.person.record.under_way.remove(self)
        if not self._is_cut_off:
            self._end()
        return self._gift

    async def _come(self) -> None:
        self.person.tell("brings %s by %s, a piece of %s bytes every %s s", self.path, self.way, self.chunk, self.pause)
        with closing(WAYS[self.way](self.person.program, self.path, self.ware.data, chunk=self.chunk, dies_after=self.dies_after)) as acts:
            for _ in acts:
                self._look()
                await asyncio.sleep(self.pause)
                if self._is_cut_off:
                    raise refusal(errno.EIO, self.path)
        self._look()
        if self.dies_after is not None:
            self.person.count("client died")
            self.person.tell("loses the connection, with %s pieces of %s", self.dies_after, self.path)

    def is_at(self, path: bytes) -> bool:
        """Whether it comes to this path, or what it writes to lies there by now."""
        inode = self.person.inode(path)
        written = (self._seen, self._victim.inode if self._victim is not None else None)
        return path == self.path or (inode is not None and any(inode is one for one in written))

    def cut_off(self) -> None:
        """The power went, or the disk was pulled and is back: what lies there will not become more."""
        self._is_cut_off = True
        self._end()

    def _end(self) -> None:
        """Write down what has come of it."""
        self._look()
        if self._gift is not None:
            self.person.keep(self._gift)
        elif self._seen is not None:
            self._broken_off(self._where())

    def _where(self) -> bytes:
        """Where it lies by now: somebody may have renamed its folder."""
        if self._seen is None or self.person.inode(self.path) is self._seen:
            return self.path
        found = (path for path in self.person.files_below(self.person.layout.inbox) if self.person.inode(path) is self._seen)
        return next(found, self.path)

    def _look(self) -> None:
        """What lies there whole is a gift from then on, even if its client has still to close it."""
        if self._victim is not None:
            self._seen = self._victim.look() or self._seen
        if self._victim is None or not self._victim.lies_at(self.path, self.person):
            self._seen = self.person.inode(self.path) or self._seen
        if self._gift is None and self.person.content(path := self._where()) == self.ware.data:
            self._gift = self.person.give(path, self.ware, main=self.main)
            self.once_whole(self._gift)

    def _broken_off(self, path: bytes) -> None:
        """What is left of it. Where nobody can tell it from the whole, it may be taken for that."""
        left = self.person.content(path)
        if left is not None:
            if not self.ware.shows:
                self.person.record.readable.add(digest(left))
            self._gift = self.person.give(path, self.ware, left, main=self.main)
            self._gift.whole = left == self.ware.data
            self.once_whole(self._gift)  # as far as it ever will be: what lies beside it may be taken with it


class Victim:
    """What lies at a path that somebody brings something to: lost, once that is written over it."""

    def __init__(self, person: Person, path: bytes) -> None:
        self._gift = person.overwritten(path)
        self.inode = person.inode(path)
        self._data = person.content(path)

    def look(self) -> Inode | None:
        """Write down whether it is lost by now; gives what it was written over in, if that is itself, wherever its folder is by now."""
        gift, inode = self._gift, self.inode
        if gift is None or inode is None or (inode.linked and inode.now.data == self._data):
            return None
        gift.removed = True
        gift.deeds.append("written over")
        self._gift = None
        return inode if inode.linked else None

    def lies_at(self, path: bytes, person: Person) -> bool:
        """Whether it is still what lies there."""
        return self._gift is not None and person.inode(path) is self.inode
