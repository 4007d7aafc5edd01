"""Regions of the picture that Smart Eraser works on: read from `region=`, spelled back, sent to the service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qavix_watch.errors import OrderError

RegionKind = Literal["subtitle", "watermark"]

_WIRE_KIND = {"watermark": 1, "subtitle": 2}
_SCALE = 10_000  # four decimals: a fifth of a pixel in an 8K picture, and what identity compares


@dataclass(frozen=True, order=True)
class Region:
    """A rectangle in shares of the picture (0 to 1, four decimals), from its top left corner."""

    x: float
    y: float
    width: float
    height: float
    kind: RegionKind

    def wire(self) -> dict[str, float | int]:
        """The region as an item of `normalized_regions` (reference, Smart Eraser: type 1 watermark, 2 subtitle)."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height, "type": _WIRE_KIND[self.kind]}


NAMED: dict[str, Region] = {
    "bottom": Region(0.0, 0.8, 1.0, 0.2, "subtitle"),
    "top": Region(0.0, 0.0, 1.0, 0.2, "subtitle"),
    "top-left": Region(0.0, 0.0, 0.25, 0.2, "watermark"),
    "top-right": Region(0.75, 0.0, 0.25, 0.2, "watermark"),
    "bottom-left": Region(0.0, 0.8, 0.25, 0.2, "watermark"),
    "bottom-right": Region(0.75, 0.8, 0.25, 0.2, "watermark"),
}
_NAME_OF = {region: name for name, region in NAMED.items()}
_NUMBER = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")

HOW = (
    "Write bottom, top, top-left, top-right, bottom-left, bottom-right, or x,y,width,height in shares of the picture, "
    "for example `region=0,0.8,1,0.2`; add ,watermark for a logo."
)


def read_region(text: str) -> Region:
    """The region that `text` names (`bottom`, or `x,y,w,h[,subtitle|watermark]`). Raises OrderError."""
    named = NAMED.get(re.sub(r"[ _-]+", "-", text.strip().lower()))
    if named is not None:
        return named
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (4, 5):
        raise OrderError(f"`{text}` is no region.", hint=HOW)
    return make_region([_number(part, text) for part in parts[:4]], parts[4] if len(parts) == 5 else "subtitle", text)


def make_region(numbers: list[float], kind: str, text: str) -> Region:
    """The region of four numbers x, y, width, height. Raises OrderError, with `text` as what was written."""
    kind = kind.strip().lower()
    if kind not in _WIRE_KIND:
        raise OrderError(f"`{kind}` in region `{text}` is neither subtitle nor watermark.", hint=HOW)
    if not all(0 <= number <= 1 for number in numbers):
        raise OrderError(f"The numbers of region `{text}` are not all from 0 to 1.", hint=HOW)
    if numbers[0] + numbers[2] > 1 + 1e-9 or numbers[1] + numbers[3] > 1 + 1e-9:
        raise OrderError(f"Region `{text}` reaches outside the picture.", hint=HOW)
    x, y, width, height = (round(number * _SCALE) for number in numbers)
    width, height = min(width, _SCALE - x), min(height, _SCALE - y)
    if not width or not height:
        raise OrderError(f"Region `{text}` has no area.", hint=HOW)
    named: RegionKind = "watermark" if kind == "watermark" else "subtitle"
    return Region(x / _SCALE, y / _SCALE, width / _SCALE, height / _SCALE, named)


def _number(part: str, text: str) -> float:
    if not _NUMBER.fullmatch(part):
        raise OrderError(f"`{part}` in region `{text}` is no number from 0 to 1.", hint=HOW)
    return float(part)


def spell_region(region: Region) -> str:
    """The shortest text that `read_region` reads as `region`."""
    if region in _NAME_OF:
        return _NAME_OF[region]
    numbers = ",".join(f"{n:.4f}".rstrip("0").rstrip(".") for n in (region.x, region.y, region.width, region.height))
    return numbers if region.kind == "subtitle" else f"{numbers},watermark"


def settle_regions(regions: list[Region]) -> tuple[Region, ...]:
    """Each region once, in the one order in which they are compared and sent."""
    return tuple(sorted(set(regions)))
