"""The configuration: one TOML file, every key overridable by the environment, checked once, frozen."""

from __future__ import annotations

from qavix_watch.config.api_key import read_key
from qavix_watch.config.hosts import Address, is_local_service, is_loopback, is_private
from qavix_watch.config.load import load
from qavix_watch.config.sample import example
from qavix_watch.config.settings import NOT_YET, Settings
from qavix_watch.config.units import Window

__all__ = [
    "NOT_YET",
    "Address",
    "Settings",
    "Window",
    "example",
    "is_local_service",
    "is_loopback",
    "is_private",
    "load",
    "read_key",
]
