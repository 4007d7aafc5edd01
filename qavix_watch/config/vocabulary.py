"""The names that a configuration may use as keys: operations of the service, and job words."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from qavix_watch.config.values import Endpoint, Structured, Texts
from qavix_watch.config.wrong import SettingError, UnknownKeyError
from qavix_watch.core.tasks import JOB_WORDS
from qavix_watch.core.words import Words as CoreWords
from qavix_watch.core.words import plain
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPERATIONS = (
    "get_balance", "usage_history", "pricing", "get_task", "list_tasks", "video_translation", "smart_eraser",
    "subtitle_translation", "face_swap", "lip_sync", "voice_clone", "text_to_speech", "list_voices", "get_upload_url",
    "confirm_upload", "refresh_url",
)  # fmt: skip
"""The operationIds of the API description, keys of `[api.paths]`."""


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that somebody who wrote `name` most likely meant; None where none is like it (1 is the same)."""
    names = {plain(word): word for word in known}
    match = get_close_matches(plain(name), names, n=1, cutoff=likeness)
    return names[match[0]] if match else None


def _operations(paths: Mapping[str, str]) -> dict[str, str]:
    for operation, path in paths.items():
        if operation not in OPERATIONS:
            raise UnknownKeyError(("api", "paths", operation), OPERATIONS)
        expected = ["{task_id}"] if operation == "get_task" else []
        if re.findall(r"\{[^}]*\}|[{}]", path) != expected:
            mend = "write {task_id} once, where the id belongs" if expected else "take out the braces"
            raise SettingError("has the wrong places for values", mend, ("api", "paths", operation))
    return dict(paths)


def _words(words: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for key, additions in words.items():
        name = plain(key)
        if name != "to" and name not in JOB_WORDS:
            raise UnknownKeyError(("words", key), ("to", *JOB_WORDS))
        result[name] = result.get(name, ()) + additions
        try:
            CoreWords(result)
        except OrderError as error:
            raise SettingError(str(error).rstrip("."), "choose another word", ("words", key)) from None
    return result


Paths = Annotated[dict[str, Endpoint], Structured, AfterValidator(_operations)]
Words = Annotated[dict[str, Texts], Structured, AfterValidator(_words)]
