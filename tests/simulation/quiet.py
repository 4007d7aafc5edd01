"""Quiet lives: one of each kind of job and of each kind of world, in which nothing goes wrong by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation import bringing, commands, elsewhere, hands, surroundings
from tests.simulation.people import ACTS, MOST_ACTS
from tests.simulation.person import BREATHS
from tests.simulation.scenes import ORDERS, PAIRS
from tests.simulation.sweeps import QuietLife

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.simulation.choices import Place
    from tests.simulation.people import Act

MOST_WAITS = 8
UP, LONG_ENOUGH, FAR_AWAY = 2.0, 15.0, 40.0
"""Seconds in which the service is up, and those in which a quiet job is done; on a share files settle longer."""
FILE, PAIR, AGAIN = bringing.a_file, bringing.a_pair, bringing.a_duplicate
COLD, KEPT, DELETED = {"shape: cold archive": (3,)}, {"shape: after": (3,)}, {"shape: after": (4,)}
FAR, CALLED, SHARED = {"shape: remote": (2,)}, {"shape: callbacks": (1,)}, {"shape: two hosts": (3,)}

PROMPT = {"more people": (0,), "Ann: slow": (0,) * 4, "Ann: steady": (0,) * 4, "Ann: client dies": (0,) * 4}
"""Ann is alone, and what she brings comes quickly and whole."""


def decided(streams: Mapping[str, Sequence[int]]) -> dict[Place, int]:
    """The decisions of these streams, each of which has these values in turn."""
    return {(stream, ordinal): value for stream, values in streams.items() for ordinal, value in enumerate(values)}


def does(*acts: Act) -> dict[str, Sequence[int]]:
    """What Ann does, one thing after the other, and no more."""
    assert len(acts) <= MOST_ACTS
    return {"Ann: does more": (len(acts) - 1,), "Ann: does": [ACTS.index(act) for act in acts]}


def asks(*orders: str) -> dict[str, Sequence[int]]:
    """What Ann orders, in turn."""
    return {"Ann: order": [ORDERS.index(order) for order in orders]}


def quiet(name: str, *acts: Act, machines: str = "A", **streams: Sequence[int]) -> QuietLife:
    """Ann does one thing after the other, each when the one before must be done, and looks on to the end. Of an only one she waits until
    all is up and running: a start with a file that lies there is a life of its own.

    `streams`: what else is decided.
    """
    pause = FAR_AWAY if streams.keys() & {*FAR, *SHARED} else LONG_ENOUGH
    before = [commands.scan] if len(acts) == 1 else []
    waits = {"Ann: waits": [BREATHS.index(UP)] * len(before) + [BREATHS.index(pause)] * MOST_WAITS}
    decisions = decided({**does(*before, *acts, commands.scan), **waits, **streams})
    return QuietLife(name, decisions, machines, since=UP if before else 0.0)


FROM_THE_FIRST = decided({**does(FILE, commands.scan), "Ann: waits": [BREATHS.index(LONG_ENOUGH)]})
SAID_TWICE = decided({**does(FILE, commands.redo, commands.redo), "Ann: waits": [BREATHS.index(LONG_ENOUGH)] * 2})
QUIET_LIVES = (
    QuietLife("a start with a file that lies there", FROM_THE_FIRST),
    quiet("dubbing", FILE),
    quiet("two languages", FILE, **asks("dub en to es, fr")),
    quiet("subtitles", FILE, **asks("subs en to fr")),
    quiet("erasing", FILE, **asks("erase")),
    quiet("speaking", FILE, **asks("tts voice=v-1")),
    quiet("a voice, and work with it", bringing.a_voice),
    quiet("a face swap", PAIR),
    quiet("a lip sync whose sound comes later", PAIR, **{"Ann: pair": [PAIRS.index("lip sync")], "Ann: partner": (1,)}),
    quiet("the same again", FILE, AGAIN),
    quiet("a task that fails, and a retry", FILE, commands.retry, **{"task failed": (1,)}),
    quiet("a redo", FILE, commands.redo),
    quiet("a job that is approved", FILE, commands.approve, **asks("dub en to pt-BR hold=yes")),
    quiet("a refusal", elsewhere.a_mistake),
    quiet("an archive on another disk", FILE, **COLD),
    quiet("originals that are deleted", FILE, **DELETED),
    quiet("originals that are kept", FILE, **KEPT),
    quiet("callbacks", FILE, **CALLED),
    quiet("a share", FILE, **FAR),
    quiet("two machines", FILE, machines="AB", **SHARED),
)
"""Each is swept, point by point."""

MEANWHILE = (
    quiet("a file that is changed meanwhile", FILE, hands.change),
    quiet("a folder that is renamed meanwhile", FILE, hands.rename_folder),
    quiet("a name that is taken meanwhile", FILE, elsewhere.take_result_name),
    quiet("a share that is away meanwhile", FILE, surroundings.unplug, **{"Ann: away for": (2,)}),
    QuietLife("a command that is said meanwhile", SAID_TWICE, since=LONG_ENOUGH),
)
"""Each is frozen, at every point: while it stands still people go on, and it wakes to another world than it knows."""
