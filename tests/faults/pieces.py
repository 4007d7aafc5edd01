"""Pieces of work that people lay hands on, and what has to come of each by what they did, when they did it, and the service's books."""

from __future__ import annotations

import hashlib
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psutil import STATUS_STOPPED, Process

from tests.faults.moments import is_at, soon
from tests.faults.trial import Given
from tests.faults.verdict import content_of
from tests.support.kinds import SPEECH, results_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.trial import Site
    from tests.support.service import Home

UNSUBMITTED = ("waiting", "settled", "fingerprinted", "uploading")
"""Until here what people do undoes, and costs nothing."""
UNCLEAR = "submitting"
"""Here the books tell whether it was in time; later it was not."""
FILMS = ("dub en to es", "subs en to fr", "erase")
ALONE = (*FILMS, SPEECH)
TASKS = {
    "dub en to es": ("video_translation", "es"), "subs en to fr": ("subtitle_translation", "fr"), "erase": ("smart_erasure", None),
    SPEECH: ("text_to_speech", None), "face swap": ("face_swap", None), "lip sync": ("lip_sync", None),
}  # fmt: skip
"""The task that each order becomes, by its type and language."""
NUMBERS = ("", " (2)", " (3)")
TRIES = 40
OTHER = 100_000
"""Added to a number it makes another content."""


@dataclass
class Piece:
    """One drop. `stage`: where it was when somebody laid hands on it; "" where that is not certain, or nobody did.

    `names`: folder and stem under which its results may lie. `order_then`: the order that holds where it was not submitted yet.
    """

    site: Site
    order: str
    given: Given
    path: Path
    stage: str = ""
    is_gone: bool = False
    order_then: str = ""
    names: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order_then = self.order_then or self.order
        self.goes_by(self.path)

    @property
    def key(self) -> bytes:
        """Its path as the state has it."""
        return os.fsencode(self.path.relative_to(self.site.home.inbox))

    def goes_by(self, path: Path) -> None:
        """Its results may be named after this path."""
        self.names.append((str(path.parent.relative_to(self.site.home.inbox)), path.stem))

    def take(self) -> None:
        """Somebody takes it away, for good."""
        self.is_gone, self.given.ends_in = True, ""


def bring(site: Site, order: str) -> Piece:
    """The next piece of work, in a folder of its own, told by its label."""
    number = len(site.given) + 1
    if order == SPEECH:
        return laid(site, order, f"{order} ({number})", f"work {number}.txt", site.wares.text(number))
    return laid(site, order, f"{order} ({number})", f"work {number}.mp4", site.wares.video(number))


def laid(site: Site, order: str, folder: str, name: str, data: bytes) -> Piece:
    """A file that somebody lays into an order's folder."""
    return noted(site, order, site.home.drop(folder, name, data), data)


def noted(site: Site, order: str, path: Path, data: bytes) -> Piece:
    """What lies at a path is a piece of work."""
    folder = str(path.parent.relative_to(site.home.inbox))
    given = Given(folder, len(site.given) + 1, [sha256_of(data)], [f"{folder}/{path.stem}{ending_of(order)}"])
    site.given.append(given)
    return Piece(site, order, given, path)


def sha256_of(data: bytes) -> str:
    """As the books have it."""
    return hashlib.sha256(data).hexdigest()


def ending_of(order: str) -> str:
    """How the names of its results end."""
    return results_of(order, 0)[0].removeprefix(f"{order}/work 0")


# Stages


@contextmanager
def frozen(home: Home) -> Iterator[None]:
    """Nothing of the service moves meanwhile."""
    assert home.process is not None
    home.signal(signal.SIGSTOP)
    assert soon(lambda: Process(home.process.pid).status() == STATUS_STOPPED, 10), "it does not stop"  # type: ignore[union-attr]
    try:
        yield
    finally:
        home.signal(signal.SIGCONT)


@contextmanager
def caught(site: Site, stage: str, orders: tuple[str, ...], brings: Callable[[Site, str], Piece] | None = None) -> Iterator[Piece]:
    """A piece of work that is at a stage just now, and stays there, as long as the service is frozen; its original lies where it lay.

    Stages are short: those that have passed by when the service stands still come through as if nothing had been. `brings` lays one
    into the inbox where that takes more than one file.
    """
    for number in range(TRIES):
        piece = (brings or bring)(site, orders[number % len(orders)])
        soon(lambda piece=piece: is_at(site.home, stage, piece.key), 20)  # type: ignore[misc]
        with frozen(site.home):
            if is_at(site.home, stage, piece.key) and piece.path.exists():
                piece.stage = stage
                yield piece
                return
    raise AssertionError(f"{TRIES} pieces of work were not seen at the stage “{stage}”")


# What came of it


def account_for(site: Site, pieces: list[Piece]) -> None:
    """Tell what has to be in the outbox of each piece, by what the service has made of it; and whether it should have made it."""
    ledger = site.sandbox.ledger()
    for piece in pieces:
        tasks = [task for task in ledger["tasks"] if made_from(task, piece)]
        site.trial.verdict.wrong += [f"{piece.given}, {piece.stage or 'live'}: {why}" for why in _unlawful(piece, tasks)]
        piece.given.results = [name for task in tasks for name in _found(piece, task)]


def made_from(task: dict[str, Any], piece: Piece) -> bool:
    """Whether a task works on the content of this piece."""
    text = task["params"].get("text")
    read = [made["sha256"] for made in task["inputs"].values()] if text is None else [sha256_of(text.encode())]
    return piece.given.contents[0] in read


def _unlawful(piece: Piece, tasks: list[dict[str, Any]]) -> Iterator[str]:
    """Where an undo was not free, submitted work was given up, or another order was done."""
    made = [(task["task_type"], task["target_language"]) for task in tasks]
    before, after = [TASKS[piece.order_then]] * (not piece.is_gone), [TASKS[piece.order]]
    if piece.given.ends_in == "failed":
        before = after = []
    lawful = [before] if piece.stage in UNSUBMITTED else [before, after] if piece.stage in {UNCLEAR, ""} else [after]
    if made not in lawful:
        yield f"its tasks are {made}, and should be {' or '.join(map(str, lawful))}"


def _found(piece: Piece, task: dict[str, Any]) -> list[str]:
    """The names under which a task's results lie; where none of those that may be does, the first of them."""
    made = {result["sha256"] for result in task["results"].values()}
    order = next(order for order, kind in TASKS.items() if kind == (task["task_type"], task["target_language"]))
    names = [f"{folder}/{stem}{number}{ending_of(order)}" for folder, stem in piece.names for number in NUMBERS]
    there = [name for name in names if (piece.site.home.outbox / name).is_file()]
    return [name for name in there if content_of(piece.site.home.outbox / name) in made] or names[:1]
