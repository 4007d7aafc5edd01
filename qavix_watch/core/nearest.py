"""The valid name that is nearest to one that is not: for "did you mean", never to act on."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from qavix_watch.core.languages import meant_by, spelling
from qavix_watch.core.tasks import JOB_WORDS, KEYS, TASKS, TaskSpec, TaskType
from qavix_watch.core.text import LONGEST, fold, original_of_copy, split_label
from qavix_watch.core.values import read_value
from qavix_watch.core.words import Words, plain
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OTHER_WORDS = {
    "dubbing": TaskType.VIDEO_TRANSLATION, "dubbed": TaskType.VIDEO_TRANSLATION, "translate": TaskType.VIDEO_TRANSLATION,
    "translation": TaskType.VIDEO_TRANSLATION, "voiceover": TaskType.VIDEO_TRANSLATION,
    "subtitled": TaskType.SUBTITLE_TRANSLATION, "captions": TaskType.SUBTITLE_TRANSLATION,
    "caption": TaskType.SUBTITLE_TRANSLATION, "eraser": TaskType.SMART_ERASURE, "clean": TaskType.SMART_ERASURE,
    "face": TaskType.FACE_SWAP, "swap": TaskType.FACE_SWAP, "lip": TaskType.LIP_SYNC, "lips": TaskType.LIP_SYNC,
    "clone": TaskType.VOICE_CLONE, "speech": TaskType.TEXT_TO_SPEECH, "say": TaskType.TEXT_TO_SPEECH,
}  # fmt: skip
_COMMON_LANGUAGES = [
    "arabic", "bengali", "bulgarian", "chinese", "croatian", "czech", "danish", "dutch", "english", "estonian",
    "finnish", "french", "german", "greek", "hebrew", "hindi", "hungarian", "indonesian", "italian", "japanese",
    "korean", "latvian", "lithuanian", "malay", "norwegian", "persian", "polish", "portuguese", "romanian", "russian",
    "serbian", "slovak", "slovenian", "spanish", "swedish", "tamil", "telugu", "thai", "turkish", "ukrainian", "urdu",
    "vietnamese", "deutsch", "español", "français", "italiano", "português", "polski", "русский", "türkçe",
]  # fmt: skip
_FOREIGN_KEYS = {"lang": "", "prio": "priority", "regions": "region", "speaker": "voice", "burn": "embed"}
_YES, _NO = ("true", "1", "on", "y", "ja", "si"), ("false", "0", "off", "n", "nein")
_MOST_JOB_WORDS = 3
_MOST_LANGUAGE_WORDS = 3
_MOST_WORDS = 24


@dataclass
class _Guess:
    """What could be made out of a name so far."""

    spec: TaskSpec | None = None
    languages: list[tuple[str, str]] = field(default_factory=list)  # the word before, the tag
    keys: list[str] = field(default_factory=list)
    strange: bool = False  # there are words that mean nothing
    sure: bool = True  # the job word is one, not merely like one


def nearest(name: str, canonical: Callable[[str], str | None], words: Words) -> str | None:
    """The canonical spelling nearest to `name`; None where nothing is near.

    `canonical` spells a valid name and returns None for any other; `words` are the user's.
    """
    clean = fold("".join(char if _is_visible(char) else " " for char in name[:LONGEST]))
    clean = original_of_copy(clean) or clean
    if canonical(clean) is not None:
        return canonical(clean)
    rest, label = split_label(clean)
    guess = _guess(rest, words)
    text = _spell(guess)
    if text is None:
        return None
    labelled = f"{text} ({label})" if label else text
    return canonical(labelled) or canonical(text)


def _is_visible(char: str) -> bool:
    return unicodedata.category(char)[0] != "C" and char != "/"


def _guess(text: str, words: Words) -> _Guess:
    head, keys = _cut_keys(text)
    pieces = re.sub(r"->|=>|[→>:;.]", " to ", head)
    tokens = [token for token in re.split(r"[ ,+&_()]+", pieces) if token][:_MOST_WORDS]
    guess = _Guess(keys=keys)
    tokens = _take_job(guess, tokens, words)
    _take_languages(guess, tokens)
    return guess


def _cut_keys(text: str) -> tuple[str, list[str]]:
    """What stands before the first `key=`, and the pairs, mended where that is easy."""
    parts = re.split(r"(?:^|[ _-]+)([A-Za-z.]+) *= *", text)
    pairs: dict[str, str] = {}
    for key, value in (_mend(*pair) for pair in zip(parts[1::2], parts[2::2], strict=True)):
        if key in KEYS and _is_good(key, value):
            pairs.setdefault(key if key != "region" else f"{key}={value}", f"{key}={value}")
    return parts[0], list(pairs.values())


def _mend(key: str, value: str) -> tuple[str, str]:
    key = key.lower()
    key = _FOREIGN_KEYS.get(key) or next(iter(get_close_matches(key, KEYS, 1, 0.75)), key)
    if key in ("hold", "embed"):
        value = "yes" if value.lower() in _YES else "no" if value.lower() in _NO else value
    return key, value


def _is_good(key: str, value: str) -> bool:
    try:
        read_value(key, value)
    except OrderError:
        return False
    return True


def _take_job(guess: _Guess, tokens: list[str], words: Words) -> list[str]:
    """Find the job among the tokens; the tokens without it."""
    jobs: dict[str, TaskType] = dict(JOB_WORDS) | _OTHER_WORDS
    for key, more in words.extra.items():
        if key in JOB_WORDS:
            jobs |= dict.fromkeys(more, JOB_WORDS[key])
    for start, end, word in _runs([part for token in tokens for part in _unhyphen(token)], _MOST_JOB_WORDS):
        if plain(word) in jobs:
            guess.spec = TASKS[jobs[plain(word)]]
            parts = [part for token in tokens for part in _unhyphen(token)]
            return [*parts[:start], *parts[end:]]
    close = get_close_matches(plain(tokens[0]), list(jobs), 1, 0.65) if tokens else []
    if close:
        guess.spec = TASKS[jobs[close[0]]]
        guess.sure = False
        return tokens[1:]
    return tokens


def _unhyphen(token: str) -> list[str]:
    """The parts of a hyphenated token, unless it is a language as it stands (`pt-BR`)."""
    return [token] if meant_by(token) else [part for part in token.split("-") if part]


def _runs(tokens: list[str], most: int) -> Iterator[tuple[int, int, str]]:
    for start in range(len(tokens)):
        for end in range(min(len(tokens), start + most), start, -1):
            yield start, end, " ".join(tokens[start:end])


def _take_languages(guess: _Guess, tokens: list[str]) -> None:
    tokens = [part for token in tokens for part in _unhyphen(token)]
    at, before = 0, ""
    while at < len(tokens):
        found = _language_at(tokens, at)
        if found:
            guess.languages.append((before, found[0]))
            before, at = "", found[1]
        else:
            before = tokens[at].lower()
            guess.strange = guess.strange or before not in ("to", "from", "into", "and", "in")
            at += 1


def _language_at(tokens: list[str], at: int) -> tuple[str, int] | None:
    """The language that begins at a token, and where it ends; the longest name first."""
    for start, end, text in _runs(tokens[at:], _MOST_LANGUAGE_WORDS):
        if start:
            break
        tag = meant_by(text) if text.lower() not in ("from", "into", "in", "the") else None
        if tag:
            return tag, at + end
    close = get_close_matches(tokens[at].lower(), _COMMON_LANGUAGES, 1, 0.8) if len(tokens[at]) > 3 else []
    tag = meant_by(close[0]) if close else None
    return (tag, at + 1) if tag else None


def _spell(guess: _Guess) -> str | None:
    tags = list(dict.fromkeys(tag for _, tag in guess.languages))
    if (guess.spec is None and len(tags) < 2) or (guess.strange and not (guess.spec and guess.sure)):
        return None
    spec = guess.spec or TASKS[TaskType.VIDEO_TRANSLATION]
    if not guess.sure and spec.languages == "pair" and not tags:
        return None
    source = next((tag for before, tag in guess.languages if before == "from"), tags[0] if tags else "en")
    keys = [pair for pair in guess.keys if pair.partition("=")[0] in spec.keys]
    return " ".join([spec.word, *_spell_languages(spec, source, [tag for tag in tags if tag != source]), *keys])


def _spell_languages(spec: TaskSpec, source: str, targets: list[str]) -> list[str]:
    if spec.languages == "none":
        return []
    if spec.languages == "one":
        return [spelling((targets or [source])[0])]
    if not targets:
        source, targets = ("en", [source]) if source != "en" else ("en", ["es"])
    return [spelling(source), "to", ",".join(spelling(tag) for tag in targets)]
