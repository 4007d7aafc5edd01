"""`qavix-watch retry`, `redo`, `cancel`, `approve`, `pause`, `resume` and `scan`: people's hands on the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.cli.steering import Answer
    from qavix_watch.config import Settings

SCAN_SECONDS = 600.0
"""How long `scan` waits for the end of a look at a large inbox."""

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Ids as `jobs` lists them: numbers, or `drop-` and a number.", show_default=False)
]


def retry(
    ids: Ids = None,
    failed: Annotated[bool, typer.Option("--failed", help="Everything that has failed.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Try again what failed or was cancelled.

    Under its own key where the service never made a task of it; as a new task where the task itself failed there, which is billed.
    What was delivered already is not done again.

    Example: qavix-watch retry 12
    """
    _about("retry", ids, "failed" if failed else None, config, as_json=as_json)


def redo(ids: Ids = None, config: Config = None, as_json: Json = False) -> None:
    """Do again what is done, as a new task, which is billed. Results that are there stay; new ones get a number.

    Example: qavix-watch redo 12
    """
    _about("redo", ids, None, config, as_json=as_json)


def cancel(ids: Ids = None, config: Config = None, as_json: Json = False) -> None:
    """End work that is not submitted yet, or stop following and delivering what is: its task stays billed.

    The original stays where it is. `retry`, or dropping the file again, goes on with it.

    Example: qavix-watch cancel 12
    """
    _about("cancel", ids, None, config, as_json=as_json)


def approve(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID", help="Ids as `jobs` lists them, `batch-` and a number, or the brake `budget` or `account`.", show_default=False
        ),
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Everything that is held.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Let go what is held for a person: a job, a file, a mass drop; or work that the brake `budget` or `account` stops.

    Example: qavix-watch approve 12
    """
    _about("approve", ids, "held" if held else None, config, as_json=as_json)


def pause(config: Config = None, as_json: Json = False) -> None:
    """Begin no new work until `resume`. What the service has already is followed, fetched and delivered.

    Example: qavix-watch pause
    """
    _about_all("pause", config, as_json=as_json)


def resume(config: Config = None, as_json: Json = False) -> None:
    """Let new work begin again after `pause`.

    Example: qavix-watch resume
    """
    _about_all("resume", config, as_json=as_json)


def scan(config: Config = None, as_json: Json = False) -> None:
    """Look at the whole inbox now, and wait until that is done.

    Example: qavix-watch scan
    """
    _about_all("scan", config, as_json=as_json, seconds=SCAN_SECONDS)


def _about(verb: str, ids: Sequence[str] | None, every: str | None, config: str | None, *, as_json: bool) -> None:
    from qavix_watch.cli import context
    from qavix_watch.cli.steering import leave_all, refuse_others

    settings = context.settings(config)
    refuse_others(settings)
    targets = list(dict.fromkeys([*(word.strip().lower() for word in ids or []), *([] if every is None else _in_state(settings, every))]))
    if not targets and every is None:
        raise typer.BadParameter("name at least one; `qavix-watch jobs` lists them.", param_hint="ID")
    if not targets:
        context.print_json([]) if as_json else context.say(f"Nothing is {every}.")
        return
    _tell(verb, leave_all(settings, verb, targets, {}), as_json=as_json)


def _in_state(settings: Settings, state: str) -> list[str]:
    """The ids of everything in one state, the oldest first."""
    from qavix_watch.cli.context import view

    with view(settings) as look:
        return [] if look is None else [row["id"] for row in reversed(look.jobs([state]))]


def _about_all(verb: str, config: str | None, *, as_json: bool, seconds: float | None = None) -> None:
    from qavix_watch.cli import context
    from qavix_watch.cli.steering import PATIENCE_SECONDS, leave_all

    settings = context.settings(config)
    _tell(verb, leave_all(settings, verb, [""], {}, seconds=seconds or PATIENCE_SECONDS), as_json=as_json)


def _tell(verb: str, answers: Sequence[Answer], *, as_json: bool) -> None:
    """What came of it, a line for each id; exit status 1 where any was refused."""
    from qavix_watch.cli import context

    if as_json:
        context.print_json([{"id": answer.target or None, "command": verb, "ok": answer.ok, "answer": answer.text} for answer in answers])
    else:
        for answer in answers:
            line = f"{answer.target or verb}: {answer.text}."
            context.say(line) if answer.ok is False else typer.echo(context.shown(line))
    if any(answer.ok is False for answer in answers):
        raise typer.Exit(1)
