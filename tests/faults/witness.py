"""Who looks at the outbox all the while: whatever bears a visible name there has to be whole from the first moment."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.faults.verdict import OUR_TEXTS, content_of

if TYPE_CHECKING:
    from types import TracebackType

EVERY_SECONDS = 0.02
REST = 4.0
"""Between two looks at many files lie so many times the seconds that the last one took: who is watched has work to do."""


class Witness(threading.Thread):
    """Reads each file of the outbox as soon as it shows. `seen`: path and content of each, as it was then."""

    def __init__(self, outbox: Path) -> None:
        super().__init__(name="witness", daemon=True)
        self.seen: set[tuple[str, str]] = set()
        self._outbox = outbox
        self._known: set[tuple[str, int, int]] = set()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look until the end."""
        pause = EVERY_SECONDS
        while not self._over.wait(pause):
            began = time.monotonic()
            for folder, folders, names in os.walk(self._outbox):
                folders[:] = [name for name in folders if not name.startswith(".")]
                for name in names:
                    if not name.startswith((".", *OUR_TEXTS)):
                        self._look(Path(folder, name))
            pause = max(EVERY_SECONDS, REST * (time.monotonic() - began))

    def _look(self, path: Path) -> None:
        name = str(path.relative_to(self._outbox))
        try:
            stat = path.stat()
            this = (name, stat.st_ino, stat.st_size)
            if this not in self._known:
                self.seen.add((name, content_of(path)))
                self._known.add(this)
        except OSError:
            return  # it went away, or the disk is one of those that fail
