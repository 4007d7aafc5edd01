"""What people bring: single files, pairs, trees, masses, the same again, and what is not understood at first."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from qavix_watch.core.naming import split_name
from qavix_watch.core.tasks import MediaKind
from tests.simulation.clients import Bring
from tests.simulation.scenes import (
    CLONED,
    CLONES,
    LITTER,
    ORDERS,
    PAIRS,
    SUBFOLDERS,
    SUFFIXES,
    WRONG,
    known,
    mine,
    name_for,
    place_in,
    spec_of,
    suffix_of,
    ware_for,
)
from tests.simulation.wares import DEADLY, Ware, make

if TYPE_CHECKING:
    from tests.simulation.gifts import Gift
    from tests.simulation.person import Person

DESK = b"/media/desk"
"""Where people prepare what they move in: on the same filesystem as the inbox, and watched by nobody."""
MASS, SERIES = 11, 8
NOT_WELL = "its partner did not come well"
BREATH = 0.1
BEHIND = 0.6
"""How soon after a file its options follow, as a part of the time in which a folder is still arriving."""


async def a_file(person: Person) -> None:
    """One file for one order; again where the client died and its person saw that."""
    order = person.one_of("order", ORDERS)
    path = name_for(person, place_in(person, order), spec_of(order))
    ware = ware_for(person, path, spec_of(order).main)
    gift = await Bring(person, path, ware, may_die=True).run()
    if (gift is None or not gift.whole) and person.pick("sees that it died", 2) == 0:
        await person.wait()
        await Bring(person, path, ware).run()


async def a_pair(person: Person) -> None:
    """A video and its second input, which comes first, or later, or is changed afterwards, or never comes."""
    order = mine(person, person.one_of("pair", PAIRS))
    kind = spec_of(order).partner
    assert kind is not None
    path = name_for(person, place_in(person, order), spec_of(order))
    how = person.one_of("partner", ("first", "later", "changed", "missing", "shared"))
    beside = _beside(person, path, kind, shared=how == "shared")
    partner = await _partner(person, beside, kind, None) if how not in {"later", "missing"} else None
    joined = (lambda gift: _join(person, gift, partner)) if partner is not None else (lambda _: None)
    gift = await Bring(person, path, ware_for(person, path, MediaKind.VIDEO), once_whole=joined).run()
    if how in {"later", "changed"}:
        await person.wait()
        await _partner(person, beside, kind, gift)
    elif gift is not None and partner is None and how != "missing":
        gift.hindrance = gift.hindrance or NOT_WELL
    person.count(f"partner {how}")


async def a_pair_again(person: Person) -> None:
    """The film of a pair once more, with a second input of its own: that is other work."""
    if not _pairs(person):
        await a_pair(person)
    if not (films := _pairs(person)):
        return
    film = person.one_of("which", films)
    order = next(order for order in PAIRS if spec_of(order) is film.places[0].order.spec)  # type: ignore[union-attr]
    kind = spec_of(order).partner
    assert kind is not None
    path = person.free_name(place_in(person, mine(person, order)), b"again", suffix_of(film.path))
    partner = await _partner(person, _beside(person, path, kind, shared=False), kind, None)
    if partner is not None:
        await Bring(person, path, person.record.contents[film.sha256], once_whole=lambda gift: _join(person, gift, partner)).run()
        person.count("pair again")


def _pairs(person: Person) -> list[Gift]:
    """The films that came well, with their second inputs, in a folder for such."""
    brought = [gift for gift in person.record.gifts if gift.main and gift.whole and gift.partners]
    films = [gift for gift in brought if gift.sha256 in person.record.contents]  # and no result
    return [film for film in films if (order := film.places[0].order) is not None and order.spec.partner is not None]


def _beside(person: Person, path: bytes, kind: MediaKind, *, shared: bool) -> bytes:
    stem = split_name(os.path.basename(path))[0]
    if shared:
        stem = b"face" if kind is MediaKind.IMAGE else b"audio"
    return os.path.join(os.path.dirname(path), stem + person.one_of("suffix", SUFFIXES[kind]))


async def _partner(person: Person, path: bytes, kind: MediaKind, film: Gift | None) -> Gift | None:
    """Bring the second input of a film, if that is there already; None where nothing came."""
    partner = await Bring(
        person, path, ware_for(person, path, kind), main=False, once_whole=lambda partner: _join(person, film, partner) if film else None
    ).run()
    if film is not None and partner is None:
        film.hindrance = film.hindrance or NOT_WELL
    return partner


def _join(person: Person, film: Gift, partner: Gift) -> None:
    """Write down that a film has a second input now, if that lies beside it: as what came of it, or what a power cut left of it."""
    lies = person.record.lying_at(partner.path) or partner
    if not lies.whole or lies.hindrance:
        film.hindrance = film.hindrance or NOT_WELL
    if not lies.removed and goes_with(lies, film):
        film.partners.append(lies.sha256)
    else:
        film.hindrance = film.hindrance or "its partner lies elsewhere"


def goes_with(partner: Gift, film: Gift) -> bool:
    """Whether the one lies where it is the second input of the other."""
    (folder, name), (own, called) = os.path.split(partner.path), os.path.split(film.path)
    return folder == own and split_name(name)[0] in {split_name(called)[0], b"face", b"audio"}


async def a_duplicate(person: Person) -> None:
    """What was brought before, under another name or for another order, while the first is worked on or long after."""
    had = person.record.contents
    known = [gift for gift in person.record.gifts if gift.whole and gift.main and not gift.partners and gift.sha256 in had]
    if not known:
        return
    first = person.one_of("which", known)
    folder = _folder_for(person, first)
    path = person.free_name(folder, person.one_of("copy", (b"copy of it", b"clip")), suffix_of(first.path))
    await Bring(person, path, person.record.contents[first.sha256]).run()
    person.count("duplicate")


def _folder_for(person: Person, gift: Gift) -> bytes:
    """The folder that it was put into, or that of another order that takes such files."""
    orders = [order for order in ORDERS if spec_of(order).main is gift.kind]
    if not orders or person.pick("same folder", 2) == 0:
        return os.path.dirname(gift.path)
    return place_in(person, person.one_of("order", orders))


async def a_tree(person: Person) -> None:
    """A whole folder, made elsewhere and moved in: one event for all that lies in it. Sometimes with an order inside the order."""
    order = person.one_of("order", ORDERS)
    name = mine(person, order).encode()
    inside = [*SUBFOLDERS[1:], b"erase"]
    wares = [await _laid_out(person, name, sub, order) for sub in inside[: 1 + person.pick("files in the tree", len(inside))]]
    person.program.rename(os.path.join(DESK, name), person.layout.in_inbox(name))
    gifts = [person.give(person.layout.in_inbox(path), ware) for path, ware in wares]
    person.count("tree moved in")
    for gift in gifts:
        person.keep(gift)


async def _laid_out(person: Person, name: bytes, sub: bytes, order: str) -> tuple[bytes, Ware]:
    """One file of a tree on the desk; gives where it will lie in the inbox."""
    path = name_for(person, os.path.join(DESK, name, sub).rstrip(b"/"), spec_of(order))
    ware = ware_for(person, path, spec_of(order).main)
    person.save(path, ware.data)
    await asyncio.sleep(0.1)
    return path[len(DESK) + 1 :], ware


async def a_voice(person: Person) -> None:
    """A voice to clone, the same for everybody, and a video that is to be dubbed with it."""
    path = person.free_name(person.layout.in_inbox(CLONES.encode()), b"voice", b".wav")
    await Bring(person, path, known(person, Ware(MediaKind.AUDIO, make(MediaKind.AUDIO, 12.0, "Anna speaks"), shows=True))).run()
    await person.wait()
    film = name_for(person, person.layout.in_inbox(CLONED.encode()), spec_of(CLONED))
    await Bring(person, film, ware_for(person, film, MediaKind.VIDEO)).run()
    person.count("voice of one's own")


async def a_wrong_name(person: Person) -> None:
    """A folder whose name is no order; its person reads what is said of it, and corrects it, or does not."""
    wrong, meant = person.one_of("wrong name", WRONG)
    folder = person.layout.in_inbox(mine(person, wrong).encode())
    path = name_for(person, folder, spec_of(meant))
    gift = await Bring(person, path, ware_for(person, path, spec_of(meant).main)).run()
    await person.wait()
    if gift is None or not person.lies(gift) or person.pick("corrects it", 3) == 2:
        return
    person.move_folder(folder, person.layout.in_inbox(mine(person, meant).encode()))
    person.count("name corrected")


async def with_options(person: Person) -> None:
    """A file with a qavix.toml beside it, which comes before it, or behind it while the folder is still arriving, or is broken at first."""
    folder = person.layout.in_inbox(mine(person, "subs en to fr").encode())
    options = os.path.join(folder, b"qavix.toml")
    how = person.one_of("options", ("before", "behind", "broken"))
    path = name_for(person, folder, spec_of("subs en to fr"))
    if how != "behind":
        person.save(options, b"embed = true\n" if how == "before" else b"embed = perhaps\n")
    await asyncio.sleep(0.1)
    gift = person.put(path, ware_for(person, path, MediaKind.VIDEO))
    await asyncio.sleep(BEHIND * person.world.rules.settle_folder_seconds)
    if how != "before":
        try:
            person.save(options, b"embed = true\n")
        finally:
            gift.places.append(person.asked_at(gift.path))  # its folder may have another name by now
            for other in person.lying_below(folder):
                if other is not gift:
                    other.places.append(person.asked_at(other.path))
    if how == "behind":
        del gift.places[0]  # what its folder asked for while it was still arriving never counted
    person.count("options in a file")


async def litter(person: Person) -> None:
    """Files between the others to which nothing may be done, and one that lies in no order."""
    path = os.path.join(place_in(person, person.one_of("order", ORDERS)), person.one_of("litter", LITTER))
    if not person.program.exists(path):
        person.own(path, make(MediaKind.VIDEO, 1.0, f"litter {person.record.label()}"))
    await asyncio.sleep(0.1)
    loose = person.free_name(person.layout.inbox, b"loose", b".mp4")
    await Bring(person, loose, ware_for(person, loose, MediaKind.VIDEO)).run()
    person.count("file in no order")


async def a_series(person: Person) -> None:
    """Some files of one order at once, too few for a mistake."""
    folder = person.layout.in_inbox(mine(person, "subs en to fr").encode())
    for number in range(SERIES):
        path = os.path.join(folder, b"part %d.mp4" % number)
        person.put(path, ware_for(person, path, MediaKind.VIDEO))
    await asyncio.sleep(BREATH)
    person.count("series")


async def a_deadly_file(person: Person) -> None:
    """A file that ends every program that looks into it. Nobody has two of that kind."""
    if person.pick("has one", 2) or any(gift.deadly for gift in person.record.gifts):
        return await a_file(person)
    path = person.free_name(place_in(person, "erase"), b"deadly", b".mp4")
    ware = Ware(MediaKind.VIDEO, make(MediaKind.VIDEO, 12.0, f"{DEADLY} {person.record.label()}"), shows=True)
    await Bring(person, path, known(person, ware)).run()
    person.count("deadly file")
    return None


async def a_mass(person: Person) -> None:
    """So many files of one order at once that it may be a mistake."""
    folder = person.layout.in_inbox(mine(person, "erase").encode())
    for number in range(MASS):
        path = os.path.join(folder, b"mass %d.mp4" % number)
        person.put(path, ware_for(person, path, MediaKind.VIDEO))
        await asyncio.sleep(0.05)
    person.count("mass drop")
