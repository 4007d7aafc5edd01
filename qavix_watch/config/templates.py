"""Name templates for results, such as `{stem}.{target}{ext}`."""

from __future__ import annotations

from string import Formatter
from typing import Annotated

from pydantic import PlainValidator

from qavix_watch.config.values import text
from qavix_watch.config.wrong import SettingError

PLACEHOLDERS = ("stem", "source", "target", "ext")
"""What a template may hold: the original's stem, language tags ("" where the job has none), the ending with its dot."""

MEND = 'write it like "{stem}.{target}{ext}"'


def template(value: object) -> str:
    """A template that names a file, not a path, after its original."""
    found = text(value)
    names = _placeholders(found)
    unknown = [name for name in names if name not in PLACEHOLDERS]
    if unknown:
        raise SettingError(f"holds the unknown placeholder {{{unknown[0]}}}", f"the known ones are {_known()}")
    if "/" in found:
        raise SettingError("holds a slash", "a template names a file, not a folder")
    if not found.startswith("{stem}") and found[0] in ".~@#{":
        raise SettingError("may begin only with a letter, a digit or {stem}", MEND)
    if names.count("stem") != 1 or names.count("ext") != 1 or not found.endswith("{ext}"):
        raise SettingError("must hold {stem} once and end with {ext}", MEND)
    return found


def _placeholders(found: str) -> list[str]:
    try:
        parts = list(Formatter().parse(found))
    except ValueError:
        raise SettingError("has a brace without its partner", MEND) from None
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise SettingError("has more than a name in its braces", MEND)
    return [name for _, name, _, _ in parts if name is not None]


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


Template = Annotated[str, PlainValidator(template)]
