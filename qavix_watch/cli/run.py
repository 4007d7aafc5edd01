"""`qavix-watch run`: the service."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def run(
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="The configuration to use.")] = None,
) -> None:
    """Run the service: watch the inbox, do the work, fill the outbox. Ends with Ctrl-C or SIGTERM."""
    from qavix_watch import app, logs
    from qavix_watch.config import load, read_key

    settings = load(config, os.environ)
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    found = read_key(settings, os.environ)
    app.serve(settings, None if found is None else found[0])
