"""The media that `qavix-watch demo` drops, made by tools/make_demo_media.py."""

from __future__ import annotations

import os
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("hello.mp4", "face.jpg", "voice.mp3", "hello.txt")
"""A clip that talks, a face to swap in, a voice to clone or to sync lips to, and a text to speak."""


def media() -> Mapping[str, bytes]:
    """Where each file lies, by its name: absolute paths as bytes. They belong to the package; copy them, change nothing."""
    folder = os.fsencode(str(files("qavix_watch.demo").joinpath("media")))
    return MappingProxyType({name: os.path.join(folder, name.encode()) for name in NAMES})
