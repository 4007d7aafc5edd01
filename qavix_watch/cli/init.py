"""`qavix-watch init`: folders, markers and a commented configuration, without a question."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.config import Settings



def init(
    root: Annotated[str | None, typer.Argument(metavar="ROOT", help="The folder to watch; made if it is not there.")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="The configuration to use or to write.")] = None,
) -> None:
    """Make the folders, their markers, and a commented configuration.

    Example: qavix-watch init ~/Qavix
    """
    from qavix_watch.cli.context import say
    from qavix_watch.config import load
    from qavix_watch.errors import ConfigError

    environ = dict(os.environ)
    written = _configuration(root, config)
    if written is not None:
        environ["QAVIX_WATCH_CONFIG"] = written
        say(f"Wrote the configuration {written}")
    settings = load(config if written is None else written, environ)
    if root is not None and os.path.abspath(root) != os.path.abspath(settings.folders.root):
        raise ConfigError(
            f"the configuration {settings.source} is for {settings.folders.root}, not for {os.path.abspath(root)}",
            hint="Change `folders.root` there, or name another configuration with --config.",
        )
    prepare(settings, say)
    say(f"Drop files into folders in {settings.folders.inbox}, for example “dub en to es”.")
    say(_next_step(settings, environ))


def _configuration(root: str | None, config: str | None) -> str | None:
    """Write a commented configuration where there is none yet; gives its path."""
    from qavix_watch.config import example
    from qavix_watch.config.sources import find
    from qavix_watch.errors import ConfigError

    target = config or os.environ.get("QAVIX_WATCH_CONFIG")
    if target is None:
        if find(None, os.environ) is not None:
            return None
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        target = os.path.join(base, "qavix-watch", "qavix-watch.toml")
    target = os.path.abspath(target)
    if os.path.exists(target):
        return None
    text = example()
    if root is not None:
        chosen = os.path.abspath(root).replace("\\", "\\\\").replace('"', '\\"')
        text = re.sub(r"(?m)^#? ?root = .*$", lambda _: f'root = "{chosen}"', text, count=1)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "x", encoding="utf-8") as file:
            file.write(text)
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigError(f"the configuration {target} cannot be written: {error}", hint="Name another file with --config.") from error
    return target


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Folders and markers of a configuration. Errors: FileError, StateLocked where a running service has a folder."""
    import uuid

    from qavix_watch import app
    from qavix_watch.config.layout import layout_of, marked_folders
    from qavix_watch.errors import FileGone, FileUnreadable
    from qavix_watch.fs.disk import Disk
    from qavix_watch.fs.marker import Marker, create_marker, hold_marker, read_marker, set_aside_damaged

    disk = Disk()
    store = app.open_state(settings)
    try:
        for folder in marked_folders(settings):
            disk.make_folder(folder)
            try:
                marker = read_marker(folder)
            except FileGone:
                create_marker(folder, Marker(uuid.uuid4().hex, store.id, settings.state.path))
                say(f"Marked {os.fsdecode(folder)}")
                continue
            except FileUnreadable:
                if not set_aside_damaged(folder):
                    raise
                create_marker(folder, Marker(_known_place(settings, folder) or uuid.uuid4().hex, store.id, settings.state.path))
                say(f"Marked {os.fsdecode(folder)} anew; its damaged marker is called .qavix-watch.damaged now")
                continue
            if marker.owner != store.id:
                with hold_marker(folder) as held:
                    held.change_owner(store.id, settings.state.path)
                say(f"{os.fsdecode(folder)} belonged to another state ({marker.owner_name}) and belongs to this one now")
    finally:
        store.close()
    layout = layout_of(settings)
    for folder in (layout.inbox, layout.outbox, layout.archive, layout.failed):
        disk.make_folder(folder, layout.like_whom(folder))


def _known_place(settings: Settings, folder: bytes) -> str | None:
    """The id by which the state knows a folder: with it, what was dropped there goes on under the new marker."""
    from qavix_watch.store.examine import examine

    state = examine(settings.state.path, settings.api.base_url, settings.api.account)
    return next((place for place, (path, _) in state.places.items() if path == folder), None) if state is not None else None


def _next_step(settings: Settings, environ: dict[str, str]) -> str:
    from qavix_watch.config import read_key

    if read_key(settings, environ) is None:
        return (
            f"Put your API key into QAVIX_API_KEY, or into a file that `api.key_file` in {settings.source} names;"
            " then start the service with `qavix-watch run`."
        )
    return "Start the service with `qavix-watch run`."
