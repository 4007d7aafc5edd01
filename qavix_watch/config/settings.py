"""The whole configuration as one frozen value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import PrivateAttr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from qavix_watch.config.places import Place, refuse_inside, refuse_nesting
from qavix_watch.config.sections import (
    Api,
    Budget,
    Callback,
    Deliver,
    Folders,
    Follow,
    Library,
    Log,
    MediaServer,
    Notify,
    Retry,
    State,
    Upload,
    Watch,
    Web,
)
from qavix_watch.config.values import Structured
from qavix_watch.config.vocabulary import Words  # noqa: TC001 - pydantic reads the annotation
from qavix_watch.config.wrong import SettingError
from qavix_watch.core.words import Words as CoreWords
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_YET = frozenset({"library", "web", "notify", "media_server", "state.url", "deliver.owner"})
"""Sections and dotted keys that are read and checked, and that this version does not act on yet."""


class Settings(BaseSettings):
    """Every key that PRODUCT.md section 10 knows, checked. Durations are in seconds, sizes in bytes, paths absolute."""

    model_config = SettingsConfigDict(
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="QAVIX_WATCH_",
        env_nested_delimiter="__",
    )

    api: Annotated[Api, Structured] = Api()
    folders: Annotated[Folders, Structured] = Folders()
    words: Words = {}
    library: Annotated[tuple[Library, ...], Structured] = ()
    watch: Annotated[Watch, Structured] = Watch()
    upload: Annotated[Upload, Structured] = Upload()
    follow: Annotated[Follow, Structured] = Follow()
    callback: Annotated[Callback, Structured] = Callback()
    web: Annotated[Web, Structured] = Web()
    deliver: Annotated[Deliver, Structured] = Deliver()
    retry: Annotated[Retry, Structured] = Retry()
    budget: Annotated[Budget, Structured] = Budget()
    notify: Annotated[Notify, Structured] = Notify()
    media_server: Annotated[tuple[MediaServer, ...], Structured] = ()
    state: Annotated[State, Structured] = State()
    log: Annotated[Log, Structured] = Log()

    _source: str | None = PrivateAttr(default=None)
    _without_effect: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _apart(self) -> Self:
        libraries = [Place("library.path", library.path) for library in self.library]
        watched = [*self.folders.places(), *libraries]
        refuse_nesting([Place("folders.root", self.folders.root), *libraries])
        refuse_nesting(watched)
        refuse_inside(Place("state.path", self.state.path), watched)
        return self

    @model_validator(mode="after")
    def _libraries_have_orders(self) -> Self:
        if self.library:
            from qavix_watch.core.grammar import parse  # noqa: PLC0415 - languages are slow to load, and few have libraries

            for library in self.library:
                try:
                    parse(library.job, CoreWords(self.words))
                except OrderError as error:
                    mend = f"did you mean `{error.suggestion}`?" if error.suggestion else error.hint
                    raise SettingError(f"“{library.job}” is no order: {str(error).rstrip('.')}", mend, ("library", "job")) from None
        return self

    def noting(self, source: str | None, keys_set: Iterable[str]) -> Self:
        """The same settings, knowing the file and the dotted keys that they were read from."""
        self._source = source
        self._without_effect = tuple(key for key in keys_set if key in NOT_YET or key.partition(".")[0] in NOT_YET)
        return self

    @property
    def source(self) -> str | None:
        """The file that was read; None where there was none."""
        return self._source

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Dotted keys that are set and that this version does not act on yet."""
        return self._without_effect
