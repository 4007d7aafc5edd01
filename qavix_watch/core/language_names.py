"""Names of languages, exactly as CLDR's lists hold them: in English, or in the language itself."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from qavix_watch.core.locales import OTHER_NAMES, REGION_NAMES

_NAME_AND_PLACE = re.compile(r"([^(),]+)\(([^(),]+)\)")


def tag_of_name(text: str) -> str | None:
    """The tag, not yet canonical, of the language named by the whole of `text`, else None.

    `langcodes.find` takes what begins like a name ("german movie"); here every word counts.
    """
    if "(" in text or ")" in text:
        parts = _NAME_AND_PLACE.fullmatch(text)
        return (_named(_key(text)) or _with_place(_key(parts[1]), _key(parts[2]))) if parts else None
    return None if "," in text or text.startswith(("-", "_")) or text.endswith(("-", "_")) else _named(_key(text))


def tag_of_name_in_any_language(text: str) -> str | None:
    """The tag of that name in whichever language: good enough to ask "did you mean", not to act on."""
    return _entry("und", "language", _key(text))


def _named(key: str) -> str | None:
    if key in OTHER_NAMES:
        return OTHER_NAMES[key]
    if len(key) < 3 and key.isascii():  # "A", "En", "Hu" are names of languages, and never meant
        return None
    tag = _entry("en", "language", key)
    if tag is not None:
        return tag
    tag = _entry("und", "language", key)
    return tag if tag is not None and _entry(tag.partition("-")[0], "language", key) == tag else None


def _with_place(name: str, place: str) -> str | None:
    """`Portuguese (Brazil)`, `português (Brasil)`, `Chinese (Simplified)`."""
    base = _named(name)
    if base is None or "-" in base:
        return None
    codes = (_entry(lang, category, place) for lang in ("en", base) for category in ("territory", "script"))
    code = next((code for code in codes if code is not None), REGION_NAMES.get(place))
    return f"{base}-{code}" if code else None


def _key(text: str) -> str:
    """How the lists write it: case folded, single spaces, no hyphens or parentheses."""
    from language_data.names import normalize_name  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy

    return " ".join(str(normalize_name(text.replace("_", " "))).split())


def _entry(language: str, category: str, key: str) -> str | None:
    if not key.replace("\u200c", "").replace("\u200d", "").isprintable():  # marisa_trie cannot bear NUL or surrogates
        return None
    trie = _names(language, category)
    found = trie.get(key) if trie is not None else None
    return str(found[0], "utf-8") if found else None


@lru_cache(maxsize=1024)
def _names(language: str, category: str) -> Any:
    from language_data.names import load_trie  # noqa: PLC0415 - heavy
    from language_data.util import data_filename  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy

    try:
        return load_trie(data_filename(f"trie/{language}/name_to_{category}.marisa"))
    except OSError:  # CLDR has no such list for this language
        return None
