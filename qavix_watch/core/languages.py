"""Languages as people write them: BCP 47 tags, or names in English or in themselves, every word of which counts."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from qavix_watch.core import language_names
from qavix_watch.core.locales import GRAMMAR_WORDS, MACRO, NO_LANGUAGE, OFFICIAL, RARE_TARGETS, SLIPS
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from langcodes import Language

HOW = "Write a tag such as `es` or `pt-BR`, or a name such as `Spanish` or `Brazilian Portuguese`."

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,4}")
_TWO_WORDS = re.compile(r"([A-Za-z]{2,3})[-_]([A-Za-z]{2,3})")
_PRIVATE_LANGUAGE = re.compile(r"q[a-t][a-z]")
# An extended language that is still there after canonicalization, or a region for private use (XK, Kosovo, is common).
_NOT_MEANT = re.compile(r"[a-z]{3}(?:-|$)|(?:.*-)?(?:AA|Q[M-Z]|X[A-JL-Z]|ZZ)(?:-|$)")
_WITH_ARTICLE = ("United ", "Netherlands", "Philippines", "Bahamas", "Maldives")


def read_language(text: str) -> str:
    """The canonical BCP 47 tag of the language that `text` names.

    Raises OrderError for what is no language, for slips for a country (`kr`), and for pairs written as a tag (`en-es`).
    """
    found = _look_up(text.strip())
    if isinstance(found, OrderError):
        raise OrderError(str(found), hint=found.hint, suggestion=found.suggestion)
    return found


@lru_cache(maxsize=4096)
def spelling(tag: str) -> str:
    """The shortest text that `read_language` reads as `tag`: the tag, or a name where the bare tag is refused."""
    if _look_up(tag) == tag:
        return tag
    with_script = "-".join(_language(tag).maximize().to_tag().split("-")[:3])
    return next((text for text in (in_words(tag), with_script) if _look_up(text) == tag), tag)


@lru_cache(maxsize=4096)
def in_words(tag: str) -> str:
    """The language's English name: "Spanish", "Portuguese (Brazil)"."""
    return _language(tag).display_name("en")


def meant_by(text: str) -> str | None:
    """The tag that is most likely meant by a word that need not be a language: for questions, not to act on."""
    found = _look_up(text)
    if isinstance(found, str):
        return found
    if text.lower() in SLIPS:
        return SLIPS[text.lower()][0][1]
    tag = language_names.tag_of_name_in_any_language(text) if len(text) > 3 else None
    return _tag(tag) if tag else None


@lru_cache(maxsize=4096)
def _look_up(text: str) -> str | OrderError:
    if _TAG.fullmatch(text):
        found = _slip(text.lower()) or _pair(text) or _tag(text)
        if found is not None:
            return found
    tag = language_names.tag_of_name(text)
    return (_tag(tag) if tag else None) or OrderError(f"`{text}` is no language.", hint=HOW)


def _slip(word: str) -> OrderError | None:
    """`kr` is Kanuri, and mostly a slip for Korean; `jp` is nothing; `to` is a word of the grammar."""
    if word in GRAMMAR_WORDS:
        return OrderError(f"`{word}` is never a language; for {in_words(word)} write its name")
    if word not in SLIPS:
        return None
    mends = ", ".join(f"for {name} write `{tag}`" for name, tag in SLIPS[word])
    if _tag(word) != word:
        return OrderError(f"`{word}` is no language; {mends}")
    return OrderError(f"`{word}` is {in_words(word)}; {mends}, for {in_words(word)} write its name")


def _pair(text: str) -> OrderError | None:
    """`en-es` is valid, and mostly a slip for `en to es`; `es-AR` and `pt-BR` are meant as they stand."""
    words = _TWO_WORDS.fullmatch(text)
    if words is None or _is_one(words[1].lower(), words[2].lower()):
        return None
    source, target = _meant(words[1].lower()), _meant(words[2].lower())
    if source is None or target is None:
        return None
    tag = _tag(text) if len(words[2]) == 2 else None
    if tag is None:
        return OrderError(f"`{text}` is no language: write `{source} to {target}`")
    hint = f"Or, if that is what you mean, write `{in_words(tag)}`."
    return OrderError(f"`{text}` reads as {_of_region(tag)}: write `{source} to {target}`", hint=hint)


def _is_one(language: str, place: str) -> bool:
    """Whether `language-place` is a tag that people write: official in the region, or at home there."""
    tag = _tag(language)
    if tag is None or place in RARE_TARGETS:
        return True
    if len(place) == 3:  # an extended language: zh-yue is yue
        return _tag(f"{language}-{place}") is not None
    return tag in OFFICIAL.get(place.upper(), ()) or _language(tag).maximize().territory == place.upper()


def _meant(word: str) -> str | None:
    """How to write the language that a word of a pair stands for."""
    tag = SLIPS[word][0][1] if word in SLIPS else _tag(word)
    return spelling(tag) if tag else None


def _of_region(tag: str) -> str:
    language = _language(tag)
    region = language.territory_name("en")
    return f"{language.language_name('en')} of {'the ' if region.startswith(_WITH_ARTICLE) else ''}{region}"


@lru_cache(maxsize=4096)
def _tag(text: str) -> str | None:
    """The canonical form of a BCP 47 tag that names a language, else None."""
    from langcodes import standardize_tag, tag_is_valid  # noqa: PLC0415 - 60 ms that most commands do not need

    if text.lower() in NO_LANGUAGE or not tag_is_valid(text.replace("_", "-")):
        return None
    language, _, rest = standardize_tag(text).partition("-")
    if _PRIVATE_LANGUAGE.fullmatch(language) or _NOT_MEANT.match(rest):
        return None
    return "-".join(filter(None, (MACRO.get(language, language), rest)))


def _language(tag: str) -> Language:
    from langcodes import Language as Known  # noqa: PLC0415 - 60 ms that most commands do not need

    return Known.get(tag)
