"""`qavix-watch`: one file per group of commands. Heavy rooms are imported by the command that uses them."""

from __future__ import annotations

import sys


def main() -> None:
    """The program: one command, and its exit status (0 done, 1 it did not work, 2 wrong usage or configuration)."""
    try:
        from qavix_watch.cli.program import execute

        sys.exit(execute())
    except KeyboardInterrupt:
        sys.exit(130)
