"""Drops of all seven kinds of work, of which no two have the same content."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

from tests.support.media import make_image, make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Home

SPEECH = "tts voice=sys-en-ava"
ORDERS = ("dub en to es", "subs en to fr", "erase", "face swap", "lip sync", "clone voice", SPEECH)
"""One order of each kind."""


class Wares:
    """Makes media by number: another number is another content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._film = make_video(folder / "film.mp4", seconds=1.0, faststart=True).read_bytes()

    def video(self, number: int) -> bytes:
        """A second of film, with the number in a box that players pass over."""
        mark = f"number {number:08d}".encode()
        return self._film + (len(mark) + 8).to_bytes(4, "big") + b"free" + mark

    def sound(self, number: int) -> bytes:
        """Half a second of a tone."""
        samples = (sample * (31 + number) % 16_384 - 8_192 for sample in range(8_000))
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(b"".join(value.to_bytes(2, "little", signed=True) for value in samples))
        return out.getvalue()

    def picture(self, number: int) -> bytes:
        """A picture of coloured stripes."""
        return make_image(self._folder / "picture.jpg", seed=number).read_bytes()

    def text(self, number: int) -> bytes:
        """A sentence."""
        return f"This is sentence number {number}.".encode()


def _alone(suffix: str, make: Callable[[Wares, int], bytes]) -> Callable[[Home, Wares, str, int], None]:
    def drop(home: Home, wares: Wares, order: str, number: int) -> None:
        home.drop(order, f"work {number}{suffix}", make(wares, number))

    return drop


def _paired(suffix: str, make: Callable[[Wares, int], bytes]) -> Callable[[Home, Wares, str, int], None]:
    def drop(home: Home, wares: Wares, order: str, number: int) -> None:
        home.drop(order, f"work {number}{suffix}", make(wares, number))
        home.drop(order, f"work {number}.mp4", wares.video(number))

    return drop


_WAYS = {
    "face swap": _paired(".jpg", Wares.picture),
    "lip sync": _paired(".wav", Wares.sound),
    "clone voice": _alone(".wav", Wares.sound),
    SPEECH: _alone(".txt", Wares.text),
}


def drop_one(home: Home, wares: Wares, order: str, number: int) -> None:
    """Put what `order` (one of ORDERS) takes into its folder, with the partner that it needs, as `work <number>`."""
    _WAYS.get(order, _alone(".mp4", Wares.video))(home, wares, order, number)


def drop_each(home: Home, wares: Wares, first: int = 1, orders: tuple[str, ...] = ORDERS) -> None:
    """One drop of each kind; they are numbered from `first`."""
    for number, order in enumerate(orders, start=first):
        drop_one(home, wares, order, number)


def results_of(order: str, number: int) -> list[str]:
    """The names in the outbox that the results of such a drop have in the sandbox's world."""
    endings = {
        "dub en to es": [".es.mp4"],
        "subs en to fr": [".fr.srt"],
        "erase": [".erased.mp4"],
        "face swap": [".swapped.mp4"],
        "lip sync": [".synced.mp4"],
        "clone voice": [".voice.json"],
        SPEECH: [".mp3"],
    }[order]
    return [f"{order}/work {number}{ending}" for ending in endings]
