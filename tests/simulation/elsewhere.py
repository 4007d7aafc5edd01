"""What people do where the service puts things: results that are renamed or deleted, names that are taken, originals put back."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from qavix_watch.core.layout import name_of
from qavix_watch.core.naming import result_name, split_name
from qavix_watch.core.tasks import MediaKind, TaskType
from tests.simulation.bringing import goes_with
from tests.simulation.clients import Bring
from tests.simulation.gifts import digest
from tests.simulation.hands import lying, part
from tests.simulation.scenes import known, name_for, place_in, spec_of, ware, ware_for
from tests.simulation.wares import SILENT, Ware, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.gifts import Gift
    from tests.simulation.person import Person

OWN_TEXTS = (b".why.txt", b".voice.json")
PATIENCE_SECONDS, LONG_PATIENCE_SECONDS, LOOK_SECONDS = 150.0, 400.0, 5.0
INSISTS = (1, 4, 4, 4)


def _counterpart(person: Person, gift: Gift, root: bytes) -> bytes:
    """The folder in another root that belongs to the folder of a gift."""
    return root + os.path.dirname(gift.path)[len(person.layout.inbox) :]


async def take_result_name(person: Person) -> None:
    """A file of their own, under the very name that a result would get."""
    gift = await lying(person)
    order = None if gift is None else gift.order
    if gift is None or order is None or order.task not in _RESULTS:
        return
    kind, extension = _RESULTS[order.task]
    name = result_name(split_name(name_of(gift.path))[0], kind, order.task, order.targets[0] if order.targets else None, extension)
    _taken(person, os.path.join(_counterpart(person, gift, person.layout.outbox), name), "outbox name taken")


_RESULTS = {
    TaskType.VIDEO_TRANSLATION: ("video", "mp4"), TaskType.SUBTITLE_TRANSLATION: ("subtitle", "srt"),
    TaskType.SMART_ERASURE: ("video", "mp4"), TaskType.TEXT_TO_SPEECH: ("audio", "mp3"),
}  # fmt: skip


async def take_archive_name(person: Person) -> None:
    """A file of their own, where an original would be put away: in the archive, or among what failed."""
    gift = await lying(person)
    if gift is not None:
        root = person.one_of("which root", (person.layout.archive, person.layout.failed))
        _taken(person, os.path.join(_counterpart(person, gift, root), name_of(gift.path)), "archive name taken")


def _taken(person: Person, path: bytes, count: str) -> None:
    if not person.program.exists(path):
        person.own(path, make(MediaKind.VIDEO, 1.0, f"own {person.record.label()}"))
        person.tell("has put a file of their own at %s", path)
        person.count(count)


async def delete_result(person: Person) -> None:
    """Delete a result."""
    found = _results(person)
    if found:
        person.delete(person.one_of("which result", found))
        person.count("result deleted")


async def rename_result(person: Person) -> None:
    """Give a result another name, or drag it to their own folder."""
    found = _results(person)
    if not found:
        return
    path = person.one_of("which result", found)
    target = person.free_name(os.path.dirname(path), b"mine", os.path.splitext(path)[1])
    person.record.taken.add(digest(person.content(path) or b""))
    person.program.rename(path, target, replace=False)
    person.tell("has renamed %s to %s", path, target)
    person.count("result renamed")


def _results(person: Person) -> list[bytes]:
    return [path for path in person.files_below(person.layout.outbox) if path not in person.record.possessions]


async def delete_outbox_folder(person: Person) -> None:
    """Delete a folder of results, or where there is none the whole outbox."""
    folders = person.folders_in(person.layout.outbox) or [person.layout.outbox]
    person.count("outbox folder deleted")
    person.delete_folder(person.one_of("which folder", folders))


async def put_back(person: Person) -> None:
    """Drag an original back into the inbox, from failed/ or from the archive: into its folder, or where it has none any more a new one."""
    roots = (person.layout.failed, person.layout.archive)
    found = [(root, path) for root in roots for path in person.files_below(root) if _gift_at(person, path) is not None]
    if found:
        _put_back(person, *person.one_of("which original", found))


def _put_back(person: Person, root: bytes, path: bytes) -> None:
    gift = _gift_at(person, path)
    assert gift is not None
    folder = person.layout.inbox + os.path.dirname(path)[len(root) :]
    stem, suffix = split_name(name_of(path))
    person.make_folder(folder)
    target = os.path.join(folder, name_of(path))
    if person.program.exists(target) or person.record.is_busy(target) or person.now_and_then("another name", 4):
        target = person.free_name(folder, stem, suffix)
    person.program.rename(path, target, replace=False)
    person.relocate(gift, target, "dragged back")
    gift.removed = False
    part(gift)
    if not gift.whole:
        gift.hindrance = gift.hindrance or "it was dragged back as it was, and is taken as it is"
        person.record.readable.add(gift.sha256)
    person.tell("has dragged %s back to %s", path, target)
    person.keep_names(path, target)
    person.count("dragged back")


def _gift_at(person: Person, path: bytes) -> Gift | None:
    """The gift whose original was put away there."""
    if path in person.record.possessions or path.endswith(OWN_TEXTS):
        return None
    alike = person.record.of_content(digest(person.content(path) or b""))
    return next((gift for gift in alike if gift.main), None)


async def a_mistake(person: Person) -> None:
    """A file that is not what its name says. It is refused; its person drags it back once, to see whether that helps."""
    path = name_for(person, place_in(person, "dub en to es"), spec_of("dub en to es"))
    text = ware(person, MediaKind.TEXT, b".txt")
    gift = await Bring(person, path, Ware(text.kind, text.data, shows=False)).run()
    person.count("file of the wrong kind")
    await _drag_back(person, gift, 1, PATIENCE_SECONDS)


async def insist(person: Person) -> None:
    """A film that the service can do nothing with. Its person drags it back from failed, time and again."""
    path = person.free_name(place_in(person, "erase"), b"silent", b".mp4")
    ware = Ware(MediaKind.VIDEO, make(MediaKind.VIDEO, 12.0, f"{SILENT} {person.record.label()}"), shows=True)
    gift = await Bring(person, path, known(person, ware)).run()
    person.count("film that fails for ever")
    await _drag_back(person, gift, person.one_of("insists", INSISTS), LONG_PATIENCE_SECONDS)


async def _drag_back(person: Person, gift: Gift | None, times: int, patience: float) -> None:
    """Wait for a gift to come to lie in failed, and drag it back, so many times."""
    for _ in range(times if gift is not None else 0):
        refused = await _in_time(person, lambda: [path for path in _all_failed(person) if _gift_at(person, path) is gift], patience)
        if refused:
            _put_back(person, person.layout.failed, refused[0])


def _all_failed(person: Person) -> list[bytes]:
    return person.files_below(person.layout.failed)


async def _in_time(person: Person, look: Callable[[], list[bytes]], patience: float = PATIENCE_SECONDS) -> list[bytes]:
    """Look now and then until there is something, or patience ends."""
    until = person.world.now() + patience
    while not (found := look()) and person.world.now() < until:  # noqa: ASYNC110 - nobody tells people but their eyes
        await asyncio.sleep(LOOK_SECONDS)
    return found


async def bring_result(person: Person) -> None:
    """Copy a result into the folder that its original came from. It is no work for that folder's order; elsewhere it might be."""
    if not _films(person):
        path = name_for(person, place_in(person, "erase"), spec_of("erase"))
        await Bring(person, path, ware_for(person, path, MediaKind.VIDEO)).run()
    found = await _in_time(person, lambda: _films(person), LONG_PATIENCE_SECONDS)
    if not found:
        return
    source = person.one_of("which result", found)
    data = person.content(source)
    assert data
    folder = person.layout.inbox + os.path.dirname(source)[len(person.layout.outbox) :]
    path = person.free_name(folder, b"result", b".mp4")
    person.record.readable.add(digest(data))
    await Bring(person, path, Ware(MediaKind.VIDEO, data, shows=True), once_whole=lambda gift: _is_a_result(person, gift)).run()
    person.count("result brought back")


def _is_a_result(person: Person, gift: Gift) -> None:
    gift.partners = [other.sha256 for other in person.record.gifts if not other.main and goes_with(other, gift)]
    gift.hindrance = gift.hindrance or "it is a result of this very order, unless that has another name by now"


def _films(person: Person) -> list[bytes]:
    return [path for path in _results(person) if path.endswith(b".mp4") and person.content(path)]
