"""`qavix-watch usage`: what was spent, by kind and by day, and how far that was from what it should have cost."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.days import FORMS
from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from qavix_watch.api.client import Client
    from qavix_watch.cli.asking import Waiting
    from qavix_watch.cli.days import Period
    from qavix_watch.cli.whose import Ours
    from qavix_watch.config import Settings
    from qavix_watch.core.service import UsagePage, UsageRecord

    Row = dict[str, Any]

MOST_TASKS = 20


def usage(
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help=f"The first day: {FORMS}.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day, which counts too; today unless said.")] = None,
    days: Annotated[int | None, typer.Option(min=1, metavar="N", help="The last N days, today among them (30 unless said).")] = None,
    month: Annotated[bool, typer.Option("--month", help="This month so far.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many tasks; --json always prints all.")] = MOST_TASKS,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what was spent.

    By kind of work, by day and by task. Of the tasks that were made here it also shows what they should have cost, and by how
    much they cost more (+) or less (-). Days are days of this machine's time zone.

    Example: qavix-watch usage --from 2026-10 --to 2026-10
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.days import period
    from qavix_watch.cli.whose import ours

    today = datetime.now().astimezone().date()
    try:
        when = period(first, last, days, month=month, today=today)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    settings = context.settings(config)
    records = _records(settings, when)
    with context.view(settings) as look:
        own = ours(look)
    report = report_of(records, own, when)
    if as_json:
        context.print_json({**report, "account": settings.api.account})
    else:
        _draw(report, settings, limit)


def _records(settings: Settings, when: Period) -> list[UsageRecord]:
    """Every record of the period. More is asked for than is wanted: nobody says which time zone the service's days are in."""
    from qavix_watch.cli.asking import ask, every_page

    start, end = when.asked(datetime.now().astimezone().date())

    def read(client: Client, waiting: Waiting) -> Awaitable[list[UsagePage]]:
        return every_page(lambda cursor: client.usage_history(start, end, cursor), lambda page: len(page.records), waiting)

    pages = ask(settings, read, "Reading the usage history …")
    return [record for page in pages for record in page.records if when.holds(record.created_at)]


def report_of(records: Iterable[UsageRecord], own: Ours, when: Period) -> Row:
    """Everything that there is to say, as `--json` prints it: totals, kinds, days, and tasks with the newest first."""
    from qavix_watch.cli.days import zone

    tasks = sorted(_tasks(records, own), key=lambda task: task["at"] or 0.0, reverse=True)
    return {
        "from": when.first.isoformat(), "to": when.last.isoformat(), "time_zone": zone(when.last),
        "total": _sums(tasks),
        "kinds": _grouped(tasks, lambda task: task["type"], "type"),
        "days": sorted(_grouped(tasks, lambda task: task["day"], "day"), key=lambda row: row["day"] or ""),
        "tasks": tasks,
    }  # fmt: skip


def _tasks(records: Iterable[UsageRecord], own: Ours) -> list[Row]:
    """One row a task: the records of a task that was billed in parts are one."""
    from qavix_watch.cli.days import day_of

    found: dict[str, Row] = {}
    for record in records:
        at = record.created_at
        row = found.setdefault(record.task_id, {
            "task_id": record.task_id, "type": record.task_type, "at": at, "day": None if at is None else day_of(at).isoformat(),
            **_ours(own.job(record.task_id, record.task_type, at)), "credits_used": 0,
        })  # fmt: skip
        row["credits_used"] += record.credits_used
    for row in found.values():
        row["difference"] = None if row["credits_estimated"] is None else row["credits_used"] - row["credits_estimated"]
    return list(found.values())


def _ours(job: Row | None) -> Row:
    keys = ("order", "target", "path", "path_b64", "credits_estimated")
    return {"job": None, **dict.fromkeys(keys)} if job is None else {"job": job["id"], **{key: job[key] for key in keys}}


def _sums(tasks: Sequence[Row]) -> Row:
    """Of some tasks: how many, credits, what of it was ours; and over ours with an estimate, that and how far off it was."""
    ours = [task for task in tasks if task["job"] is not None]
    known = [task for task in ours if task["credits_estimated"] is not None]
    return {
        "tasks": len(tasks),
        "credits_used": sum(task["credits_used"] for task in tasks),
        "ours": len(ours),
        "credits_used_ours": sum(task["credits_used"] for task in ours),
        "credits_estimated": sum(task["credits_estimated"] for task in known) if known else None,
        "difference": sum(task["difference"] for task in known) if known else None,
    }


def _grouped(tasks: Sequence[Row], key: Callable[[Row], Any], name: str) -> list[Row]:
    """The sums of each group, the dearest first."""
    groups: dict[Any, list[Row]] = {}
    for task in tasks:
        groups.setdefault(key(task), []).append(task)
    return sorted(({name: value, **_sums(group)} for value, group in groups.items()), key=lambda row: -row["credits_used"])


def _draw(report: Row, settings: Settings, limit: int) -> None:
    from qavix_watch.cli import context

    span = report["from"] if report["from"] == report["to"] else f"{report['from']} to {report['to']}"
    typer.echo(context.shown(f"{span} ({report['time_zone']}), account {settings.api.account} at {settings.api.base_url}"))
    if not report["tasks"]:
        typer.echo("Nothing was spent.")
        return
    parts = [kinds_table(report), _days_table(report), *([tasks_table(report["tasks"][:limit])] if limit else [])]
    for part in parts:
        typer.echo()
        context.show(part)
    rest = len(report["tasks"]) - limit
    if limit and rest > 0:
        typer.echo(f"… and {rest:,} more; `--limit {len(report['tasks'])}` shows them, `--json` always does.")


def kinds_table(report: Row) -> Any:
    """What was spent by kind of work, and together."""
    from qavix_watch.cli.account import word_of
    from qavix_watch.cli.tables import table

    titles = ("Kind", "Tasks", "Credits", "Made here", "Estimated", "Difference")
    rows = [(word_of(row["type"]) or row["type"], *_amounts(row)) for row in report["kinds"]]
    return table(titles, [*rows, ("together", *_amounts(report["total"]))], numbers=titles[1:])


def _amounts(row: Row) -> tuple[str, ...]:
    from qavix_watch.cli.tables import number, signed

    estimated = number(row["credits_estimated"])
    return f"{row['tasks']:,}", number(row["credits_used"]), number(row["credits_used_ours"]), estimated, signed(row["difference"])


def _days_table(report: Row) -> Any:
    from qavix_watch.cli.tables import number, table

    titles = ("Day", "Tasks", "Credits", "Made here")
    cells = [
        (row["day"] or "not known", f"{row['tasks']:,}", number(row["credits_used"]), number(row["credits_used_ours"]))
        for row in report["days"]
    ]
    return table(titles, cells, numbers=titles[1:])


def tasks_table(tasks: Sequence[Row]) -> Any:
    """What was spent by task, and for ours what it should have been."""
    from qavix_watch.cli.account import word_of
    from qavix_watch.cli.tables import number, signed, table

    titles = ("Task", "Day", "Job", "Kind", "File", "Estimated", "Used", "Difference")
    cells = [
        (
            task["task_id"], task["day"], task["job"] or "–", word_of(task["type"]) or task["type"], file_of(task),
            number(task["credits_estimated"]), number(task["credits_used"]), signed(task["difference"]),
        )
        for task in tasks
    ]  # fmt: skip
    return table(titles, cells, numbers=("Estimated", "Used", "Difference"), cut=("File",))


def file_of(row: Row) -> str:
    """The name of a job's file, with the language where there is one."""
    if row["path"] is None:
        return "" if row["job"] is None else row["order"]
    name = os.path.basename(row["path"])
    return f"{name} → {row['target']}" if row["target"] else name
