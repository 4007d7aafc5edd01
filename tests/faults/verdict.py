"""What a fault came to: what was lost, billed twice or wrong, by what lies on the disk and by the service's own books."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.pair import billed
from tests.support.trees import below, files_below, hashes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.faults.trial import Given, Site

MARKER = ".qavix-watch"
OUR_TEXTS = ("QAVIX-READ-ME", "QAVIX-STATUS")


@dataclass
class Verdict:
    """Each list has a line for each thing; `seconds`: how long each recovery took; `survived`: how often the fault happened."""

    survived: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.twice or self.wrong)

    @property
    def told(self) -> str:
        """All that is not well, one line a thing."""
        kinds = {"lost": self.lost, "billed twice": self.twice, "wrong": self.wrong}
        return "\n".join(f"{kind}: {line}" for kind, lines in kinds.items() for line in lines)

    @property
    def recovery(self) -> str:
        """Median and worst, in seconds."""
        return f"{statistics.median(self.seconds):.1f} / {max(self.seconds):.1f}" if self.seconds else "–"


def judge(site: Site, verdict: Verdict) -> None:
    """Add what a site has come to, once it is at rest."""
    ledger = site.sandbox.ledger()
    made = set(_made(ledger))
    originals = {name: set(contents_in(site.home.root / name)) for name in ("inbox", "archive", "failed")}
    for given in site.given:
        verdict.lost += [f"{given}: {why}" for why in _missing(site, given, originals)]
    verdict.twice += [f"{times} times: {line}" for line, times in Counter(billed(site.sandbox)).items() if times > 1]
    verdict.wrong += _unlike(site, made)
    verdict.wrong += [f"half-made, or of another's: {path}" for path, sha256 in site.witness.seen if sha256 not in made]
    whole = {sha256 for given in site.given for sha256 in given.contents}
    verdict.wrong += [f"sent to the service: {sent}" for sent in ledger["uploads"] if sent["sha256"] not in whole]
    verdict.wrong += [f"left behind: {path}" for path in _private(site.home.root)]
    verdict.wrong += [f"the state: {trouble}" for trouble in site.home.unsound()]


def _missing(site: Site, given: Given, originals: dict[str, set[str]]) -> Iterator[str]:
    """What should be there of what a person brought, and is not."""
    ends_in = "inbox" if given.doubted else given.ends_in
    for sha256 in given.contents:
        if ends_in and sha256 not in originals[ends_in]:
            where = [name for name, there in originals.items() if sha256 in there]
            yield f"its original should be in {ends_in}, and is in {' and '.join(where) or 'no folder'}"
    for name in [] if given.doubted else given.results:
        if not (site.home.outbox / name).is_file():
            yield f"{name} is not in the outbox"


def _unlike(site: Site, made: set[str]) -> Iterator[str]:
    """Files in the outbox that are no result whole, and results that nobody asked for."""
    wanted = {name for given in site.given if not given.doubted for name in given.results}
    for path in _files(site.home.outbox):
        name = str(path.relative_to(site.home.outbox))
        if name not in wanted and not path.name.startswith(OUR_TEXTS):
            yield f"nobody asked for {name}"
        elif (sha256 := content_of(path)) not in made:
            yield f"{name} is no result of the service's ({sha256[:12]})"


def _made(ledger: dict[str, Any]) -> Iterator[str]:
    """The contents of all results that the service made; of a voice, its id."""
    for task in ledger["tasks"]:
        yield from (result["sha256"] for result in task["results"].values())
    yield from (clone["voice_id"] for clone in ledger["clones"])


def content_of(path: Path) -> str:
    """What tells one result from another: its SHA-256; of a voice's description the voice's id."""
    data = path.read_bytes()
    if path.name.endswith(".voice.json"):
        try:
            return str(json.loads(data)["voice_id"])
        except (ValueError, LookupError):
            return "no voice"
    return hashlib.sha256(data).hexdigest()


def contents_in(folder: Path) -> Iterator[str]:
    """The SHA-256 of each file that a person sees in a folder and below."""
    return hashes_of(_files(folder))


def _files(folder: Path) -> Iterable[Path]:
    """Files that a person sees."""
    return (path for path in files_below(folder) if not _is_hidden(path.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _private(root: Path) -> Iterable[Path]:
    """What is made under names of our own, and must not be left behind."""
    return (path for path in below(root, ".qavix-*") if path.name != MARKER)
