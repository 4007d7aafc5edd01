"""What commands have in common: the configuration, a look into the state, and the two ways out (data and messages)."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from qavix_watch.core.naming import display

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from rich.text import Text

    from qavix_watch.config import Settings
    from qavix_watch.core.rules import Rules
    from qavix_watch.store.views import View

NO_STATE = "There is no state yet. It begins with `qavix-watch init`, and work with `qavix-watch run`."

_UNBROKEN = 10_000  # columns where nobody looks on: a line stays one line for grep
_ESCAPED_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def settings(config: str | None) -> Settings:
    """The configuration: the file `config`, else the first of the usual places, with the environment over it. ConfigError."""
    from qavix_watch.config import load

    return load(config, os.environ)


def rules_of(settings: Settings) -> Rules:
    """What the stages of the service go by, under this configuration."""
    from qavix_watch.config import layout, read_key
    from qavix_watch.errors import ConfigError
    from qavix_watch.places import placed_layout

    found = None
    with suppress(ConfigError):  # other commands tell of it; here the key is only left out of what is said
        found = read_key(settings, os.environ)
    return replace(layout.rules_of(settings, placed_layout(settings)), secret=found and found[0])


@contextmanager
def view(settings: Settings) -> Iterator[View | None]:
    """Look into the state, beside a running service; None where there is none yet. StateUnusable where it cannot be read."""
    from qavix_watch.places import placed_layout
    from qavix_watch.store.views import viewing

    with viewing(settings.state.path, settings.api.base_url, settings.api.account, placed_layout(settings)) as look:
        yield look


def out() -> Console:
    """For data, on stdout. Colours only where people look on; there lines are cut to the window, elsewhere they stay whole."""
    return _console(stderr=False)


def show(renderable: RenderableType) -> None:
    """Draw on stdout. Where nobody looks on, without the blanks at the ends of lines that fill a table."""
    console = out()
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as drawn:
        console.print(renderable)
    print("\n".join(line.rstrip() for line in drawn.get().rstrip("\n").split("\n")), flush=True)  # noqa: T201 - what a command is for


def err() -> Console:
    """For messages, on stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console = Console(stderr=stderr, highlight=False, emoji=False, width=_UNBROKEN)
    return console


def say(message: str) -> None:
    """A message for people, on stderr. Nothing in it can steer the terminal."""
    print("\n".join(map(shown, message.splitlines())), file=sys.stderr, flush=True)  # noqa: T201 - what a command is for


def shown(text: str) -> str:
    """A text on one line of a terminal: controls and what reverses text made visible."""
    return display(text.encode("utf-8", "surrogatepass"))


def plain(text: object, style: str = "") -> Text:
    """A text that came from outside, for a table: no markup in it, no control."""
    from rich.text import Text

    return Text(shown(str(text)), style)


def print_json(value: object) -> None:
    """JSON on stdout. What a terminal could take for a command is escaped."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2)
    print(_ESCAPED_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)  # noqa: T201 - what a command is for
