"""One-off work: files that were submitted by command, wherever they lie, with the order that was named for them.

Each becomes a drop like any other, except that nobody watches where it lies, that no root is its home, and that its original stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core import pairing
from qavix_watch.core.grammar import parse
from qavix_watch.core.ignore import media_kind
from qavix_watch.core.layout import join, name_of
from qavix_watch.core.lifecycle import DROP_LIVE
from qavix_watch.core.naming import display, split_name
from qavix_watch.core.order import to_json
from qavix_watch.core.tasks import MediaKind
from qavix_watch.errors import CommandRefused, FileError, FileGone, FileUnreadable, NameTaken, NoSpace, OrderError
from qavix_watch.stages.order import order_fields
from qavix_watch.stages.outlets import roots_online

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qavix_watch.core.files import Stat
    from qavix_watch.core.order import Order
    from qavix_watch.core.records import Command, Drop
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.steering import Steering

SUBMIT = "submit"
"""The verb of the command."""
PLACE = "submitted"
"""The place of every drop that came by command: no marker has this id."""

OTHER_EYES = (
    "The service may see less than you do (ProtectHome=, PrivateTmp= and the like hide folders from it). Copy the file to where it can"
    " read, name a folder where it can write with --to, or stop it and submit again: then the work is done in this process."
)

_NOUN = {
    MediaKind.VIDEO: "a video", MediaKind.AUDIO: "a sound file", MediaKind.IMAGE: "a picture", MediaKind.TEXT: "a plain text file (.txt)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file that somebody submits: absolute paths. `partner`: its second input where that was named."""

    path: bytes
    outlet: bytes
    partner: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that can be worked on: it was looked at, and its outlet was tried."""

    wanted: Wanted
    stat: Stat
    order: Order


def said_of(order: str, wanted: Iterable[Wanted]) -> dict[str, Any]:
    """What a command says of a submission, for JSON; `submission_of` reads it."""
    files = [{name: _text(getattr(one, name)) for name in ("path", "outlet", "partner")} for one in wanted]
    return {"order": order, "files": files}


def submission_of(said: Mapping[str, Any]) -> tuple[str, list[Wanted]]:
    """The order and the files of what `said_of` made."""
    files = [Wanted(_bytes(one["path"]), _bytes(one["outlet"]), _bytes(one["partner"] or "") or None) for one in said["files"]]
    return str(said["order"]), files


def _text(path: bytes | None) -> str | None:
    return None if path is None else path.decode("utf-8", "surrogateescape")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


async def ready(ports: Ports, rules: Rules, order: str, wanted: Sequence[Wanted]) -> list[Ready]:
    """Look at what is submitted, and make the folders for its results. OrderError, FileError: nothing of it can be taken."""
    asked = parse(order, rules.words)
    return [await ports.blocking(_ready, ports, rules, asked, one, ports.chance.token()) for one in wanted]


def take_in(tx: Tx, files: Iterable[Ready], now: float) -> list[int]:
    """Make each of these a drop, or go on with the one that it is already. Gives their ids, in this order."""
    return [_known(tx, one, now) or _new(tx, one, now) for one in files]


def _known(tx: Tx, one: Ready, now: float) -> int | None:
    """The drop that the same command made before, where it is still being worked on: it is looked at anew."""
    order, wanted = to_json(one.order), one.wanted
    for drop in tx.drops.at(PLACE, wanted.path):
        alike = (drop.order_json, drop.outlet, drop.given) == (order, wanted.outlet, wanted.partner)
        if alike and drop.state in DROP_LIVE and not drop.detached and drop.stat_is(one.stat):
            if drop.due is not None:
                tx.work.wake("drop", drop.id, now)
            return drop.id
    return None


def _new(tx: Tx, one: Ready, now: float) -> int:
    wanted = one.wanted
    fields = {**order_fields(folder_of(wanted.path), one.order), "after": "keep", "outlet": wanted.outlet, "given": wanted.partner}
    number: int = tx.drops.add(PLACE, wanted.path, one.stat, fields, now, now, 0.0)
    return number


def folder_of(path: bytes) -> bytes:
    """The folder of an absolute path."""
    return path.rpartition(b"/")[0] or b"/"


def _ready(ports: Ports, rules: Rules, asked: Order, wanted: Wanted, token: str) -> Ready:
    stat = _usable(ports, rules, wanted.path, asked.spec.main, asked)
    _partner_there(ports, rules, asked, wanted)
    _try_outlet(ports, rules, wanted.outlet, token)
    return Ready(wanted, stat, asked)


def _usable(ports: Ports, rules: Rules, path: bytes, kind: MediaKind, asked: Order) -> Stat:
    """The stat of a file that can be read and is of this kind by its name. FileError."""
    stat = ports.files.stat(path)
    if not stat.is_file:
        what = "a folder; name the files in it" if stat.is_dir else "a symbolic link or a special file; name the file itself"
        raise FileError(f"{display(path)} is {what}")
    if not stat.size:
        raise FileError(f"{display(path)} is empty")
    if media_kind(name_of(path), rules.extensions) is not kind:
        raise FileError(
            f"{display(path)}: `{asked.spec.word}` takes {_NOUN[kind]} here, and by its name this is none",
            hint="`qavix-watch explain` says what each kind of work takes.",
        )
    reader = ports.files.open(path)
    try:
        reader.read(1)
    finally:
        reader.close()
    return stat


def _partner_there(ports: Ports, rules: Rules, asked: Order, wanted: Wanted) -> None:
    kind = asked.spec.partner
    if kind is None:
        if wanted.partner is not None:
            raise FileError(
                f"`{asked.spec.word}` takes one file, so nothing can go with it", hint="Leave --with away, or list that file by itself."
            )
        return
    partner = wanted.partner
    if partner is None:
        folder = folder_of(wanted.path)
        found = pairing.find(split_name(name_of(wanted.path))[0], kind, [(folder, ports.files.listdir(folder))], rules.extensions)
        if isinstance(found, pairing.NoPartner):
            raise FileError(f"{display(wanted.path)}: {found.why}", hint="Or name the second file: `--with FILE`.")
        partner = found.path
    _usable(ports, rules, partner, kind, asked)


def _try_outlet(ports: Ports, rules: Rules, outlet: bytes, token: str) -> None:
    """Make the folder for results, and write into it. FileError where that cannot be."""
    if rules.layout.relative(outlet) is not None:
        raise FileError(
            f"{display(outlet)} lies in the inbox, where results would be taken for new work",
            hint="Name another folder for the results: `--to DIR`.",
        )
    probe = join(outlet, b".qavix-probe-" + token[:12].encode())
    try:
        ports.files.make_folder(outlet)
        sink = ports.files.append(probe)
        sink.close()
        ports.files.remove(probe)
    except (FileGone, FileUnreadable, NameTaken, NoSpace) as error:
        raise FileUnreadable(
            f"results cannot be written to {display(outlet)}: {error}", hint="Name another folder for them: `--to DIR`."
        ) from error


async def look_again(ports: Ports, rules: Rules, drops: Iterable[Drop]) -> None:
    """See what became of files that were submitted, or are worked on from where they were put away. Of those in an inbox the watcher
    tells; where these lie, nobody watches.
    """
    for drop in drops:
        if (drop.outlet is None and drop.origin is None) or drop.detached:
            continue
        await roots_online(ports, drop)
        main = await ports.blocking(_there, ports, rules.layout.original(drop))
        second = await ports.blocking(_second, ports, rules, drop)
        note = partial(_noted, drop=drop, main=main, second=second, now=ports.clock.now(), settle=rules.settle_seconds)
        await ports.store.transaction("looked at again", note)


def _second(ports: Ports, rules: Rules, drop: Drop) -> Stat | FileError | None:
    """The same of the second input."""
    found = [_there(ports, path) for path in rules.layout.partners(drop)]
    return next((one for one in found if one is not None), None)


def _there(ports: Ports, path: bytes) -> Stat | FileError | None:
    """What lies at a path: None where nothing does, the error where that cannot be seen."""
    try:
        return ports.files.stat(path)
    except FileGone:
        return None
    except FileError as error:
        return error


def _noted(tx: Tx, *, drop: Drop, main: Stat | FileError | None, second: Stat | FileError | None, now: float, settle: float) -> None:
    if main is None:
        tx.drops.vanished(drop.id, now)
    elif not isinstance(main, FileError) and not drop.stat_is(main):
        if not tx.drops.changed(drop.id, main, now, now + settle, "it changed"):
            tx.drops.vanished(drop.id, now, "a newer file has taken its place")
    elif drop.partner is not None and not isinstance(second, FileError) and (second is None or not drop.partner_is(second)):
        tx.drops.partner_changed(drop.id, now)


async def by_command(ports: Ports, rules: Rules, command: Command) -> Callable[[Tx, Steering], str]:
    """What a `submit` that somebody left comes to, once its files were looked at. CommandRefused says why it cannot be."""
    order, wanted = submission_of(command.said)
    try:
        files = await ready(ports, rules, order, wanted)
    except (OrderError, FileError) as error:
        unseen = OTHER_EYES if isinstance(error, (FileGone, FileUnreadable)) else ""
        raise CommandRefused(" ".join(filter(None, (f"{str(error).rstrip('.')}.", error.hint, unseen)))) from error
    return lambda tx, steering: taken_in(take_in(tx, files, steering.now))


def taken_in(drops: Sequence[int]) -> str:
    """The answer to a submission: its ids, in the order of its files. `ids_in` reads it."""
    return "taken in as " + ", ".join(f"drop-{number}" for number in drops)


def ids_in(answer: str) -> list[int]:
    """The drops that `taken_in` named."""
    return [int(word.removeprefix("drop-")) for word in answer.replace(",", " ").split() if word.startswith("drop-")]
