"""A result that grows: it fills the room that there is on its disk, and never what has to stay free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.naming import display
from qavix_watch.errors import NoSpace, ResultBroken

if TYPE_CHECKING:
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports, Sink

LOOK_BYTES = 4 * 1024 * 1024
"""So much is written between two looks at the room that is left."""


class TooLarge(NoSpace):
    """What is announced has no room here; other results may have."""


@dataclass
class Filling:
    """A Sink in front of `sink`, in a folder of which `min_free_bytes` have to stay free. `announced`: how long the whole is to be; of
    what does not say that nobody knows whether it ever ends: where it has filled the room it is emptied, and broken.
    """

    ports: Ports
    rules: Rules
    folder: bytes
    sink: Sink
    announced: int | None
    _unlooked: int = 0

    def begin(self, size: int | None) -> None:
        """It begins anew, and is to have so many bytes (None: it does not say). TooLarge where there is no room for them."""
        self.announced = size
        if size is not None and size > self._spare():
            raise TooLarge(f"it has {size} bytes, and there is too little free space in {display(self.folder)}")

    def size(self) -> int:
        """As Sink."""
        return self.sink.size()

    def write(self, data: bytes) -> None:
        """As Sink; also ResultBroken where it does not say how long it is, and there is no room left."""
        self._unlooked += len(data)
        try:
            if self._unlooked >= LOOK_BYTES:
                self._unlooked = 0
                self._look()
            self.sink.write(data)
        except NoSpace:
            if self.announced is not None:
                raise
            size = self.sink.size()
            self.sink.restart()
            raise ResultBroken(f"it does not say how long it is, and has filled the room that there is ({size} bytes)") from None

    def restart(self) -> None:
        """As Sink."""
        self.sink.restart()

    def sync(self) -> None:
        """As Sink."""
        self.sink.sync()

    def close(self) -> None:
        """As Sink."""
        self.sink.close()

    def _look(self) -> None:
        if self._spare() < 0:
            raise NoSpace(f"there is too little free space for results in {display(self.folder)}")

    def _spare(self) -> int:
        return self.ports.files.space(self.folder).for_a_file - self.rules.min_free_bytes
