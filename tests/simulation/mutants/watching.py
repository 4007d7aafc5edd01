"""Defects of what is believed of the world: the inbox, the service, the brakes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qavix_watch import engine
from qavix_watch.core import stability
from qavix_watch.core.outcomes import Fail
from qavix_watch.errors import FileError, RateLimited
from qavix_watch.stages import drop as intake
from qavix_watch.stages import upload
from qavix_watch.stages.drop import Intake
from qavix_watch.stages.scan import scan
from qavix_watch.store.brakes import Brakes
from qavix_watch.store.jobs import Jobs
from qavix_watch.worker import meaning
from qavix_watch.worker.lanes import Lane
from tests.simulation import bringing, commands, surroundings
from tests.simulation.mutants.among import QUIET, calm
from tests.simulation.mutants.planting import Soil, mutant
from tests.simulation.person import BREATHS
from tests.simulation.quiet import FAR, LONG_ENOUGH, asks

if TYPE_CHECKING:
    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import UploadGrant
    from qavix_watch.errors import QavixWatchError
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.stages.upload import Source
    from qavix_watch.worker import Piece

FILE = bringing.a_file
A_TEXT = {**asks("tts voice=v-1"), "Ann: pieces": (1,)}
SLOW_TEXTS = calm("lives in which a text comes slowly", FILE, **A_TEXT, **{"Ann: slow": (3,)})
PAUSING_TEXTS = calm(
    "lives on a share in which a text comes with pauses", commands.scan, FILE, **FAR, **A_TEXT, **{"Ann: steady": (2,)},
    drawn=("Ann: waits",),
)
SHORT_GRANTS = calm("lives in which an upload comes too late", FILE, **{"grant is short": (1,)})
TOO_MANY = calm("lives in which there are too many requests", FILE, **{"429: video_translation": (1,)})
LATE_ON_A_SHARE = calm("lives on a share, which tells of no event", commands.scan, commands.scan, FILE, **FAR)
UNPLUGGED = calm(
    "lives in which Ann pulls a plug", FILE, surroundings.unplug,
    **{"Ann: waits": (BREATHS.index(2.0), BREATHS.index(LONG_ENOUGH)), "Ann: away for": (surroundings.AWAY.index(30.0),)},
)
PAUSED = calm(
    "lives in which Ann says pause", FILE, commands.pause,
    **{"Ann: waits": (BREATHS.index(0.05), BREATHS.index(LONG_ENOUGH)), "Ann: pauses": (commands.PAUSES.index(30.0),)},
)


@mutant("settling too short", within=3, among=PAUSING_TEXTS)
def settles_at_once(soil: Soil) -> None:
    """A file counts as complete when nothing has come for a moment."""
    connect = engine.connect

    def _connect_hastily(ports: Ports, rules: Rules, **rest: Any) -> engine.Engine:
        return connect(ports, replace(rules, settle_seconds=0.05, settle_remote_seconds=0.2), **rest)

    soil.everywhere(connect, _connect_hastily)


@mutant("a writer that nobody asks for", within=3, among=SLOW_TEXTS)
def asks_no_writer(soil: Soil) -> None:
    """A file that is quiet counts as complete although somebody has it open for writing, or it has a hole."""

    def _judge_the_clock_alone(look: stability.Look, settle: float, settle_remote: float) -> stability.Wait | None:
        needed = stability.quiet_needed(look, settle, settle_remote)
        return stability.Wait(needed - look.quiet, "it was changed a moment ago") if look.quiet < needed else None

    soil.put(stability, "judge", _judge_the_clock_alone)


@mutant("429 taken as final", within=3, among=TOO_MANY)
def gives_up_when_asked_to_wait(soil: Soil) -> None:
    """A job that the service asks to come later has failed."""
    means = meaning.meaning

    def _final(error: QavixWatchError, piece: Piece, rules: Rules) -> Outcome | None:
        if isinstance(error, RateLimited) and piece.claim.item == "job":
            return Fail(str(error))
        return means(error, piece, rules)

    soil.everywhere(means, _final)


@mutant("a stale upload grant", within=3, among=SHORT_GRANTS)
def keeps_the_grant(soil: Soil) -> None:
    """The address that a content may be sent to is used again for the next try, however old it is."""
    send, grants = upload._send, dict[str, "UploadGrant"]()

    async def _send_to_the_first(ports: Ports, rules: Rules, hand: Hand, source: Source, grant: UploadGrant) -> Outcome:
        return await send(ports, rules, hand, source, grants.setdefault(hand.row.sha256, grant))

    soil.put(upload, "_send", _send_to_the_first)


@mutant("waking by callback alone", within=3, among=QUIET)
def asks_for_no_task(soil: Soil) -> None:
    """Nobody asks what has become of tasks: only a callback has a job looked at."""
    soil.put(Jobs, "open_tasks", lambda _self: [])


@mutant("an event for the truth", within=3, among=LATE_ON_A_SHARE)
def looks_where_told(soil: Soil) -> None:
    """The inbox is looked at only where an event says that something has happened."""
    next_places = Intake._next_places

    async def _places_told(self: Intake, seconds: float) -> dict[bytes, bool]:
        if self.offline:
            return await next_places(self, seconds)
        await self._hinted.wait()
        await asyncio.sleep(intake.GATHER_SECONDS)
        self._hinted.clear()
        hints, self._hints = self._hints, {}
        return hints

    soil.put(Intake, "_next_places", _places_told)


@mutant("a marker that nobody looks for", within=3, among=UNPLUGGED)
def believes_an_empty_folder(soil: Soil) -> None:
    """The mount point of a root that is away is taken for an inbox out of which everything was taken."""
    soil.put(Intake, "_looked", _look_whatever_is_mounted)


async def _look_whatever_is_mounted(self: Intake, places: dict[bytes, bool]) -> str | None:
    try:
        seen = await self._ports.blocking(scan, self._ports, self._rules, places)
    except FileError as error:
        return str(error)
    await self._take_in(seen)
    return None


@mutant("a brake that never lets go", within=3, among=PAUSED)
def never_lets_go(soil: Soil) -> None:
    """What a brake stops stays stopped when the reason is gone."""
    soil.put(Brakes, "let_go", lambda _self, _name, _scope, _now, _why: False)


@mutant("a brake that stops nothing", within=3, among=PAUSED)
def heeds_no_brake(soil: Soil) -> None:
    """Work goes on under every brake, `pause` among them."""
    soil.put(Lane, "is_stopped_by", lambda _self, _brake: False)
