"""The markers of the configured folders: which place is which, and whose it is just now."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from qavix_watch.config.layout import layout_of, marked_folders
from qavix_watch.errors import ConfigError, FileError, FileGone
from qavix_watch.fs.marker import MARKER_NAME, HeldMarker, hold_marker, read_marker

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qavix_watch.config import Settings
    from qavix_watch.core.layout import Layout


def place_of(settings: Settings) -> str:
    """The id in the marker that the inbox lies under, "" where there is none yet."""
    layout = layout_of(settings)
    marked = [folder for folder in marked_folders(settings) if layout.inbox == folder or layout.inbox.startswith(folder + b"/")]
    try:
        return read_marker(marked[-1]).id
    except FileError:
        return ""


def placed_layout(settings: Settings) -> Layout:
    """The folders of a configuration, with the place that the inbox lies in."""
    return layout_of(settings, place_of(settings))


@contextlib.contextmanager
def held_markers(settings: Settings, owner: str, but: Collection[bytes] = ()) -> Iterator[dict[bytes, HeldMarker]]:
    """Lock the marker of each configured folder, but of those named. ConfigError where one has none, or one of another state."""
    with contextlib.ExitStack() as stack:
        held: dict[bytes, HeldMarker] = {}
        for folder in marked_folders(settings):
            if folder in but:
                continue
            shown = os.fsdecode(folder)
            try:
                marker = stack.enter_context(hold_marker(folder))
            except FileGone:
                raise ConfigError(
                    f"{shown} has no marker ({os.fsdecode(MARKER_NAME)}): it was never prepared, or its disk or share is not there",
                    hint=f"Run `qavix-watch init {shown}`, or mount what belongs there.",
                ) from None
            if marker.marker.owner != owner:
                raise ConfigError(
                    f"{shown} belongs to another state ({marker.marker.owner_name or marker.marker.owner})",
                    hint=f"Run `qavix-watch init {shown}` to let it belong to this one.",
                )
            held[folder] = marker
        yield held
