"""Names as text: what may stand in one, folding, the label at the end, and a file manager's mark of a copy."""

from __future__ import annotations

import re
import unicodedata

from qavix_watch.errors import OrderError

LONGEST = 1000  # characters; a folder's name has 255 bytes at most, `--as` may be somewhat longer
EXAMPLE = "dub en to es"

_JOINERS = "\u200c\u200d"  # written inside words of Persian and Indic scripts, and inside emoji
_ESCAPED = range(0xDC80, 0xDD00)  # how Python decodes bytes that are not UTF-8 (PEP 383)
_OPEN, _CLOSE = "(（", ")）"
_COPY_WORDS = "copy|copie|copia|cópia|kopie|kopi|kopia|kopio|másolat|копия|копія|копие|副本|拷貝|コピー|복사본|사본"
# Windows: "x - Copy (2)"; macOS: "x copy 2". Only English and Chinese are also written without the hyphen.
_COPY = re.compile(rf"(?i)^(.*?)\s*(?:\s-\s(?:{_COPY_WORDS})(?:\s*\(\d+\))?|\scopy(?:\s\d+)?|\s?的?副本(?:\s?\d+)?)$")


def check_text(name: str) -> None:
    """Raise OrderError for what no order may hold: nothing, undecodable bytes, controls, invisible characters."""
    if len(name) > LONGEST:
        raise OrderError(f"This name has {len(name):,} characters; an order has {LONGEST:,} at most.")
    if not name.strip():
        raise OrderError("The name is empty.", hint=f"Name the folder after the work, for example `{EXAMPLE}`.")
    for char in name:
        problem = _problem(char)
        if problem:
            raise OrderError(f"The name contains {problem}.", hint="Type the name anew, with plain letters.")


def _problem(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cs":
        return f"what is not UTF-8 (0x{ord(char) - 0xDC00:02X})" if ord(char) in _ESCAPED else "half a character"
    if category in ("Cc", "Zl", "Zp"):
        return f"a control character (U+{ord(char):04X})"
    if category == "Cf" and char not in _JOINERS:
        return f"an invisible character (U+{ord(char):04X})"
    return "a slash" if char == "/" else ""


def fold(text: str) -> str:
    """NFKC, with every Unicode space and dash as a plain one, runs of spaces as one, none at the ends."""
    plain = text if text.isascii() else "".join(_plain(char) for char in unicodedata.normalize("NFKC", text))
    return " ".join(plain.split())


def _plain(char: str) -> str:
    return "-" if unicodedata.category(char) == "Pd" or char == "\N{MINUS SIGN}" else char


def split_label(name: str) -> tuple[str, str | None]:
    """The name without the parenthesised group at its end, and that group's text (None: there is no group)."""
    stripped = name.rstrip()
    if not stripped or stripped[-1] not in _CLOSE:
        return name, None
    depth = 0
    for at in range(len(stripped) - 1, -1, -1):
        depth += (stripped[at] in _CLOSE) - (stripped[at] in _OPEN)
        if not depth:
            return stripped[:at], stripped[at + 1 : -1].strip()
    return name, None


def original_of_copy(name: str) -> str | None:
    """The name without the mark that a file manager gives to copies, or None where there is no such mark."""
    found = _COPY.match(fold(name))
    return found[1] if found else None


def looks_unfinished(text: str) -> bool:
    """Whether a name that ends with `text` would be read otherwise: as a label, or as a copy."""
    return text.endswith(")") or original_of_copy(text) is not None or original_of_copy(f"{text} (2)") is not None


def legible(text: str) -> str:
    """Valid text for people and services: what is no character, and every control, becomes U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)


def shorten(name: bytes, room: int) -> bytes:
    """At most `room` bytes of a name, cut between two characters where it is UTF-8."""
    if len(name) <= room:
        return name
    end = max(room, 0)
    for back in range(min(4, end)):
        if name[end - back] & 0xC0 != 0x80:
            end -= back
            break
    return name[:end]
