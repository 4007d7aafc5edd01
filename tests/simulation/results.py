"""Results: made whole, and given out by a host that cuts them short, is slow, changes them, and forgets where they lay."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.service import Output
from tests.simulation import wares
from tests.simulation.links import Links
from tests.simulation.refusals import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.simulation.accounts import SimTask
    from tests.simulation.links import Link
    from tests.simulation.world import World

LINKED = (3600.0, 40.0, 1.0, 0.0)
EXPIRED = (403, 404, 410)
IN_TROUBLE = (503, 500, 429)
PAUSES = (0.0, 3.0, 30.0)
SUFFIXES = {"video": "mp4", "audio": "mp3", "subtitle": "srt"}
TYPES = {"video": "video/mp4", "audio": "audio/mpeg", "subtitle": "application/x-subrip"}
STRONG, NONE, WEAK = range(3)
_RANGE = re.compile(r"bytes=(\d+)-\Z")


@dataclass(slots=True)
class Served:
    """An answer to GET. `cut`: the connection breaks after the body; `pause`: seconds before each piece of it."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    cut: bool = False
    pause: float = 0.0


class ResultHost:
    """Makes and keeps results. `whole`: the SHA-256 of each that was ever made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._links = Links("results.qavix.example", world.now)
        self._current: dict[tuple[str, str], Link] = {}
        self._validators = world.pick("validators of results", 3)
        self._made = 0
        self.whole: set[bytes] = set()

    def make(self, task: SimTask, kinds: Iterable[str]) -> None:
        """The results of a task, each unlike any other that was ever made."""
        for kind in kinds:
            task.results[kind] = self._new(task, kind)

    def _new(self, task: SimTask, kind: str) -> bytes:
        self._made += 1
        salt = f"result {self._made} of task {task.task_id}"
        if kind == "subtitle":
            data = f"{self._made}\n00:00:00,000 --> 00:00:01,000\n{salt}\n".encode()  # both halves tell which it is
        else:
            data = wares.make(kind, max(task.seconds, 0.1), salt, size=97 + 61 * self._made % 400)
        self.whole.add(hashlib.sha256(data).digest())
        return data

    def output(self, task: SimTask) -> Output | None:
        """Where the results of a completed task lie; None while it does not say yet."""
        if self._world.fault("no output yet", 12.0):
            self._world.counters.count("no output yet")
            return None
        links = {kind: self._link(task, kind) for kind in task.results}
        told = None if self._world.pick("expiry of results is told", 2) else min(link.told for link in links.values())
        return Output({kind: link.url for kind, link in links.items()}, told)

    def _link(self, task: SimTask, kind: str) -> Link:
        link = self._current.get((task.task_id, kind))
        if link is None or not self._links.is_good(link):
            seconds = LINKED[self._world.fault("result link is short", 8.0, len(LINKED) - 1)]
            path = f"{task.task_id}/{kind}.{SUFFIXES[kind]}"
            link = self._current[task.task_id, kind] = self._links.give(path, (task, kind), seconds)
        return link

    def mend(self) -> None:
        """Links are good for long again from the next Get Task on."""
        self._current.clear()

    # The host itself

    def get(self, url: str, headers: Mapping[str, str]) -> Served:
        """The answer to one GET."""
        link = self._links.find(url)
        if link is None or not self._links.is_good(link):
            self._world.counters.count("result expired")
            return Served(self._world.one_of("expired result", EXPIRED), {}, PAGE)
        if how := self._world.fault("result host in trouble", 15.0, len(IN_TROUBLE)):
            self._world.counters.count("result host in trouble")
            return Served(IN_TROUBLE[how - 1], {})
        if self._world.fault("result is a page", 20.0):
            self._world.counters.count("result is a page")
            return Served(200, {"Content-Type": "text/html", "Content-Length": str(len(PAGE))}, PAGE)
        task, kind = link.thing
        return self._disturbed(self._answer(kind, self._content(task, kind), headers), kind)

    def _content(self, task: SimTask, kind: str) -> bytes:
        """The result, or what lies in its place: another whole one, or as much as has been written of it."""
        if self._validators == STRONG and self._world.fault("result made anew", 8.0):
            task.results[kind] = self._new(task, kind)
            self._world.tell("results", "the %s of task %s is made anew", kind, task.task_id)
            self._world.counters.count("result made anew")
        data = task.results[kind]
        if kind != "subtitle" and self._world.fault("result not whole yet", 15.0):
            self._world.counters.count("result not whole yet")
            return data[: len(data) * 2 // 3]
        return data

    def _answer(self, kind: str, data: bytes, asked: Mapping[str, str]) -> Served:
        """RFC 9110: the whole, or the part that was asked for if it is still of the same bytes."""
        tag = f'"{hashlib.sha256(data).hexdigest()[:12]}"'
        headers = {"Content-Type": TYPES[kind]}
        if self._validators != NONE:
            headers["ETag"] = tag if self._validators == STRONG else f"W/{tag}"
        part = _RANGE.match(asked.get("Range", ""))
        if part is None or asked.get("If-Range", tag) != tag or self._world.pick("ranges are not served", 4) == 3:
            return Served(200, {**headers, "Content-Length": str(len(data))}, data)
        start, total = int(part[1]), len(data)
        if start >= total:
            return Served(416, {**headers, "Content-Range": f"bytes */{total}"})
        self._world.counters.count("result resumed")
        headers |= {"Content-Range": f"bytes {start}-{total - 1}/{total}", "Content-Length": str(total - start)}
        return Served(206, headers, data[start:])

    def _disturbed(self, served: Served, kind: str) -> Served:
        served.pause = PAUSES[self._world.fault("result slow", 15.0, len(PAUSES) - 1)]
        if how := self._world.fault("result cut short", 5.0, 3):
            self._world.counters.count("result cut short")
            served.body, served.cut = served.body[: len(served.body) * (how - 1) // 2], True
        if self._world.fault("result of unknown length", 5.0) and served.status != 416:
            del served.headers["Content-Length"]
            served.headers["Transfer-Encoding"] = "chunked"
            if kind != "subtitle" and not served.cut and self._world.fault("result larger than said", 1.0):
                self._world.counters.count("result larger than said")
                served.body += b"and more of it than there is"
        return served
