"""What differs between two configurations, and whether a running service can go by the new one as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qavix_watch.config.settings import Settings

_NAMES = frozenset(
    f"deliver.{name}"
    for name in (
        "video_translation", "subtitle_translation", "smart_erasure", "face_swap", "lip_sync", "voice_clone", "text_to_speech", "min_free",
    )
)  # fmt: skip
_RULES = frozenset(
    f"watch.{name}"
    for name in ("settle", "settle_remote", "settle_folder", "rescan", "truncated_after", "extensions", "ignore")
)
LIVE = frozenset({
    "api.key_file", "api.paths", "folders.after", "words", "upload.rate", "upload.window", "follow", "retry", "budget", "log",
    *_NAMES, *_RULES,
})  # fmt: skip
"""Keys and sections that are looked up whenever they are needed. What is not here, the service is built from."""


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """The dotted keys that differ, at most two levels deep."""
    return sorted(_differing(old.model_dump(), new.model_dump()))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for section, value in new.items():
        before = old[section]
        if isinstance(value, dict) and section != "words":
            yield from (f"{section}.{key}" for key in value.keys() | before.keys() if value.get(key) != before.get(key))
        elif value != before:
            yield section


def all_live(keys: Iterable[str]) -> bool:
    """Whether a running service can take all of these as it is."""
    return all(key in LIVE or key.partition(".")[0] in LIVE for key in keys)
