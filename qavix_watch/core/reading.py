"""Strict reading of a folded name, without its label: job word first, then languages, then `key=value`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from qavix_watch.core.languages import read_language
from qavix_watch.core.options import Options
from qavix_watch.core.regions import Region, settle_regions
from qavix_watch.core.tasks import KEYS, TASKS, TaskSpec, TaskType, in_order
from qavix_watch.core.values import read_value
from qavix_watch.core.words import Words, every_job_word, plain, vocabulary
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOUND_OR_TEXT = "Sound or text? `dub en to es` or `subs en to es`."

_SPACES = r"(?: |__)+"
_UNDERSCORES = "_+"
_HYPHENS = "-+"
_MOST_SOURCE_WORDS = 8


@dataclass(frozen=True)
class Partial:
    """What a name says by itself; qavix.toml may add to it before it must be complete."""

    task: TaskType
    source: str | None = None
    targets: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    label: str | None = None

    @property
    def spec(self) -> TaskSpec:
        return TASKS[self.task]


@dataclass(frozen=True)
class _Word:
    """One word of a name, and where it stands."""

    text: str
    start: int
    end: int


class _PastJobError(OrderError):
    """What was wrong after the job word was understood: of several attempts at a name, the one to tell of."""

    def __init__(self, error: OrderError) -> None:
        super().__init__(str(error), hint=error.hint, suggestion=error.suggestion)


def read(text: str, words: Words) -> Partial:
    """The one reading of a folded name without label. Raises OrderError.

    A name without a space and without `__` is also read with `_`, then with `-`, between its words, and taken only where
    exactly one reading is valid.
    """
    spaced = re.search(_SPACES, text) is not None
    found: set[Partial] = set()
    errors: list[OrderError] = []
    for between in (_SPACES,) if spaced else (_SPACES, _UNDERSCORES, _HYPHENS):
        try:
            found.add(_Reader(text, between, words).read())
        except OrderError as error:
            errors.append(error)
    if len(found) > 1:
        raise OrderError(f"`{text}` can be read in two ways.", hint="Write it with spaces between the words.")
    if not found:
        raise next((error for error in errors if isinstance(error, _PastJobError)), errors[0])
    return found.pop()


class _Reader:
    """One attempt at a name, with one kind of separator (a regular expression) between its words."""

    def __init__(self, text: str, between: str, words: Words) -> None:
        self.text = text
        self.between = between
        self.words = words

    def read(self) -> Partial:
        task, end = self._job()
        try:
            return self._after_job(task, re.sub(r" +=", "=", self.text[end:]))
        except OrderError as error:
            raise _PastJobError(error) from error

    def _job(self) -> tuple[TaskType, int]:
        for pattern, task in vocabulary(self.words).jobs:
            found = pattern.match(self.text)
            if found and re.match(rf"{self.between}|$", self.text[found.end() :]):
                return task, found.end()
        if re.match(rf"(?i)translate(?:{self.between}|$)", self.text):
            raise _PastJobError(OrderError(SOUND_OR_TEXT))
        raise OrderError(f"`{self.text[:60]}` begins with no job.", hint=f"Begin with {every_job_word()}.")

    def _after_job(self, task: TaskType, rest: str) -> Partial:
        words = list(self._split(rest))
        keys = [word for word in words if "=" in word.text]
        head = rest[: keys[0].start] if keys else rest
        said = self._options(TASKS[task], rest, keys)
        source, targets = self._languages(TASKS[task], head)
        return Partial(task, source, targets, said)

    def _split(self, text: str) -> Iterator[_Word]:
        start = 0
        for gap in re.finditer(f"{self.between}|$", text):
            if gap.start() > start:
                yield _Word(text[start : gap.start()], start, gap.start())
            start = gap.end()

    def _trim(self, text: str) -> str:
        return re.sub(f"^{self.between}|{self.between}$", "", text)

    # keys

    def _options(self, spec: TaskSpec, rest: str, keys: list[_Word]) -> Options:
        said = Options()
        regions: list[Region] = []
        starts = [*(key.start for key in keys), len(rest)]
        for key, end in zip(keys, starts[1:], strict=True):
            name = _known_key(key.text.partition("=")[0], spec)
            raw = rest[key.start + key.text.index("=") + 1 : end]
            value = read_value(name, re.sub(f"(?:{self.between})$", "", raw).strip())
            if name == "region":
                regions.append(value)
            elif getattr(said, name) is not None:
                raise OrderError(f"`{name}=` stands twice.", hint="Only `region=` may be repeated.")
            else:
                said = replace(said, **{name: value})
        return replace(said, region=settle_regions(regions)) if regions else said

    # languages

    def _languages(self, spec: TaskSpec, head: str) -> tuple[str | None, tuple[str, ...]]:
        text = self._trim(head)
        if spec.languages == "pair":
            return self._pair(spec, text)
        if not text:
            return None, ()
        if spec.languages == "none":
            raise OrderError(f"`{spec.word}` takes no languages, and `{text}` is none of its keys.", hint=_takes(spec))
        return None, (read_language(text),)

    def _pair(self, spec: TaskSpec, text: str) -> tuple[str, tuple[str, ...]]:
        words = list(self._split(text))
        found: set[tuple[str, tuple[str, ...]]] = set()
        errors: list[OrderError] = []
        for split in (self._at_to, self._at_gaps):
            for source, targets in () if found else split(text, words):
                try:
                    found.add((read_language(source), self._targets(targets)))
                except OrderError as error:
                    errors.append(error)
        if len(found) > 1:
            raise OrderError(f"`{text}` can be read in two ways.", hint="Write `to` between the two languages.")
        if not found:
            raise _pair_error(spec, text, errors)
        source, tags = found.pop()
        if source in tags:
            raise OrderError(f"Source and target are the same language, `{source}`.")
        return source, tags

    def _at_to(self, text: str, words: list[_Word]) -> Iterator[tuple[str, str]]:
        """Every way to split the text at a word for "to"."""
        spoken = [plain(word.text) for word in words]
        for to in vocabulary(self.words).to:
            for at in range(1, len(words) - len(to)):
                if tuple(spoken[at : at + len(to)]) == to:
                    yield text[: words[at - 1].end], text[words[at + len(to)].start :]

    def _at_gaps(self, text: str, words: list[_Word]) -> Iterator[tuple[str, str]]:
        """Every way to split the text between two words: `to` may be left out; where it stands, it parts them."""
        if "to" in (word.text.lower() for word in words):
            return
        for before, after in islice(pairwise(words), _MOST_SOURCE_WORDS):
            yield text[: before.end], text[after.start :]

    def _targets(self, text: str) -> tuple[str, ...]:
        gap = self.between
        names = re.split(rf"(?:{gap})?[,+&](?:{gap})?(?:and{gap})?|{gap}and{gap}", text, flags=re.IGNORECASE)
        if not all(names):
            raise OrderError("Beside a comma, `+` or `&` a language is missing.")
        tags = tuple(read_language(self._trim(name)) for name in names)
        twice = next((tag for tag in tags if tags.count(tag) > 1), None)
        if twice:
            raise OrderError(f"The target `{twice}` stands twice.")
        return tags


def _known_key(written: str, spec: TaskSpec) -> str:
    key = written.lower()
    if key in spec.keys:
        return key
    if key.startswith("voice.") and "voice" in spec.keys:
        raise OrderError(f"`{written}=` cannot stand in a name.", hint="One voice per language goes into qavix.toml.")
    if key in KEYS:
        raise OrderError(f"`{key}=` means nothing for `{spec.word}`.", hint=_takes(spec))
    raise OrderError(f"`{written}=` is no key." if written else "Nothing stands before `=`.", hint=_takes(spec))


def _takes(spec: TaskSpec) -> str:
    return f"`{spec.word}` takes {', '.join(f'`{key}=`' for key in in_order(spec.keys))}."


def _pair_error(spec: TaskSpec, text: str, errors: list[OrderError]) -> OrderError:
    """What to say of languages that have no reading: the split at `to`, or else the first one, tells most."""
    words = plain(text).split()
    if not words or words[0] == "to" or words[-1] == "to":
        return OrderError(f"`{spec.word}` needs two languages.", hint=f"For example `{spec.word} en to es`.")
    if errors:
        return errors[0]
    try:
        tag = read_language(text)
    except OrderError as error:
        return error
    return OrderError(f"`{spec.word}` needs two languages, and `{tag}` is one.", hint=f"For example `{spec.word} en to es`.")
