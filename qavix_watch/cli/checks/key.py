"""The API key: where it comes from, and who else can read it. It is never shown."""

from __future__ import annotations

import os
import stat as modes
from typing import TYPE_CHECKING

from qavix_watch.cli.checks.case import group_name, quoted
from qavix_watch.cli.checks.finding import Finding, ok, problem, warning
from qavix_watch.config.api_key import CREDENTIAL, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case

_WHERE = f"Put it into {VARIABLE}, alone into a file that `api.key_file` names, or into the systemd credential {CREDENTIAL}."


def key(case: Case) -> Iterator[Finding]:
    """Whether there is one, and whether its file is for the service alone."""
    if case.key_error is not None:
        yield problem(f"{str(case.key_error).rstrip('.')}.", case.key_error.hint or _WHERE)
    elif case.key is None:
        yield problem("There is no API key; the service starts without one, and nothing is sent until it has one.", _WHERE)
    else:
        yield ok(f"It comes from {case.origin}.")
    if case.settings.api.key_file:
        yield from _file(case.settings.api.key_file, used="key_file" in case.origin or case.key_error is not None)


def _file(path: str, *, used: bool) -> Iterator[Finding]:
    try:
        status = os.stat(path)
    except OSError:
        return  # said already, where it is the one that is used
    mode = modes.S_IMODE(status.st_mode)
    mend = f"Type: {'' if status.st_uid == os.geteuid() else 'sudo '}chmod {'600' if mode & 0o007 else 'g-rwx'} {quoted(path)}"
    if not modes.S_ISREG(status.st_mode):
        yield problem(f"{path} is no regular file.", "Put the key alone into a text file.")
    elif mode & 0o006:
        yield problem(f"Every user of this machine can {_verb(mode)} {path} (its mode is {mode:04o}).", mend)
    elif mode & 0o060 and status.st_uid == os.geteuid() and status.st_gid != os.getegid():
        yield warning(f"The group {group_name(status.st_gid)} can {_verb(mode >> 3)} {path} (its mode is {mode:04o}).", mend)
    elif used:
        yield ok(f"{path} is for its owner alone (its mode is {mode:04o})." if not mode & 0o060 else _for_group(path, status, mode))


def _verb(mode: int) -> str:
    return "change" if mode & 0o002 else "read"


def _for_group(path: str, status: os.stat_result, mode: int) -> str:
    return f"{path} is for its owner and the group {group_name(status.st_gid)} alone (its mode is {mode:04o})."
