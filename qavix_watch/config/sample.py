"""The commented configuration that `init` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "qavix-watch.example.toml"


def example() -> str:
    """The text of config/qavix-watch.example.toml, from the installed package or from this checkout."""
    packaged = files("qavix_watch.config").joinpath(NAME)
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config" / NAME).read_text(encoding="utf-8")
