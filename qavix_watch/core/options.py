"""Options: what the keys of a name or of one qavix.toml say, checked one by one, and how files nearer by win."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from qavix_watch.core import values
from qavix_watch.core.languages import read_language
from qavix_watch.core.regions import HOW as HOW_REGIONS
from qavix_watch.core.regions import Region, make_region, read_region, settle_regions
from qavix_watch.core.tasks import KEYS
from qavix_watch.core.text import fold
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LARGEST_FILE = 64 * 1024  # bytes; more is not an options file but a film with a wrong name

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What one name or one qavix.toml says; None (and no `voices`) where it says nothing.

    `where` names the source in messages. `voices` are (canonical tag, voice) pairs, sorted;
    `lines` the lines on which a file's keys stand.
    """

    where: str = ""
    voice: str | None = None
    voices: tuple[tuple[str, str], ...] = ()
    embed: bool | None = None
    mode: str | None = None
    region: tuple[Region, ...] | None = None
    name: str | None = None
    priority: str | None = None
    hold: bool | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def at(self, key: str) -> str:
        """Where a key stands: `qavix.toml, line 3`."""
        return f"{self.where}, line {self.lines[key]}" if key in self.lines else self.where

    def said(self) -> dict[str, Any]:
        """The keys that say something, and what."""
        plain = {key: getattr(self, key) for key in KEYS} | ({"voice": self.voices} if self.voices else {})
        return {key: value for key, value in plain.items() if value is not None}


def merge(levels: Sequence[Options | None]) -> Options:
    """Nearest wins, key by key: `levels` go from the farthest to the nearest; None is a folder without a file.

    A nearer `voice` is for all languages and so hides voices per language that are farther away.
    """
    merged = Options()
    for level in levels:
        if level is None:
            continue
        plain = {f.name: getattr(level, f.name) for f in fields(level) if f.compare}
        said = {name: value for name, value in plain.items() if value not in (None, (), "")}
        if level.voices:
            said["voices"] = tuple(sorted((dict(merged.voices) | dict(level.voices)).items()))
        elif level.voice is not None:
            said["voices"] = ()
        if level.region is not None:
            said["region"] = level.region
        merged = replace(merged, **said)
    return merged


def check_agreement(name: Options, file: Options) -> None:
    """Raise OrderError where a name and the qavix.toml of the same folder say different things."""
    said = file.said()
    for key, value in name.said().items():
        if key in said and said[key] != value:
            raise OrderError(
                f"The folder's name and {file.at(key)} say different things about `{key}`.",
                hint=f"Take `{key}` out of one of the two.",
            )



def parse_options(text: bytes, where: str) -> Options:
    """The options in the bytes of a qavix.toml (UTF-8, with or without BOM); `where` names it in messages.

    Raises OrderError, with the number of the line, for broken TOML, an unknown key, a wrong type or a wrong value.
    """
    decoded = _decode(text, where)
    try:
        table = tomllib.loads(decoded)
    except (ValueError, RecursionError) as error:  # tomllib lets int() complain of numbers with thousands of digits
        raise _broken(where, _line_in(str(error), decoded), str(error).split(" (at ")[0], _hint(decoded)) from error
    said: dict[str, Any] = {"where": where, "lines": {key.lower(): _line_of(key, decoded) for key in table}}
    for written, value in table.items():
        try:
            _add(said, written, value)
        except OrderError as error:
            raise _broken(where, _line_of(written, decoded), str(error), error.hint) from error
    return Options(**said)


def _broken(where: str, line: int, problem: str, hint: str) -> OrderError:
    return OrderError(f"{where}, line {line}: {problem}", hint=hint or "Mend that line, or take it out.")


def _decode(text: bytes, where: str) -> str:
    if len(text) > LARGEST_FILE:
        raise OrderError(f"{where} has {len(text):,} bytes; an options file has {LARGEST_FILE:,} at most.")
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _broken(where, 1, "the file is saved as UTF-16.", "Save it as UTF-8.")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise _broken(where, line, "here are bytes that are not UTF-8.", "Save the file as UTF-8.") from error


def _line_in(message: str, text: str) -> int:
    found = re.search(r"\(at line (\d+)", message)
    return int(found[1]) if found else max(1, len(text.splitlines()))


def _hint(text: str) -> str:
    return 'Use straight quotes: "like this".' if re.search("[\u201c\u201d\u201e\u2018\u2019]", text) else ""


def _line_of(key: str, text: str) -> int:
    """The first line that begins with the key, quoted or not, alone, dotted or as a table's head."""
    begins = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[.=\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if begins.match(line)), 1)


def _add(said: dict[str, Any], written: str, value: object) -> None:
    key = written.lower()
    if key not in KEYS:
        raise OrderError(f"`{written}` is no key.", hint=f"The keys are {', '.join(KEYS)}.")
    if key in said or (key == "voice" and "voices" in said):
        raise OrderError(f"`{written}` stands twice.")
    if key == "voice" and isinstance(value, dict):
        said["voices"] = _voices(value)
    else:
        said[key] = _FROM_TOML[key](value)


def _voices(table: dict[str, object]) -> tuple[tuple[str, str], ...]:
    voices: dict[str, str] = {}
    for language, voice in table.items():
        tag = read_language(fold(language))
        if tag in voices:
            raise OrderError(f"`voice.{language}`: the voice for {tag} stands twice.")
        voices[tag] = values.free(f"voice.{language}", _typed(f"voice.{language}", voice, str, '"in quotes"'))
    if not voices:
        raise OrderError("`voice` names no language.", hint='Write voice.es = "…" for each language.')
    return tuple(sorted(voices.items()))


def _typed(key: str, value: object, kind: type[T], like: str) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise OrderError(f"`{key}` has the wrong type.", hint=f"Write {key} = {like}.")
    return value


def _bool(key: str, value: object) -> bool:
    return _typed(key, value, bool, "true or false, without quotes")


def _choice_of(key: str, value: object) -> str:
    return values.choice(key, _typed(key, value, str, f'"{values.CHOICES[key][0]}"'))


def _free_text(key: str, value: object) -> str:
    return values.free(key, _typed(key, value, str, '"…", in quotes'))


def _regions(value: object) -> tuple[Region, ...]:
    """One region or a list of them; `[0, 0.8, 1, 0.2]` is one."""
    several = isinstance(value, list) and not (value and _is_number(value[0]))
    regions = [_one_region(item) for item in value] if isinstance(value, list) and several else [_one_region(value)]
    return settle_regions(regions)


def _one_region(value: object) -> Region:
    if isinstance(value, str):
        return read_region(fold(value))
    numbers, kind = _parts(value)
    plain = [float(number) for number in numbers if _is_number(number)]
    if len(plain) != 4 or not isinstance(kind, str):
        raise OrderError("`region` holds something that is no region.", hint=HOW_REGIONS)
    return make_region(plain, fold(kind), ",".join(f"{number:g}" for number in plain))


def _parts(value: object) -> tuple[list[Any], object]:
    """The numbers and the kind of `[x, y, width, height, kind]` or of a table with those keys."""
    if isinstance(value, list) and len(value) in (4, 5):
        return value[:4], value[4] if len(value) == 5 else "subtitle"
    if isinstance(value, dict) and not value.keys() - {"x", "y", "width", "height", "kind"}:
        return [value.get(key) for key in ("x", "y", "width", "height")], value.get("kind", "subtitle")
    return [], None


def _is_number(value: object) -> bool:
    """A number that a share of the picture can be (`float` of an integer with a thousand digits would raise)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


_FROM_TOML: dict[str, Callable[[object], Any]] = {
    "voice": partial(_free_text, "voice"),
    "name": partial(_free_text, "name"),
    "embed": partial(_bool, "embed"),
    "hold": partial(_bool, "hold"),
    "mode": partial(_choice_of, "mode"),
    "priority": partial(_choice_of, "priority"),
    "region": _regions,
}
