"""Order: what a folder's name and its qavix.toml ask for, with its canonical spelling and its meaning in words."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from qavix_watch.core.languages import in_words, spelling
from qavix_watch.core.regions import Region, spell_region
from qavix_watch.core.tasks import TASKS, TaskSpec, TaskType
from qavix_watch.core.text import looks_unfinished
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Sequence

Priority = Literal["high", "normal", "low"]


@dataclass(frozen=True)
class Order:
    """One order, complete and settled: equal orders are the same work.

    `source` and `targets` are canonical BCP 47 tags; text to speech has at most one target and no source. `voice` is
    the voice as it was written, for every target that `voices` (target, voice) does not name. `mode` is "auto",
    "manual" or "protect" for smart_erasure, else None; `regions` are sorted. `voice_name` is what a cloned voice shall
    be called (None: like the file). `label` is the user's own and changes nothing.
    """

    task: TaskType
    source: str | None = None
    targets: tuple[str, ...] = ()
    voice: str | None = None
    voices: tuple[tuple[str, str], ...] = ()
    embed: bool = False
    mode: str | None = None
    regions: tuple[Region, ...] = ()
    voice_name: str | None = None
    priority: Priority = "normal"
    hold: bool = False
    label: str | None = None

    @property
    def spec(self) -> TaskSpec:
        """The row of the task table that this order is of."""
        return TASKS[self.task]

    def voice_for(self, target: str | None) -> str | None:
        """The voice, as it was written, for one target (None: for work without a language)."""
        return dict(self.voices).get(target or "", self.voice)

    def canonical(self) -> str:
        """The one spelling of this order as a folder's name; reading it gives the same order back.

        A name cannot say everything that qavix.toml can: voices per language are left out, and so is a voice (or the
        name of one) that holds `/` or what would be read as a key. Then the result is the part that a name can say.
        """
        parts = [self.spec.word, *self._languages(), *self._keys()]
        if self._ends_open(parts):
            parts.append("hold=no")
        return " ".join(parts) if self.label is None else f"{' '.join(parts)} ({self.label})"

    def describe(self) -> str:
        """What the order does, in plain words: "Dub from English into Spanish and French"."""
        extras = [
            "high priority" if self.priority == "high" else "",
            "low priority" if self.priority == "low" else "",
            "waits for approval" if self.hold else "",
        ]
        return "; ".join([_DESCRIBE[self.task](self), *filter(None, extras)])

    def _languages(self) -> list[str]:
        targets = ",".join(spelling(tag) for tag in self.targets)
        return [*([spelling(self.source), "to"] if self.source else []), *([targets] if targets else [])]

    def _keys(self) -> list[str]:
        default_mode = "manual" if self.regions else "auto"
        said = [
            ("voice", self.voice if self.voice and is_sayable(self.voice) else None),
            ("embed", "yes" if self.embed else None),
            ("mode", self.mode if self.mode != default_mode else None),
            *(("region", spell_region(region)) for region in self.regions),
            ("name", self.voice_name if self.voice_name and is_sayable(self.voice_name) else None),
            ("priority", self.priority if self.priority != "normal" else None),
            ("hold", "yes" if self.hold else None),
        ]
        return [f"{key}={value}" for key, value in said if value]

    def _ends_open(self, parts: list[str]) -> bool:
        """Whether the end would be read as a label or a copy, or a label as part of the last language."""
        if "=" in parts[-1]:
            return looks_unfinished(parts[-1])
        return bool(self.label is not None and self.targets and spelling(self.targets[-1]) != self.targets[-1])


def is_sayable(value: str) -> bool:
    """Whether a voice or a name of a voice can stand in a folder's name."""
    words = value.replace("__", " ").split(" ")
    return "/" not in value and "=" not in "".join(words[1:]) and bool(words[-1])


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _with_voice(order: Order) -> str:
    own = [f"{voice} for {in_words(target)}" for target, voice in order.voices]
    voices = _join([*([order.voice] if order.voice else []), *own]) if order.voice or own else ""
    return f", with the voice {voices}" if voices else ""


def _translation(verb: str, order: Order) -> str:
    return f"{verb} from {in_words(order.source or 'und')} into {_join([in_words(tag) for tag in order.targets])}"


def _describe_erasure(order: Order) -> str:
    if not order.regions:
        return "Erase subtitles and watermarks, found automatically"
    places = f"the region {_join([f'{spell_region(region)} ({region.kind})' for region in order.regions])}"
    if order.mode == "manual":
        return f"Erase what stands in {places}"
    if order.mode == "protect":
        return f"Erase subtitles and watermarks, but protect {places}"
    return f"Erase subtitles and watermarks, found automatically, in {places}"


_DESCRIBE: dict[TaskType, Any] = {
    TaskType.VIDEO_TRANSLATION: lambda order: _translation("Dub", order) + _with_voice(order),
    TaskType.SUBTITLE_TRANSLATION: lambda order: _translation("Make subtitles", order)
    + (", as a file and burned into the picture" if order.embed else ", as a file"),
    TaskType.SMART_ERASURE: _describe_erasure,
    TaskType.FACE_SWAP: lambda _: "Put the face of the image into the video",
    TaskType.LIP_SYNC: lambda _: "Move the lips of the video to the sound of the audio file",
    TaskType.VOICE_CLONE: lambda order: f"Clone the voice and call it {order.voice_name or 'like the file'}",
    TaskType.TEXT_TO_SPEECH: lambda order: "Speak the text"
    + (f" in {in_words(order.targets[0])}" if order.targets else "")
    + _with_voice(order),
}


@lru_cache(maxsize=4096)  # asked for each file at each look
def to_json(order: Order) -> str:
    """The order as JSON text, every field of it; `from_json` gives the same order back."""
    plain = {field.name: getattr(order, field.name) for field in fields(order)}
    plain["regions"] = [[r.x, r.y, r.width, r.height, r.kind] for r in order.regions]
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Order:
    """The order that `to_json` wrote. Raises OrderError for anything else."""
    try:
        plain = json.loads(text)
        plain["task"] = TaskType(plain["task"])
        plain["regions"] = tuple(Region(*region) for region in plain["regions"])
        plain["targets"] = tuple(plain["targets"])
        plain["voices"] = tuple((target, voice) for target, voice in plain["voices"])
        return Order(**plain)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OrderError(f"This is no stored order: {text[:80]!r}.") from error
