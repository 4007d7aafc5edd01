"""The way of every command that steers: a row in the state, a nudge for the running service, and its answer."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qavix_watch.errors import CommandRefused, QavixWatchError, StateUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qavix_watch.config import Settings
    from qavix_watch.store.sqlite import Store

PATIENCE_SECONDS = 10.0
"""How long a command waits for the answer of a service that runs."""
LOOK_SECONDS = 0.05
USUAL_CONFIGURATION = "/etc/qavix-watch/qavix-watch.toml"
AT_THE_START = "no service runs on this state; it will be done when one starts"
IN_A_MOMENT = "the service has not come to it yet; it is left in the state and will be done"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command about one id. `ok`: None where it is left to be done; `text` says it, for people."""

    target: str
    ok: bool | None
    text: str


def leave(
    settings: Settings, verb: str, target: str, said: Mapping[str, Any], *, seconds: float = PATIENCE_SECONDS
) -> Answer | None:
    """Leave one command in the state and wait for its answer; None where it waits for the service's next start (or its next moment).

    `target` is an id as `jobs` shows it, "" where the verb is about everything; `said` is what else it says, as JSON can hold it.
    QavixWatchError where there is no state, or it is another user's: nothing is made then.
    """
    (answer,) = leave_all(settings, verb, [target], said, seconds=seconds)
    return None if answer.ok is None else answer


def leave_all(
    settings: Settings, verb: str, targets: Sequence[str], said: Mapping[str, Any], *, seconds: float = PATIENCE_SECONDS
) -> list[Answer]:
    """The same for several ids, in their order. Where no service runs, what is impossible as things are is refused at once."""
    said = {"by": _user(), **said}
    with writing(settings) as store:
        if not _nudged(settings, ""):
            return [_left(settings, store, verb, target, said) for target in targets]
        numbers = store.now("commands", lambda tx: _rows(tx, verb, targets, said))
        _nudged(settings, verb)
        answers = _awaited(store, numbers, seconds)
    return [
        Answer(target, *answers[number]) if number in answers else Answer(target, None, IN_A_MOMENT)
        for target, number in zip(targets, numbers, strict=True)
    ]


@contextmanager
def writing(settings: Settings) -> Iterator[Store]:
    """The state, to be written beside a service that may run. QavixWatchError where there is none, or it is another user's."""
    from qavix_watch.cli import context
    from qavix_watch.store.sqlite import Store

    refuse_others(settings)
    with context.view(settings) as look:
        if look is None:
            raise QavixWatchError("there is nothing to steer", hint=context.NO_STATE)
    store = Store(settings.state.path, settings.api.base_url, settings.api.account, "")
    try:
        yield store
    finally:
        store.close()


def refuse_others(settings: Settings) -> None:
    """A state is written by its owner alone: files that another user made there would stop the service. Root is another user too."""
    owner = _owner(os.path.abspath(settings.state.path))
    if owner is None or owner == os.geteuid():
        return
    name = _name_of(owner)
    raise StateUnusable(
        f"the state {settings.state.path} belongs to the user {name}, and you are {_name_of(os.geteuid())}",
        hint=f"Type: sudo -u {shlex.quote(name)} {_typed(settings)}",
    )


def _owner(path: str) -> int | None:
    """The user that a state belongs to, or the folder that may not be looked into; None where there is nothing yet."""
    while True:
        try:
            return os.stat(path).st_uid
        except PermissionError:
            path = os.path.dirname(path)
        except OSError:
            return None


def _typed(settings: Settings) -> str:
    """The command as it was typed, with the configuration that it found: another user may find another one."""
    words = sys.argv[1:]
    named = any(word == "--config" or word.startswith("--config=") for word in words)
    if settings.source is not None and not named and settings.source != USUAL_CONFIGURATION:
        words = [*words, "--config", os.path.abspath(settings.source)]
    return shlex.join(["qavix-watch", *words])


def _user() -> str:
    return os.environ.get("SUDO_USER") or _name_of(os.getuid())


def _name_of(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"  # as sudo takes it


def service_runs(settings: Settings) -> bool:
    """Whether a service runs on this state; it is woken, too."""
    return _nudged(settings, "")


def _nudged(settings: Settings, word: str) -> bool:
    """Wake the service. Whether one runs: where its socket could not be made, its process tells."""
    from qavix_watch import waking
    from qavix_watch.cli import context
    from qavix_watch.cli.status import is_running

    if waking.nudge(settings.state.path, word):
        return True
    with context.view(settings) as look:
        return look is not None and is_running(look.status()["service"]) is True


def _rows(tx: Any, verb: str, targets: Sequence[str], said: Mapping[str, Any]) -> list[int]:
    """A row for each, and the duty to do them due: at the beginning of time, for the service may have another clock."""
    numbers = [tx.commands.add(verb, target, said, time.time()) for target in targets]
    tx.house.duty("steer", 0.0)
    tx.house.hurry("steer", 0.0)
    return numbers


def _awaited(store: Store, numbers: Sequence[int], seconds: float) -> dict[int, tuple[bool, str]]:
    until = time.monotonic() + seconds
    while True:
        answers = store.now("answers", lambda tx: tx.commands.answers(numbers))
        if len(answers) == len(numbers) or time.monotonic() > until:
            return answers
        time.sleep(LOOK_SECONDS)


def _left(settings: Settings, store: Store, verb: str, target: str, said: Mapping[str, Any]) -> Answer:
    """Leave it for the next start, unless it is impossible: then it is refused now, while somebody looks on."""
    refused = _tried(settings, store, verb, target, said)
    if refused is not None:
        return Answer(target, False, refused)
    store.now("command", lambda tx: _rows(tx, verb, [target], said))
    return Answer(target, None, AT_THE_START)


class _TakenBack(Exception):
    """It worked, and is not to be kept."""


def _tried(settings: Settings, store: Store, verb: str, target: str, said: Mapping[str, Any]) -> str | None:
    """Why it cannot be done, by doing it in a transaction that is taken back; None where it can."""
    from qavix_watch.cli.context import rules_of
    from qavix_watch.stages.steer import NOT_OURS, act
    from qavix_watch.stages.steering import NotYet, Steering

    rules = rules_of(settings)

    def attempt(tx: Any) -> None:
        (number,) = _rows(tx, verb, [target], said)
        command = next(command for command in tx.commands.waiting() if command.id == number)
        act(tx, Steering(rules, command, time.time(), lambda at: datetime.fromtimestamp(at).astimezone()))
        raise _TakenBack

    if verb in NOT_OURS:
        return None
    try:
        store.now("can it be done", attempt)
    except (_TakenBack, NotYet):
        return None
    except CommandRefused as error:
        return str(error)
    return None
