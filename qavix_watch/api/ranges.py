"""What the headers of a download say: length, validator, and whether a part fits to what is there (RFC 9110, 14 and 13.1.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qavix_watch.api.texts import one_line
from qavix_watch.core.service import ResultHead

if TYPE_CHECKING:
    import httpx

_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\Z", re.ASCII)
_BEYOND = re.compile(r"bytes \*/(\d{1,18})\Z", re.ASCII)
_STRONG = re.compile(r'"[\x21\x23-\x7e]{1,200}"\Z')
_LENGTH = re.compile(r"\d{1,18}\Z", re.ASCII)


def result_head(response: httpx.Response) -> ResultHead:
    """What an answer with the whole body says of it."""
    content_type = one_line(response.headers.get("Content-Type", ""), 200)
    return ResultHead(length(response), content_type or None, validator(response))


def length(response: httpx.Response) -> int | None:
    """Content-Length in bytes; None where it has none."""
    text = response.headers.get("Content-Length", "").strip()
    return int(text) if _LENGTH.match(text) else None


def ends_clearly(response: httpx.Response) -> bool:
    """Whether a cut connection can be told from the end of the body."""
    return length(response) is not None or "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def validator(response: httpx.Response) -> str:
    """The strong ETag; "" where there is none, or a weak one, which says nothing of single bytes."""
    tag = response.headers.get("ETag", "").strip()
    return tag if _STRONG.match(tag) else ""


def resumable(known: ResultHead | None) -> bool:
    """Whether it can be known that a later part belongs to the same bytes."""
    return known is not None and bool(known.validator or known.size is not None)


def range_headers(have: int, known: ResultHead) -> list[tuple[bytes, bytes]]:
    """Ask for what is missing after `have` bytes, if it is still the same."""
    headers = [(b"Range", b"bytes=%d-" % have)]
    if known.validator:
        headers.append((b"If-Range", known.validator.encode("ascii")))
    return headers


def total_of_part(response: httpx.Response, have: int, known: ResultHead) -> int | None:
    """The length of the whole, if this 206 goes on exactly where `have` bytes end, and is of the same bytes; else None."""
    part = _PART.match(response.headers.get("Content-Range", "").strip())
    if part is None or not _same(response, known):
        return None
    first, last = int(part[1]), int(part[2])
    total = known.size if part[3] == "*" and known.validator else _number(part[3])
    fits = first == have and last >= first and length(response) in (None, last - first + 1)
    same_total = total is not None and last < total and known.size in (None, total)
    return total if fits and same_total else None


def is_whole(response: httpx.Response, have: int, known: ResultHead) -> bool:
    """Whether this 416 says that the `have` bytes are all there is."""
    beyond = _BEYOND.match(response.headers.get("Content-Range", "").strip())
    return beyond is not None and int(beyond[1]) == have and known.size in (None, have) and _same(response, known)


def _same(response: httpx.Response, known: ResultHead) -> bool:
    said = validator(response)
    return not (said and known.validator) or said == known.validator


def _number(text: str) -> int | None:
    return int(text) if _LENGTH.match(text) else None
