"""The private names under which originals and their second inputs lie while they are put away, and those that the state does not know of:
a person renamed their folder meanwhile.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.lifecycle import DropState
from qavix_watch.errors import FileError
from qavix_watch.stages.moving import give_back

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qavix_watch.core.records import Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx

_BEGINNING = b".qavix-aside-"
_PRIVATE = re.compile(re.escape(_BEGINNING) + rb"([0-9]+)(p?)")


def aside_for(drop: Drop, path: bytes) -> bytes:
    """The private name of an original that lies at this path."""
    return join(parent(path), b"%s%d" % (_BEGINNING, drop.id))


def asides_for_partner(rules: Rules, drop: Drop) -> dict[bytes, bytes]:
    """Where the second input of a drop may lie, each with the private name that it has there while it follows its video."""
    return {path: aside_for(drop, path) + b"p" for path in rules.layout.partners(drop)}


def aside_of(path: bytes) -> int | None:
    """The drop whose original, or whose second input, lies under this private name; None for any other name."""
    found = _PRIVATE.fullmatch(name_of(path))
    return None if found is None else int(found[1])


async def find_again(ports: Ports, rules: Rules, paths: Iterable[bytes]) -> list[tuple[Drop, bytes]]:
    """Follow each of these originals to where it lies now, or give it its name back where nobody is putting it away any more. A second
    input that is not where its drop would look for it gets its name back.

    Gives the drops that were followed, as they were before, and the path that each has now.
    """
    found = []
    for path in paths:
        drop = await ports.store.transaction("an original aside", partial(_strayed, rules=rules, path=path))
        if drop is None:
            continue
        if await ports.store.transaction("it is followed", partial(_followed, rules=rules, drop=drop, path=path, now=ports.clock.now())):
            found.append((drop, _named(path, drop)))
        else:
            await ports.blocking(_back, ports, rules.layout.in_inbox(path), rules.layout.in_inbox(_named(path, drop)))
    return found


def _is_partner(path: bytes) -> bool:
    return path.endswith(b"p")


def _named(path: bytes, drop: Drop) -> bytes:
    """Where it would lie under its own name."""
    return join(parent(path), name_of((drop.partner if _is_partner(path) else drop.path) or b""))


def _strayed(tx: Tx, *, rules: Rules, path: bytes) -> Drop | None:
    """The drop whose original or second input lies there, if the state does not know that."""
    try:
        drop: Drop = tx.work.get("drop", aside_of(path) or 0)
    except KeyError:
        return None
    if not _is_partner(path):
        return None if drop.aside == rules.layout.in_inbox(path) else drop
    is_followed = drop.state is DropState.ARCHIVING and rules.layout.in_inbox(path) in asides_for_partner(rules, drop).values()
    return None if is_followed or drop.partner is None else drop


def _followed(tx: Tx, *, rules: Rules, drop: Drop, path: bytes, now: float) -> bool:
    folder = rules.layout.order_folder(path)
    if drop.state is not DropState.ARCHIVING or drop.detached or folder is None or _is_partner(path):
        return False
    tx.drops.moved(drop.id, _named(path, drop), folder, now, aside=rules.layout.in_inbox(path))
    return True


def _back(ports: Ports, aside: bytes, wanted: bytes) -> None:
    try:
        give_back(ports, aside, wanted)
    except FileError:
        return  # it was put away, or taken away, since it was seen; or it cannot be renamed there, and the next look tries again
