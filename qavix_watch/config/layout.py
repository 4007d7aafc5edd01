"""From the configuration to what the stages go by: folders as the kernel knows them, rules as plain values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.core.ignore import Extensions
from qavix_watch.core.layout import Layout
from qavix_watch.core.money import Budget
from qavix_watch.core.rules import Rules
from qavix_watch.core.words import Words

if TYPE_CHECKING:
    from qavix_watch.config.settings import Settings


def absolute(path: str) -> bytes:
    """A configured path as the bytes that the kernel knows it by."""
    return os.path.abspath(os.fsencode(path))


def layout_of(settings: Settings, place: str = "") -> Layout:
    """The folders of a configuration."""
    folders = settings.folders
    return Layout(
        place=place,
        inbox=absolute(folders.inbox),
        outbox=absolute(folders.outbox),
        archive=absolute(folders.archive),
        failed=absolute(folders.failed),
        projects=folders.projects,
        after=folders.after,
        root=absolute(folders.root),
    )


def marked_folders(settings: Settings) -> list[bytes]:
    """The folders that bear a marker: the root, and each folder that a person configured elsewhere."""
    root = absolute(settings.folders.root)
    layout = layout_of(settings)
    others = [layout.inbox, layout.outbox, layout.archive, layout.failed]
    return [root, *(folder for folder in others if not folder.startswith(root + b"/") and folder != root)]


def rules_of(settings: Settings, layout: Layout) -> Rules:
    """What the stages go by."""
    watch = settings.watch
    plain = Extensions()
    public = settings.callback.public_url
    return Rules(
        layout=layout,
        account=f"{settings.api.base_url} {settings.api.account}",
        words=Words(settings.words),
        extensions=Extensions(
            *(
                plain_set if chosen is None else frozenset(chosen)
                for plain_set, chosen in (
                    (plain.video, watch.extensions.video),
                    (plain.audio, watch.extensions.audio),
                    (plain.image, watch.extensions.image),
                )
            )
        ),
        ignore=tuple(watch.ignore),
        settle_seconds=watch.settle,
        settle_remote_seconds=watch.settle_remote,
        settle_folder_seconds=watch.settle_folder,
        rescan_seconds=watch.rescan,
        truncated_after_seconds=watch.truncated_after,
        poll_min_seconds=settings.follow.poll_min,
        poll_max_seconds=settings.follow.poll_max,
        give_up_after_seconds=settings.retry.give_up_after,
        min_free_bytes=settings.deliver.min_free,
        window_minutes=None if settings.upload.window is None else (settings.upload.window.start, settings.upload.window.end),
        templates=settings.deliver.templates,
        callback_url=None if public is None else public.rstrip("/"),
        budget=Budget(**settings.budget.model_dump()),
    )
