"""`qavix-watch backup`: a consistent copy of the state, also while the service runs."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    Row = dict[str, Any]

QUIET_SECONDS = 2.0
_COMPANIONS = ("", "-wal", "-shm", "-journal", ".lock", ".sock")


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where the copy goes; any disk or network mount.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of an older backup, once it is whole.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy the state, while the service runs.

    The state is what was seen, sent, paid and delivered; media files are not in it. The copy is of one moment and is checked, and
    appears under its name only when it is whole. Only you can read it.

    Example: qavix-watch backup /mnt/nas/qavix-watch.db --replace
    """
    from qavix_watch.cli import context

    settings = context.settings(config)
    target = os.path.abspath(file)
    _refuse(target, settings.state.path, replace=replace)
    began = time.time()
    size = write_backup(settings.state.path, target, replace=replace)
    if as_json:
        context.print_json({"path": context.shown(target), "bytes": size, "at": began, "state": settings.state.path})
    else:
        _tell(target, size, settings.state.path)


def _refuse(target: str, state: str, *, replace: bool) -> None:
    """Names that a copy must not have. ConfigError, which is wrong use."""
    from qavix_watch.cli.context import shown
    from qavix_watch.errors import ConfigError, NameTaken

    if any(os.path.realpath(target) == os.path.realpath(state) + companion for companion in _COMPANIONS):
        raise ConfigError(f"{shown(target)} belongs to the state itself", hint="Name another file, best on another disk.")
    if os.path.isdir(target):
        raise ConfigError(f"{shown(target)} is a folder", hint=f"Name a file in it, for example {shown(target)}/qavix-watch.db")
    if os.path.lexists(target) and not replace:
        raise NameTaken(f"{shown(target)} is there already", hint="Name another file, or say --replace to put the new copy in its place.")


def write_backup(state: str, target: str, *, replace: bool) -> int:
    """Copy the state to `target` by way of a private name beside it; its size in bytes. NameTaken, FileError, StoreError."""
    from qavix_watch.fs.failures import mapped
    from qavix_watch.fs.rename import rename_new
    from qavix_watch.fs.streams import own_file, sync_folder
    from qavix_watch.store.backup import copy_state

    path = os.fsencode(target)
    private = os.path.join(os.path.dirname(path), b".qavix-backup-%d.tmp" % os.getpid())
    with _ended_tidily(), own_file(private) as fd:
        os.fchmod(fd, 0o600)
        with _progress() as told:
            copy_state(state, os.fsdecode(private), told)
        with mapped(private, "write"):
            os.fsync(fd)
            size = os.fstat(fd).st_size
        if not replace:
            rename_new(private, path)
            return size
        with mapped(path, "replace"):
            os.replace(private, path)
        sync_folder(os.path.dirname(path))
        return size


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """A SIGTERM, as of a timer that has waited long enough, leaves no half copy behind."""

    def end(*_: object) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar for people who have waited a while."""
    from qavix_watch.cli.context import err

    console, began = err(), time.monotonic()
    bar: list[Progress] = []

    def told(done: int, total: int) -> None:
        if not bar and console.is_terminal and time.monotonic() - began > QUIET_SECONDS:
            bar.append(_bar(console))
        for one in bar:
            one.update(one.task_ids[0], completed=done, total=total)

    try:
        yield told
    finally:
        for one in bar:
            one.stop()


def _bar(console: Any) -> Progress:
    from rich.progress import Progress

    bar = Progress(console=console, transient=True)
    bar.add_task("Copying the state", total=None)
    bar.start()
    return bar


def _tell(target: str, size: int, state: str) -> None:
    from qavix_watch.cli import amounts
    from qavix_watch.cli.context import shown

    old, new = shlex.quote(shown(state)), shlex.quote(shown(target))
    typer.echo(f"Wrote {shown(target)} ({amounts.size(size)}), checked")
    typer.echo("To restore it, stop the service, put it in the place of the state as the service's user, and start the service again:")
    typer.echo(f"  rm -f {old}-wal {old}-shm")
    typer.echo(f"  cp {new} {old}")
