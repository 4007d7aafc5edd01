"""The words that begin an order and join its languages: the built-in ones, and the user's own (`[words]`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from qavix_watch.core.tasks import JOB_WORDS, TASKS, TaskType
from qavix_watch.core.text import check_text, fold
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOW = 'Keys of [words] are `to` and the job words; their values are lists of words, for example `dub = ["doblar"]`.'


@dataclass(frozen=True)
class Words:
    """Words of the user's language: `extra` maps "to" or any job word to more words for it.

    Raises OrderError for a key that is neither, for a word that already belongs to another job, and for a word that the
    grammar could not tell apart.
    """

    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owners: dict[str, str] = {word: task.value for word, task in JOB_WORDS.items()} | {"to": "to"}
        settled: dict[str, tuple[str, ...]] = {}
        for key, words in self.extra.items():
            owner = owners.get(plain(key))
            if owner is None:
                raise OrderError(f"`{key}` in [words] is no job word.", hint=HOW)
            settled[plain(key)] = tuple(_claim(word, owner, owners) for word in words)
        object.__setattr__(self, "extra", MappingProxyType(settled))

    def __hash__(self) -> int:
        return hash(frozenset(self.extra.items()))


def plain(word: str) -> str:
    """A word as it is compared: folded, lower case, hyphens and underscores as spaces."""
    return " ".join(re.sub(r"[-_]", " ", fold(word).casefold()).split())


def _claim(word: str, owner: str, owners: dict[str, str]) -> str:
    """The word as it is compared, noted as `owner`'s. Raises OrderError."""
    check_text(word)
    mine = plain(word)
    if not mine or re.search(r"[=,+&()]", mine) or mine == "and":
        raise OrderError(f"`{word}` in [words] cannot be told apart from the rest of a name.", hint=HOW)
    for other, other_owner in owners.items():
        if other_owner != owner and (mine == other or _begins(mine, other) or _begins(other, mine)):
            raise OrderError(f"`{word}` in [words] is already a word of {other_owner.replace('_', ' ')}.", hint=HOW)
    owners[mine] = owner
    return mine


def _begins(longer: str, shorter: str) -> bool:
    return shorter != "to" and longer.startswith(f"{shorter} ")


@dataclass(frozen=True)
class Vocabulary:
    """All words in force, ready to match: `jobs` the longest first, `to` as lists of single words."""

    jobs: tuple[tuple[re.Pattern[str], TaskType], ...]
    to: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=16)
def vocabulary(words: Words) -> Vocabulary:
    """The built-in words and the user's."""
    jobs = dict(JOB_WORDS)
    for key, more in words.extra.items():
        if key != "to":
            jobs |= dict.fromkeys(more, JOB_WORDS[key])
    longest_first = sorted(jobs, key=len, reverse=True)
    return Vocabulary(
        jobs=tuple((_pattern(word), jobs[word]) for word in longest_first),
        to=tuple(tuple(word.split()) for word in ("to", *words.extra.get("to", ()))),
    )


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(r"[ _-]+".join(map(re.escape, word.split())), re.IGNORECASE)


def every_job_word() -> str:
    """The canonical job words as a person would list them."""
    words = [f"`{spec.word}`" for spec in TASKS.values()]
    return f"{', '.join(words[:-1])} or {words[-1]}"
