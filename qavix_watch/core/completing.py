"""From what was said to an Order: the key by key merged options are checked as a whole, and defaults filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from qavix_watch.core.order import Order, Priority
from qavix_watch.core.regions import NAMED
from qavix_watch.core.tasks import TaskType, in_order
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from qavix_watch.core.options import Options
    from qavix_watch.core.reading import Partial


def complete(said: Partial, merged: Options) -> Order:
    """The order that a name's task, languages and label make with the merged options. Raises OrderError."""
    voice, voices = _voices(said, merged)
    regions = merged.region or ()
    return Order(
        task=said.task,
        source=said.source,
        targets=said.targets,
        voice=voice,
        voices=voices,
        embed=bool(merged.embed),
        mode=_mode(merged) if said.task is TaskType.SMART_ERASURE else None,
        regions=regions,
        voice_name=merged.name,
        priority=cast("Priority", merged.priority or "normal"),
        hold=bool(merged.hold),
        label=said.label,
    )


def nearest_order(said: Partial) -> Order:
    """The complete order that is nearest to what a name says: what is missing is filled in as in an example."""
    options = said.options
    if said.task is TaskType.TEXT_TO_SPEECH and options.voice is None:
        options = replace(options, voice="Maria")
    if options.mode in ("manual", "protect") and not options.region:
        options = replace(options, region=(NAMED["bottom"],))
    return complete(said, options)


def check_keys(said: Partial, options: Options) -> None:
    """Raise OrderError where a qavix.toml holds keys that mean nothing for the job."""
    for key in options.said():
        if key not in said.spec.keys:
            takes = ", ".join(f"`{known}`" for known in in_order(said.spec.keys))
            raise OrderError(
                f"{options.at(key)}: `{key}` means nothing for `{said.spec.word}`.",
                hint=f"`{said.spec.word}` takes {takes}.",
            )


def _mode(merged: Options) -> str:
    mode = merged.mode or ("manual" if merged.region else "auto")
    if mode != "auto" and not merged.region:
        raise OrderError(f"`mode={mode}` needs a region.", hint=f"For example `erase mode={mode} region=bottom`.")
    return mode


def _voices(said: Partial, merged: Options) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """The voice for all targets, and for each target that has another."""
    own = {target: _nearest_voice(target, dict(merged.voices)) for target in said.targets}
    unused = [tag for tag, voice in merged.voices if (tag, voice) not in own.values()]
    if unused:
        raise OrderError(
            f"`voice.{unused[0]}` is set, and {unused[0]} is none of this order's target languages.",
            hint="Mend the language in qavix.toml, or take the line out.",
        )
    chosen = {target: found[1] if found else merged.voice for target, found in own.items()}
    if said.task is TaskType.TEXT_TO_SPEECH and None in (chosen.values() or (merged.voice,)):
        raise OrderError(
            "`tts` needs a voice.",
            hint="Name one, for example `tts es voice=Maria`; `qavix-watch voices` lists them.",
        )
    if len(set(chosen.values())) == 1:
        return next(iter(chosen.values())), ()
    differing = [(tag, voice) for tag, voice in chosen.items() if voice is not None and voice != merged.voice]
    return merged.voice, tuple(sorted(differing))


def _nearest_voice(target: str, voices: dict[str, str]) -> tuple[str, str] | None:
    """The entry for a target or for what it is a kind of: `voice.es` serves es-MX (RFC 4647, lookup)."""
    tag = target
    while tag and tag not in voices:
        tag = tag.rpartition("-")[0]
    return (tag, voices[tag]) if tag else None
