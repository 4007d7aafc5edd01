"""Whose result a content is, and which names in the outbox it may bear: PRODUCT.md §7, read once more."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.layout import name_of, parent
from qavix_watch.core.naming import split_name
from tests.simulation import wares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.gifts import Gift, Work
    from tests.simulation.world import World

_MADE_FOR = re.compile(rb"result \d+ of task (\d+)")
_MARKS = {
    "smart_eraser": rb"\.erased", "face_swap": rb"\.swapped", "lip_sync": rb"\.synced", "text_to_speech": b"", "voice_clone": rb"\.voice",
}  # fmt: skip
_SHORTENED = 200
"""A name of so many bytes may bear the beginning of its stem alone."""


@dataclass(frozen=True, slots=True)
class Made:
    """A whole result: the work, the id of the task or of the voice, and which of its results it is."""

    work: Work
    number: str
    kind: str


class Belonging:
    """What the service has made, and which of people's gifts it was made for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._service = world.service
        self._layout = world.layout

    def made(self, data: bytes) -> Made | None:
        """What a content is the whole result of; None where it is no result, or not the whole of one."""
        if hashlib.sha256(data).digest() not in self._service.whole_results():
            return self._note(data)
        found = _MADE_FOR.search(data)
        task = None if found is None else self._service.tasks.get(found[1].decode())
        return None if task is None else Made(task.work, task.task_id, wares.facts_of(data).kind or "subtitle")

    def _note(self, data: bytes) -> Made | None:
        """A cloned voice is delivered as a small text that names it."""
        try:
            said = json.loads(data)
        except ValueError:
            return None
        named = (said.get("voice_id"), said.get("name")) if isinstance(said, dict) else None
        found = (Made(clone.work, clone.voice_id, "voice") for clone in self._service.voices if named == (clone.voice_id, clone.name))
        return next(found, None)

    def owners(self, path: bytes, work: Work) -> Iterator[Gift]:
        """The gifts that a work was done for and whose result may bear this name, absolute."""
        voice_ids = self._service.voice_ids
        for gift in self._world.people.record.gifts:
            if gift.main and self.fits(path, gift, work) and work in gift.works(voice_ids):
                yield gift

    def fits(self, path: bytes, gift: Gift, work: Work) -> bool:
        """Whether a result of a work may lie at a path for a gift: in the same folders, under its stem."""
        relative = path[len(self._layout.outbox) + 1 :]
        places = {place.path[len(self._layout.inbox) + 1 :] for place in gift.places}
        return any(parent(place) == parent(relative) and _named(name_of(relative), name_of(place), work) for place in places)

    def promised(self, work: Work) -> list[set[Made]]:
        """The results of each task of a work that was completed, and of each voice. Those of one of them have to be delivered."""
        tasks = [task for task in self._service.tasks.values() if task.work == work and task.status == "completed"]
        clones = [clone for clone in self._service.voices if clone.work == work]
        return [
            *({Made(work, task.task_id, kind) for kind in task.results} for task in tasks),
            *({Made(work, clone.voice_id, "voice")} for clone in clones),
        ]


def _named(name: bytes, source: bytes, work: Work) -> bool:
    stem, suffix = split_name(source)
    mark = _MARKS.get(work.operation) if work.operation in _MARKS else rb"\." + _target(work) + rb"(?:\.subbed)?"
    tail = rb"(?: \(\d+\))?(?:%b)?%b\.[a-z0-9]{2,5}" % (re.escape(suffix), mark)
    head = rb".*" if len(name) >= _SHORTENED else re.escape(stem)
    return re.fullmatch(head + tail, name, re.DOTALL) is not None


def _target(work: Work) -> bytes:
    return re.escape(str(json.loads(work.params)["target_language"]).encode())
