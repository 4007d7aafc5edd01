"""What all checks go by: the configuration, the key, and what the state says."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.cli.status import is_running
from qavix_watch.config import read_key
from qavix_watch.config.layout import layout_of, marked_folders
from qavix_watch.errors import ConfigError, FileError, StateUnusable
from qavix_watch.fs.disk import Disk
from qavix_watch.fs.marker import read_marker
from qavix_watch.store.examine import examine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.config import Settings
    from qavix_watch.core.layout import Layout
    from qavix_watch.core.secret import Secret
    from qavix_watch.store.examine import Examined


@dataclass(frozen=True, slots=True)
class Case:
    """`key` and its `origin` in words, or `key_error`; `state`, or `state_error`, or neither where there is none yet.

    `running`: whether a service serves the state; None where it would be on another host.
    """

    settings: Settings
    environ: Mapping[str, str]
    key: Secret | None
    origin: str
    key_error: ConfigError | None
    state: Examined | None
    state_error: StateUnusable | None
    running: bool | None

    @property
    def layout(self) -> Layout:
        """The four folders."""
        return layout_of(self.settings)

    @property
    def roots(self) -> list[bytes]:
        """The folders that bear a marker."""
        return marked_folders(self.settings)

    def root_of(self, folder: bytes) -> bytes:
        """The marked folder that one of the four is, or lies in."""
        return next(root for root in reversed(self.roots) if folder == root or folder.startswith(root.rstrip(b"/") + b"/"))

    def is_ours(self, folder: bytes) -> bool:
        """Whether a folder lies in a marked one that is there and belongs to this state: only there anything may be written.

        A state that cannot be read cannot be asked; then the marker is enough.
        """
        try:
            marker = read_marker(self.root_of(folder))
        except FileError:
            return False
        return self.state_error is not None or (self.state is not None and marker.owner == self.state.id)

    @property
    def disk(self) -> Disk:
        """The disk as the service uses it; a group that this host does not know is left out, and said elsewhere."""
        return Disk(mode=self.settings.deliver.mode, group=group_number(self.settings.deliver.group))


def case_of(settings: Settings, environ: Mapping[str, str]) -> Case:
    """Look at key and state. Never fails: what is wrong with them is part of it."""
    key, origin, key_error, state, state_error = None, "", None, None, None
    try:
        found = read_key(settings, environ)
        key, origin = found or (None, "")
    except ConfigError as error:
        key_error = error
    try:
        state = examine(settings.state.path, settings.api.base_url, settings.api.account)
    except StateUnusable as error:
        state_error = error
    running = is_running(None if state is None else state.service)
    return Case(settings, environ, key, origin, key_error, state, state_error, running)


def group_number(group: str | int | None) -> int | None:
    """The number of a group; None where none is set, or this host does not know it."""
    import grp

    try:
        return grp.getgrnam(group).gr_gid if isinstance(group, str) else group
    except KeyError:
        return None


def user_name(number: int) -> str:
    """A user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """A group's name, or the number where it has none."""
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def me() -> str:
    """The user that this process runs as."""
    return user_name(os.geteuid())


def path(name: bytes | str) -> str:
    """A path for a person."""
    from qavix_watch.cli.context import shown

    return shown(os.fsdecode(name))


def quoted(name: bytes | str) -> str:
    """A path as a shell wants it typed."""
    import shlex

    return shlex.quote(path(name))
