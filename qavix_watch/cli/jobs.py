"""`qavix-watch jobs` and `show`: lists with filters, and one job with its whole history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qavix_watch.store.views import View

    Row = dict[str, Any]

_STATES = "waiting, ready, uploading, submitting, processing, fetching, done, failed, cancelled, held"


def jobs(
    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help=f"Only in this state ({_STATES}); may be repeated.")] = None,
    order: Annotated[str, typer.Option(metavar="TEXT", help="Only where the order's name holds this, for example `dub`.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many, the newest.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the jobs, the newest first.

    Example: qavix-watch jobs --state failed --state held
    """
    from qavix_watch.cli import context

    states = _states(state or [])
    with context.view(context.settings(config)) as look:
        found = [] if look is None else look.jobs(states, order, limit)
        batches = [] if look is None else look.batches()
    if as_json:
        context.print_json(found)
    elif found:
        context.show(_table(found))
        for batch in batches:
            typer.echo(f"\n{context.shown(batch['order'])}: {batch['said']}")
    else:
        context.say(context.NO_STATE if look is None else "No job is like that." if states or order else "There are no jobs yet.")


def _states(asked: Sequence[str]) -> list[str]:
    """The states that were asked for, each a word of its own or several with commas between."""
    states = [word.strip().lower() for text in asked for word in text.split(",") if word.strip()]
    unknown = [word for word in states if word not in _STATES.split(", ")]
    if unknown:
        raise typer.BadParameter(f"`{unknown[0]}` is no state; the states are {_STATES}.", param_hint="--state")
    return states


def _table(rows: Sequence[Row]) -> RenderableType:
    from qavix_watch.cli.board import STYLES
    from qavix_watch.cli.context import plain
    from qavix_watch.cli.tables import table

    titles = ("ID", "State", "Order", "File", "About it", "Credits")
    states = [plain(row["state"], STYLES.get(row["state"], "")) for row in rows]
    lines = [(row["id"], state, _asked(row), _file(row), _about(row), _credits(row)) for row, state in zip(rows, states, strict=True)]
    return table(titles, lines, numbers=("Credits",), cut=("Order", "File", "About it"))


def _asked(row: Row) -> str:
    """The order, and of an order with several targets the one that this job is."""
    target = row.get("target")
    return f"{row['order']} → {target}" if target and "," in row["order"] else str(row["order"])


def _file(row: Row) -> str:
    names = [drop["path"].rsplit("/", 1)[-1] for drop in row["drops"]]
    return (names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")) if names else ""


def _credits(row: Row) -> str:
    """What it cost, or is thought to cost."""
    from qavix_watch.cli.amounts import money

    used, estimated = row["credits_used"], row["credits_estimated"]
    return money(used).split()[0] if used is not None or estimated is None else f"~{money(estimated).split()[0]}"


def _about(row: Row) -> str:
    if row["error"]:
        return str(row["error"])
    if row["state"] == "processing" and row["progress"] is not None:
        return f"{row['progress']} %"
    return ", ".join(result["path"].rsplit("/", 1)[-1] for result in row["results"])


def show(
    number: Annotated[str, typer.Argument(metavar="ID", help="A job's id as `jobs` lists it: a number, or `drop-` and a number.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one job with its whole history.

    Example: qavix-watch show 12
    """
    from qavix_watch.cli import context

    with context.view(context.settings(config)) as look:
        row = _find(look, number.strip())
    if as_json:
        context.print_json(row)
        return
    context.show(_facts(row))
    typer.echo()
    context.show(_history(row["history"], time.time()))


def _find(look: View | None, number: str) -> Row:
    from qavix_watch.cli.context import NO_STATE, shown
    from qavix_watch.errors import QavixWatchError

    if look is None:
        raise QavixWatchError(f"there is no job {shown(number)}", hint=NO_STATE)
    row = look.job(number)
    if row is not None:
        return row
    drop = number.lower().removeprefix("drop-")
    became = look.jobs_of(int(drop)) if number.lower().startswith("drop-") and drop.isdecimal() and len(drop) < 19 else []
    if became:
        raise QavixWatchError(
            f"drop-{drop} has become {' and '.join('job ' + job['id'] for job in became)}", hint=f"`qavix-watch show {became[0]['id']}`"
        )
    raise QavixWatchError(f"there is no job {shown(number)}", hint="`qavix-watch jobs` lists them all.")


def _facts(row: Row) -> RenderableType:
    from rich.table import Table

    from qavix_watch.cli.amounts import size
    from qavix_watch.cli.board import STYLES
    from qavix_watch.cli.context import plain

    said = [
        ("Job" if row["id"].isdecimal() else "Drop", row["id"]),
        ("Order", _asked(row)),
        ("Error" if row["state"] == "failed" else "Reason", row["error"]),
        ("Task", row["task_id"]),
        ("Progress", f"{row['progress']} %" if row["progress"] is not None and row["state"] == "processing" else None),
        ("Cost", _price(row)),
        ("Key", row["key"]),
        *(("File", f"{drop.get('put_away') or drop['path']}  ({drop['state']})") for drop in row["drops"]),
        *(("Result", f"{result['path']}  ({result['kind']}, {size(result['bytes'])})") for result in row["results"]),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("State", plain(row["state"], STYLES.get(row["state"], "")))
    for label, text in said:
        if text:
            table.add_row(label, plain(text))
    return table


def _price(row: Row) -> str:
    from qavix_watch.cli.amounts import money

    estimated, used = row["credits_estimated"], row["credits_used"]
    if used is None:
        return "" if estimated is None else f"about {money(estimated)}"
    return money(used) + ("" if estimated is None else f" (estimated: {money(estimated)})")


def _history(events: Sequence[Row], now: float) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from qavix_watch.cli.amounts import ago, moment
    from qavix_watch.cli.context import plain

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for title in ("When", "", "What", "Change"):
        table.add_column(title, no_wrap=True)
    table.add_column("Why", overflow="fold")
    for event in events:
        change = f"{event['old'] or 'new'} → {event['new']}" if event["old"] != event["new"] else event["new"]
        what = f"{event['item']} {event['id']}"
        table.add_row(moment(event["at"]), plain(ago(event["at"], now), "dim"), plain(what), plain(change), plain(event["why"]))
    return table
