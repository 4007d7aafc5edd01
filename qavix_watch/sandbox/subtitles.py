"""Subtitles in the target language: what is said does not matter, but it is real text, timed over the whole film."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_SECONDS = 3.0
_SHOWN_SECONDS = 2.5
_PHRASES = {
    "ar": ("مرحبا بالعالم.", "هذه ترجمة."),
    "de": ("Hallo, Welt.", "Das ist ein Untertitel."),
    "en": ("Hello, world.", "This is a subtitle."),
    "es": ("¡Hola, mundo!", "Esto es un subtítulo."),
    "fr": ("Bonjour, le monde !", "Ceci est un sous-titre."),
    "hi": ("नमस्ते दुनिया।", "यह एक उपशीर्षक है।"),
    "it": ("Ciao, mondo!", "Questo è un sottotitolo."),
    "ja": ("こんにちは、世界。", "これは字幕です。"),
    "ko": ("안녕, 세상아.", "이것은 자막입니다."),
    "nl": ("Hallo, wereld.", "Dit is een ondertitel."),
    "pl": ("Witaj, świecie.", "To jest napis."),
    "pt": ("Olá, mundo!", "Isto é uma legenda."),
    "ru": ("Привет, мир.", "Это субтитры."),
    "tr": ("Merhaba, dünya.", "Bu bir altyazı."),
    "uk": ("Привіт, світе.", "Це субтитри."),
    "zh": ("你好,世界。", "这是字幕。"),
}

# FFmpeg's mov_text and srt encoders want to know the style of what they will be given.
ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize,"
    b" PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing,"
    b" Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,"
    b"&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def lines(language: str, seconds: float) -> Iterator[tuple[float, float, str]]:
    """Start, end (seconds) and text of every line; at least one."""
    base = language.replace("_", "-").split("-")[0].lower()
    phrases = _PHRASES.get(base, (f"[{language}]",))
    for number in range(max(1, math.ceil(seconds / _LINE_SECONDS))):
        start = number * _LINE_SECONDS
        end = min(start + _SHOWN_SECONDS, max(seconds, start + 0.2))
        yield start, end, f"{phrases[number % len(phrases)]} ({number + 1})"


def srt(language: str, seconds: float) -> str:
    """A whole SubRip file."""
    entries = (
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{words}\n" for number, (start, end, words) in enumerate(lines(language, seconds), 1)
    )
    return "\n".join(entries)


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{milliseconds:03}"


def packets(language: str, seconds: float, codec: str) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Packets for a subtitle track, each with the second at which it begins; `codec` is "mov_text" or "srt"."""
    for start, end, words in lines(language, seconds):
        data = words.encode()
        packet = av.Packet(struct.pack(">H", len(data)) + data if codec == "mov_text" else data)
        packet.pts = packet.dts = round(start * 1000)
        packet.duration, packet.time_base = round((end - start) * 1000), Fraction(1, 1000)
        yield start, packet
