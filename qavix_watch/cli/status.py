"""`qavix-watch status`: what is in use, what stands still and why, and the work in hand."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, RenderableType

    from qavix_watch.config import Settings
    from qavix_watch.store.views import View

    Row = dict[str, Any]

FRAME_SECONDS = 0.5
PLAIN_FRAME_SECONDS = 2.0
SHARE_OF_TIME = 0.2  # how much of the time a look into a large state may take


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Draw it anew twice a second, until Ctrl-C.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the service and its work in hand.

    Also what stands still and what to do about it, the folders in words, and what waits for what.

    Example: qavix-watch status --watch
    """
    from qavix_watch.cli import context

    settings = context.settings(config)
    if watch and as_json:
        raise typer.BadParameter("--watch draws for people; ask with --json alone, as often as you like")
    if watch:
        _watch(context.out(), settings)
    elif as_json:
        context.print_json(look_at(settings))
    else:
        context.show(render(look_at(settings)))


def look_at(settings: Settings) -> Row:
    """`View.status()`, whether its process is alive, and where all of it lies; the same shape where there is no state yet."""
    from qavix_watch.cli.board import stands_still
    from qavix_watch.cli.context import shown, view

    lists: Row = {key: [] for key in ("brakes", "troubles", "batches", "folders", "in_hand", "waiting_for")}
    found = lists | {"counts": {}, "service": None, "balance": None}
    with view(settings) as look:
        if look is not None:
            found = look.status()
        found["brakes"] = [{**brake, "stops": stands_still(brake["name"], brake["scope"])} for brake in found["brakes"]]
        found["budget"] = budget_of(settings, look)
    return {
        "configuration": settings.source,
        "state": settings.state.path,
        "state_exists": look is not None,
        "root": shown(settings.folders.root),
        "inbox": shown(settings.folders.inbox),
        "base_url": settings.api.base_url,
        "account": settings.api.account,
        "uploads": _uploads(settings.upload.window),
        "running": is_running(found["service"]),
        **found,
    }


def budget_of(settings: Settings, look: View | None) -> Row:
    """The limits of `[budget]` in credits (None: no limit), and what was used or set aside today and this month, in local time."""
    from qavix_watch.core.money import SPANS, began
    from qavix_watch.system import local_time

    now = time.time()
    spent = {span: 0.0 if look is None else look.spent(began(local_time, now, span)) for span in SPANS}
    return {**settings.budget.model_dump(), "spent_today": spent["day"], "spent_this_month": spent["month"]}


def _uploads(window: tuple[int, int] | None) -> Row | None:
    """The time of day in which uploads run, and whether it is now; None where they always do."""
    from qavix_watch.cli import amounts
    from qavix_watch.core.rules import in_window

    return None if window is None else {"window": amounts.window(window), "open": in_window(amounts.minute_of_day(), window)}


def is_running(service: Mapping[str, Any] | None) -> bool | None:
    """Whether the process that serves the state is alive; None where that cannot be seen from this host.

    `service` is what View.status() says of it: its `pid`, its `node` and the `boot` of that host which it runs in.
    """
    if service is None:
        return False
    if service["node"] != socket.gethostname():
        return None
    from qavix_watch.system import boot_id

    if service["boot"] != boot_id():
        return False
    try:
        os.kill(service["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def render(status: Mapping[str, Any], now: float | None = None) -> RenderableType:
    """What `View.status()` or `look_at` gave, to be drawn. `now` is seconds since 1970."""
    from qavix_watch.cli.board import board

    running = status["running"] if "running" in status else is_running(status["service"])
    return board({**status, "running": running}, time.time() if now is None else now)


def _watch(console: Console, settings: Settings) -> None:
    """Draw until Ctrl-C, which is how it ends. A large state is looked at less often."""
    try:
        if console.is_terminal:
            _draw(console, settings)
        else:
            _print_changes(settings)
    except KeyboardInterrupt:
        return


def _draw(console: Console, settings: Settings) -> None:
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            began = time.monotonic()
            live.update(render(look_at(settings)), refresh=True)
            taken = time.monotonic() - began
            time.sleep(max(FRAME_SECONDS - taken, taken / SHARE_OF_TIME - taken))


def _print_changes(settings: Settings) -> None:
    """Into a file or a pipe: the whole anew when something in it has changed."""
    from qavix_watch.cli.context import show

    last: Row | None = None
    while True:
        found = look_at(settings)
        if found != last:
            show(render(found))
            typer.echo()
        last = found
        time.sleep(PLAIN_FRAME_SECONDS)
