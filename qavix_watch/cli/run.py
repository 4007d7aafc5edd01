"""`qavix-watch run`: the service."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qavix_watch.config import Settings
    from qavix_watch.core.secret import Secret


def run(
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="The configuration to use.")] = None,
) -> None:
    """Run the service: watch the inbox, do the work, fill the outbox. Ends with Ctrl-C or SIGTERM, reloads with SIGHUP."""
    from qavix_watch import app, logs
    from qavix_watch.config import load, read_key

    def read() -> tuple[Settings, Secret | None]:
        settings = load(config, os.environ)
        found = read_key(settings, os.environ)
        return settings, None if found is None else found[0]

    settings, key = read()
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    logs.catch_all()
    if key is not None:
        logs.protect(key)
    app.serve(settings, key, read)
