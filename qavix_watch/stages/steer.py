"""A duty of its own: what people's commands left in the state is done, each with its answer in one transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qavix_watch.core.outcomes import FOREVER_SECONDS, Later, Outcome
from qavix_watch.errors import CommandRefused, NoSpace, StateBusy
from qavix_watch.stages.again import not_there, redo, retry
from qavix_watch.stages.approving import approve
from qavix_watch.stages.ending import cancel
from qavix_watch.stages.steering import NotYet, Steering
from qavix_watch.stages.submitted import SUBMIT, by_command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qavix_watch.core.records import Command
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

AGAIN_SECONDS = 0.5
NOT_OURS = frozenset({"scan"})
"""Verbs that are not done here: the intake answers a scan when it has looked."""
AGAIN = frozenset({"retry", "redo"})
"""Verbs that need the originals."""


def pause(tx: Tx, steering: Steering) -> str:
    """Begin no new work until `resume`."""
    who = steering.who
    why = f"{who} has paused new work" if who else "new work is paused"
    hint = "`qavix-watch resume` lets it go on; what the service has already is followed and delivered meanwhile."
    if not tx.brakes.pull("paused", "", why, hint, steering.now, steering.now + FOREVER_SECONDS):
        return "it is paused already"
    return "new work is paused; what the service has already is followed and delivered"


def resume(tx: Tx, steering: Steering) -> str:
    """Let new work begin again."""
    return "new work goes on" if tx.brakes.let_go("paused", "", steering.now, "resumed") else "nothing was paused"


VERBS: Mapping[str, Callable[[Tx, Steering], str]] = {
    "retry": retry, "redo": redo, "cancel": cancel, "approve": approve, "pause": pause, "resume": resume,
}
"""What each verb does: CommandRefused says why it cannot be, NotYet that it can be in a moment."""


async def steer(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Do what waits, in the order in which it was said. What cannot be done yet does not hold up the others."""
    waiting = await ports.store.transaction("commands", lambda tx: tx.commands.waiting())
    left = [command for command in waiting if command.verb not in NOT_OURS and not await _done(ports, rules, command)]
    return Later(AGAIN_SECONDS if left else None)


async def _done(ports: Ports, rules: Rules, command: Command) -> bool:
    """Whether it was answered."""
    now = ports.clock.now()
    try:
        looked = await by_command(ports, rules, command) if command.verb == SUBMIT else None
        missing = await not_there(ports, rules, command.target) if command.verb in AGAIN else {}
        steering = Steering(rules, command, now, ports.clock.local, missing)
        await ports.store.transaction(command.verb, partial(_carry_out, steering=steering, looked=looked))
    except NotYet:
        return False
    except (NoSpace, StateBusy):
        raise
    except CommandRefused as error:
        await _answer(ports, command, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stand in the way of every later command
        await _answer(ports, command, f"it could not be done: {type(error).__name__}: {error}")
    return True


async def _answer(ports: Ports, command: Command, text: str) -> None:
    await ports.store.transaction("refused", lambda tx: tx.commands.answer(command.id, False, text, ports.clock.now()))


def _carry_out(tx: Tx, *, steering: Steering, looked: Callable[[Tx, Steering], str] | None) -> None:
    if not tx.commands.is_waiting(steering.command.id):
        return  # another host has done it, to which this one was as good as dead
    text = act(tx, steering) if looked is None else looked(tx, steering)
    tx.commands.answer(steering.command.id, True, text, steering.now)


def act(tx: Tx, steering: Steering) -> str:
    """Do one command within a transaction; gives what to say of it. CommandRefused, NotYet: then the transaction is taken back."""
    verb = VERBS.get(steering.command.verb)
    if verb is None:
        raise CommandRefused(f"the service that runs knows no `{steering.command.verb}`; it is of another version")
    return verb(tx, steering)
