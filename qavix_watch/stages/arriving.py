"""Folders that are still being copied: their files wait until nothing below them has changed for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import folders_above

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.rules import Rules
    from qavix_watch.stages.scan import Seen

NANOSECONDS = 1e9


class Arriving:
    """The folders of one inbox that came while we looked on, or shortly before, and when each was last seen to change."""

    def __init__(self, rules: Rules) -> None:
        self._calm = rules.settle_folder_seconds
        self._folders: set[bytes] = set()
        self._changed: dict[bytes, float] = {}
        self._strangers: dict[bytes, tuple[int, int, int]] = {}

    def __bool__(self) -> bool:
        """Whether any folder is still arriving."""
        return bool(self._changed)

    def go_by(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self._calm = rules.settle_folder_seconds

    def is_folder(self, path: bytes) -> bool:
        """Whether a folder was ever seen at this path."""
        return path in self._folders

    def notice(self, seen: Seen, recorded: Callable[[bytes], tuple[int, int, int] | None], now: float, wall: float) -> None:
        """Take in a look: a folder that is new is still arriving, a change below one keeps it so.

        `recorded` gives the stat that the state has of a path; `wall` is now in seconds since 1970, as folders are dated.
        """
        for path, stat in seen.folders.items():
            if path not in self._folders:
                self._folders.add(path)
                if wall - stat.mtime_ns / NANOSECONDS < self._calm:
                    self._changed[path] = now
        if self._changed:
            self._notice_changes(seen, recorded, now)
        self._changed = {path: at for path, at in self._changed.items() if 0 <= now - at < self._calm}
        if not self._changed:
            self._strangers.clear()

    def _notice_changes(self, seen: Seen, recorded: Callable[[bytes], tuple[int, int, int] | None], now: float) -> None:
        for path, stat in seen.files.items():
            if stat.version == (recorded(path) or self._strangers.get(path)):
                continue
            self._strangers[path] = stat.version
            for level in self._above(path):
                self._changed[level] = now

    def not_before(self, path: bytes) -> float:
        """When a file may be judged at the earliest; 0.0 where no folder above it is still arriving."""
        return max((self.until(level) for level in self._above(path)), default=0.0)

    def until(self, folder: bytes) -> float:
        """When a folder that is still arriving will have, if nothing changes any more."""
        return self._changed[folder] + self._calm

    def above(self, seen: Seen) -> set[bytes]:
        """The folders above the files of a look that are still arriving."""
        return {level for path in seen.files for level in self._above(path)}

    def _above(self, path: bytes) -> list[bytes]:
        return [level for level in folders_above(path) if level in self._changed]
