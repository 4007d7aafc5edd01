"""This machine: the interpreter, the libraries, and the reader of media facts, which runs as a process of its own."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sqlite3
from typing import TYPE_CHECKING

from qavix_watch import __version__
from qavix_watch.cli.checks.finding import Finding, of_error, ok, problem
from qavix_watch.demo import media
from qavix_watch.errors import FileError, MediaError
from qavix_watch.fs.media import MediaReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.cli.checks.case import Case

LIBRARIES = ("httpx", "pydantic", "pymediainfo", "sqlite-utils", "starlette", "structlog", "uvicorn", "watchdog")
_REINSTALL = "Install Qavix Watch anew, into an environment of its own."


def host(_: Case | None) -> Iterator[Finding]:
    """Versions, and one film read."""
    kernel = f"{platform.system()} {platform.release()}"
    yield ok(f"Qavix Watch {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {kernel}.")
    versions, missing = _libraries()
    if missing:
        yield problem(f"Libraries are missing or older than this version was tested with: {', '.join(missing)}.", _REINSTALL)
    yield ok(f"Libraries: {', '.join(versions)}.")
    yield _media()


def _libraries() -> tuple[list[str], list[str]]:
    """Those that are there, with their versions, and those that are not as they should be."""
    least = _bounds()
    versions, wrong = [], []
    for name in LIBRARIES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(name)
            continue
        versions.append(f"{name} {version}")
        if _numbers(version) < _numbers(least.get(name, "0")):
            wrong.append(f"{name} {version} (at least {least[name]})")
    return versions, wrong


def _bounds() -> dict[str, str]:
    """The lower bounds that this package was installed with; {} where it runs without having been installed."""
    try:
        required = importlib.metadata.requires("qavix-watch") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", line) for line in required)
    return {match[1].lower(): match[2] for match in found if match}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _media() -> Finding:
    try:
        with MediaReader() as reader:
            facts = reader.facts(media()["hello.mp4"])
    except (MediaError, FileError) as error:
        return of_error(error)
    if facts.kind != "video":
        return problem("The reader of media facts does not know a film for one.", _REINSTALL)
    return ok("The reader of media facts starts, and reads a film.")
