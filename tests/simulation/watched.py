"""A life as the laws see it: the disks, the state, the service's ledger and what people did, side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qavix_watch.core.layout import name_of, parent
from tests.simulation.belonging import Belonging
from tests.simulation.ground import COLD, ROOT
from tests.simulation.hosts import HOST
from tests.simulation.sight import Sight

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from tests.simulation.belonging import Made
    from tests.simulation.gifts import Fate, Gift, Record, Work
    from tests.simulation.world import World

    Lying = Mapping[Made, list[bytes]]

_UNREST = {
    "a brake is on": "SELECT name, scope, why FROM brakes WHERE state = 'on'",
    "a command has no answer": "SELECT id, verb, target FROM commands WHERE done_at IS NULL",
    "a job is open": "SELECT id, state, due, reason FROM jobs WHERE state NOT IN ('done', 'failed', 'cancelled', 'held')",
    "a drop is open": "SELECT id, state, due, reason FROM drops WHERE state IN ('settled', 'archiving') AND held = ''",
    "results are not delivered, or will never come": """
        SELECT deliveries.id, deliveries.due, deliveries.reason, jobs.state FROM deliveries JOIN jobs ON jobs.id = deliveries.job
        WHERE deliveries.state = 'pending' AND jobs.state IN ('done', 'failed', 'cancelled')""",
    "private names are not swept": "SELECT due FROM duties WHERE name = 'sweep' AND due IS NOT NULL",
    "work is claimed": " UNION ".join(
        f"SELECT '{table}', id, owner FROM {table} WHERE owner IS NOT NULL" for table in ("drops", "contents", "jobs", "deliveries")
    ),
}


class Watched:
    """The life of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.layout = world.layout
        self.service = world.service
        self.rows = world.state.rows
        self.rooms = (world.layout.inbox, world.layout.archive, world.layout.failed)
        self.sight = Sight({ROOT: world.ground.media, COLD: world.ground.cold}, world.layout, remote=world.ground.remote)
        self.belonging = Belonging(world)
        self.asked: dict[str, Mapping[str, Any]] = {}

    @property
    def record(self) -> Record:
        """What people did."""
        return self.world.people.record

    def unrest(self) -> str:
        """What is still to be done, or waits for somebody; "" where nothing is."""
        for what, sql in _UNREST.items():
            if found := self.rows(sql):
                return f"{what}: {[tuple(row) for row in found[:5]]}"
        return ""

    def drop_at(self, path: bytes) -> sqlite3.Row | None:
        """The drop that is being put away of which this is the original or the second input."""
        for row in self.rows("SELECT * FROM drops WHERE state = 'archiving'"):
            partners = () if row["partner"] is None else (name_of(row["partner"]), b".qavix-aside-%dp" % row["id"])
            if row["aside"] == path or name_of(path) in partners:
                return row
        return None

    def was_moved(self, path: bytes) -> bool:
        """Whether a gift lies there that was somewhere else before, or its folder bears another name now: what lay beside it may have come
        with it.
        """
        lies = any(len(gift.places) > 1 and self.sight.sha256(path) == gift.sha256 for gift in self.record.gifts if gift.path == path)
        return lies or any(parent(path) in renamed for renamed in map(self._renamed, self.record.gifts))

    def _renamed(self, gift: Gift) -> set[bytes]:
        """The folders in the inbox into which a gift came from another one of the inbox."""
        folders = [parent(place.path) for place in gift.places]
        return {after for before, after in pairwise(folders) if before != after and before.startswith(self.layout.inbox + b"/")}

    def gifts(self, fate: Fate) -> Iterator[Gift]:
        """Those of which this has to have become."""
        return (gift for gift in self.record.gifts if gift.fate is fate)

    def results_lying(self) -> Lying:
        """Where each whole result lies in the outbox; of one that people took it does not matter."""
        found: dict[Made, list[bytes]] = {}
        for path, inode in self.sight.files(self.layout.outbox):
            if self.sight.is_result(path) and (made := self.belonging.made(bytes(inode.now.data))):
                found.setdefault(made, []).append(path)
        for data in self.sight.taken():
            if made := self.belonging.made(data):
                found[made] = []
        return found

    def is_delivered(self, gift: Gift, work: Work, lying: Lying) -> bool:
        """Whether every result of a work lies there for a gift, or people took it."""
        return any(all(self._lies(gift, made, lying) for made in promised) for promised in self.belonging.promised(work))

    def _lies(self, gift: Gift, made: Made, lying: Lying) -> bool:
        paths = lying.get(made)
        return paths is not None and (not paths or any(self.belonging.fits(path, gift, made.work) for path in paths))

    def ended_otherwise(self, gift: Gift) -> bool:
        """Whether its work has failed, and it says so, or waits for a person."""
        lies_in_failed = self.sight.holds(self.layout.failed, gift.sha256)
        return lies_in_failed or bool(self.rows(_OTHERWISE, gift.sha256, gift.sha256, self.layout.relative(gift.path)))

    def is_all_done(self, gift: Gift, lying: Lying) -> bool:
        """Whether all that was asked for a gift is there, and nothing of its content asks for more."""
        if len(self.record.of_content(gift.sha256)) > 1 or self.ended_otherwise(gift):
            return False
        return all(self.is_delivered(gift, work, lying) for work in gift.works(self.service.voice_ids))

    def may_end(self, owner: str) -> bool:
        """Whether whoever runs just now may end a claim: its owner, the world itself, and anybody after the owner's death."""
        acting, name = HOST.get(), owner.rpartition(":")[2]
        if acting is None or acting.name == name:
            return True
        return all(machine.host is None or machine.host.name != name for machine in self.world.machines)


_OTHERWISE = """
    SELECT 1 FROM drops LEFT JOIN deliveries ON deliveries.drop_id = drops.id LEFT JOIN jobs ON jobs.id = deliveries.job
    WHERE (drops.sha256 = ? OR jobs.main_sha256 = ? OR drops.path = ?)
    AND (drops.state = 'failed' OR drops.held <> '' OR drops.question <> '' OR jobs.state = 'held')"""
