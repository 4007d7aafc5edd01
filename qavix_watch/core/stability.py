"""When is a file complete? The decision, from what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from qavix_watch.core.files import Writer

LONGEST_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a candidate found, besides its stat. `quiet` is seconds since its last change."""

    quiet: float
    writer: Writer
    hole: bool
    local: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Not complete: look again in `seconds`."""

    seconds: float
    why: str


def quiet_needed(look: Look, settle: float, settle_remote: float) -> float:
    """Seconds without a change that a candidate needs: the short time only where the kernel can tell that nobody writes."""
    return settle if look.local and look.writer is not Writer.UNKNOWN else settle_remote


def judge(look: Look, settle: float, settle_remote: float) -> Wait | None:
    """None where the candidate is complete as far as the filesystem can tell; the container is asked next."""
    needed = quiet_needed(look, settle, settle_remote)
    if look.quiet < needed:
        return Wait(needed - look.quiet, "it was changed a moment ago")
    if look.writer is Writer.OPEN:
        return Wait(patience(look.quiet, settle), "another program still has it open for writing")
    if look.hole:
        return Wait(patience(look.quiet, settle), "a part of it is still missing (there is a hole in the file)")
    return None


def patience(quiet: float, settle: float) -> float:
    """Seconds until the next look at something that does not change: the longer it has been so, the longer."""
    return min(LONGEST_LOOK_SECONDS, max(settle, quiet / 10))
