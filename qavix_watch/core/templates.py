"""Names of results by a person's own template, such as `{stem}.{target}{ext}`."""

from __future__ import annotations

from qavix_watch.core.naming import LONGEST_RESULT
from qavix_watch.core.text import shorten


def templated(template: str, stem: bytes, source: str | None, target: str | None, extension: str, *, number: int = 1) -> bytes:
    """The name that a template makes; the number that makes it free stands on the stem, which is shortened where need be."""
    numbered = f" ({number})".encode() if number > 1 else b""
    ending = b"." + extension.encode()
    parts = {b"{source}": (source or "").encode(), b"{target}": (target or "").encode(), b"{ext}": ending}
    name = template.encode()
    for placeholder, value in parts.items():
        name = name.replace(placeholder, value)
    room = LONGEST_RESULT - len(name.replace(b"{stem}", b"")) - len(numbered)
    return name.replace(b"{stem}", shorten(stem, max(room, 1)) + numbered)
