"""The program: its commands in their order, and how each of them ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from qavix_watch import __version__
from qavix_watch.cli.account import balance, pricing, voices
from qavix_watch.cli.backup import backup
from qavix_watch.cli.check import check
from qavix_watch.cli.demo import demo
from qavix_watch.cli.explain import explain
from qavix_watch.cli.help import Command
from qavix_watch.cli.init import init
from qavix_watch.cli.jobs import jobs, show
from qavix_watch.cli.run import run
from qavix_watch.cli.sandbox import sandbox
from qavix_watch.cli.status import status
from qavix_watch.cli.steer import approve, cancel, pause, redo, resume, retry, scan
from qavix_watch.cli.submit import submit
from qavix_watch.cli.tasks import tasks
from qavix_watch.cli.usage import usage
from qavix_watch.cli.why import why
from qavix_watch.errors import ConfigError, QavixWatchError

NAME = "qavix-watch"

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name=NAME,
    help="Watch folders for Qavix: drop a video into a folder called `dub en to es`, and find the dubbed one in the outbox.",
    epilog="Begin with `qavix-watch demo`, or with `qavix-watch init` and `qavix-watch run`.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: it is there in half the time, and reads the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)

for command in (
    demo, init, check, run, explain, why, submit, status, jobs, show, retry, redo, cancel, approve, pause, resume, scan,
    balance, usage, pricing, voices, tasks, backup, sandbox,
):
    app.command(cls=Command)(command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")] = False,
) -> None:
    del version


def execute() -> int:
    """Run the command that the process was started with. Gives its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 shall not end a command
    return _flushed(_run())


def _run() -> int:
    try:
        app(prog_name=NAME)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else DONE if ended.code is None else FAILED
    except QavixWatchError as error:
        _complain(str(error), error.hint)
        return WRONG_USE if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _unexpected(error)
    return DONE


def _complain(message: str, hint: str = "") -> None:
    from qavix_watch.cli.context import say

    say(f"{NAME}: {message}")
    if hint:
        say(hint)


def _unexpected(error: OSError) -> int:
    """What the system refused, where a command had no better words for it. A reader that went away is told nothing."""
    if not isinstance(error, BrokenPipeError):
        name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        _complain(f"{error.strerror or error}{name}")
    return FAILED


def _flushed(code: int) -> int:
    """Write what is still held back, while a failure can be told. Otherwise Python complains of it at its very end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or _unexpected(error)
    return code
