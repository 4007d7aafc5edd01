"""What people do to the machines: a plug that is pulled, a disk that fills up, a clock that is set."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.volumes import PAGE

if TYPE_CHECKING:
    from tests.simulation.person import Person
    from tests.simulation.world import World

AWAY = (3.0, 0.2, 30.0, 120.0)
"""For how many seconds a root is away, or a disk full."""
ROOM_PAGES = (0, 1, 3, 8)


async def unplug(person: Person) -> None:
    """The media go away, and come back."""
    person.world.unplug()
    person.tell("has pulled a plug")
    person.count("root away")
    await asyncio.sleep(person.one_of("away for", AWAY))
    person.world.plug_in()
    person.tell("has plugged it in again")
    if not person.world.ground.remote:  # there people's clients had the disk open themselves
        person.record.cut_off()


async def fill(person: Person) -> None:
    """A disk fills up, and gets room again."""
    ground = person.world.ground
    volume = person.one_of("which disk", (ground.media, ground.cold))
    used = volume.room - volume.free_bytes
    volume.room = used + person.one_of("room", ROOM_PAGES) * PAGE
    person.tell("fills the disk of %s", volume.name)
    person.count("disk full")
    await asyncio.sleep(person.one_of("full for", AWAY))
    make_room(person.world)


def make_room(world: World) -> None:
    """All disks have room again."""
    for volume, room in world.people.rooms:
        volume.room = room
