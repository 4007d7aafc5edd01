"""How far submitted files are: what `submit` draws while it waits, and how it knows the end of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch.core.layout import join, name_of
from qavix_watch.core.lifecycle import DROP_AT_REST, DeliveryState, DropState, JobState, shown
from qavix_watch.core.naming import display
from qavix_watch.store.views import SERVING, word_of_drop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qavix_watch.store.views import View

    Row = dict[str, Any]

_ENDED = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.HELD})
_WELL = frozenset({DropState.KEPT, DropState.ARCHIVED, DropState.DELETED})


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of work for a file: `id` as `jobs` shows it, `name` for people, `state` in one word, `why` it waits or went wrong.

    `act` is what this host does with it just now ("hashing", "uploading" …), with `done` of `total` bytes at `rate` a second; where
    the service works, they are per cent, `since` when. `credits` are those used, else those that it should cost, None while unknown.
    """

    id: str
    name: str
    state: str
    why: str = ""
    act: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    since: float | None = None
    credits: float | None = None
    used: bool = False
    results: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in {"done", "failed", "cancelled", "held"}


@dataclass(frozen=True, slots=True)
class Followed:
    """One submitted file, and what is done with it."""

    drop: int
    path: str
    outlet: str
    lines: tuple[Line, ...] = field(default=())
    at_rest: bool = False

    @property
    def over(self) -> bool:
        """Whether waiting for it any longer brings nothing."""
        return all(line.over for line in self.lines) and (self.at_rest or any(line.state == "held" for line in self.lines))

    @property
    def well(self) -> bool:
        """Whether everything that was asked for it is done."""
        return all(line.state == "done" for line in self.lines)


def followed(look: View, drops: Iterable[int]) -> list[Followed]:
    """Each of these drops, as it is now."""
    return [_one(look, row) for number in drops for row in _rows(look, "SELECT * FROM drops WHERE id = ?", number)]


def unfinished(look: View, since: float) -> list[int]:
    """The drops that were submitted by command after `since` and are not at rest."""
    rest = ", ".join(f"'{state}'" for state in DROP_AT_REST)
    rows = _rows(
        look, f"SELECT id FROM drops WHERE account = ? AND outlet IS NOT NULL AND created_at > ? AND state NOT IN ({rest}) ORDER BY id",
        look.account, since,
    )
    return [row["id"] for row in rows]


def standstill(look: View) -> list[Row]:
    """The brakes that submitted files may wait for: `name`, `scope`, `why`, `hint`."""
    rows = _rows(look, "SELECT name, scope, why, hint FROM brakes WHERE account = ? AND state = 'on'", look.account)
    return [row for row in rows if row["name"] != "root" and row["scope"] != "archive"]


def server(look: View) -> Row | None:
    """The process that serves the state, as `View.status` has it; None where none does."""
    return next(iter(_rows(look, f"SELECT pid, node, boot {SERVING}")), None)


def _one(look: View, drop: Row) -> Followed:
    jobs = _rows(
        look,
        "SELECT jobs.*, deliveries.id AS delivery, deliveries.state AS delivered, deliveries.reason AS said FROM deliveries"
        " JOIN jobs ON jobs.id = deliveries.job WHERE drop_id = ? ORDER BY jobs.id", drop["id"],
    )
    lines = tuple(_of_job(look, drop, job) for job in jobs) or (_of_drop(look, drop),)
    at_rest = drop["state"] in DROP_AT_REST
    return Followed(drop["id"], display(drop["path"]), display(drop["outlet"] or b""), lines, at_rest)


def _of_drop(look: View, drop: Row) -> Line:
    """A file that has no jobs yet, or never came to any."""
    word = word_of_drop(drop)
    why = drop["held"] if word == "held" else drop["reason"] if word != "done" else ""
    return Line(f"drop-{drop['id']}", _name(drop), word, why, **_act(look, [("drop", drop["id"])]))


def _of_job(look: View, drop: Row, job: Row) -> Line:
    state, delivered = JobState(job["state"]), DeliveryState(job["delivered"])
    word = _word(drop, state, delivered)
    used = job["credits_used"] is not None
    price = next((job[name] for name in ("credits_used", "credits_estimated", "estimate") if job[name] is not None), None)
    troubled = word in {"failed", "held", "cancelled"} or job["tries"] or job["overdue_since"]
    why = job["said"] if word == "failed" and state is not JobState.FAILED else job["reason"]
    name = _name(drop) + (f" → {job['language']}" if job["language"] else "")
    acts = {"act": "processing", "done": job["progress"] or 0, "total": 100, "since": job["submitted_at"]}
    if state is not JobState.PROCESSING:
        acts = _act(look, [("job", job["id"]), ("delivery", job["delivery"]), *_contents(look, job), ("drop", drop["id"])])
    results = _results(look, job["delivery"]) if delivered is DeliveryState.DONE else ()
    return Line(str(job["id"]), name, word, why if troubled else "", credits=price, used=used, results=results, **acts)


def _word(drop: Row, state: JobState, delivered: DeliveryState) -> str:
    """A delivery that failed, or that nobody wants any more, is what matters here, whatever became of its job elsewhere."""
    if delivered in {DeliveryState.FAILED, DeliveryState.CANCELLED}:
        return delivered.value
    if delivered is DeliveryState.DONE and DropState(drop["state"]) in {*_WELL, DropState.ARCHIVING, DropState.DELIVERING}:
        return "done"
    return shown(None, state, delivered) if state not in _ENDED else state.value


def _name(drop: Row) -> str:
    return display(name_of(drop["path"]))


def _contents(look: View, job: Row) -> list[tuple[str, int]]:
    rows = _rows(
        look, "SELECT id FROM contents WHERE account = ? AND sha256 IN (?, ?)", look.account, job["main_sha256"], job["partner_sha256"]
    )
    return [("content", row["id"]) for row in rows]


def _act(look: View, items: Sequence[tuple[str, int]]) -> Row:
    """What is under way with the first of these with which anything is."""
    for item, number in items:
        for row in _rows(look, "SELECT act, done, total, rate FROM progress WHERE item = ? AND item_id = ?", item, number):
            return row
    return {}


def _results(look: View, delivery: int) -> tuple[str, ...]:
    rows = _rows(look, "SELECT path FROM result_files WHERE delivery = ? ORDER BY id", delivery)
    return tuple(display(join(look.layout.outbox, row["path"])) for row in rows)


def _rows(look: View, sql: str, *values: object) -> list[Row]:
    return [dict(row) for row in look.connection.execute(sql, values)]
