"""`qavix-watch demo`: the whole thing in one go, on the sandbox, without account or configuration."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from qavix_watch.config import Settings

DROPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("dub en to es", (("hello.mp4", "hello.mp4"),)),
    ("subs en to fr,de embed=yes", (("hello.mp4", "hello.mp4"),)),
    ("erase region=bottom", (("hello.mp4", "hello.mp4"),)),
    ("face swap", (("hello.mp4", "hello.mp4"), ("face.jpg", "hello.jpg"))),
    ("lip sync", (("hello.mp4", "hello.mp4"), ("voice.mp3", "hello.mp3"))),
    ("clone voice name=Demo Voice", (("voice.mp3", "voice.mp3"),)),
    ("tts en voice=Ava", (("hello.txt", "hello.txt"),)),
)
JOBS = 8  # one a folder, and one more for the second language of the subtitles

CONFIGURATION = """# Made by `qavix-watch demo`.
[api]
base_url = "{base_url}"

[folders]
root = "{root}"

[watch]
settle = 0.3
settle_folder = 0.5
rescan = 2

[follow]
poll_min = 0.5
poll_max = 2

[deliver]
min_free = "10 MB"

[state]
path = "{root}/state/state.db"
"""


def demo(
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="Where to work (default: a new folder qavix-watch-demo here).")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.1, metavar="N", help="How many times faster than real the sandbox works.")] = 4.0,
    seconds: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Give up after this long.")] = 120.0,
) -> None:
    """Show the whole thing at work: a sandbox service, an inbox, one drop of every kind of job, and the results.

    Needs no account and no configuration. Example: qavix-watch demo
    """
    from qavix_watch.cli.context import out

    root = os.path.abspath(directory) if directory is not None else _new_folder()
    os.makedirs(root, exist_ok=True)
    console = out()
    console.print(f"A Qavix service of its own (a sandbox) and a watch folder in {root}", markup=False, highlight=False)
    done = _play(console, root, speed, seconds)
    _show_tree(console, os.path.join(root, "outbox"))
    if not done:
        console.print(f"Not everything was done in time; the service's log is {root}/service.log", markup=False)
        raise typer.Exit(1)
    console.print("All seven kinds of job are done. Try it yourself: `qavix-watch init`, then `qavix-watch run`.", markup=False)


def _new_folder() -> str:
    names = ("qavix-watch-demo", *(f"qavix-watch-demo-{number}" for number in range(2, 1000)))
    return next(os.path.abspath(name) for name in names if not os.path.exists(name))


def _play(console: Console, root: str, speed: float, seconds: float) -> bool:
    from qavix_watch.cli.init import prepare
    from qavix_watch.config import load
    from qavix_watch.sandbox import SandboxOptions, running

    options = SandboxOptions(speed=speed, directory=os.path.join(root, "sandbox"))
    with running(options) as sandbox:
        configuration = os.path.join(root, "qavix-watch.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(base_url=sandbox.base_url, root=root))
        settings = load(configuration, {})
        prepare(settings, lambda _: None)
        with _service(root, configuration, sandbox.api_key):
            _drop_all(settings.folders.inbox)
            return _watch(console, settings, time.monotonic() + seconds)


@contextlib.contextmanager
def _service(root: str, configuration: str, key: str) -> Iterator[None]:
    """The real program, as its own process; its log goes into a file."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QAVIX_")} | {"QAVIX_API_KEY": key}
    with open(os.path.join(root, "service.log"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "qavix_watch", "run", "--config", configuration], env=environ, stdin=subprocess.DEVNULL, stderr=log
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _drop_all(inbox: str) -> None:
    """What a person would do: make folders, copy files into them."""
    from qavix_watch.demo import media

    sources = media()
    for folder, files in DROPS:
        place = os.path.join(inbox, folder)
        os.makedirs(place, exist_ok=True)
        for source, name in files:
            shutil.copyfile(os.fsdecode(sources[source]), os.path.join(place, name))


def _watch(console: Console, settings: Settings, until: float) -> bool:
    """Show the work until it is done; False where time ran out or something failed."""
    from rich.live import Live

    from qavix_watch.cli.context import view
    from qavix_watch.cli.status import render

    rows: list[dict[str, Any]] = []
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while time.monotonic() < until:
            with view(settings) as look:
                if look is not None:
                    rows = look.jobs()
                    live.update(render(look.status()))
            if _all_done(rows) or any(row["state"] in {"failed", "held"} for row in rows):
                break
            time.sleep(0.25)
    return _all_done(rows)


def _all_done(rows: list[dict[str, Any]]) -> bool:
    at_rest = all(drop["state"] == "archived" for row in rows for drop in row["drops"])
    return len(rows) >= JOBS and at_rest and all(row["state"] == "done" for row in rows)


def _show_tree(console: Console, outbox: str) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    tree = Tree(escape(outbox))
    for folder in sorted(os.listdir(outbox)) if os.path.isdir(outbox) else []:
        branch = tree.add(escape(folder))
        for name in sorted(os.listdir(os.path.join(outbox, folder))):
            size = os.path.getsize(os.path.join(outbox, folder, name))
            branch.add(f"{escape(name)}  [dim]{size / 1000:.1f} kB[/dim]")
    console.print(tree)
