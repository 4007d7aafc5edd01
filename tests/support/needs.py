"""Real programs that tests ask, which a user's machine may lack."""

from __future__ import annotations

import os
import shutil

_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Where they are looked for: those for administrators lie where users do not look."""


def needed(tool: str, package: str) -> str:
    """The path of a program; where it is not here the test is skipped, and says which Debian package brings it."""
    found = shutil.which(tool, path=_PLACES)
    if found is None:
        skip(f"needs {tool}: apt install {package}")
    return str(found)


def needed_root(what: str) -> None:
    """Skip the test unless it is run by the superuser; `what` says what for."""
    if os.geteuid() != 0:
        skip(f"needs root: {what}")


def skip(why: str) -> None:
    """Skip the test that runs."""
    import pytest

    pytest.skip(why)
