"""From the voice that an order names to the id of one voice."""

from __future__ import annotations

import unicodedata
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
        raise OrderError(
            f"there is no voice “{wanted}”.", hint="Take a name or an id that List Voices gives, or that of a voice cloned here."
        )
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


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().translate(_SAME)
