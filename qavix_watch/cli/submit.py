"""`qavix-watch submit`: one-off work on files that lie anywhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from qavix_watch.cli.following import Display
    from qavix_watch.config import Settings
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.secret import Secret
    from qavix_watch.errors import OrderError
    from qavix_watch.ports import Ports
    from qavix_watch.stages.submitted import Wanted
    from qavix_watch.store.followed import Followed

INTERRUPTED = 130
FRAME_SECONDS = 0.25
ANSWER_SECONDS = 30.0
"""How long the service may take to look at the files: they may lie on a slow share."""
AWAY_SECONDS = 10.0
"""How long a service that is waited for may be away: a restart is no end."""


def submit(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="The files to work on. They stay where they are.")],
    order: Annotated[str, typer.Option("--as", metavar="ORDER", help="What to do, as a folder's name would say it: `dub en to es`.")],
    to: Annotated[str | None, typer.Option("--to", metavar="DIR", help="Where results go (default: beside each file).")] = None,
    partner: Annotated[
        str | None, typer.Option("--with", metavar="FILE", help="The second file of `face swap` and `lip sync` (default: the same name).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show the progress, and end when all of it is done.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Have single files worked on, wherever they lie, without an order folder.

    The running service does the work; where none runs, this process does it, and shows the progress. The source always stays where it
    is. Ctrl-C ends the waiting, not the work.

    Example: qavix-watch submit clip.mp4 --as "dub en to es" --wait
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.steering import refuse_others

    settings = context.settings(config)
    if partner is not None and len(files) > 1:
        raise typer.BadParameter("goes with one FILE; submit the others by themselves.", param_hint="--with")
    _refuse_no_order(order, settings)
    refuse_others(settings)
    wanted = _wanted(files, to, partner)
    _refuse_missing(wanted)
    drops, here = _submitted(settings, order, wanted)
    if not (here or wait):
        _tell_ids(settings, drops, wanted, as_json=as_json)
        return
    if not here:
        _wait_for(settings, drops)
    _tell_outcome(settings, drops, as_json=as_json)


def _refuse_no_order(order: str, settings: Settings) -> None:
    from qavix_watch.cli.context import say
    from qavix_watch.core.grammar import parse
    from qavix_watch.core.words import Words
    from qavix_watch.errors import OrderError

    try:
        parse(order, Words(settings.words))
    except OrderError as error:
        say(f"qavix-watch: --as: {_said(error)}")
        raise typer.Exit(2) from None


def _said(error: OrderError) -> str:
    near = f"Did you mean `{error.suggestion}`?" if error.suggestion else ""
    return " ".join(filter(None, (str(error), error.hint, near)))


def _wanted(files: Sequence[str], to: str | None, partner: str | None) -> list[Wanted]:
    from qavix_watch.stages.submitted import Wanted, folder_of

    paths = dict.fromkeys(os.path.abspath(os.fsencode(file)) for file in files)
    outlet = None if to is None else os.path.abspath(os.fsencode(to))
    second = None if partner is None else os.path.abspath(os.fsencode(partner))
    return [Wanted(path, outlet or folder_of(path), second) for path in paths]


def _refuse_missing(wanted: Sequence[Wanted]) -> None:
    """A slip of the pen is told here; what this user may not see, the service may."""
    from qavix_watch.core.naming import display
    from qavix_watch.errors import QavixWatchError

    for path in [one.path for one in wanted] + [one.partner for one in wanted if one.partner is not None]:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise QavixWatchError(f"there is no file {display(path)}") from None
        except OSError:
            continue


def _submitted(settings: Settings, order: str, wanted: Sequence[Wanted]) -> tuple[list[int], bool]:
    """The drops of these files, and whether they were worked on in this process, and are at rest.

    Two commands may find no service at the same moment: the one that gets the state does the work of both.
    """
    from qavix_watch.errors import StateLocked

    until = time.monotonic() + AWAY_SECONDS
    while True:
        drops = _handed_over(settings, order, wanted)
        if drops is not None:
            return drops, False
        try:
            return _worked_here(settings, order, wanted), True
        except StateLocked:
            if time.monotonic() > until:
                raise
            time.sleep(FRAME_SECONDS)


# By the service


def _handed_over(settings: Settings, order: str, wanted: Sequence[Wanted]) -> list[int] | None:
    """The drops that the running service made of these files; None where none runs. What it refuses ends the command."""
    from qavix_watch.cli.steering import leave, service_runs
    from qavix_watch.errors import QavixWatchError
    from qavix_watch.stages.submitted import SUBMIT, ids_in, said_of

    if not service_runs(settings):
        return None
    answer = leave(settings, SUBMIT, "", said_of(order, wanted), seconds=ANSWER_SECONDS)
    if answer is None and not service_runs(settings):
        return None
    if answer is None:
        hint = "It will take the files in; `qavix-watch jobs` lists them."
        raise QavixWatchError("the service runs, but has not answered yet", hint=hint)
    if not answer.ok:
        raise QavixWatchError(f"the service refuses: {answer.text}")
    return ids_in(answer.text)


def _tell_ids(settings: Settings, drops: Sequence[int], wanted: Sequence[Wanted], *, as_json: bool) -> None:
    from qavix_watch.cli import context
    from qavix_watch.core.naming import display

    if as_json:
        context.print_json(_rows(settings, drops))
        return
    for number, one in zip(drops, wanted, strict=True):
        typer.echo(f"drop-{number}  {display(one.path)}")
    context.say(
        f"The service works on it; `qavix-watch show drop-{drops[0]}` and `qavix-watch status --watch` tell how far it is."
        f" Results come to {', '.join(dict.fromkeys(display(one.outlet) for one in wanted))}."
    )


def _wait_for(settings: Settings, drops: list[int]) -> None:
    """Show the progress of what the service does, until all of it is at rest."""
    from qavix_watch.cli.context import say
    from qavix_watch.cli.following import Display
    from qavix_watch.errors import QavixWatchError

    seen = time.monotonic()
    try:
        with Display() as display:
            while not _over(settings, display, drops):
                time.sleep(FRAME_SECONDS)
                seen = time.monotonic() if _alive(settings) else seen
                if time.monotonic() - seen > AWAY_SECONDS:
                    hint = "Its next start goes on with the files, and so does the same command."
                    raise QavixWatchError("the service has ended", hint=hint)
    except KeyboardInterrupt:
        say("Not waiting any longer. The service goes on with it; `qavix-watch status --watch` shows how far it is.")
        raise typer.Exit(INTERRUPTED) from None


def _alive(settings: Settings) -> bool:
    """Whether the service is there, as far as can be seen from this host."""
    from qavix_watch.cli.context import view
    from qavix_watch.cli.status import is_running
    from qavix_watch.store.followed import server

    with view(settings) as look:
        return look is not None and is_running(server(look)) is not False


def _over(settings: Settings, display: Display, drops: Sequence[int]) -> bool:
    """Draw how far these are; whether waiting any longer brings nothing."""
    from qavix_watch.cli.context import view
    from qavix_watch.store.followed import followed, standstill

    with view(settings) as look:
        files = [] if look is None else followed(look, drops)
        brakes = [] if look is None else standstill(look)
    display.draw(files, brakes)
    return bool(files) and all(one.over for one in files)


# In this process


def _worked_here(settings: Settings, order: str, wanted: Sequence[Wanted]) -> list[int]:
    """The drops, once all of them are at rest."""
    from qavix_watch import errand, logs
    from qavix_watch.cli.context import say
    from qavix_watch.cli.following import Display

    key = _key(settings)
    logs.configure("error", settings.log.format, sys.stderr)
    logs.catch_all()
    logs.protect(key)
    begun: list[int] = []
    with Display() as display:
        done = errand.run(settings, key, errand.Errand(_beginning(order, wanted, begun), _ending(settings, display)))
    if not done:
        say("Stopped. Nothing is lost: the same command goes on with it, and so does the service when it is started.")
        raise typer.Exit(INTERRUPTED)
    return begun


def _key(settings: Settings) -> Secret:
    from qavix_watch.config import read_key
    from qavix_watch.errors import ConfigError

    found = read_key(settings, os.environ)
    if found is None:
        raise ConfigError(
            "there is no API key, and no service runs that could have one",
            hint="Put it into QAVIX_API_KEY, or into a file that `api.key_file` in the configuration names.",
        )
    return found[0]


def _beginning(order: str, wanted: Sequence[Wanted], begun: list[int]) -> Callable[[Ports, Rules], Any]:
    from qavix_watch.cli.context import say
    from qavix_watch.stages.submitted import ready, take_in

    async def begin(ports: Ports, rules: Rules) -> list[int]:
        files = await ready(ports, rules, order, wanted)
        begun.extend(await ports.store.transaction("submit", lambda tx: take_in(tx, files, ports.clock.now())))
        say("No service runs on this state: the work is done in this process. Ctrl-C leaves it in the state, to be gone on with.")
        return begun

    return begin


def _ending(settings: Settings, display: Display) -> Callable[[list[int]], bool]:
    """Other commands may hand files to this process meanwhile: it ends when those are done as well."""
    from qavix_watch.cli.context import view
    from qavix_watch.store.followed import followed, standstill, unfinished

    def over(drops: list[int]) -> bool:
        with view(settings) as look:
            if look is None:
                return False
            files = followed(look, [*drops, *unfinished(look, max(drops))])
            display.draw(files, standstill(look))
        return all(one.over for one in files)

    return over


# What came of it


def _tell_outcome(settings: Settings, drops: Sequence[int], *, as_json: bool) -> None:
    """The results on stdout; exit status 1 where any of it was not done."""
    from qavix_watch.cli import context
    from qavix_watch.cli.following import outcome
    from qavix_watch.store.followed import followed

    with context.view(settings) as look:
        files: list[Followed] = [] if look is None else followed(look, drops)
    if as_json:
        context.print_json(_rows(settings, drops))
    else:
        typer.echo(outcome(files))
    if not all(one.well for one in files):
        raise typer.Exit(1)


def _rows(settings: Settings, drops: Sequence[int]) -> list[dict[str, Any]]:
    """These drops as `jobs --json` prints them: their jobs, or themselves where they have none yet."""
    from qavix_watch.cli.context import view

    with view(settings) as look:
        if look is None:
            return []
        jobs = {number: look.jobs_of(number) for number in drops}
        return [row for number in drops for row in jobs[number][::-1] or filter(None, [look.job(f"drop-{number}")])]
