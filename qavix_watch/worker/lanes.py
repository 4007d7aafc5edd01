"""The flow, as lanes: what each step claims, how many at once, and which brakes stop it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import ContentState, DeliveryState, DropState, DutyState, JobState
from qavix_watch.core.outcomes import Done, Later, Outcome
from qavix_watch.core.tasks import TASKS
from qavix_watch.stages.account import account
from qavix_watch.stages.archive import archive
from qavix_watch.stages.deliver import deliver
from qavix_watch.stages.doubts import doubts
from qavix_watch.stages.fetch import fetch
from qavix_watch.stages.fingerprint import fingerprint
from qavix_watch.stages.follow import follow, look
from qavix_watch.stages.money import weigh
from qavix_watch.stages.order import order
from qavix_watch.stages.recovery import recover
from qavix_watch.stages.settle import settle
from qavix_watch.stages.steer import steer
from qavix_watch.stages.submit import LINK_MARGIN_SECONDS, submit
from qavix_watch.stages.sweep import clear
from qavix_watch.stages.upload import prepare, upload

if TYPE_CHECKING:
    from enum import StrEnum

    from qavix_watch.core.records import BrakeRow
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports

DUTIES = ("account", "doubts", "follow", "money", "recovery", "steer", "sweep")
ARCHIVING = ("archive", "put into failed")
NEVER_GIVEN_UP = frozenset({"deliver", *ARCHIVING, *DUTIES})

Step = tuple[str, tuple[str, ...], str]
Stage = Callable[["Ports", "Rules", "Hand"], Awaitable[Outcome]]

# Several deliveries of one job would race for the one file that was fetched: the first goes first.
_ONE = (
    "AND id = (SELECT o.id FROM deliveries o WHERE o.job = deliveries.job AND o.state = 'pending' AND o.due IS NOT NULL{}"
    " ORDER BY o.owner IS NULL, o.due, o.id LIMIT 1)"
)
_ONE_A_JOB = _ONE.format("")
_ONE_BY_COMMAND = _ONE.format(" AND o.drop_id IN (SELECT id FROM drops WHERE outlet IS NOT NULL)")

BY_COMMAND = {
    "drop": "AND outlet IS NOT NULL",
    "content": "AND sha256 IN (SELECT sha256 FROM drops WHERE outlet IS NOT NULL AND state = 'delivering' UNION"
    " SELECT partner_sha256 FROM drops WHERE outlet IS NOT NULL AND state = 'delivering' AND partner_sha256 IS NOT NULL)",
    "job": "AND id IN (SELECT job FROM deliveries v JOIN drops d ON d.id = v.drop_id WHERE v.state = 'pending' AND d.outlet IS NOT NULL)",
}
"""What of each item is there for files that were submitted by command: no root is their home, so none that is away concerns them."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One arrow of the flow: what it claims, how many at once, and which brakes stop it (`name` or `name:scope`).

    `needs`: the operations of the API that it cannot do without, each with the condition of the rows that it is needed for; while the
    brake `api` is on for one of them, those rows wait and the others do not. `disk` is the filesystem that it writes to.
    `step` is what it may find due, and `rootless` what is left of that while a root is away: the kind of item, its states, and `where`.
    """

    name: str
    item: str
    states: tuple[StrEnum, ...]
    stage: Stage
    slots: int
    stopped_by: frozenset[str]
    where: str = ""
    disk: str = "state"
    needs: tuple[tuple[str, str], ...] = ()
    only_by_command: str = ""
    step: Step = field(init=False)
    rootless: Step = field(init=False)

    def __post_init__(self) -> None:
        states = tuple(state.value for state in self.states)
        object.__setattr__(self, "step", (self.item, states, self.where))
        object.__setattr__(self, "rootless", (self.item, states, self._by_command()) if "root" in self.stopped_by else self.step)

    def _by_command(self) -> str:
        return self.only_by_command or f"{self.where} {BY_COMMAND[self.item]}"

    def is_stopped_by(self, brake: BrakeRow) -> bool:
        """Whether this brake stops all of it."""
        return bool(self.stopped_by & {brake.name, f"{brake.name}:{brake.scope}"})

    def needing(self, brake: BrakeRow) -> str | None:
        """The condition of the rows that the brake `api` stops; None where it stops none."""
        return dict(self.needs).get(brake.scope) if brake.name == "api" else None

    def worked(self, outcome: Outcome) -> bool:
        """Whether an outcome shows that what the lane asks of the world is given: a brake that it tried under can let go."""
        if isinstance(outcome, Later):
            return self.stage in _ROUNDS or (self.stage in _UNTIL_DONE and outcome.seconds is not None)
        return isinstance(outcome, Done) and outcome.to not in {*self.states, JobState.UPLOADING}


def as_of(where: str, now: float) -> str:
    """A condition on rows, as it is at `now`."""
    return where.replace(":now", f"{now:.3f}")


ALWAYS = "1"
HAS_VOICE = """NOT (order_json LIKE '%"voice":null%' AND order_json LIKE '%"voices":[]%')"""
_ROUNDS = {account, look}
"""The stages that have asked the service whenever they say that they will ask again."""
_UNTIL_DONE = {follow, recover}
"""Those that have not asked where they rest."""
_FILES = frozenset({"root", "disk:state"})
_API = frozenset({"auth", "rate", "offline", "disk:state"})
_NEW = frozenset({"paused"})
_LOST = frozenset({"recovery"})
_SUBMIT = _API | _NEW | _LOST | {"root", "credits", "account"}
_PAID = "AND (approved = 1 OR posted = 1)"
"""What a used-up budget does not stop: what a person approved, and a POST that may have gone out, whose credits are set aside."""
_EXPIRED = (
    "EXISTS (SELECT 1 FROM contents c WHERE c.account = jobs.account AND c.sha256 IN (jobs.main_sha256, jobs.partner_sha256)"
    f" AND c.url_expires <= :now + {LINK_MARGIN_SECONDS})"
)
_SUBMITTING = (
    *((spec.operation, f"operation = '{spec.operation}'") for spec in TASKS.values()),
    ("list_voices", "operation = 'voice_clone'"),
    ("refresh_url", _EXPIRED),
)


def lanes(uploads: int = 2) -> tuple[Lane, ...]:
    """The flow. `uploads` is how many contents are sent at once."""
    due, away = (DutyState.DUE,), (DropState.ARCHIVING,)
    return (
        Lane("settle", "drop", (DropState.WAITING,), settle, 4, _FILES | _NEW, "AND held = ''"),
        Lane("fingerprint", "drop", (DropState.SETTLED,), fingerprint, 2, _FILES | _NEW, "AND held = ''"),
        Lane(
            "order", "drop", (DropState.FINGERPRINTED,), order, 4, _FILES | _NEW | {"auth", "offline", "rate"},
            needs=(("list_voices", HAS_VOICE),),
        ),
        Lane("prepare", "job", (JobState.READY,), prepare, 4, frozenset({"disk:state"}) | _NEW | _LOST),
        Lane(
            "upload", "content", (ContentState.ABSENT,), upload, uploads, _FILES | _API | _NEW | _LOST | {"window"},
            needs=(("get_upload_url", ALWAYS), ("confirm_upload", ALWAYS)),
        ),
        Lane("submit", "job", (JobState.SUBMITTING,), submit, 4, _SUBMIT | {"budget"}, "AND approved = 0", needs=_SUBMITTING),
        Lane("submit approved", "job", (JobState.SUBMITTING,), submit, 2, _SUBMIT, _PAID, needs=_SUBMITTING),
        Lane("steer", "duty", due, steer, 1, frozenset(), "AND name = 'steer'"),
        Lane("account", "duty", due, account, 1, _API, "AND name = 'account'", needs=(("get_balance", ALWAYS),)),
        Lane("money", "duty", due, weigh, 1, frozenset({"disk:state"}), "AND name = 'money'"),
        Lane("recovery", "duty", due, recover, 1, _API, "AND name = 'recovery'", needs=(("list_tasks", ALWAYS),)),
        Lane("follow", "duty", due, follow, 1, _API, "AND name = 'follow'", needs=(("list_tasks", ALWAYS),)),
        Lane("look", "job", (JobState.PROCESSING,), look, 4, _API, needs=(("get_task", ALWAYS),)),
        Lane("doubts", "duty", due, doubts, 1, frozenset({"disk:state"}), "AND name = 'doubts'"),
        Lane("sweep", "duty", due, clear, 1, frozenset({"root", "disk:state"}), "AND name = 'sweep'", only_by_command="AND 0"),
        Lane("fetch", "job", (JobState.FETCHING,), fetch, 3, _FILES | {"offline", "disk:results"}, disk="results"),
        Lane(
            "deliver", "delivery", (DeliveryState.PENDING,), deliver, 3, _FILES | {"disk:results"}, _ONE_A_JOB, disk="results",
            only_by_command=_ONE_BY_COMMAND,
        ),
        Lane("archive", "drop", away, archive, 2, _FILES | {"disk:archive"}, "AND verdict <> 'failed'", disk="archive"),
        Lane("put into failed", "drop", away, archive, 2, _FILES | {"disk:failed"}, "AND verdict = 'failed'", disk="failed"),
    )
