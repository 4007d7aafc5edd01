"""Defects that lose or spoil files: what people put in, and what they get."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qavix_watch.api import ranges
from qavix_watch.api.download import Fetch
from qavix_watch.core.layout import join, parent
from qavix_watch.core.lifecycle import DropState
from qavix_watch.core.service import Download
from qavix_watch.fs.failures import mapped
from qavix_watch.stages import archive, deliver, fetch, follow, moving
from qavix_watch.store.drops import Drops
from qavix_watch.store.jobs import Jobs
from tests.simulation import bringing, elsewhere, hands
from tests.simulation.disk import SimulatedDisk
from tests.simulation.mutants.among import calm, each, lives_with
from tests.simulation.mutants.planting import Soil, mutant
from tests.simulation.person import BREATHS
from tests.simulation.quiet import COLD, FAR, LONG_ENOUGH, asks, does

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.core.outcomes import Later, Outcome
    from qavix_watch.core.records import Drop, Result
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Meter, Ports
    from qavix_watch.stages.archive import Unlike
    from qavix_watch.stages.deliver import Placed, Work
    from qavix_watch.stages.moving import Original

FILE = bringing.a_file
COLD_ARCHIVES = lives_with("lives with the archive on another disk", **COLD)
ZOMBIES = each("freeze", "two machines", since=25.3)
NAMES_TAKEN = lives_with("lives in which Ann takes the name of a result", **does(FILE, elsewhere.take_result_name))
DUPLICATES = lives_with("lives in which Ann brings the same again", **does(FILE, bringing.a_duplicate))
REPLACED = calm(
    "lives on a share, in which Ann changes a file between two looks", FILE, FILE, hands.change, **FAR,
    **{"Ann: waits": [BREATHS.index(LONG_ENOUGH)] * 2, "task takes": (1, 1)},
)
MADE_ANEW = calm(
    "lives in which a result is made anew amid its download", FILE, **asks("subs en to fr"),
    **{"result cut short": (2,), "result made anew": (0, 1)},
)
LANGUAGES = calm("lives in which two languages take their time", FILE, **asks("dub en to es, fr"), drawn=("task takes",))
EMBEDDED = calm("lives in which a task has two results", FILE, **asks("subs en to fr embed=yes"))
PAGES = calm("lives in which a page comes in place of a result", FILE, **{"result is a page": (1,)})
TAKEN = each("freeze", "a name that is taken meanwhile", since=6.35)
PIECE_BYTES = 1 << 20


@mutant("rename without fsync", within=10)
def syncs_no_data(soil: Soil) -> None:
    """A result gets its name before its bytes are on the disk."""
    soil.put(Fetch, "_finish", lambda _self, size, content_type, sha256: Download(size, content_type, sha256))


# The other duties towards the disk are those of fs/disk.py, which the simulation replaces: they are broken in what stands for it.


@mutant("no fsync of the directory", within=10)
def syncs_no_names(soil: Soil) -> None:
    """A name is taken for durable as soon as it is given."""
    soil.put(SimulatedDisk, "_sync_folder", lambda _self, _folder: None)


@mutant("a rename that replaces", within=70, among=TAKEN)
def replaces(soil: Soil) -> None:
    """Giving a name takes it away from whatever has got it in the meantime."""
    soil.put(SimulatedDisk, "rename_new", _rename_over)


def _rename_over(self: SimulatedDisk, source: bytes, target: bytes) -> None:
    self.stat(source)
    self._program.rename(source, target)
    self._sync_folder(target.rpartition(b"/")[0])
    self._sync_folder(source.rpartition(b"/")[0])


@mutant("a copy without fsync", within=15, among=COLD_ARCHIVES)
def syncs_no_copy(soil: Soil) -> None:
    """What goes to another filesystem gets its name, and is removed here, before its bytes are on the disk there."""
    soil.put(SimulatedDisk, "copy", _copy_to_the_cache)


def _copy_to_the_cache(self: SimulatedDisk, source: bytes, temporary: bytes, meter: Meter) -> str:
    digest = hashlib.sha256()
    with closing(self.open(source)) as reader, self._own_file(temporary) as handle, mapped(temporary, "write"):
        start = reader.stat()
        while part := reader.read(PIECE_BYTES):
            digest.update(part)
            handle.write(part)
            meter.advance(len(part))
        handle.set_mtime(start.mtime_ns)
    self._sync_folder(parent(temporary))
    return digest.hexdigest()


@mutant("archive before delivery", within=12)
def archives_first(soil: Soil) -> None:
    """The original is put away as soon as its results are fetched, before they lie under its names."""
    wake = Jobs.wake_deliveries

    def _wake_and_conclude(self: Jobs, job: int, now: float) -> None:
        wake(self, job, now)
        for one in self.deliveries(job):
            fields = {"due": now, "verdict": "done"}
            self._work.move("drop", one.drop_id, (DropState.DELIVERING,), DropState.ARCHIVING, now, "its results are here", fields)

    soil.put(Jobs, "wake_deliveries", _wake_and_conclude)


@mutant("a fan-out that ends with its first result", within=8, among=LANGUAGES)
def concludes_early(soil: Soil) -> None:
    """A drop of several targets is put away when one of them has come to its end."""
    soil.put(Drops, "conclude", _conclude_with_one)


def _conclude_with_one(self: Drops, number: int, now: float) -> None:
    fields = {"due": now, "verdict": "done"}
    self._work.move("drop", number, (DropState.DELIVERING,), DropState.ARCHIVING, now, "a result is in place", fields)


@mutant("a shared temporary name", within=15, among=ZOMBIES)
def shares_a_name(soil: Soil) -> None:
    """What grows is named for its job alone: whoever was fenced out writes into the same file."""
    download = fetch._download

    def _under_one_name(ports: Ports, rules: Rules, hand: Hand, *rest: Any) -> Any:
        return download(ports, rules, Unfenced(hand), *rest)

    soil.put(fetch, "_download", _under_one_name)


@dataclass(frozen=True)
class Unfenced:
    """A hand whose work has neither fence nor host to name anything by."""

    hand: Hand

    @property
    def id(self) -> int:
        return self.hand.id

    @property
    def row(self) -> Any:
        return replace(self.hand.row, fence=0)

    @property
    def claim(self) -> Any:
        return replace(self.hand.claim, owner="all:one")

    @property
    def probing(self) -> bool:
        return self.hand.probing

    def meter(self, act: str) -> Meter:
        return self.hand.meter(act)


@mutant("a delivery that overwrites", within=10, among=NAMES_TAKEN)
def overwrites(soil: Soil) -> None:
    """A result takes its name, whatever of other people's lies there."""
    soil.put(deliver, "_under_a_free_name", _under_the_first_name)


async def _under_the_first_name(ports: Ports, rules: Rules, hand: Hand, work: Work, name_for: Callable[..., bytes]) -> Outcome:
    names = {result.id: name_for(rules, work, result, work.number) for result in work.results}
    await ports.blocking(deliver._make_folders, ports, rules, work, names)
    for name in names.values():
        await ports.blocking(ports.files.remove, join(rules.layout.outbox, name))
    return deliver._done(ports, hand.row, await ports.blocking(deliver._place_all, ports, rules, hand, work, names))


@mutant("a copy that grows in sight", within=15, among=DUPLICATES)
def copies_in_sight(soil: Soil) -> None:
    """The copy for a further drop grows under its final name in the outbox."""
    place = deliver._place

    def _place_in_sight(ports: Ports, rules: Rules, hand: Hand, work: Work, result: Result, name: bytes) -> Placed:
        origins = deliver._origins(ports, rules, work, result) if result.staged is None and result.inline is None else []
        if not origins or join(rules.layout.outbox, name) in origins:
            return place(ports, rules, hand, work, result, name)
        sha256 = ports.files.copy(origins[0], join(rules.layout.outbox, name), hand.meter("copying"))
        return deliver.Placed(result, name, result.size, sha256)

    soil.put(deliver, "_place", _place_in_sight)


@mutant("an archive that grows in sight", within=10, among=COLD_ARCHIVES)
def archives_in_sight(soil: Soil) -> None:
    """An original that goes to another filesystem is copied straight to its final name."""
    soil.put(moving, "_copied", _copied_in_sight)


def _copied_in_sight(ports: Ports, hand: Hand, original: Original, target: bytes) -> None:
    ports.files.copy(original.path, target, hand.meter("copying"))


@mutant("an original put away unseen", within=3, among=REPLACED)
def compares_nothing(soil: Soil) -> None:
    """What lies at an original's path is put away for it, even if a person has put something else there since."""
    soil.put(archive, "_take_aside", _take_whatever_lies_there)


def _take_whatever_lies_there(ports: Ports, rules: Rules, hand: Hand, aside: bytes, failed: bool) -> Later | Unlike | None:
    drop: Drop = hand.row
    path = rules.layout.original(drop)
    if moving.is_there(ports, aside):
        return None
    if not moving.is_there(ports, path):
        return None if archive._was_put_away(ports, rules, drop, failed) else archive.Unlike("the original was taken away")
    ports.files.rename_new(path, aside)
    return None


@mutant("a download that goes on with other bytes", within=3, among=MADE_ANEW)
def goes_on_with_anything(soil: Soil) -> None:
    """A cut download is gone on with wherever its length fits, although the result was made anew meanwhile."""
    soil.put(ranges, "range_headers", lambda have, _known: [(b"Range", b"bytes=%d-" % have)])
    soil.put(ranges, "_same", lambda _response, _known: True)


@mutant("a result taken as it comes", within=3, among=PAGES)
def believes_the_link(soil: Soil) -> None:
    """An error page, or a cut file of an honest length, is delivered as a result."""
    soil.put(fetch, "_kind_is_right", lambda _ports, kind, url, _part, came: fetch.extension_for(url, came.content_type, b"", kind))


@mutant("only the first result is fetched", within=3, among=EMBEDDED)
def fetches_one(soil: Soil) -> None:
    """Of the results of one task the first is delivered, the others are forgotten."""
    unpack = follow.unpack
    soil.everywhere(unpack, lambda text: dict(sorted(unpack(text).items())[:1]))


@mutant("no reason beside a failed original", within=15)
def says_no_why(soil: Soil) -> None:
    """An original is put into failed/ and nobody is told why."""
    soil.everywhere(archive.write_why, lambda *_: None)
