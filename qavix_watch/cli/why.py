"""`qavix-watch why`: what is, was or will be done with a path, and why."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qavix_watch.cli.answers import Answer

    Row = dict[str, Any]


def why(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Any path: in the inbox, the outbox, or anywhere else.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say what becomes of a file, and why.

    It knows what is, was or will be done with any path, what that waits for, and which rule ignores it.

    Example: qavix-watch why "inbox/dub en to es/clip.mp4"
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.judging import judge

    settings = context.settings(config)
    path = os.path.abspath(os.fsencode(file))
    with context.view(settings) as look:
        answer = judge(path, settings, look)
    if as_json:
        context.print_json(facts_of(path, answer))
    else:
        context.show(_drawn(path, answer))
    if not answer.known:
        raise typer.Exit(1)


def facts_of(path: bytes, answer: Answer) -> Row:
    """The answer as `--json` prints it."""
    from qavix_watch.core.naming import display

    return {
        "path": display(path),
        "path_b64": base64.b64encode(path).decode(),
        "where": answer.where,
        "state": answer.state,
        "why": answer.why,
        "hint": answer.hint or None,
        "order": answer.order,
        "does": answer.does,
        "jobs": answer.jobs,
        "earlier": answer.earlier,
    }


def _drawn(path: bytes, answer: Answer) -> RenderableType:
    from rich.table import Table

    from qavix_watch.cli.board import STYLES
    from qavix_watch.cli.context import plain
    from qavix_watch.core.naming import display

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("File", plain(display(path)))
    table.add_row("State", plain(answer.state, STYLES.get(answer.state, "bold")))
    for label, text in (("Why", answer.why), ("Do", answer.hint), ("Order", answer.order), ("", answer.does)):
        if text:
            table.add_row(label, plain(text))
    for job in answer.jobs:
        table.add_row(f"Job {job['id']}", plain(_job(job)))
        for result in job["results"]:
            table.add_row("", plain(f"→ {result['path']}"))
    for line in answer.earlier:
        table.add_row("Earlier", plain(line))
    return table


def _job(job: Row) -> str:
    """A job on one line: what it makes, where it is, and what is wrong with it."""
    target = f" → {job['target']}" if job.get("target") else ""
    progress = f", {job['progress']} %" if job["state"] == "processing" and job["progress"] is not None else ""
    error = f": {job['error']}" if job["error"] else ""
    return f"{job['order']}{target}: {job['state']}{progress}{error}"
