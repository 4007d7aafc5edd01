"""Rights and abilities: in each folder a file is really made, renamed and deleted."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from qavix_watch.cli.checks.case import group_name, group_number, me, path, quoted, user_name
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem, warning
from qavix_watch.core.ignore import rule_against
from qavix_watch.errors import FileError
from qavix_watch.fs.rename import LINK
from qavix_watch.fs.trial import try_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.fs.trial import Trial

_MOST_FOLDERS = 5
"""Of many folders with the same trouble so many are named."""
_CAP_LEASE = 28
_ABOVE = "See the folders above."
_USABLE = os.R_OK | os.W_OK | os.X_OK


def rights(case: Case) -> Iterator[Finding]:
    """What may be done in every folder, and what its filesystem can do."""
    yield from _who(case)
    yield from _group_known(case)
    trials: dict[bytes, Trial] = {}
    folders = _tried_in(case)
    if not folders:
        yield warning("Nothing could be tried: there are no folders.", _ABOVE)
    left = [folder for folder in folders if not case.is_ours(folder)]
    if left:
        yield warning(f"Not tried, because nothing is written where the marker is missing or not ours: {_named(left)}.", _ABOVE)
    for folder in (folder for folder in folders if folder not in left):
        try:
            trials[folder] = try_folder(folder, case.disk.adopt)
        except FileError as error:
            yield of_error(error)
            continue
        yield from _adopted(case, folder, trials[folder])
    if trials:
        yield ok(f"Files can be made, renamed and deleted in {_named(trials)}.")
    yield from _order_folders(case)
    yield from _abilities(case, trials)


def _named(folders: Iterable[bytes]) -> str:
    return ", ".join(map(path, folders))


def _tried_in(case: Case) -> list[bytes]:
    layout = case.layout
    folders = [*case.roots, layout.inbox, layout.outbox, layout.archive, layout.failed]
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def _who(case: Case) -> Iterator[Finding]:
    """What another user may do says little."""
    try:
        owner = os.stat(case.settings.state.path).st_uid
    except OSError:
        return
    if owner != os.geteuid():
        yield warning(
            f"This was asked as {me()}, and the state belongs to {user_name(owner)}: what follows holds for {me()} alone.",
            f"Type: sudo -u {user_name(owner)} qavix-watch check",
        )


def _group_known(case: Case) -> Iterator[Finding]:
    group = case.settings.deliver.group
    if group is None:
        return
    number = group_number(group)
    if number is None:
        yield problem(f"`deliver.group`: this host knows no group “{group}”.", f"Type: sudo groupadd {group}, or name another.")
    elif os.geteuid() != 0 and number not in {os.getegid(), *os.getgroups()}:
        yield problem(
            f"`deliver.group`: {me()} is not in the group {group_name(number)} and cannot give files to it.",
            f"Type: sudo usermod -aG {group_name(number)} {me()}, then log in anew or restart the service.",
        )


def _adopted(case: Case, folder: bytes, trial: Trial) -> Iterator[Finding]:
    """Whether what is made can be used by those who use the folder."""
    deliver, own = case.settings.deliver, os.stat(folder).st_gid
    wanted = own if deliver.group is None else group_number(deliver.group)
    if wanted is not None and trial.group != wanted and (deliver.group is None or os.geteuid() == 0):
        yield warning(
            f"What is made in {path(folder)} belongs to the group {group_name(trial.group)}, not to {group_name(wanted)}.",
            f"Type: sudo usermod -aG {group_name(wanted)} {me()}, then log in anew or restart the service.",
        )
    if deliver.mode is not None and trial.mode != deliver.mode:
        yield warning(
            f"`deliver.mode` is {deliver.mode:04o}, and the filesystem of {path(folder)} makes {trial.mode:04o} of it.",
            "Set it where the share is mounted (`file_mode=`, `umask=`), or take `deliver.mode` out.",
        )


def _order_folders(case: Case) -> Iterator[Finding]:
    """Originals are moved out of the folders that people make, which may belong to anybody."""
    if not case.is_ours(case.layout.inbox):
        return
    below = folders_below(case.layout.inbox, case.settings.watch.ignore)
    shut = [folder for folder in below if not os.access(folder, _USABLE)]
    for folder in shut[:_MOST_FOLDERS]:
        group = group_name(os.stat(folder).st_gid)
        yield problem(
            f"{me()} cannot read and rename in {path(folder)}: its files could not be taken, or not be put away.",
            f"Type: sudo chmod g+rwx {quoted(folder)}, and put {me()} into its group: sudo usermod -aG {group} {me()}",
        )
    if len(shut) > _MOST_FOLDERS:
        yield problem(f"It is the same in {len(shut) - _MOST_FOLDERS} folders more.", "Give the service's user the right to write there.")


def folders_below(inbox: bytes, patterns: tuple[str, ...]) -> list[bytes]:
    """Every folder below the inbox that is looked into."""
    found = []
    for here, names, _ in os.walk(inbox):
        names[:] = [name for name in names if rule_against(name, is_dir=True, patterns=patterns) is None]
        names[:] = [name for name in names if not os.path.islink(os.path.join(here, name))]
        found += [os.path.join(here, name) for name in names]
    return found


def _abilities(case: Case, trials: dict[bytes, Trial]) -> Iterator[Finding]:
    """One line for each filesystem."""
    by_disk: dict[str, list[bytes]] = defaultdict(list)
    for folder in trials:
        by_disk[case.disk.space(folder).filesystem].append(folder)
    for folders in by_disk.values():
        yield from _of_filesystem(case, folders[0], trials[folders[0]], _named(folders))
    if trials and os.geteuid() != 0 and not _has_lease_right():
        yield ok("Of other users' files the kernel does not tell who writes them (CAP_LEASE is missing): they wait `watch.settle_remote`.")


def _of_filesystem(case: Case, folder: bytes, trial: Trial, where: str) -> Iterator[Finding]:
    if trial.way == LINK:
        yield ok(f"{where}: a rename that cannot replace is done by link and unlink, which is as safe.")
    elif not trial.in_one_step:
        yield warning(
            f"{where}: the filesystem has no rename that cannot replace, nor hard links; names are taken by an empty file first.",
            "Let no other program write into the outbox at the same time.",
        )
    local = case.disk.is_local(folder)
    if not trial.lease and local:
        yield warning(f"{where}: the kernel does not tell who writes a file (leases); files wait `watch.settle_remote` instead.", _leases())
    if not trial.holes:
        text = f"{where}: the filesystem does not tell holes, by which a copy that has reserved its space is known"
        yield warning(f"{text}.", "Let people copy by a program that gives the name last, or raise `watch.settle`.") if local else ok(
            f"{text}; the quiet time (`watch.settle_remote`) has to do."
        )
    has = {"rename in one step": trial.in_one_step, "leases": trial.lease and local, "holes": trial.holes}
    able = [name for name, works in has.items() if works]
    if able:
        yield ok(f"{where}: the filesystem offers {', '.join(able)}.")


def _leases() -> str:
    try:
        with open("/proc/sys/fs/leases-enable", encoding="ascii") as file:
            off = file.read().strip() == "0"
    except OSError:
        off = False
    return "Type: sudo sysctl fs.leases-enable=1" if off else "Nothing is lost, files are only taken later."


def _has_lease_right() -> bool:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            rights = next(line for line in file if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return False
    return bool(int(rights.split()[1], 16) >> _CAP_LEASE & 1)
