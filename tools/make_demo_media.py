# ruff: noqa: INP001 - a script, not a package
"""Makes the media that `qavix-watch demo` drops: a talking clip, a face, a voice, and a text to speak.

Run it from the checkout: `python tools/make_demo_media.py [FOLDER]`. Everything is drawn and spoken here, so it is the
project's own. Speech comes from eSpeak NG where that is installed, else from a row of vowels of our own; what is committed
was made with it.
"""

from __future__ import annotations

import array
import io
import math
import shutil
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path

import av

FOLDER = Path(__file__).parents[1] / "qavix_watch" / "demo" / "media"
WIDTH, HEIGHT, FPS, RATE = 640, 360, 25, 44100
HELLO = "Hello! Drop this film into a folder, and it comes back in another language."
VOICE = "Good morning. This is a sample of my voice. The quick brown fox jumps over the lazy dog."
TEXT = (
    "Hello! This text lies in a folder whose name says what is wanted.\n"
    "Qavix Watch has it spoken, and puts the sound into the outbox.\n"
)

Colour = tuple[int, int, int]

NIGHT, DUSK, GLOW = (38, 30, 84), (168, 74, 122), (255, 178, 102)
HILL, MEADOW = (44, 94, 86), (32, 70, 74)
SUN, SKIN, CHEEK = (255, 209, 92), (242, 190, 150), (255, 158, 104)
INK, TONGUE, WHITE = (60, 38, 66), (226, 92, 92), (255, 250, 240)

GLYPHS = {
    "A": "01110 10001 10001 11111 10001 10001 10001", "C": "01110 10001 10000 10000 10000 10001 01110",
    "E": "11111 10000 10000 11110 10000 10000 11111", "H": "10001 10001 10001 11111 10001 10001 10001",
    "I": "01110 00100 00100 00100 00100 00100 01110", "L": "10000 10000 10000 10000 10000 10000 11111",
    "O": "01110 10001 10001 10001 10001 10001 01110", "Q": "01110 10001 10001 10001 10101 10010 01101",
    "T": "11111 00100 00100 00100 00100 00100 00100", "V": "10001 10001 10001 10001 10001 01010 00100",
    "W": "10001 10001 10001 10101 10101 11011 10001", "X": "10001 10001 01010 00100 01010 10001 10001",
    "!": "00100 00100 00100 00100 00100 00000 00100", " ": "00000 00000 00000 00000 00000 00000 00000",
}  # fmt: skip


class Canvas:
    """A picture of rows of RGBA bytes, drawn at twice the size that it is shown in, so that its edges are smooth."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = 2 * width, 2 * height
        self.pixels = bytearray(4 * self.width * self.height)

    def span(self, y: int, left: float, right: float, colour: Colour) -> None:
        """One horizontal line of a shape."""
        first, end = max(0, round(left)), min(self.width, round(right))
        if 0 <= y < self.height and first < end:
            at = 4 * (y * self.width + first)
            self.pixels[at : at + 4 * (end - first)] = bytes((*colour, 255)) * (end - first)

    def gradient(self, *stops: Colour) -> None:
        """Fill everything from top to bottom."""
        for y in range(self.height):
            place = y / self.height * (len(stops) - 1)
            upper, lower = stops[int(place)], stops[int(place) + 1]
            mixed = [round(a + (b - a) * (place % 1)) for a, b in zip(upper, lower, strict=True)]
            self.span(y, 0, self.width, (mixed[0], mixed[1], mixed[2]))

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        for row in range(round(2 * y), round(2 * (y + height))):
            self.span(row, 2 * x, 2 * (x + width), colour)

    def ellipse(self, x: float, y: float, across: float, up: float, colour: Colour, part: range = range(-1, 2)) -> None:
        """An ellipse around (x, y); `part` leaves out its upper or lower half."""
        for row in range(round(2 * (y - up)), round(2 * (y + up))):
            offset = (row + 0.5) / 2 - y
            if (offset < 0 and part.start == -1) or (offset >= 0 and part.stop == 2):
                half = across * math.sqrt(max(0.0, 1 - (offset / up) ** 2))
                self.span(row, 2 * (x - half), 2 * (x + half), colour)

    def letter(self, char: str, x: float, y: float, size: float, colour: Colour) -> None:
        for row, bits in enumerate(GLYPHS[char].split()):
            for column, bit in enumerate(bits):
                if bit == "1":
                    self.rectangle(x + column * size, y + row * size, size, size, colour)

    def frame(self) -> av.VideoFrame:
        """The picture, scaled down."""
        frame = av.VideoFrame.from_bytes(bytes(self.pixels), self.width, self.height, format="rgba")
        return frame.reformat(self.width // 2, self.height // 2, "yuv420p", interpolation="AREA")


LOWER, UPPER = range(2), range(-1, 1)


def face(canvas: Canvas, x: float, y: float, size: float, mouth: float, blink: bool, skin: Colour) -> None:
    """A friendly face; `mouth` is how far it is open, from 0 to 1."""
    canvas.ellipse(x, y, size, size, skin)
    for side in (-1, 1):
        canvas.ellipse(x + side * 0.58 * size, y + 0.22 * size, 0.16 * size, 0.1 * size, CHEEK)
        if blink:
            canvas.rectangle(x + side * 0.34 * size - 0.13 * size, y - 0.2 * size, 0.26 * size, 0.05 * size, INK)
        else:
            canvas.ellipse(x + side * 0.34 * size, y - 0.18 * size, 0.13 * size, 0.18 * size, INK)
            canvas.ellipse(x + side * 0.34 * size + 0.04 * size, y - 0.25 * size, 0.045 * size, 0.055 * size, WHITE)
    open_ = 0.1 * size + 0.32 * size * mouth
    canvas.ellipse(x, y + 0.3 * size, 0.36 * size, open_, INK, LOWER)
    canvas.ellipse(x, y + 0.3 * size + 0.72 * open_, 0.2 * size, 0.24 * open_, TONGUE)


def rays(canvas: Canvas, x: float, y: float, size: float, turn: float) -> None:
    for number in range(16):
        angle = turn + number * math.tau / 16
        reach = size * (1.36 if number % 2 else 1.26)
        canvas.ellipse(x + reach * math.cos(angle), y + reach * math.sin(angle), 0.08 * size, 0.08 * size, SUN)


def scene(second: float, loud: float, history: list[float]) -> Canvas:
    """One picture of the clip: the sun that talks, the title, and bars of what was heard last."""
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.gradient(NIGHT, DUSK, GLOW)
    x, y = 176, 168 + 5 * math.sin(second * 2.2)
    rays(canvas, x, y, 92, second * 0.35)
    face(canvas, x, y, 92, loud, blink=second % 2.4 > 2.26, skin=SUN)
    canvas.ellipse(150, 400, 420, 92, HILL, UPPER)
    canvas.ellipse(560, 410, 380, 112, MEADOW, UPPER)
    for number, char in enumerate("HELLO!"):
        canvas.letter(char, 318 + number * 50, 92 + 7 * math.sin(second * 4 - number * 0.7), 8, WHITE)
    for number, char in enumerate("QAVIX WATCH"):
        canvas.letter(char, 320 + number * 25, 176, 4, GLOW)
    for number, height in enumerate(history[-22:]):
        canvas.rectangle(320 + number * 12.4, 254 - 30 * height, 7, 4 + 60 * height, WHITE)
    return canvas


def speak(text: str, voice: str, pitch: int) -> list[float]:
    """The text as sound, samples from -1 to 1 at RATE."""
    program = shutil.which("espeak-ng")
    if program is None:
        return vowels(len(text.split()), pitch)
    command = [program, "-v", voice, "-p", str(pitch), "-s", "165", "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - our own words alone
    with wave.open(io.BytesIO(spoken)) as sound:
        samples, rate = array.array("h", sound.readframes(sound.getnframes())), sound.getframerate()
    return [sample / 32768 for sample in resampled(samples, rate)]


def resampled(samples: array.array[int], rate: int) -> array.array[int]:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return array.array("h", b"".join(bytes(part.planes[0])[: 2 * part.samples] for part in parts))


def vowels(words: int, pitch: int) -> list[float]:
    """Something like speech where no synthesiser is at hand: one vowel for each word, of three formants."""
    formants = [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]
    samples: list[float] = []
    for word in range(words):
        base, length = 80 + pitch + 9 * math.sin(word), round(RATE * 0.24)
        weights = harmonics(base, formants[word % len(formants)])
        for at in range(length):
            swell = math.sin(math.pi * at / length) ** 0.7
            tones = (math.sin(math.tau * base * number * at / RATE) * weight for number, weight in weights)
            samples.append(0.25 * swell * sum(tones))
        samples.extend([0.0] * round(RATE * 0.05))
    return samples


def harmonics(base: float, peaks: tuple[int, ...]) -> list[tuple[int, float]]:
    """How strong each harmonic of a voice is in a vowel."""
    return [
        (number, sum(math.exp(-(((base * number - peak) / 160) ** 2)) for peak in peaks))
        for number in range(1, 26)
    ]


def loudness(samples: list[float]) -> list[float]:
    """How loud each picture's worth of sound is, from 0 to 1, smoothed so that a mouth can follow."""
    step = RATE // FPS
    chunks = [samples[at : at + step] for at in range(0, len(samples), step)]
    power = [math.sqrt(sum(sample * sample for sample in chunk) / step) for chunk in chunks]
    loudest = max(power)
    smooth = [0.0]
    for value in power:
        smooth.append(0.4 * smooth[-1] + 0.6 * math.sqrt(value / loudest))
    return smooth[1:]


def write_sound(container: av.container.OutputContainer, stream: av.AudioStream, samples: list[float]) -> None:
    pcm = array.array("h", [round(32767 * max(-1.0, min(1.0, sample))) for sample in samples])
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm))
    frame.planes[0].update(pcm.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    codec = stream.codec_context
    resampler = av.AudioResampler(format=codec.format, layout="mono", rate=RATE, frame_size=codec.frame_size)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def make_clip(path: Path, samples: list[float]) -> None:
    """h264 and AAC, with the index at the front so that it plays while it arrives."""
    levels = [*loudness(samples), *[0.0] * 8]
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", container_options=options) as container:
        container.metadata["title"] = "Hello from Qavix Watch"
        video = container.add_stream("libx264", FPS, options={"crf": "25", "preset": "veryslow", "threads": "1"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", RATE, layout="mono")
        audio.bit_rate = 64000
        for number, level in enumerate(levels):
            picture = scene(number / FPS, level, levels[: number + 1]).frame()
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        write_sound(container, audio, samples)


def make_voice(path: Path, samples: list[float]) -> None:
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libmp3lame", RATE, layout="mono")
        stream.bit_rate = 64000
        write_sound(container, stream, samples)


def make_face(path: Path) -> None:
    """A portrait, as unlike the sun as a face can be."""
    canvas = Canvas(480, 480)
    canvas.gradient((120, 190, 200), (220, 235, 225))
    canvas.ellipse(240, 500, 190, 130, (70, 90, 160), UPPER)
    canvas.rectangle(204, 330, 72, 70, SKIN)
    canvas.ellipse(240, 190, 158, 160, INK)
    canvas.rectangle(82, 190, 40, 120, INK)
    canvas.rectangle(358, 190, 40, 120, INK)
    face(canvas, 240, 232, 132, 0.35, blink=False, skin=SKIN)
    canvas.ellipse(240, 118, 120, 52, INK)
    canvas.ellipse(240, 252, 14, 10, CHEEK)
    picture = canvas.frame().reformat(format="yuvj420p")
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("mjpeg", 1, options={"qmin": "3", "qmax": "3"})
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuvj420p"
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def make_all(folder: Path) -> None:
    """Write the four files into a folder, in place of those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    make_clip(folder / "hello.mp4", speak(HELLO, "en-us", 62))
    make_voice(folder / "voice.mp3", speak(VOICE, "en-gb", 38))
    make_face(folder / "face.jpg")
    (folder / "hello.txt").write_text(TEXT, encoding="utf-8")


if __name__ == "__main__":
    make_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
