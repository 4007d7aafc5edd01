"""The status as a board: a few facts, what stands still and why, folders, work in hand, and what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from qavix_watch.cli import amounts
from qavix_watch.cli.context import NO_STATE, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import RenderableType

    Row = Mapping[str, Any]

MOST_LINES = 15  # of one list; the rest is counted
BAR_COLUMNS = 20

STATES = ("waiting", "ready", "uploading", "submitting", "processing", "fetching", "held", "failed", "cancelled", "done")
STYLES = {"held": "yellow", "failed": "red", "done": "green", "processing": "cyan", "uploading": "cyan", "fetching": "cyan"}

_STOPS = {
    "auth": "all work with the service stands still: the API key",
    "api": "one kind of request stands still: the service does not answer it as it should",
    "credits": "nothing is submitted: credits",
    "budget": "nothing is submitted: the budget",
    "rate": "the service is asked more slowly",
    "offline": "work over the network stands still: no answer",
    "disk": "work that needs a disk stands still: the disk is full",
    "account": "nothing is submitted: the account",
    "recovery": "nothing is submitted: the service's list of tasks is read first",
    "paused": "no new work is begun: paused",
    "root": "work in a watched folder stands still: the folder is away",
}
_ACTS = {"hashing": "reading", "comparing": "comparing", "copying": "copying"}


def board(status: Row, now: float) -> RenderableType:
    """Everything, with an empty line between its parts. `status` is what `status.look_at` gives, or `View.status()` and `running`."""
    parts = [
        _facts(status, now),
        _list("Stands still", status["brakes"], lambda brake: _brake(brake, now), "yellow"),
        _list("Troubles", status["troubles"], lambda trouble: [plain(f"{trouble['text']} ({amounts.ago(trouble['at'], now)})")], "yellow"),
        _list("Waiting for you", status.get("batches", []), _batch, "yellow"),
        _folders(status["folders"]),
        _in_hand(status, now),
        _list("Waiting", _alone(status), _waiting),
    ]
    return Group(*_spaced([part for part in parts if part is not None]))


def _spaced(parts: Sequence[RenderableType]) -> Iterable[RenderableType]:
    for number, part in enumerate(parts):
        if number:
            yield Text("")
        yield part


def _facts(status: Row, now: float) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Service", _service(status, now))
    if "state" in status:
        table.add_row("Configuration", plain(status["configuration"] or "none; the defaults hold"))
        table.add_row("State", plain(status["state"]))
        table.add_row("Inbox", plain(status["inbox"]))
        table.add_row("Qavix", plain(f"{urlsplit(status['base_url']).netloc} (account {status['account']})"))
    if status.get("uploads"):
        table.add_row("Uploads", _uploads(status["uploads"]))
    table.add_row("Jobs", _counts(status["counts"]))
    if status.get("balance") or status.get("budget"):
        table.add_row("Credits", plain(_credits(status, now)))
    if not status.get("state_exists", True):
        table.add_row("", plain(NO_STATE))
    return table


def _credits(status: Row, now: float) -> str:
    """What remains, and what was used or set aside today and this month, with the limits that are set."""
    balance, budget = status.get("balance"), status.get("budget")
    said = [] if not balance else [f"{amounts.money(balance['credits_remaining'])} remained {amounts.ago(balance['at'], now)}"]
    if budget:
        spans = (("spent_today", "today", "per_day"), ("spent_this_month", "this month", "per_month"))
        said += [f"{amounts.money(budget[spent])} {when}{_of(budget[limit])}" for spent, when, limit in spans]
    return ", ".join(said)


def _of(limit: float | None) -> str:
    return "" if limit is None else f" of {amounts.money(limit)}"


def _batch(batch: Row) -> list[Text]:
    return [plain(batch["order"], "bold"), plain(batch["said"])]


def _uploads(uploads: Row) -> Text:
    """When uploads run, where `upload.window` says so."""
    now = "now" if uploads["open"] else "not now: files wait for that"
    return plain(f"between {uploads['window']} (`upload.window`), {now}", "" if uploads["open"] else "yellow")


def _service(status: Row, now: float) -> Text:
    service, running = status["service"], status["running"]
    if service is None:
        return plain("not running; `qavix-watch run` starts it", "yellow")
    began = f"{amounts.moment(service['started_at'], now=now)}, {amounts.ago(service['started_at'], now)}"
    who = f"process {service['pid']} on {service['node']}"
    if running is False:
        return plain(f"not running: {who} (begun {began}) ended without a word; `qavix-watch run` goes on where it was", "red")
    if running is None:
        return plain(f"{who}, begun {began}; whether it still runs can only be seen there")
    return plain(f"running ({who}, since {began})" + ("" if service["ready"] else "; it is reading the inbox for the first time"), "green")


def _counts(counts: Row) -> Text:
    known = [state for state in STATES if counts.get(state)]
    parts = [Text(f"{counts[state]} {state}", STYLES.get(state, "")) for state in (*known, *sorted(counts.keys() - set(STATES)))]
    return Text(", ").join(parts) if parts else Text("none yet")


def _list(title: str, rows: Sequence[Row], lines: Callable[[Row], Sequence[Text]], style: str = "bold") -> RenderableType | None:
    """A title and some lines for each row, the first of them with a mark; None where there is nothing to tell."""
    if not rows:
        return None
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows[:MOST_LINES]:
        for number, line in enumerate(lines(row)):
            table.add_row("  -" if number == 0 else "", line)
    return Group(Text(title, style), table, *_more(len(rows)))


def _more(rows: int) -> list[Text]:
    return [Text(f"    … and {rows - MOST_LINES} more", "dim")] if rows > MOST_LINES else []


_OF_DISK = {
    "results": "results are not fetched: their disk is full",
    "archive": "originals are not put into the archive: its disk is full",
    "failed": "originals are not put into the folder failed: its disk is full",
    "state": "all work stands still: the disk of the state is full",
}


def stands_still(name: str, scope: str) -> str:
    """What a brake stops, in a few words."""
    if name == "disk" and scope in _OF_DISK:
        return _OF_DISK[scope]
    about = f" ({scope})" if scope and name != "root" else ""
    return _STOPS.get(name, f"work stands still: {name}") + about


def _brake(brake: Row, now: float) -> list[Text]:
    since = f"{stands_still(brake['name'], brake['scope'])}, since {amounts.moment(brake['since'], now=now)}"
    lines = [plain(since, "bold"), plain(brake["why"]), *([plain(f"→ {brake['hint']}")] if brake["hint"] else [])]
    return [*lines, *([plain(f"  {ahead}", "dim")] if (ahead := _next_look(brake, now)) else [])]


def _next_look(brake: Row, now: float) -> str:
    """When the brake is looked at next, where nothing but time is waited for."""
    if brake["name"] in {"root", "paused", "recovery"}:
        return ""
    if brake.get("probing"):
        return "the next piece of this work tries whether it can go on"
    return f"it is tried again in {amounts.duration(brake['until'] - now)}" if brake["until"] > now else ""


def _alone(status: Row) -> list[Row]:
    """What waits for reasons of its own: the files of a batch are told once, as one, by the batch."""
    told = {batch["said"] for batch in status.get("batches", [])}
    return [row for row in status["waiting_for"] if row["why"] not in told]


def _waiting(row: Row) -> list[Text]:
    lines = [plain(f"{short(row['path'])}: {row['why']}")]
    if row.get("state") == "held" and "qavix-watch " not in row["why"]:
        lines.append(plain(f"→ `qavix-watch approve {row['id']}` lets it go on"))
    return lines


def short(path: str) -> str:
    """A path by its folder and its name."""
    return "/".join(path.rsplit("/", 2)[-2:])


def _folders(folders: Sequence[Row]) -> RenderableType | None:
    """The order folders in words. Of a folder that is not understood, what lies below it is not told again."""
    problems = {row["name"] for row in folders if row["problem"]}
    rows = [row for row in folders if row["name"] and not _above(row["name"]) & problems]
    if not rows:
        return None
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column(overflow="fold", ratio=3)
    for row in sorted(rows, key=lambda row: (not row["problem"], row["name"]))[:MOST_LINES]:
        said = plain(f"not understood: {row['problem']}", "red") if row["problem"] else plain(row["words"] or row["canonical"] or "")
        table.add_row(plain(f"  {row['name']}"), said)
    return Group(Text("Folders", "bold"), table, *_more(len(rows)))


def _above(name: str) -> set[str]:
    parts = name.split("/")
    return {"/".join(parts[:number]) for number in range(1, len(parts))}


def _in_hand(status: Row, now: float) -> RenderableType | None:
    """Bars. What a dead process had in hand is not in hand; what the service works on goes on without us."""
    rows = [row for row in status["in_hand"] if row["act"] == "processing" or status["running"] is not False]
    if not rows:
        return None
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, width=BAR_COLUMNS)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for row in rows[:MOST_LINES]:
        share = min(row["done"] / row["total"], 1.0) if row["total"] else 0.0
        bar = ProgressBar(total=1.0, completed=share, width=BAR_COLUMNS)
        act = plain(f"  {_ACTS.get(row['act'], row['act'])}", STYLES.get(row["act"], "cyan"))
        table.add_row(act, plain(row["name"]), bar, f"{share:.0%}", plain(_speed(row, now), "dim"))
    return Group(Text("In hand", "bold"), table, *_more(len(rows)))


def _speed(row: Row, now: float) -> str:
    """How fast, and how long still: by the measured rate, or, where the service works, by how long it took so far."""
    if row["act"] == "processing":
        left = time_left(row["done"], now - row["since"]) if row.get("since") else None
        return "" if left is None else f"about {amounts.duration(left)} left"
    moved = f"{amounts.size(row['done'])} of {amounts.size(row['total'])}"
    if not row["rate"] or row["rate"] <= 0:
        return moved
    left = max(row["total"] - row["done"], 0) / row["rate"]
    return f"{moved}, {amounts.rate(row['rate'])}, {amounts.duration(left)} left"


def time_left(percent: float, passed: float) -> float | None:
    """Seconds that the rest will take if it goes on as it did; None where that cannot be said yet."""
    if percent < 2 or percent > 100 or passed <= 0:
        return None
    return passed * (100 - percent) / percent
