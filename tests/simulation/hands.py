"""What people do with files that lie in the inbox already, whether they are just worked on or not: change, touch, move, delete."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from tests.simulation.bringing import a_file
from tests.simulation.clients import Bring
from tests.simulation.scenes import ORDERS, mine, place_in, spec_of, suffix_of, ware_for

if TYPE_CHECKING:
    from tests.simulation.gifts import Gift
    from tests.simulation.person import Person

SOON = (0.3, 1.2, 3.0, 8.0)
OLD_SECONDS = (0.0, 5.0, 3600.0, 40 * 365 * 86400.0)
"""How long ago it was changed, as `touch` says."""


async def change(person: Person) -> None:
    """Write something else over a file; now and then the client dies amid that."""
    gift = await lying(person)
    if gift is None:
        return
    ware = ware_for(person, gift.path, gift.kind)
    changed = await Bring(person, gift.path, ware, may_die=True, once_whole=lambda new: _follow(new, gift)).run()
    if changed is not None:
        person.count("file changed under our hands")


def _follow(new: Gift, old: Gift) -> None:
    """Write down that a file has taken the place of another; the second input may have been put away with that."""
    new.partners = old.partners  # one list: what comes later comes for the file that lies there then
    if old.order is not None and old.order.spec.partner is not None:
        new.hindrance = new.hindrance or "its partner may have gone with the one before"


async def touch(person: Person) -> None:
    """Give a file another time."""
    gift = await lying(person)
    if gift is None:
        return
    at = person.world.now() - person.one_of("touched", OLD_SECONDS)
    handle = person.program.open_to_write(gift.path)
    handle.set_mtime(round(at * 1e9))
    handle.close()
    gift.deeds.append("touched")
    person.tell("has touched %s", gift.path)
    person.count("file touched")


async def rename(person: Person) -> None:
    """Give a file another name in its folder."""
    gift = await lying(person)
    if gift is None:
        return
    path = person.free_name(os.path.dirname(gift.path), b"renamed", suffix_of(gift.path))
    person.move(gift, path, "renamed")
    part(gift)
    person.count("file moved under our hands")


async def reorder(person: Person) -> None:
    """Move a file to another order's folder."""
    gift = await lying(person)
    if gift is None:
        return
    orders = [order for order in ORDERS if spec_of(order).main is gift.kind] or ["erase"]
    folder = place_in(person, person.one_of("order", orders))
    path = person.free_name(folder, os.path.splitext(os.path.basename(gift.path))[0], suffix_of(gift.path))
    person.make_folder(folder)
    person.move(gift, path, "moved to another order")
    part(gift)
    person.count("file moved under our hands")


def part(gift: Gift) -> None:
    """Whoever moves a video alone leaves its second input behind."""
    if gift.partners:
        gift.hindrance = gift.hindrance or "it was parted from its partner"


async def delete(person: Person) -> None:
    """Take a file out: before it is submitted, that is the undo."""
    gift = await lying(person)
    if gift is None:
        return
    person.delete(gift.path)
    person.keep_names(gift.path)
    person.count("file deleted under our hands")


async def rename_folder(person: Person) -> None:
    """Give an order's folder another name: a label, or another order."""
    folders = person.folders_in(person.layout.inbox)
    if not folders:
        return
    folder = person.one_of("which folder", folders)
    gifts = [gift for gift in person.mains() if gift.path.startswith(folder + b"/")]
    kinds = {gift.kind for gift in gifts}
    orders = [order for order in ORDERS if spec_of(order).main in kinds] or ["erase"]
    person.move_folder(folder, person.layout.in_inbox(mine(person, person.one_of("order", orders)).encode()))


async def delete_folder(person: Person) -> None:
    """Delete an order's folder with all that lies in it."""
    folders = person.folders_in(person.layout.inbox)
    if not folders:
        return
    folder = person.one_of("which folder", folders)
    person.count("folder deleted")
    person.delete_folder(folder)
    person.keep_names(folder)


async def lying(person: Person) -> Gift | None:
    """One of the files that lie there; where there is none they bring one, and come back to it soon. None where it is gone by then."""
    if not person.mains():
        await a_file(person)
        await asyncio.sleep(person.one_of("comes back", SOON))
    found = person.mains()
    return person.one_of("which file", found) if found else None
