"""From the voice that an order names to the id of one voice."""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING

from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.service import Voice

_SAME = str.maketrans({" ": None, "-": None, "_": None})


def resolve(wanted: str, known: Sequence[Voice], targets: Sequence[str]) -> str:
    """The id of the voice that `wanted` names: an id, or a name as List Voices gives it (case, space, `-`, `_` do not matter).

    OrderError where nothing or more than one thing has that name, and where a system voice is to speak several languages.
    """
    found = [voice for voice in known if voice.voice_id == wanted] or [voice for voice in known if _folded(voice.name) == _folded(wanted)]
    if not found:
        raise OrderError(f"there is no voice “{wanted}”.", hint=_nearest(wanted, known))
    if len(found) > 1:
        ids = " and ".join(f"`voice={voice.voice_id}`" for voice in found)
        raise OrderError(f"{len(found)} voices are called “{wanted}”.", hint=f"Say which by its id: {ids}.")
    if found[0].type == "system" and len(targets) > 1:
        said = " and ".join(f'`voice.{target} = "…"`' for target in targets)
        raise OrderError(
            f"“{wanted}” is a voice of one language, and this order has {len(targets)} target languages.",
            hint=f"Name one for each in a qavix.toml in the folder: {said}.",
        )
    return found[0].voice_id


def _nearest(wanted: str, known: Sequence[Voice]) -> str:
    """What may have been meant, or what there is."""
    names = {_folded(voice.name): voice.name for voice in known if voice.name}
    near = [names[folded] for folded in get_close_matches(_folded(wanted), names, 3, 0.6)]
    if near:
        return "Did you mean " + " or ".join(f"“{name}”" for name in near) + "?"
    some = ", ".join(list(names.values())[:5])
    return f"There are {some} and others; `qavix-watch voices` lists them all." if len(names) > 5 else f"There are {some}." if some else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().translate(_SAME)
