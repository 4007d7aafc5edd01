"""People: what they do to files and folders while the service has them in hand."""

from __future__ import annotations

import glob
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import names
from tests.faults.fault import fault
from tests.faults.moments import STAGES
from tests.faults.pieces import ALONE, FILMS, OTHER, UNCLEAR, UNSUBMITTED, Piece, account_for, caught, laid, made_from, noted, sha256_of
from tests.faults.trial import QUICK, Given
from tests.support.kinds import SPEECH
from tests.support.rights import unprivileged
from tests.support.service import wait_for
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.faults.trial import Site, Trial
    from tests.support.service import Home

    Deed = Callable[[Piece, Trial], "list[Piece]"]

UNHURRIED = (
    *({"operation": name, "kind": "slow", "delay": 0.2} for name in ("storage_put", "video_translation", "subtitle_translation")),
    *({"operation": name, "kind": "slow", "delay": 0.2} for name in ("smart_eraser", "text_to_speech", "face_swap", "lip_sync")),
    {"operation": "result_get", "kind": "slow", "delay": 0.2},
)
"""Answers that take long enough for a person to come between."""
UNDO = "at each of nine stages: costs nothing until it is submitted, and after that is billed once and delivered"
ROUNDS = 3
TIMES = ROUNDS * len(STAGES)


def stages(trial: Trial) -> Iterator[str]:
    """All of them in turn, in an order of this trial's own, so that a few rows of few times come by many."""
    turn = list(STAGES)
    trial.dice.shuffle(turn)
    return (turn[number % len(turn)] for number in range(trial.times))


def hands_on(
    trial: Trial, deed: Deed, orders: tuple[str, ...] = ALONE, *,
    as_whom: Sequence[str] = (), meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Do something to a piece of work at each stage: while everything stands still there, or just as it goes on."""
    watch = {"settle": 0.2, "settle_folder": 0.3, "rescan": 1, "truncated_after": "1 s"}
    with trial.site(prefix=as_whom, watch=watch) as site:
        site.sandbox.faults(*UNHURRIED)
        pieces: list[Piece] = []
        for stage in stages(trial):
            pieces += done_to(site, stage, deed, tuple(trial.dice.sample(orders, len(orders))))
            site.recovered(meanwhile=meanwhile)
        account_for(site, pieces)


def done_to(site: Site, stage: str, deed: Deed, orders: tuple[str, ...]) -> list[Piece]:
    """What somebody did something to, and what became of that; another is tried where the service was quicker."""
    while True:
        live = site.trial.dice.random() < 0.4
        with caught(site, stage, orders) as piece:
            if not live:
                return [piece, *deed(piece, site.trial)]
        piece.stage = ""
        try:
            return [piece, *deed(piece, site.trial)]
        except FileNotFoundError:
            continue


# Files


@fault("a file renamed", times=TIMES, few=3, besides="at each of nine stages: done once, under its new name or the one it had")
def renamed(trial: Trial) -> None:
    def deed(piece: Piece, _: Trial) -> list[Piece]:
        piece.goes_by(piece.path.rename(piece.path.with_stem(f"renamed {piece.given.number}")))
        return []

    hands_on(trial, deed)


@fault("a file replaced", times=TIMES, few=3, besides=f"{UNDO}; the newer one is a drop of its own")
def replaced(trial: Trial) -> None:
    def deed(piece: Piece, trial: Trial) -> list[Piece]:
        data = other(piece)
        if trial.dice.random() < 0.5:
            newer = piece.site.home.base / "newer"
            newer.write_bytes(data)
            piece.path.stat()
            newer.rename(piece.path)
        else:
            with piece.path.open("r+b") as file:
                file.truncate()
                file.write(data)
        piece.take()
        return [noted(piece.site, piece.order, piece.path, data)]

    hands_on(trial, deed)


def other(piece: Piece) -> bytes:
    """Another content of the same kind."""
    number = OTHER + piece.given.number
    return piece.site.wares.text(number) if piece.order == SPEECH else piece.site.wares.video(number)


@fault("a file truncated", times=TIMES, few=3, besides=f"{UNDO}; the rest of a film is refused")
def truncated(trial: Trial) -> None:
    def deed(piece: Piece, _: Trial) -> list[Piece]:
        whole = piece.path.read_bytes()
        rest = whole[: len(whole) // 2]
        os.truncate(piece.path, len(rest))
        piece.take()
        newer = noted(piece.site, piece.order, piece.path, rest)
        newer.given.ends_in = "archive" if piece.order == SPEECH else "failed"
        return [newer]

    hands_on(trial, deed)


@fault("a file deleted", times=TIMES, few=3, besides=UNDO)
def deleted(trial: Trial) -> None:
    def deed(piece: Piece, _: Trial) -> list[Piece]:
        piece.path.unlink()
        piece.take()
        return []

    hands_on(trial, deed)


@fault("a file made unreadable, and readable again", times=TIMES, few=3, besides="at each of nine stages; done once")
def unreadable(trial: Trial) -> None:
    """By its rights, to which a service is bound that is not the superuser's."""

    def deed(piece: Piece, trial: Trial) -> list[Piece]:
        piece.path.chmod(0)
        readable_again.append((piece, time.monotonic() + trial.dice.uniform(0.2, 2.0)))
        return []

    readable_again: list[tuple[Piece, float]] = []
    hands_on(trial, deed, as_whom=unprivileged(), meanwhile=lambda: give_rights_back(readable_again))


def give_rights_back(unreadable: list[tuple[Piece, float]]) -> None:
    """When it is time; wherever the file lies by then."""
    for piece, at in [entry for entry in unreadable if entry[1] < time.monotonic()]:
        unreadable.remove((piece, at))
        for path in files_below(piece.site.home.root, glob.escape(piece.path.name)):
            path.chmod(0o644)


# Folders


@fault("a job folder renamed", times=TIMES, few=3, besides="at each of nine stages: the new order counts until it is submitted")
def folder_renamed(trial: Trial) -> None:
    """By its label alone, or into another order's folder."""

    def deed(piece: Piece, trial: Trial) -> list[Piece]:
        order = trial.dice.choice(FILMS)
        folder = piece.path.parent.rename(piece.site.home.inbox / f"{order} (later {piece.given.number})")
        piece.goes_by(folder / piece.path.name)
        piece.order_then = order
        return []

    hands_on(trial, deed, FILMS)


@fault("a job folder moved", times=TIMES, few=3, besides=f"{UNDO}; into another order's it is that order until then")
def folder_moved(trial: Trial) -> None:
    def deed(piece: Piece, trial: Trial) -> list[Piece]:
        home, number = piece.site.home, piece.given.number
        if trial.dice.random() < 0.5:
            piece.path.parent.rename(home.base / f"aside {number}")
            piece.take()
            return []
        order = trial.dice.choice(FILMS)
        place = home.inbox / f"{order} (of {number})"
        place.mkdir()
        piece.goes_by(piece.path.parent.rename(place / "stuff") / piece.path.name)
        piece.order_then = order
        return []

    hands_on(trial, deed, FILMS)


@fault("a job folder deleted", times=TIMES, few=3, besides=UNDO)
def folder_deleted(trial: Trial) -> None:
    def deed(piece: Piece, _: Trial) -> list[Piece]:
        piece.path.stat()
        while piece.path.parent.exists():
            shutil.rmtree(piece.path.parent, ignore_errors=True)
        piece.take()
        return []

    hands_on(trial, deed)


# The outbox


@fault("the outbox deleted, and made again", times=TIMES, few=3, besides="at each of nine stages: what was not there yet is delivered")
def outbox_deleted(trial: Trial) -> None:
    """By the service, or by whoever deleted it."""
    with trial.site() as site:
        site.sandbox.faults(*UNHURRIED)
        deleted: set[str] = set()
        for stage in stages(trial):
            with caught(site, stage, ALONE):
                deleted |= set(site.home.results())
                shutil.rmtree(site.home.outbox, ignore_errors=True)  # it is made again when it is needed
                if trial.dice.random() < 0.5:
                    site.home.outbox.mkdir(exist_ok=True)
            site.recovered()
        for given in site.given:
            given.results = [name for name in given.results if name not in deleted or (site.home.outbox / name).exists()]


# Partners


@fault(
    "a partner file replaced", times=TIMES, few=3,
    besides="at each of nine stages: the newer one counts until it is submitted, and stays where it is after that",
)
def partner_replaced(trial: Trial) -> None:
    with trial.site() as site:
        site.sandbox.faults(*UNHURRIED)
        pairs = []
        for number, stage in enumerate(stages(trial)):
            pairs.append(replaced_at(site, stage, ("face swap", "lip sync")[number % 2]))
            site.recovered()
        for pair in pairs:
            pair.account_for(site)


@dataclass
class Pair:
    """A film whose partner somebody replaced. `newer`: what lies there since then."""

    film: Piece
    first: str
    newer: Given

    def account_for(self, site: Site) -> None:
        """The task has the partner that lay there when it was submitted. Only what was used follows its film to the archive."""
        used = [
            [made["sha256"] for made in task["inputs"].values() if made["sha256"] not in self.film.given.contents]
            for task in site.sandbox.ledger()["tasks"] if made_from(task, self.film)
        ]  # fmt: skip
        newer = self.newer.contents
        lawful = [newer] if self.film.stage in UNSUBMITTED else [newer, [self.first]] if self.film.stage == UNCLEAR else [[self.first]]
        if len(used) != 1 or used[0] not in lawful:
            site.trial.verdict.wrong.append(f"{self.film.given}, {self.film.stage}: made with {used}, and should be with {lawful}")
        self.newer.ends_in = "archive" if used == [newer] else "inbox"


def replaced_at(site: Site, stage: str, order: str) -> Pair:
    """Somebody puts another picture or sound in the place of the first, under its name."""
    ware, suffix = (site.wares.picture, ".jpg") if order == "face swap" else (site.wares.sound, ".wav")

    def brings(site: Site, order: str) -> Piece:
        number = len(site.given) + 1
        site.home.drop(f"{order} ({number})", f"work {number}{suffix}", ware(number))
        film = laid(site, order, f"{order} ({number})", f"work {number}.mp4", site.wares.video(number))
        film.given.contents.append(sha256_of(ware(number)))
        return film

    with caught(site, stage, (order,), brings) as film:
        partner = film.path.with_suffix(suffix)
        first, data = film.given.contents.pop(), ware(OTHER + film.given.number)
        newer = site.home.base / "newer"
        newer.write_bytes(data)
        newer.rename(partner)
        given = Given(film.given.order, film.given.number, [sha256_of(data)], [], "", is_drop=False)
        site.given += [given, replace(given, contents=[first])]
    return Pair(film, first, given)


# Many at once


@fault("10,000 drops in one second", times=10_000, few=300, besides="a tree moved in; none is missed; the program stays below 400 MB")
def flooded(trial: Trial) -> None:
    """Short texts to be spoken, in folders of a hundred."""
    with trial.site(options=replace(QUICK, speed=1000)) as site:
        tree = site.home.base / SPEECH
        for number in range(trial.times):
            name = f"{number // 100}/work {number}"
            folder = tree / str(number // 100)
            folder.mkdir(parents=True, exist_ok=True)
            data = site.wares.text(number)
            (tree / f"{name}.txt").write_bytes(data)
            site.given.append(Given(SPEECH, number, [sha256_of(data)], [f"{SPEECH}/{name}.mp3"]))
        began = time.monotonic()
        tree.rename(site.home.inbox / SPEECH)
        done = "SELECT count(*) FROM drops WHERE ended_at IS NOT NULL"
        wait_for(lambda: site.home.query(done)[0][0] >= trial.times, 120.0 + trial.times, "all to be done", every=1.0)
        site.rest()
        trial.verdict.seconds.append(time.monotonic() - began)
        trial.verdict.survived += trial.times
        most = most_memory(site.home)
        assert most < 400 * 2**20, f"it took {most / 2**20:.0f} MB"


def most_memory(home: Home) -> int:
    """The most that the service ever had in memory, in bytes."""
    assert home.process is not None
    [line] = [line for line in Path(f"/proc/{home.process.pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


# Names


@fault(
    "names that try to leave the tree", times=2 * len(names.STEMS) + names.NOT_FOLLOWED, few=2 * len(names.STEMS) + names.NOT_FOLLOWED,
    besides=f"{len(names.STEMS)} odd names of files and as many of folders come out where they belong; links, pipes, sockets and devices"
    " are left alone; nothing outside is read or changed",
)
def misnamed(trial: Trial) -> None:
    with trial.site() as site:
        outside = site.home.base / "outside"
        outside.mkdir()
        (outside / "secret.mp4").write_bytes(site.wares.video(OTHER))
        before = names.all_below(outside)
        pieces = [piece for stem in map(os.fsdecode, names.STEMS) for piece in (names.file_named(site, stem), names.file_in(site, stem))]
        pieces.append(names.hard_linked(site))
        left = names.not_followed(site, outside)
        site.recovered()
        for piece in pieces:
            piece.given.results = names.results_beside(piece)
        assert names.all_below(outside) == before, "something outside has changed"
        assert [path for path in left if not os.path.lexists(path)] == [], "something was taken that is no file"
        assert set(os.listdir(site.home.base)) == {"root", "state", "outside", "qavix-watch.toml", "service.log"}
        trial.verdict.survived = len(pieces) + len(left)
