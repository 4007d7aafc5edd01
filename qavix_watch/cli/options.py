"""The options that commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Config = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="The configuration to use (default: the first of the usual places).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
