"""The sections of the configuration: every key with its type and its default, written as a user would write it.

PRODUCT.md section 10 is the list. A section that this version does not act on yet is read and checked all the same.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from qavix_watch.config.hosts import is_loopback
from qavix_watch.config.places import Place, normal, refuse_nesting
from qavix_watch.config.templates import Template  # noqa: TC001 - pydantic reads the annotation
from qavix_watch.config.values import (
    STRICT,
    Account,
    Address,
    Credits,
    Duration,
    Extensions,
    FilePath,
    LanUrl,
    Member,
    Mode,
    Networks,
    Parallel,
    Path,
    PathMap,
    Patterns,
    Period,
    Rate,
    ServiceUrl,
    Size,
    Structured,
    Text,
    Texts,
    Window,
    YesNo,
)
from qavix_watch.config.vocabulary import Paths  # noqa: TC001 - pydantic reads the annotation
from qavix_watch.config.wrong import SettingError
from qavix_watch.core.tasks import TaskType


def written(default: str | float) -> Any:
    """A default as a user would write it; it is read like a value that a user gave."""
    return Field(default=default)


class Section(BaseModel):
    """A table of the configuration."""

    model_config = STRICT


class Api(Section):
    """[api]: the service. `timeout` in seconds; `paths` by operationId, those that differ from the built-in ones."""

    base_url: ServiceUrl = "https://qavixi.com/qavix"
    account: Account = "default"
    key_file: FilePath | None = None
    ca_file: FilePath | None = None
    timeout: Period = written("30 s")
    paths: Paths = {}


class Folders(Section):
    """[folders]: absolute paths, once loaded; the four are relative to `root` where they are written so."""

    root: Path = "~/Qavix"
    inbox: Path = "inbox"
    outbox: Path = "outbox"
    archive: Path = "archive"
    failed: Path = "failed"
    after: Literal["archive", "keep", "delete"] = "archive"
    projects: YesNo = False

    @model_validator(mode="before")
    @classmethod
    def _below_root(cls, data: Any) -> Any:
        root = data.get("root") if isinstance(data, dict) else None
        if not isinstance(root, str):
            return data
        given = {name: data.get(name, name) for name in ("inbox", "outbox", "archive", "failed")}
        below = {name: normal(os.path.join(root, path)) for name, path in given.items() if _is_path(path)}
        return data | below

    @model_validator(mode="after")
    def _apart(self) -> Self:
        refuse_nesting(self.places())
        return self

    def places(self) -> list[Place]:
        """The watched folders, each with the key that names it."""
        return [
            Place("folders.inbox", self.inbox),
            Place("folders.outbox", self.outbox),
            Place("folders.archive", self.archive),
            Place("folders.failed", self.failed),
        ]


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


class Library(Section):
    """[[library]]: an existing tree in which every media file is a drop for the one order `job`."""

    path: Path
    job: Text
    exclude: Texts = ()
    results: Literal["beside", "outbox"] = "beside"
    package: YesNo = False
    language_tags: Literal["bcp47", "iso639-1", "iso639-2"] = "bcp47"


class MediaExtensions(Section):
    """Endings that are taken for media of a kind, in place of the built-in lists; None: the built-in list."""

    video: Extensions | None = None
    audio: Extensions | None = None
    image: Extensions | None = None


class Watch(Section):
    """[watch]: when a file is complete. All durations in seconds."""

    mode: Literal["auto", "events", "poll"] = "auto"
    settle: Duration = written(1)
    settle_remote: Duration = written(10)
    settle_folder: Duration = written(10)
    rescan: Period = written(60)
    truncated_after: Duration = written("1 h")
    extensions: Annotated[MediaExtensions, Structured] = MediaExtensions()
    ignore: Patterns = ()


class Upload(Section):
    """[upload]: `rate` in bytes a second for all uploads together; `window` in local time."""

    parallel: Parallel = 2
    rate: Rate | None = None
    window: Window | None = None


class Follow(Section):
    """[follow]: the shortest and the longest pause between two looks at a task, in seconds."""

    poll_min: Period = written("5 s")
    poll_max: Period = written("5 min")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.poll_min > self.poll_max:
            mend = "raise `follow.poll_max`, or lower this"
            raise SettingError("is longer than `follow.poll_max`", mend, ("follow", "poll_min"))
        return self


class Callback(Section):
    """[callback]: used where `public_url` is set."""

    public_url: ServiceUrl | None = None
    listen: Address = written("127.0.0.1:8421")


class Web(Section):
    """[web]: the page."""

    listen: Address = written("127.0.0.1:8420")
    password_file: FilePath | None = None
    trusted_proxies: Networks = ()

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.password_file is None and not is_loopback(self.listen.host):
            raise SettingError(
                "is open to other machines without a password",
                "set `web.password_file`, or listen on 127.0.0.1",
                ("web", "listen"),
            )
        return self


class Deliver(Section):
    """[deliver]: names, owner and rights of results. `min_free` in bytes; None: as PRODUCT and the folder have it."""

    video_translation: Template | None = None
    subtitle_translation: Template | None = None
    smart_erasure: Template | None = None
    face_swap: Template | None = None
    lip_sync: Template | None = None
    voice_clone: Template | None = None
    text_to_speech: Template | None = None
    mode: Mode | None = None
    owner: Member | None = None
    group: Member | None = None
    min_free: Size = written("1 GB")

    @property
    def templates(self) -> dict[str, str]:
        """The name templates that are set, by task type."""
        names = {task.value: getattr(self, task.value) for task in TaskType}
        return {task: name for task, name in names.items() if name is not None}


class Retry(Section):
    """[retry]: seconds without counting time under a brake."""

    give_up_after: Period = written("3 days")


class Budget(Section):
    """[budget]: credits; None: no limit. `approve_mass`: None is a fifth of the balance, 0 turns it off."""

    per_job: Credits | None = None
    per_day: Credits | None = None
    per_month: Credits | None = None
    approve_above: Credits | None = None
    approve_mass: Credits | None = None


class Notify(Section):
    """[notify]: Apprise URLs, which often hold secrets, and what is told."""

    urls: Texts = Field(default=(), repr=False)
    on: tuple[Literal["failed", "brake", "done"], ...] = ("failed", "brake", "done")


class MediaServer(Section):
    """[[media_server]]: told of results. `path_map` leads from our paths to the server's."""

    kind: Literal["jellyfin", "emby", "plex"]
    url: LanUrl
    token_file: FilePath | None = None
    path_map: PathMap = {}


class State(Section):
    """[state]: where it is kept. `url` is for several hosts on one account."""

    path: Path = "~/.local/state/qavix-watch/state.db"
    url: Text | None = Field(default=None, repr=False)


class Log(Section):
    """[log]: to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
