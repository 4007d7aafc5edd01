"""The state: where it lies, whether it is whole, whose it is, and who serves it."""

from __future__ import annotations

import os
import stat as modes
from typing import TYPE_CHECKING

from qavix_watch.cli.checks.case import me, quoted, user_name
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem, warning
from qavix_watch.config.layout import absolute
from qavix_watch.errors import FileError
from qavix_watch.fs.lock import holder
from qavix_watch.fs.mounts import standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case


def state(case: Case) -> Iterator[Finding]:
    """Everything about the file that knows what was paid for."""
    path = case.settings.state.path
    yield from _place(case, path)
    if case.state_error is not None:
        yield of_error(case.state_error)
    elif case.state is None:
        yield problem(f"There is no state at {path} yet.", f"Type: qavix-watch init {quoted(case.settings.folders.root)}")
    else:
        yield ok(f"{path} is whole{', and is brought up to date by the next start' if case.state.outdated else ''}.")
        yield from _rights(path)
    yield from _service(case, path)
    if case.state is not None:
        for brake in case.state.brakes:
            yield warning(f"Work stands still ({brake['name']}): {brake['why'].rstrip('.')}.", brake["hint"])
        for trouble in case.state.troubles:
            if trouble["name"] != "watch":  # it has a group of its own
                yield warning(trouble["text"])


def _place(case: Case, path: str) -> Iterator[Finding]:
    folder = standing(os.path.dirname(absolute(path)))
    try:
        local = case.disk.is_local(folder)
    except FileError as error:
        yield of_error(error)
        return
    if not local:
        yield problem(f"{path} lies on a network mount, where SQLite is not safe; it is refused.", "Name a local file with `state.path`.")


def _rights(path: str) -> Iterator[Finding]:
    """The state holds callback tokens and signed addresses, and the service alone writes it."""
    file, folder = os.stat(path), os.stat(os.path.dirname(os.path.abspath(path)))
    if file.st_uid != os.geteuid() and os.geteuid() != 0:
        yield warning(
            f"It belongs to {user_name(file.st_uid)}, and this is {me()}: commands that change something are refused.",
            f"Type: sudo -u {user_name(file.st_uid)} qavix-watch …",
        )
    elif not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        yield problem(f"{me()} may not write {path}, or into its folder.", f"Type: sudo chown -R {me()} {quoted(os.path.dirname(path))}")
    for who, exposed in (("Every user of this machine", 0o004), ("The group", 0o040)):
        if file.st_mode & exposed and folder.st_mode & exposed >> 2:
            mode = modes.S_IMODE(folder.st_mode)
            yield warning(
                f"{who} can read the state, which holds secrets for a while (its folder's mode is {mode:04o}).",
                f"Type: chmod 700 {quoted(os.path.dirname(path))}",
            )
            return


def _service(case: Case, path: str) -> Iterator[Finding]:
    who = holder(absolute(path) + b".lock")
    service = None if case.state is None else case.state.service
    if who:
        ready = "" if service is None or service["ready"] else "; it is still starting"
        yield ok(f"The service runs ({who}){ready}.")
    elif case.running is None and service is not None:
        yield warning(f"The service runs on {service['node']}, or did when this state was last written.", "Ask there.")
    elif service is not None:
        yield warning("The service does not run; it ended without saying so.", "Type: qavix-watch run, or start its unit.")
    elif case.state_error is None:
        yield ok("The service does not run.")
