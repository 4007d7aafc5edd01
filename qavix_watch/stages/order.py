"""fingerprinted → delivering: what the folder asks for becomes jobs, each with its key, and a delivery for each."""

from __future__ import annotations

import codecs
import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core import identity, voices
from qavix_watch.core.grammar import read_order
from qavix_watch.core.layout import folders_down, join, name_of
from qavix_watch.core.lifecycle import HELD_BY_ORDER, DropState, JobState
from qavix_watch.core.naming import display, split_name, wire_name
from qavix_watch.core.options import parse_options
from qavix_watch.core.order import from_json, to_json
from qavix_watch.core.outcomes import Done, Later, Outcome
from qavix_watch.core.tasks import TASKS, TaskType
from qavix_watch.errors import FileChanged, FileError, FileGone, OptionsError, OrderError
from qavix_watch.stages.account import reckon
from qavix_watch.stages.generations import Plan, ensure
from qavix_watch.stages.outlets import roots_online
from qavix_watch.stages.recovery import adopt
from qavix_watch.stages.sweep import about_to_make
from qavix_watch.stages.whys import dragged_away, private_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.core.options import Options
    from qavix_watch.core.order import Order
    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import Voice
    from qavix_watch.ports import Files, Hand, Ports
    from qavix_watch.ports.state import Tx

OPTION_NAMES = (b"qavix.toml", b"qavix.toml.txt")
OPTIONS_LIMIT_BYTES = 1 << 16
FRESH_SECONDS = 5.0
PRIORITIES: Mapping[str, int] = {"high": 1, "normal": 0, "low": -1}


async def order(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Make the jobs of a fingerprinted drop, or join those that exist."""
    drop: Drop = hand.row
    try:
        asked = await ports.blocking(order_of, ports.files, rules, drop)
    except OrderError as error:
        return Done(DropState.WAITING, f"its order is not understood: {error}", due=rules.rescan_seconds)
    if to_json(asked) != drop.order_json:
        return Done(DropState.WAITING, "its order changed", order_fields(drop.folder, asked))
    if asked.task is TaskType.TEXT_TO_SPEECH and drop.size > rules.text_limit_bytes:
        return _refused(f"the text has {drop.size} bytes; the most that is spoken at once is {rules.text_limit_bytes}")
    try:
        chosen = await _voices(ports, asked)
        text = await ports.blocking(_text, ports, rules, drop) if asked.task is TaskType.TEXT_TO_SPEECH else None
    except OrderError as error:
        why = " ".join(filter(None, (str(error), error.hint)))
        if drop.outlet is not None:  # no folder that could get a better name
            return _refused(why)
        return Later(rules.rescan_seconds, why, {"question": why})
    except UnicodeDecodeError:
        return _refused("it is not text in UTF-8; save it again as plain text in UTF-8")
    except (FileGone, FileChanged) as error:
        await roots_online(ports, drop)
        return Done(DropState.WAITING, str(error))
    if text is not None and not text.strip():
        return _refused("there is no text in it")
    plans = [_plan(rules, drop, asked, target, chosen.get(target), text, ports.chance.token()) for target in asked.targets or (None,)]
    now = ports.clock.now()
    held = HELD_BY_ORDER if asked.hold and not drop.accepted else ""

    dragged = await _dragged_back(ports, rules, hand)

    def make(tx: Tx) -> None:
        for earlier in dragged:
            tx.drops.detach(earlier, now, f"it was dragged back: it is drop-{drop.id} now")
        for plan in plans:
            _want(tx, rules, drop, ensure(tx, plan, PRIORITIES[asked.priority], now, held), now)

    return Done(DropState.DELIVERING, "ordered: " + asked.canonical(), {"held": held, "question": ""}, also=make, due=None)


def _want(tx: Tx, rules: Rules, drop: Drop, number: int, now: float) -> None:
    """A drop wants the results of a job, which the service may have as a task that this state has lost."""
    tx.jobs.expect_delivery(number, drop.id, now)
    reckon(tx, number)
    job: Job = tx.work.get("job", number)
    if job.state is JobState.READY:
        adopt(tx, rules, job, now)


def _refused(why: str) -> Outcome:
    return Done(DropState.ARCHIVING, why, {"verdict": "failed", "reason": why})


async def _dragged_back(ports: Ports, rules: Rules, hand: Hand) -> list[int]:
    """The failed drops whose original this one is, dragged back from failed/. Our text about them goes."""
    drop: Drop = hand.row
    if drop.outlet is not None:
        return []
    alike = await ports.store.transaction("failed before", lambda tx: tx.drops.failed_alike(drop))
    if not alike:
        return []
    await ports.blocking(ports.roots.check)
    paths = {private_of(rules.layout.original(earlier), hand) for earlier in alike}
    borrow = partial(about_to_make, rules=rules, hand=hand, paths=paths, now=ports.clock.now())
    await ports.store.transaction("about to take back why", borrow)
    return await ports.blocking(dragged_away, ports, rules, hand, alike)


def order_of(files: Files, rules: Rules, drop: Drop) -> Order:
    """What is asked for a drop: by its folder as it is now, or by the command that submitted it. OrderError where that is no order."""
    return read_folder_order(files, rules, drop.folder, drop.path) if drop.outlet is None else from_json(drop.order_json)


def read_folder_order(files: Files, rules: Rules, folder: bytes, path: bytes) -> Order:
    """The order for the file `path`: its folder's name and each qavix.toml on the way. OrderError where that is none.

    An API key that somebody wrote there is no part of it, so that no note, reason or row of the state repeats it.
    """
    options = [_options(files, rules, level) for level in folders_down(folder, path)]
    return read_order(rules.without_secret(name_of(folder).decode("utf-8", "surrogateescape")), options, rules.words)


def _options(files: Files, rules: Rules, folder: bytes) -> Options | None:
    for name in OPTION_NAMES:
        where = join(folder, name)
        try:
            text = files.read(rules.layout.in_inbox(where), OPTIONS_LIMIT_BYTES)
        except FileGone:
            continue
        except FileError as error:
            raise OptionsError(f"“{display(where)}” cannot be read: {error}", hint="Mend or remove it.") from error
        try:
            plain = rules.without_secret(text.decode("utf-8", "surrogateescape"))
            return parse_options(plain.encode("utf-8", "surrogateescape"), display(where))
        except OrderError as error:
            raise OptionsError(str(error), hint=error.hint) from None
    return None


def order_fields(folder: bytes, asked: Order) -> dict[str, Any]:
    """What a drop keeps of its order."""
    return {
        "folder": folder,
        "order_json": to_json(asked),
        "canonical": asked.canonical(),
        "task": asked.task,
        "priority": PRIORITIES[asked.priority],
        "question": "",
        "accepted": 0,  # what a person approved was another order
    }


async def _voices(ports: Ports, asked: Order) -> dict[str | None, str]:
    """The voice id for each target that has a voice. OrderError where a name is unknown, or two have it."""
    wanted = {target: asked.voice_for(target) for target in asked.targets or (None,)}
    if not any(wanted.values()):
        return {}
    named = {target: voice for target, voice in wanted.items() if voice}
    try:
        return _resolved(named, await ports.voices.known(), asked)
    except OrderError:
        # It may have been cloned a moment ago.
        return _resolved(named, await ports.voices.known(younger_than=FRESH_SECONDS), asked)


def _resolved(named: Mapping[str | None, str], known: Sequence[Voice], asked: Order) -> dict[str | None, str]:
    return {target: voices.resolve(voice, known, _speaking(voice, named)) for target, voice in named.items()}


def _speaking(voice: str, named: Mapping[str | None, str]) -> list[str]:
    """The target languages that a voice is to speak."""
    return [target for target, other in named.items() if target is not None and other == voice]


def _text(ports: Ports, rules: Rules, drop: Drop) -> str:
    """What is to be spoken. FileChanged; UnicodeDecodeError where it is no text that we can read."""
    data = ports.files.read(rules.layout.original(drop), rules.text_limit_bytes)
    if hashlib.sha256(data).hexdigest() != drop.sha256:
        raise FileChanged("it changed after it was read")
    return decode(data)


def decode(data: bytes) -> str:
    """The text of a `.txt`: UTF-8 with or without a mark, or UTF-16 with one. UnicodeDecodeError for anything else."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _plan(
    rules: Rules, drop: Drop, asked: Order, target: str | None, voice_id: str | None, text: str | None, token: str
) -> Plan:
    stem = wire_name(split_name(name_of(drop.path))[0])
    params = identity.params_of(asked, target, voice_id, stem)
    inputs = tuple(sha for sha in (drop.sha256, drop.partner_sha256) if sha is not None)
    values = {
        "task": asked.task,
        "operation": TASKS[asked.task].operation,
        "canonical": asked.canonical(),
        "source": asked.source,
        "language": target,
        "stem": stem,
        "params_json": json.dumps(params, sort_keys=True),
        "text": text,
        "main_sha256": drop.sha256,
        "partner_sha256": drop.partner_sha256,
        "token": token,
    }
    return Plan(rules.account, asked.task, params, inputs, values)
