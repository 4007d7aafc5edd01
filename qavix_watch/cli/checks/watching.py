"""Whether folders can be watched by events: the kernel's limits against how many folders there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.cli.checks.finding import Finding, ok, warning
from qavix_watch.cli.checks.rights import folders_below
from qavix_watch.core.ignore import rule_against
from qavix_watch.fs.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case

WATCHES, INSTANCES = 1_048_576, 1024
_FILE = "/etc/sysctl.d/60-qavix-watch.conf"
_LIMITS = {
    "max_user_watches": ("/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches"),
    "max_user_instances": ("/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances"),
}


def watching(case: Case) -> Iterator[Finding]:
    """Really tried where no service runs; else what the service met, so that the trial takes nothing away from it."""
    settings, inbox = case.settings, case.layout.inbox
    if settings.watch.mode == "poll":
        yield ok('Folders are scanned and not watched, as `watch.mode = "poll"` says.')
        return
    if not os.path.isdir(inbox):
        yield warning("The inbox is not there, and watching it was not tried.", "See the folders above.")
        return
    needed = 1 + len(folders_below(inbox, settings.watch.ignore))
    watches, instances = limit("max_user_watches"), limit("max_user_instances")
    said = f"{needed} {'folder' if needed == 1 else 'folders'} to watch; this user may have {watches} watches and {instances} instances"
    trouble = _trouble_of(case) if case.running else _tried(case)
    if trouble:
        yield warning(f"{said}. {trouble}", "" if "sysctl" not in trouble else mend("instances" in trouble))
    elif watches is not None and needed * 2 > watches:
        yield warning(f"{said}: the service would use more than half of them.", mend())
    else:
        yield ok(f"{said}.")


def limit(name: str) -> int | None:
    """The lower of the kernel's limit for everybody and the one of this user namespace; None where neither is told."""
    found = []
    for path in _LIMITS[name]:
        try:
            with open(path, encoding="ascii") as file:
                found.append(int(file.read()))
        except (OSError, ValueError):
            continue
    return min(found, default=None)


def mend(of_instances: bool = False) -> str:
    """What to type, for good."""
    line = f"fs.inotify.max_user_instances = {INSTANCES}" if of_instances else f"fs.inotify.max_user_watches = {WATCHES}"
    return f"Write the line “{line}” into {_FILE}, type: sudo sysctl --system, and restart the service."


def _trouble_of(case: Case) -> str:
    """What the running service met."""
    troubles = () if case.state is None else case.state.troubles
    return next((str(row["text"]) for row in troubles if row["name"] == "watch"), "")


def _tried(case: Case) -> str:
    """Watch the inbox for a moment; "" where everything in it could be watched."""
    ignored = case.settings.watch.ignore
    watcher = Watcher(lambda _: None, lambda _: None, lambda name: rule_against(name, is_dir=True, patterns=ignored) is not None)
    try:
        watcher.add_root(case.layout.inbox)
        return watcher.trouble
    finally:
        watcher.stop()
