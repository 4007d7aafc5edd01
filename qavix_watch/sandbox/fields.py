"""Reading requests: every wrong field is a validation_error that names it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from qavix_watch.sandbox.problems import invalid, missing

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

LONGEST_BODY = 2 * 1024 * 1024
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CURSOR = re.compile(r"before:(\d{1,18})", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; anything else is a validation_error."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise invalid("invalid_content_type", "the request body must be application/json")
    if int(request.headers.get("content-length", "0")) > LONGEST_BODY:
        raise invalid("body_too_large", f"the request body may have {LONGEST_BODY} bytes at most")
    try:
        body = json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid("invalid_json", "the request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise invalid("invalid_json", "the request body must be a JSON object")
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def text(body: dict[str, Any], name: str, *, longest: int = 255) -> str | None:
    """A text, or None where the field is absent, null or empty."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid("invalid_type", f"{name} must be a string", name)
    if len(value) > longest:
        raise invalid("invalid_value", f"{name} may have {longest} characters at most", name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid("invalid_encoding", f"{name} is not valid Unicode", name) from None
    return value


def required_text(body: dict[str, Any], name: str, *, longest: int = 255) -> str:
    value = text(body, name, longest=longest)
    if value is None or not value.strip():
        raise missing(name)
    return value


def whole_number(body: dict[str, Any], name: str, *, least: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        raise missing(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("invalid_type", f"{name} must be an integer", name)
    if not least <= value <= most:
        raise invalid("invalid_value", f"{name} must be from {least} to {most}", name)
    return value


def flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid("invalid_type", f"{name} must be true or false", name)
    return value


def choice(given: str | None, name: str, allowed: tuple[str, ...]) -> str | None:
    """One of `allowed`, or None where nothing was given."""
    if given is not None and given not in allowed:
        raise invalid("invalid_value", f"{name} must be one of {', '.join(allowed)}", name)
    return given


def language(body: dict[str, Any], name: str) -> str | None:
    value = text(body, name, longest=35)
    if value is not None and not _LANGUAGE.fullmatch(value):
        raise invalid("invalid_language", f"{name} is not a language code", name)
    return value


def required_language(body: dict[str, Any], name: str) -> str:
    value = language(body, name)
    if value is None:
        raise missing(name)
    return value


def hex_md5(body: dict[str, Any], name: str) -> str | None:
    value = text(body, name)
    if value is not None and not re.fullmatch(r"[0-9a-f]{32}", value):
        raise invalid("invalid_value", f"{name} must be 32 lower-case hex digits", name)
    return value


def link(body: dict[str, Any], name: str) -> SplitResult | None:
    """An HTTPS URL; plain HTTP only on a loopback address."""
    value = text(body, name, longest=4096)
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        local = is_loopback(parts.hostname or "")
        _ = parts.port
    except ValueError:
        raise invalid("invalid_url", f"{name} is not a URL", name) from None
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise invalid("invalid_url", f"{name} must be an HTTPS URL", name)
    return parts


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def regions(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """normalized_regions: numbers from 0 to 1 inside the picture, type 1 (watermark) or 2 (subtitle)."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid("invalid_type", f"{name} must be an array", name)
    for index, region in enumerate(value):
        _check_region(region, f"{name}[{index}]")
    return value


def _check_region(region: object, where: str) -> None:
    if not isinstance(region, dict):
        raise invalid("invalid_type", f"{where} must be an object", where)
    for key in ("x", "y", "width", "height", "type"):
        if region.get(key) is None:
            raise missing(f"{where}.{key}")
        if isinstance(region[key], bool) or not isinstance(region[key], int | float):
            raise invalid("invalid_type", f"{where}.{key} must be a number", f"{where}.{key}")
    if region["type"] not in {1, 2}:
        raise invalid("invalid_value", f"{where}.type must be 1 or 2", f"{where}.type")
    for start, size in (("x", "width"), ("y", "height")):
        if not (0 <= region[start] <= 1 and 0 < region[size] <= 1 and region[start] + region[size] <= 1 + 1e-9):
            raise invalid("invalid_value", f"{where} must lie inside the picture", where)


def page_size(query: QueryParams) -> int:
    given = query.get("limit", "20")
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:9]) <= 100:
        raise invalid("invalid_value", "limit must be from 1 to 100", "limit")
    return int(given)


def day(query: QueryParams, name: str) -> date | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        if _DAY.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:
        pass  # the 31st of February
    raise invalid("invalid_value", f"{name} must be a date as yyyy-MM-dd", name)


def cursor_after(task_id: int) -> str:
    """The cursor of the page that begins below this task."""
    return base64.urlsafe_b64encode(f"before:{task_id}".encode()).decode()


def cursor(query: QueryParams) -> int | None:
    """The task that the page begins below; None for the first page."""
    given = query.get("cursor")
    if given is None or given == "":
        return None
    found = _CURSOR.fullmatch(_decoded(given))
    if found is None:
        raise invalid("invalid_cursor", "the cursor is not one of this service", "cursor")
    return int(found[1])


def _decoded(given: str) -> str:
    try:
        return base64.b64decode(given, altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        return ""
