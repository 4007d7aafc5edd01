"""The process that media facts are read in, since what parses hostile bytes can die alone (law 11).

Started by `media.py` as `python -P -m qavix_watch.fs.media_child MEMORY_BYTES SECONDS`. One line in: a path in
Base64. One line out: the facts, or {"errno": n}, as JSON. MediaInfo is given an open file and never a name, so that
names are any bytes, and a container that refers to other files or addresses gets none of them. It ends when its input
ends, in the middle of a file too: the reader of the input is a thread of its own, and MediaInfo runs without the GIL.
(A death signal by prctl(2) would come when the *thread* ends that started it, so it is not used.)
"""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import stat
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from pymediainfo import MediaInfo

from qavix_watch.fs.containers import Verdict, judge
from qavix_watch.fs.source import Source
from qavix_watch.fs.streams import READ_FLAGS

if TYPE_CHECKING:
    from typing import BinaryIO

_MAX_FILES = 64  # descriptors; MediaInfo needs none of its own


def main() -> None:
    memory_bytes, seconds = int(sys.argv[1]), float(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it closes our input
    answers = _take_over_output()
    _limit(memory_bytes)
    waiting: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, waiting), daemon=True).start()
    if not MediaInfo.can_parse():
        sys.exit("MediaInfo's library does not load within the limits.")
    os.write(answers, b"{}\n")  # ready
    while True:
        path = base64.b64decode(waiting.get())
        _allow(seconds)
        answer = json.dumps(_answer(path)).encode() + b"\n"
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(answers, answer)


def _take_over_output() -> int:
    """Keep standard output for answers alone: what the library prints goes nowhere."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers


def _limit(memory_bytes: int) -> None:
    for what, wanted in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, _MAX_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (limit, limit))


def _listen(requests: BinaryIO, waiting: SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    os._exit(0)  # the parent has gone, or wants no more


def _allow(seconds: float) -> None:
    """Time for one file: of the clock, and of the processor. What needs more is ended by the kernel."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _answer(path: bytes) -> dict[str, Any]:
    try:
        fd = os.open(path, READ_FLAGS)
    except OSError as error:
        return {"errno": error.errno}
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return {"irregular": True}
        with open(fd, "rb", buffering=0, closefd=False) as file:
            return _facts(file)
    except OSError as error:
        return {"errno": error.errno}
    finally:
        os.close(fd)


def _facts(file: Any) -> dict[str, Any]:
    source = Source(file.fileno())
    verdict = judge(source)
    report = json.loads(MediaInfo.parse(file, output="JSON", full=False) or "null", strict=False) or {}
    tracks = (report.get("media") or {}).get("track") or []
    general = _first(tracks, "General")
    kind = _kind(tracks)
    cut = _cut(source, verdict, tracks, general)
    picture = _first(tracks, "Video", "Image")
    return {
        "kind": kind or (verdict.kind if cut else ""),
        "duration": None if kind == "image" else _duration(tracks),
        "container": general.get("Format") or "",
        "cut": cut,
        "width": _whole(picture.get("Width")),
        "height": _whole(picture.get("Height")),
        "has_audio": any(track.get("@type") == "Audio" for track in tracks),
    }


def _first(tracks: list[dict[str, Any]], *types: str) -> dict[str, Any]:
    return next((track for track in tracks if track.get("@type") in types), {})


def _kind(tracks: list[dict[str, Any]]) -> str:
    present = {track.get("@type") for track in tracks}
    return next((kind.lower() for kind in ("Video", "Audio", "Image") if kind in present), "")


def _cut(source: Source, verdict: Verdict, tracks: list[dict[str, Any]], general: dict[str, Any]) -> str:
    if verdict.cut:
        return verdict.cut
    if (general.get("extra") or {}).get("IsTruncated") == "Yes" and not verdict.open_end:
        return "The container says that there is more of it than the file holds."
    # Silence as PCM is zeros too; compressed pictures and sound never are, for so long.
    pcm = any(track.get("@type") == "Audio" and track.get("Format") == "PCM" for track in tracks)
    if verdict.media_last and not pcm and source.ends_in_zeros():
        return "The file ends in zeros where pictures and sound should be: its last part has not arrived."
    return ""


def _duration(tracks: list[dict[str, Any]]) -> float | None:
    """The longest duration, in seconds; None where none is known."""
    found = [seconds for track in tracks if (seconds := _number(track.get("Duration")))]
    return max(found, default=None)


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _whole(text: Any) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


if __name__ == "__main__":
    main()
