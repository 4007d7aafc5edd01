"""The types of the configuration's keys: each is a plain Python type with the one function that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, PlainValidator

from qavix_watch.config import hosts, units
from qavix_watch.config.wrong import EnvText, SettingError, kind_of

STRICT = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)
"""What every section is: read once, no unknown keys, defaults written as a user would write them."""


def text(value: object) -> str:
    """Text that is not empty, without line breaks or other control characters."""
    if not isinstance(value, str):
        raise SettingError(f"must be text, not {kind_of(value)}")
    if not value.strip():
        raise SettingError("must not be empty", "leave the key out for its default")
    if not value.isprintable():
        raise SettingError("holds a control character", "write it in plain letters")
    return str(value)


def account(value: object) -> str:
    """The name under which state is kept."""
    name = text(value).strip()
    if len(name) > 64:
        raise SettingError("must have 64 letters at most")
    return name


def texts(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if isinstance(value, EnvText):
        raise SettingError("must be a list", """in the environment write it as JSON, such as '["a", "b"]'""")
    if not isinstance(value, list | tuple):
        raise SettingError(f"must be a list of texts, not {kind_of(value)}", 'write it like ["a", "b"]')
    return tuple(text(item) for item in value)


def path(value: object) -> str:
    """A path. It is absolute by the time it is read here: `sources.anchor` has seen to `~` and to relative ones."""
    if not isinstance(value, str):
        raise SettingError(f"must be text, not {kind_of(value)}")
    if not value.strip():
        raise SettingError("must not be empty", "leave the key out for its default")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise SettingError("holds a control character", "write the plain path")
    return str(value)


def file_path(value: object) -> str:
    """The path of a file to read. A bare word is not taken for one: it may be the secret itself, pasted here."""
    found = path(value)
    if "/" not in found:
        raise SettingError("must be the path of a file", "write it with a slash, such as ./qavix-api-key")
    return found


def extensions(value: object) -> tuple[str, ...]:
    """Endings of file names in lower case, each with its dot."""
    endings = tuple("." + ending.strip().lower().removeprefix("*").removeprefix(".") for ending in texts(value))
    for ending in endings:
        if not re.fullmatch(r"\.[\w-]+", ending):
            raise SettingError(f'"{ending}" is no extension', 'write them like [".mp4", ".mkv"]')
    return endings


def patterns(value: object) -> tuple[str, ...]:
    """Patterns for the names of files and folders, as a shell knows them."""
    found = texts(value)
    if any("/" in pattern for pattern in found):
        raise SettingError("holds a pattern with a slash", 'patterns are for names, such as "*.bak"')
    return found


def endpoint(value: object) -> str:
    """The path of an operation below `api.base_url`; braces hold the place of a task's id."""
    found = text(value)
    if not re.fullmatch(r"/(?!/)[\w.~!$&'()*+,;=:@%/{}-]*", found, re.ASCII) or "/../" in f"{found}/":
        raise SettingError("is no path", 'begin it with one / and leave out query and fragment, such as "/tasks"')
    return found


def member(value: object) -> str | int:
    """A user or group: its name, or its number."""
    if isinstance(value, EnvText) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise SettingError("must not be negative")
        return value
    return text(value)


def networks(value: object) -> tuple[str, ...]:
    """A list of IP addresses or networks."""
    return tuple(hosts.network(item) for item in texts(value))


def positive_duration(value: object) -> float:
    seconds = units.duration(value)
    if seconds == 0:
        raise SettingError("must be longer than 0", units.DURATION_MEND)
    return seconds


def at_least_one(value: object) -> int:
    number = units.whole(value)
    if not 1 <= number <= 64:
        raise SettingError("must be from 1 to 64")
    return number


def path_map(value: object) -> dict[str, str]:
    """From paths as they are here to paths as a media server sees them."""
    pairs = dict(value) if isinstance(value, Mapping) else {}
    if not isinstance(value, Mapping) or not all(str(here).startswith("/") for here in pairs):
        raise SettingError("must be a table of absolute paths", 'write it like {"/srv/media" = "/media"}')
    return {path(here): text(there) for here, there in pairs.items()}


def _needs_json(value: object) -> object:
    if isinstance(value, EnvText):
        raise SettingError("must be a table or list", "in the environment write it as JSON, or set its keys one by one")
    return value


Account = Annotated[str, PlainValidator(account)]
Address = Annotated[hosts.Address, PlainValidator(hosts.address)]
Credits = Annotated[float, PlainValidator(units.credits)]
Duration = Annotated[float, PlainValidator(units.duration)]
Endpoint = Annotated[str, PlainValidator(endpoint)]
Extensions = Annotated[tuple[str, ...], PlainValidator(extensions)]
FilePath = Annotated[str, PlainValidator(file_path)]
LanUrl = Annotated[str, PlainValidator(hosts.lan_url)]
Member = Annotated[str | int, PlainValidator(member)]
Mode = Annotated[int, PlainValidator(units.mode)]
Networks = Annotated[tuple[str, ...], PlainValidator(networks)]
Parallel = Annotated[int, PlainValidator(at_least_one)]
Path = Annotated[str, PlainValidator(path)]
PathMap = Annotated[dict[str, str], PlainValidator(path_map)]
Patterns = Annotated[tuple[str, ...], PlainValidator(patterns)]
Period = Annotated[float, PlainValidator(positive_duration)]
Rate = Annotated[int, PlainValidator(units.rate)]
ServiceUrl = Annotated[str, PlainValidator(hosts.service_url)]
Size = Annotated[int, PlainValidator(units.size)]
Structured = BeforeValidator(_needs_json)
Text = Annotated[str, PlainValidator(text)]
Texts = Annotated[tuple[str, ...], PlainValidator(texts)]
Window = Annotated[units.Window, PlainValidator(units.window)]
YesNo = Annotated[bool, PlainValidator(units.yes_no)]
