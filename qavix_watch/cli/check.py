"""`qavix-watch check`: the doctor. It looks at everything that work needs, changes nothing, and costs nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.cli.checks.finding import Check, Finding
    from qavix_watch.config import Settings

    Row = dict[str, Any]
    Groups = list[tuple[str, list[Finding]]]

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
_COLUMN = 9


def check(config: Config = None, as_json: Json = False) -> None:
    """Look whether everything is as it should be, and say how to mend what is not.

    Works beside a running service and without one; asks the service nothing that costs credits. Exit status: 0 where there is no
    problem, 1 where there is one, 2 where the configuration cannot be used.

    Example: qavix-watch check
    """
    from qavix_watch.cli import context
    from qavix_watch.errors import ConfigError
    from qavix_watch.fs.probe import ignore_sigio

    ignore_sigio()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was made to try folders is taken away then, too
    try:
        settings = context.settings(config)
    except ConfigError as error:
        _tell(None, _without_configuration(error), as_json=as_json)
        raise typer.Exit(2) from None
    groups = _examined(settings)
    _tell(settings.source, groups, as_json=as_json)
    if _count(groups)["problem"]:
        raise typer.Exit(1)


def _examined(settings: Settings) -> Groups:
    """Every group of checks, one after the other, with what each found."""
    from qavix_watch.cli.checks.case import case_of

    with _spinner() as say:
        say("the state")
        case = case_of(settings, os.environ)
        return [(title, _found(group, case, say, title)) for title, group in _groups()]


def _groups() -> list[tuple[str, Check]]:
    from qavix_watch.cli.checks.callback import callback
    from qavix_watch.cli.checks.configuration import configuration
    from qavix_watch.cli.checks.folders import folders
    from qavix_watch.cli.checks.host import host
    from qavix_watch.cli.checks.key import key
    from qavix_watch.cli.checks.rights import rights
    from qavix_watch.cli.checks.room import room
    from qavix_watch.cli.checks.service import service
    from qavix_watch.cli.checks.state import state
    from qavix_watch.cli.checks.watching import watching

    return [
        ("Configuration", configuration), ("API key", key), ("Folders", folders), ("Rights", rights), ("Space", room), ("State", state),
        ("Watching", watching), ("Qavix", service), ("Callbacks", callback), ("This machine", host),
    ]  # fmt: skip


def _found(group: Check, case: Case, say: Callable[[str], None], title: str) -> list[Finding]:
    """What one group found. A failure that it did not expect is one more line, and ends no other group."""
    from qavix_watch.cli.checks.finding import of_error, problem
    from qavix_watch.errors import QavixWatchError

    say(title)
    findings: list[Finding] = []
    try:
        findings.extend(group(case))
    except QavixWatchError as error:
        findings.append(of_error(error))
    except OSError as error:
        name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        findings.append(problem(f"Not everything could be looked at: {error.strerror}{name}.", "Run this as the user of the service."))
    return findings


def _without_configuration(error: Any) -> Groups:
    from qavix_watch.cli.checks.configuration import refused
    from qavix_watch.cli.checks.host import host

    return [("Configuration", refused(error)), ("This machine", list(host(None)))]


def _spinner() -> AbstractContextManager[Callable[[str], None]]:
    """What is being looked at, where people look on; it is gone at the end."""
    from qavix_watch.cli.context import err

    console = err()
    return _turning(console) if console.is_terminal else nullcontext(lambda _: None)


def _turning(console: Any) -> AbstractContextManager[Callable[[str], None]]:
    from contextlib import contextmanager

    @contextmanager
    def turning() -> Iterator[Callable[[str], None]]:
        with console.status("") as status:
            yield lambda title: status.update(f"Looking at: {title}")

    return turning()


def _count(groups: Groups) -> Counter[str]:
    return Counter(finding.level.value for _, findings in groups for finding in findings)


def _tell(source: str | None, groups: Groups, *, as_json: bool) -> None:
    from qavix_watch.cli import context

    if as_json:
        context.print_json(_plain(source, groups))
    else:
        context.show(_board(groups))


def _plain(source: str | None, groups: Groups) -> Row:
    from qavix_watch.cli.context import shown

    count = _count(groups)
    return {
        "configuration": source,
        "ok": not count["problem"],
        "counts": {level: count[level] for level in STYLES},
        "findings": [
            {"group": title, "level": finding.level.value, "text": shown(finding.text), "mend": shown(finding.mend) or None}
            for title, findings in groups
            for finding in findings
        ],
    }


def _board(groups: Groups) -> Any:
    """A heading for each group, a line for each finding, and its mend below it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for title, findings in groups:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=_COLUMN, no_wrap=True)
        table.add_column(overflow="fold")
        for row in _rows(findings):
            table.add_row(*row)
        parts += [Text(title, "bold"), table, Text()]
    return Group(*parts, _summary(groups))


def _rows(findings: Iterable[Finding]) -> Iterator[tuple[Any, Any]]:
    from rich.text import Text

    from qavix_watch.cli.context import plain

    for finding in findings:
        yield Text(f"  {finding.level.value}", STYLES[finding.level.value]), plain(finding.text)
        if finding.mend:
            yield "", plain(f"→ {finding.mend}", "dim")


def _summary(groups: Groups) -> Any:
    from qavix_watch.cli.context import plain

    count = _count(groups)
    parts = [f"{count[level]} {level}{'s' if count[level] != 1 else ''}" for level in ("problem", "warning") if count[level]]
    if not parts:
        return plain("Everything is as it should be.", STYLES["ok"])
    ending, worst = (".", "problem") if count["problem"] else ("; nothing keeps work from being done.", "warning")
    return plain(", ".join(parts) + ending, STYLES[worst])
