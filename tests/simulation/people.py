"""The people of one life: how many there are, what each of them does, and how they answer in the end."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING

from qavix_watch.core.tasks import TaskType
from tests.simulation import bringing, commands, elsewhere, hands, surroundings
from tests.simulation.gifts import Record, digest
from tests.simulation.ground import ROOT
from tests.simulation.person import Person
from tests.simulation.sight import OURS
from tests.simulation.wares import Ware, facts_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulation.gifts import Gift
    from tests.simulation.world import World

    Act = Callable[[Person], Awaitable[None]]

NAMES = ("Ann", "Ben", "Eve")
MOST_ACTS = 3
ACTS: tuple[Act, ...] = (
    bringing.a_file, bringing.a_file, bringing.a_file, bringing.a_pair, bringing.a_pair, bringing.a_duplicate, bringing.a_duplicate,
    bringing.a_tree, bringing.a_voice, bringing.a_wrong_name, bringing.with_options, bringing.litter, bringing.a_mass, elsewhere.a_mistake,
    hands.change, hands.change, hands.touch, hands.rename, hands.reorder, hands.delete, hands.rename_folder, hands.delete_folder,
    elsewhere.take_result_name, elsewhere.take_archive_name, elsewhere.delete_result, elsewhere.rename_result,
    elsewhere.delete_outbox_folder, elsewhere.put_back,
    commands.retry, commands.redo, commands.cancel, commands.approve, commands.pause, commands.scan,
    surroundings.unplug, surroundings.fill,
    bringing.a_series, bringing.a_series, bringing.a_deadly_file, elsewhere.insist, elsewhere.bring_result,
    elsewhere.bring_result, bringing.a_pair_again,
)  # fmt: skip
"""The first is what happens where nothing is decided."""
COUNTED = frozenset({
    *(f"one of each kind: {task}" for task in TaskType),
    *(f"partner {how}" for how in ("first", "later", "changed", "missing", "shared")),
    "client died", "duplicate", "tree moved in", "voice of one's own", "name corrected", "options in a file", "file in no order",
    "mass drop", "pair again", "file of the wrong kind", "file changed under our hands", "file touched", "file moved under our hands",
    "file deleted under our hands", "folder renamed", "folder deleted", "outbox name taken", "archive name taken", "result deleted",
    "result renamed", "outbox folder deleted", "dragged back", "retry", "redo", "cancel", "approved", "pause", "scan asked for",
    "root away", "disk full", "series", "deadly file", "film that fails for ever", "result brought back",
})  # fmt: skip
"""What people do now and then: none of it may never happen in a run."""


class People:
    """Everybody who works with the inbox and its results. `record` is what they did."""

    def __init__(self, world: World) -> None:
        self.record = Record()
        self.rooms = [(volume, volume.room) for volume in (world.ground.media, world.ground.cold)]
        self._world = world
        self._is_to_be_seen = False
        self._persons = [Person(world, self.record, name) for name in NAMES]

    @property
    def gifts(self) -> list[Gift]:
        """Each file that people put in."""
        return self.record.gifts

    async def live(self) -> None:
        """Everybody does what they do; ends when all are done."""
        count = 1 + self._world.pick("more people", len(NAMES))
        days = [asyncio.create_task(_day(person), name=f"{person.name}'s day") for person in self._persons[:count]]
        for day in days:
            await day

    async def settle(self) -> None:
        """Once everything is quiet: make room, let go on what was paused, and approve what waits. May be called again and again."""
        surroundings.make_room(self._world)
        commands.resume_forgotten(self._persons[0])
        commands.answer_all(self._persons[0])

    def after_power_cut(self) -> None:
        """Every client has died. What the cut has taken is not to be counted on any more, and what it has left is durable."""
        if self._world.ground.remote:
            return
        self.record.cut_off()
        self._is_to_be_seen = True
        self.see_what_is_left()

    def see_what_is_left(self) -> None:
        """After a power cut, as soon as the media are there: nobody sees what it has taken while they are away."""
        if not self._is_to_be_seen or not self._world.ground.kernel.is_mount_point(ROOT):
            return
        self._is_to_be_seen = False
        person = self._persons[0]
        roots = (person.layout.inbox, person.layout.failed, person.layout.archive)
        left = {path: digest(person.content(path) or b"") for root in roots for path in person.files_below(root, hidden=True)}
        put_away = Counter(sha256 for path, sha256 in left.items() if OURS in path or not path.startswith(person.layout.inbox + b"/"))
        for gift in list(self.record.gifts):
            gift.durable = left.get(gift.path) == gift.sha256 or put_away[gift.sha256] > 0
            if left.get(gift.path) != gift.sha256:
                put_away[gift.sha256] -= 1  # it is this one; another of the same content is not saved by it
            if not gift.removed and (not gift.durable or _lies_torn(person, gift)):
                _torn(person, gift)


def _lies_torn(person: Person, gift: Gift) -> bool:
    """Whether something else lies in its place now: another copy of it may have come through all the same."""
    data = person.content(gift.path)
    return data is not None and digest(data) != gift.sha256 and person.record.lying_at(gift.path) is gift


def _torn(person: Person, gift: Gift) -> None:
    """A gift was lost; what lies in its place now may be done or not."""
    gift.removed = True
    gift.hindrance = gift.hindrance or "the power went before it was on the disk"
    films = [film for film in person.record.gifts if gift.sha256 in film.partners]
    for film in films:
        film.hindrance = film.hindrance or "the power cut has taken its partner"
    for data in _rests(person, gift):
        _rest_of(person, gift, films, data)


def _rests(person: Person, gift: Gift) -> list[bytes]:
    """What lies in the place of a gift, or in its folder under a private name of ours: it was just being put away."""
    folder, data = os.path.dirname(gift.path), person.content(gift.path)
    aside = [path for path in person.files_below(folder, hidden=True) if path.startswith(os.path.join(folder, OURS + b"aside-"))]
    return [data] if data is not None else [person.content(path) or b"" for path in aside]


def _rest_of(person: Person, gift: Gift, films: list[Gift], data: bytes) -> None:
    if not facts_of(data).cut:
        person.record.readable.add(digest(data))
    for film in films:
        if digest(data) not in film.partners:
            film.partners.append(digest(data))
    rest = person.give(gift.path, Ware(gift.kind, data, gift.shows), data, main=gift.main)
    rest.durable, rest.partners, rest.places = True, gift.partners, gift.places  # where that goes, the results of the whole go
    rest.hindrance = "the power cut has left no more of it"


async def _day(person: Person) -> None:
    """One of them, one thing after the other. What cannot be done any more, since somebody was quicker, is left."""
    for number in range(1 + person.pick("does more", MOST_ACTS)):
        if number:
            await person.wait()
        act = person.one_of("does", ACTS)
        try:
            await act(person)
        except OSError as error:
            person.tell("leaves it (%s): %s", act.__name__, error)
