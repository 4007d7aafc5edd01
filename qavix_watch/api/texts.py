"""Texts that other machines send, made fit for a message: one line, bounded, without addresses that are secrets."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(?i)\b(https?://)(?:[^\s\"'<>/?#@]*@)?([^\s\"'<>/?#@]*)[^\s\"'<>]*")


def one_line(text: str, limit: int) -> str:
    """`text` on one line with printable characters alone, cut to `limit` characters."""
    words = "".join(letter if letter.isprintable() else " " for letter in text[: limit * 4]).split()
    line = " ".join(words)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def without_addresses(text: str) -> str:
    """`text` with every URL cut to its host: signatures and callback tokens stand in paths and queries."""
    return _ADDRESS.sub(r"\1\2/…", text)


def fit_to_show(text: str, limit: int) -> str:
    """A foreign text as it may stand in messages, logs and pages."""
    return one_line(without_addresses(text[: limit * 16]), limit)
