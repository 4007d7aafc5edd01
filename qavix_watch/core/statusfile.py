"""The text of QAVIX-STATUS.txt: how things stand, for people who look into a shared folder and have never seen a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.money import in_words
from qavix_watch.core.readme import BOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

FILE_NAME = b"QAVIX-STATUS.txt"
FIRST_LINE = "QAVIX WATCH - how things stand. The watch folder writes this text anew by itself; what is typed into it is lost."
MOST_ITEMS = 15
"""Of one list; the rest is counted."""

_STOPS = {
    "auth": "Nothing goes to Qavix and nothing comes back, because of the API key.",
    "api": "One kind of request stands still, because Qavix refuses it.",
    "credits": "Nothing new is given to Qavix, because there are not enough credits.",
    "budget": "Nothing new is given to Qavix, because the budget is used up.",
    "rate": "Qavix has asked us to go more slowly.",
    "offline": "Nothing goes to Qavix and nothing comes back, because it does not answer.",
    "disk": "A disk is full, and what needs room on it waits.",
    "account": "Nothing new is given to Qavix, because it does not seem to know this account.",
    "recovery": "Nothing new is given to Qavix, because it is asked first what it has done already.",
    "paused": "No new work is begun, because somebody has paused it.",
    "root": "A watched folder is away, and so is everything in it.",
}
_ACTS = {"hashing": "it is being read", "comparing": "it is being compared", "copying": "its results are being copied",
         "uploading": "it is being sent to Qavix", "downloading": "its result is being fetched"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is told: a line, and lines that belong to it."""

    line: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand, each list already in words.

    `folders`: the orders, `misnamed`: names that are no orders; `work`: what is in hand; `asks`: what waits for a person, `waits`:
    what waits for something else; `failed`: what could not be done. `files`: how many there are that wait, and that are worked on.
    """

    brakes: Sequence[Item] = ()
    troubles: Sequence[Item] = ()
    asks: Sequence[Item] = ()
    failed: Sequence[Item] = ()
    misnamed: Sequence[Item] = ()
    work: Sequence[Item] = ()
    waits: Sequence[Item] = ()
    folders: Sequence[Item] = ()
    files: Mapping[str, int] = field(default_factory=dict)


def body(standing: Standing) -> str:
    """Everything that is no matter of time: where it is the same as before, there is nothing new to tell."""
    parts = [
        _list("STANDS STILL", [*standing.brakes, *standing.troubles]) or "Nothing stands still: no brake is on.",
        _list("WAITS FOR SOMEBODY", standing.asks),
        _list("COULD NOT BE DONE", standing.failed),
        _list("FOLDERS WHOSE NAMES ARE NOT UNDERSTOOD", standing.misnamed),
        _list("IN WORK", standing.work),
        _list("WAITS", standing.waits),
        _files(standing.files),
        _list("FOLDERS, AND WHAT HAPPENS TO FILES IN THEM", standing.folders) or _NO_FOLDERS,
    ]
    return "\n\n".join(filter(None, parts))


_NO_FOLDERS = "There is no order folder yet. Make one in the inbox, for example `dub en to es`, and put a film into it."


def whole(text: str, *, at: datetime, since: datetime | None, projects: bool = False) -> bytes:
    """The file: `text` as `body` made it, when that was, and since when the service has been running (None: it was stopped then)."""
    fresh = _FRESH.format("in a project's folder in the inbox" if projects else "in the inbox")
    if since is not None:
        state = f"The service is running, since {moment(since)}."
    else:
        state = (
            f"THE SERVICE IS NOT RUNNING since {moment(at)}. Files can be put into the folders all the same; they are worked on when"
            " it runs again."
        )
    lines = "\n\n".join([FIRST_LINE, f"{state}\nThis text was written on {moment(at)}.", text, *([fresh] if since is not None else [])])
    return BOM + (lines + "\n").encode("utf-8", "replace").replace(b"\n", b"\r\n")


_FRESH = (
    "While the service runs, this text is renewed within a minute when something changes, and once a day in any case: one that is older"
    " than a day says that the service has come to a stop.\nTo see at once whether it is alive, make a folder called `are you there` {}:"
    " within two minutes there is a QAVIX-READ-ME.txt in it. Then delete that folder."
)


def is_ours(text: bytes) -> bool:
    """Whether the bytes of a file are a text of this module, by its first line."""
    return text.removeprefix(BOM).split(b"\n", 1)[0].rstrip(b"\r") == FIRST_LINE.encode()


def moment(at: datetime) -> str:
    """A moment as people write it, in no language's short form of months: `22 November 2026, 19:30`."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def brake(name: str, scope: str, why: str, hint: str) -> Item:
    """A brake that is on: what it stops, why, and the one thing to do."""
    line = f"The disk of the {scope} is full, and what needs room on it waits." if name == "disk" and scope else _STOPS.get(name)
    return Item(line or f"Some work stands still: {name}.", (sentence(why), f"What to do: {hint or 'nothing, it goes on by itself.'}"))


def folder(name: str, words: str, prices: Mapping[str | None, float | None]) -> Item:
    """An order's folder in words, with what a minute costs for each target in words (None: work without a language).

    Nothing is said of prices while one of them is not known.
    """
    return Item(name, (sentence(words) + _price(prices),))


def _price(prices: Mapping[str | None, float | None]) -> str:
    known = {target: price for target, price in prices.items() if price is not None}
    if not known or len(known) < len(prices):
        return ""
    if len(set(known.values())) == 1:
        each = " for each language" if len(known) > 1 else ""
        return f" {in_words(next(iter(known.values())))} a minute{each}."
    return " A minute costs " + ", ".join(f"{in_words(price)} for {target}" for target, price in known.items()) + "."


def misnamed(name: str, problem: str, hint: str, suggestion: str | None) -> Item:
    """A folder whose name is no order, and the nearest one that is."""
    said = " ".join(filter(None, [sentence(problem), hint]))
    return Item(name, (said, *([f"Did you mean:  {suggestion}"] if suggestion else [])))


def act(name: str, doing: str, done: int, total: int) -> Item:
    """What this host has in hand, with its share in per cent."""
    return Item(f"{name}: {_ACTS.get(doing, doing)}, {min(100, 100 * done // total) if total else 0} %")


def task(name: str, language: str | None, progress: int | None) -> Item:
    """What Qavix works on; `language` in words."""
    into = f" (into {language})" if language else ""
    return Item(f"{name}{into}: Qavix is working on it, {progress or 0} %")


def gathered(why: str, names: Sequence[str], more: Iterable[str] = ()) -> Item:
    """Files of which the same is to be said."""
    return Item(_names(names), (sentence(why), *more))


def _names(names: Sequence[str]) -> str:
    unlike = sorted(set(names))
    shown = unlike[:3] if len(unlike) > 4 else unlike
    return ", ".join(shown) + (f" and {len(unlike) - 3} more" if len(unlike) > 4 else "")


def sentence(text: str) -> str:
    """With a capital letter and an end; a name that it begins with stays as it is."""
    plain = " ".join(text.split())
    if not plain:
        return ""
    first = plain[0].upper() + plain[1:] if plain.split(" ", 1)[0].isalpha() else plain
    return first if first[-1] in ".!?:" else first + "."


def _list(title: str, items: Sequence[Item]) -> str:
    if not items:
        return ""
    lines = [title, "-" * len(title)]
    for item in items[:MOST_ITEMS]:
        lines += [f"* {_line(item.line)}", *(f"    {_line(line)}" for line in item.more if line)]
    more = [f"  … and {len(items) - MOST_ITEMS} more"] if len(items) > MOST_ITEMS else []
    return "\n".join([*lines, *more])


def _line(text: str) -> str:
    """One line, whatever a name holds."""
    shown = text[:1000]
    return shown if shown.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in shown)


def _files(files: Mapping[str, int]) -> str:
    known = [f"{count:,} {'file' if count == 1 else 'files'} {what}" for what, count in files.items() if count]
    return ("Altogether: " + ", ".join(known) + ".") if known else ""
