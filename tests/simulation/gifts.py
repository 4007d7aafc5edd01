"""What people have put in, what was promised for it, and what their own hands did to it afterwards: the other side of the invariants.

A gift begins when its person lets go of the file. From then on `Gift.fate` says what has to have become of it once everything is at rest:
no more than PRODUCT.md promises, whatever raced with whatever. Digests are SHA-256 in hexadecimal, paths absolute.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from qavix_watch.core import identity
from qavix_watch.core.ignore import Extensions, media_kind
from qavix_watch.core.layout import name_of
from qavix_watch.core.naming import split_name, wire_name
from qavix_watch.core.tasks import TASKS, MediaKind, TaskType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qavix_watch.core.order import Order
    from tests.simulation.clients import Bring
    from tests.simulation.wares import Ware

EXTENSIONS = Extensions()
_LINKS = frozenset({"video_url", "audio_url", "image_url", "callback_url", "idempotency_key", "text"})
"""What a request says besides the work itself; a task's name too, where it is not what a clone shall be called."""


class Fate(StrEnum):
    """What has to have become of a gift in the end."""

    DONE = "done"        # its results lie in the outbox and the original where `after` says; unless a task of it failed: then in failed/
    REFUSED = "refused"  # nothing is ever uploaded or submitted for it; it lies in failed/, or still where people put it
    WAITS = "waits"      # nothing is ever uploaded or submitted for it; it lies untouched where people put it
    FREE = "free"        # nothing more is promised than that its content is not lost; `Gift.why` says why


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of billed work, as the service sees it: what is to be done, and the contents that it is done with.

    `params` is JSON with sorted keys. Text that is spoken counts as an input: the digest of its UTF-8.
    """

    operation: str
    params: str
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, operation: str, params: Mapping[str, Any], inputs: Iterable[str]) -> Work:
        return cls(operation, json.dumps(dict(params), sort_keys=True), tuple(inputs))

    @classmethod
    def of_request(cls, operation: str, body: Mapping[str, Any], inputs: Iterable[str]) -> Work:
        """The work that a request asks for; `inputs`: the digests of what was uploaded under its links, the main one first."""
        names = _LINKS if operation == "voice_clone" else _LINKS | {"name"}
        spoken = [digest(body["text"].encode())] if "text" in body else []
        return cls.of(operation, {key: value for key, value in body.items() if key not in names}, [*inputs, *spoken])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gift lay: its path, and its order's folder with what that asked for then; None where it was no order."""

    path: bytes
    folder: bytes
    order: Order | None
    since: float


@dataclass(eq=False, slots=True)
class Gift:
    """One file that people brought, as they left it.

    `main`: it is of the kind that an order is made of; otherwise it is the second input of others. `whole`: its client came to the end.
    `shows`: its container shows where it is cut. `partners`: the digests of the second inputs that have lain there for it. `text` is the
    digest of what is to be spoken. `deadly`: whoever looks into it goes down. `durable`: a power cut takes it no more. `removed`: people
    deleted it or wrote over it themselves. `hindrance`: what people did that leaves its end open, "" for nothing. `deeds`: all that they
    did, for the story.
    """

    number: int
    kind: MediaKind
    sha256: str
    size: int
    places: list[Place]
    main: bool = True
    whole: bool = True
    shows: bool = True
    partners: list[str] = field(default_factory=list)
    text: str = ""
    deadly: bool = False
    durable: bool = False
    removed: bool = False
    hindrance: str = ""
    deeds: list[str] = field(default_factory=list)

    @property
    def path(self) -> bytes:
        """Where people last put it."""
        return self.places[-1].path

    @property
    def order(self) -> Order | None:
        """What its folder asks for since it lies there."""
        return self.places[-1].order

    @property
    def voice(self) -> str | None:
        """The name of the cloned voice that its order speaks with: nothing is promised unless the service has just one of that name."""
        said = None if self.order is None else self.order.voice
        return None if said is None or said.startswith("sys-") else said

    @property
    def fate(self) -> Fate:
        """What has to have become of it."""
        return self._end()[0]

    @property
    def why(self) -> str:
        """Why that, in words."""
        return self._end()[1]

    def _end(self) -> tuple[Fate, str]:
        if self.removed or self.hindrance:
            return Fate.FREE, self.hindrance or "people deleted it"
        if not self.main:
            return Fate.FREE, "it is the second input of others"
        ends = [self._as_it_lies(place) for place in self.places]
        if ends[-1][0] is Fate.DONE or all(end[0] is ends[-1][0] for end in ends):
            return ends[-1]
        return Fate.FREE, "it was moved from where something else was promised"

    def _as_it_lies(self, place: Place) -> tuple[Fate, str]:
        if place.order is None:
            return Fate.WAITS, "it lies in no order"
        spec = place.order.spec
        if media_kind(name_of(place.path), EXTENSIONS) is not spec.main:
            return Fate.WAITS, "its order takes other files"
        if self.deadly:
            return Fate.WAITS, "nobody can look into it"
        if not self.whole:
            return (Fate.REFUSED, "it is cut short, and shows it") if self.shows else (Fate.FREE, "it is cut short, and nobody can see it")
        if self.kind is not spec.main and spec.main is not MediaKind.TEXT:
            return Fate.REFUSED, "it is not what its name says"
        if spec.partner is not None and not self.partners:
            return Fate.WAITS, "it has no partner"
        return Fate.DONE, "everything that its order needs is there"

    @property
    def steady(self) -> bool:
        """Whether all its folders asked for the same: all of that is done then. Otherwise at least something of what one of them did."""
        return len({frozenset(self._asked(place, {})) for place in self.places}) == 1

    def works(self, voice_ids: Mapping[str, Sequence[str]]) -> list[Work]:
        """What has to have been done for it where it is DONE: all of these if it is `steady`, else one at least.

        One for each partner that has lain there, and for each id of its voice: one of these. `voice_ids`: those of voices by name.
        """
        return list(dict.fromkeys(work for place in self.places for work in self._asked(place, voice_ids)))

    def _asked(self, place: Place, voice_ids: Mapping[str, Sequence[str]]) -> list[Work]:
        order = place.order
        if order is None:
            return []
        stem = wire_name(split_name(name_of(place.path))[0])
        works = []
        for target in order.targets or (None,):
            voice, operation = order.voice_for(target), TASKS[order.task].operation
            for voice_id in [None] if voice is None else voice_ids.get(voice, [voice]):
                params = identity.params_of(order, target, voice_id, stem)
                works += [Work.of(operation, params, inputs) for inputs in self._inputs(order)]
        return works

    def _inputs(self, order: Order) -> list[tuple[str, ...]]:
        if order.task is TaskType.TEXT_TO_SPEECH:
            return [(self.text,)]
        if order.spec.partner is None:
            return [(self.sha256,)]
        return [(self.sha256, partner) for partner in self.partners]


@dataclass(eq=False, slots=True)
class Possession:
    """A file of people's own that is nobody's business: its content stays at its path, whatever happens around it; it is on the disk."""

    sha256: str


class Record:
    """All that people did.

    `readable`: the digests of everything that has ever lain there closed and whole, or cut where nobody can see it: nothing else may be
    uploaded or spoken. `bought`: how many tasks of a work people asked for besides the first (`redo`, and a clone that was approved).
    `taken`: the digests of results that people removed from the outbox. `possessions` by path. `cancelled`: contents and paths of which
    people said that nothing more is to be done. `contents` by digest: what people have at home, whatever becomes of the copies.
    `said`: how many commands they left. `under_way`: what is just being brought; `names`: all paths that anybody has chosen.
    """

    def __init__(self) -> None:
        self.gifts: list[Gift] = []
        self.readable: set[str] = set()
        self.bought: Counter[Work] = Counter()
        self.taken: set[str] = set()
        self.possessions: dict[bytes, Possession] = {}
        self.cancelled: dict[str | bytes, str] = {}
        self.contents: dict[str, Ware] = {}
        self.under_way: list[Bring] = []
        self.names: set[bytes] = set()
        self.said = 0
        self._labels = 0

    def allowed(self, work: Work) -> int:
        """How many tasks of one work may be billed, besides those that failed at the service."""
        return 1 + self.bought[work]

    def is_busy(self, path: bytes) -> bool:
        """Whether somebody is just bringing something to a path."""
        return any(bring.is_at(path) for bring in self.under_way)

    def cut_off(self) -> None:
        """All clients die at once."""
        for bring in list(self.under_way):
            bring.cut_off()

    def label(self) -> int:
        """A number that no folder bears yet."""
        self._labels += 1
        return self._labels

    def lying_at(self, path: bytes) -> Gift | None:
        """The gift that people left at a path and did not take from there, if any; the service may have put it away since."""
        return next((gift for gift in reversed(self.gifts) if gift.path == path and not gift.removed), None)

    def of_content(self, sha256: str) -> list[Gift]:
        """All gifts of one content."""
        return [gift for gift in self.gifts if gift.sha256 == sha256]


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
