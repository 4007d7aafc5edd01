"""What is wrong with a configuration, one sentence for each problem: key, place, and the mend. No value is repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from qavix_watch.config.settings import Settings
from qavix_watch.config.sources import PREFIX, variables
from qavix_watch.config.vocabulary import nearest
from qavix_watch.config.wrong import SettingError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

_CONFIDENTIAL = re.compile(r"(key|token|password|secret)$", re.IGNORECASE)
_CONFIDENTIAL_MEND = "keep secrets out of it: QAVIX_API_KEY, or a file that `api.key_file` names, holds the API key"
_WORDS = {
    "missing": "is missing",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
}


def sentences(error: ValidationError, file: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each problem that pydantic found."""
    for detail in error.errors(include_url=False, include_input=False):
        yield _sentence(detail, file, environ)


def _sentence(detail: ErrorDetails, file: str | None, environ: Mapping[str, str]) -> str:
    cause = detail.get("ctx", {}).get("error")
    key = (cause.key if isinstance(cause, SettingError) else ()) or detail["loc"]
    place = _place(key, file, environ)
    if isinstance(cause, UnknownKeyError):
        return _unknown(key, place, cause.known)
    if detail["type"] == "extra_forbidden":
        return _unknown(key, place, _keys_beside(key))
    return f"`{_dotted(key)}`{_entry(key)} {place}: {_what(detail)}"


def _what(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return "must be " + str(detail["ctx"]["expected"]).replace("'", '"')
    if detail["type"] == "tuple_type" and detail["loc"] in {("library",), ("media_server",)}:
        return f"must be a list of tables; write [[{detail['loc'][0]}]] with two brackets"
    cause = detail.get("ctx", {}).get("error")
    return _WORDS.get(detail["type"], str(cause or detail["msg"]))


def _place(key: tuple[int | str, ...], file: str | None, environ: Mapping[str, str]) -> str:
    """The variable that sets a key, else the file, else the defaults."""
    parts = [str(part) for part in key]
    names = (PREFIX + "__".join(parts[:length]).upper() for length in range(len(parts), 0, -1))
    ours = {name.upper(): name for name in variables(environ)}
    variable = next((ours[name] for name in names if name in ours), None)
    return f"in {variable or file or 'the defaults'}"


def _dotted(key: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in key if not isinstance(part, int))


def _entry(key: Iterable[int | str]) -> str:
    number = next((part for part in key if isinstance(part, int)), None)
    return "" if number is None else f" (entry {number + 1})"


def _unknown(key: tuple[int | str, ...], place: str, known: Iterable[str]) -> str:
    return f"unknown key `{_dotted(key)}`{_entry(key)} {place}: {_mend(key, tuple(known))}"


def _mend(key: tuple[int | str, ...], known: tuple[str, ...]) -> str:
    name = str(key[-1])
    if _CONFIDENTIAL.search(name):
        return _CONFIDENTIAL_MEND
    match = nearest(name, known, 0.75) or _elsewhere(name) or nearest(name, known)
    return f"did you mean `{match}`?" if match else f"the keys here are {', '.join(f'`{word}`' for word in known)}"


def _elsewhere(name: str) -> str | None:
    """The dotted key of that name in another section, None where no single one has it."""
    found = [f"{section}.{name}" for section in Settings.model_fields if name in keys_of(section)]
    return found[0] if len(found) == 1 else None


def _keys_beside(key: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that exist in the table that an unknown key stands in."""
    if len(key) == 1:
        return tuple(Settings.model_fields)
    if key[:2] == ("watch", "extensions"):
        return ("video", "audio", "image")
    return keys_of(str(key[0]))


def keys_of(section: str) -> tuple[str, ...]:
    """The keys of a section, () for one whose keys are words."""
    annotation: Any = Settings.model_fields[section].annotation
    models = [model for model in (annotation, *get_args(annotation)) if _is_model(model)]
    return tuple(models[0].model_fields) if models else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each variable that names no section, or that names a key with one underscore too few.

    Others that merely begin like ours are left alone: Kubernetes sets QAVIX_WATCH_PORT for a service named qavix-watch.
    """
    sections = Settings.model_fields
    one_underscore = {f"{section}_{key}": (section, key) for section in sections for key in keys_of(section)}
    for name in variables(environ):
        section, separator, rest = name.removeprefix(PREFIX).lower().partition("__")
        if separator and section not in sections:
            match = nearest(section, sections)
            mend = f"did you mean {PREFIX}{match.upper()}__{rest.upper()}?" if match else "there is no such section"
            yield f"unknown variable {name} in the environment: {mend}"
        elif not separator and section in one_underscore:
            mended = PREFIX + "__".join(one_underscore[section]).upper()
            yield f"unknown variable {name} in the environment: did you mean {mended}?"


def not_text(environ: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each variable that holds bytes which are not UTF-8."""
    for name in variables(environ):
        if not environ[name].isascii() and environ[name].encode("utf-8", "replace").decode() != environ[name]:
            yield f"{name} in the environment holds bytes that are not UTF-8: write it as UTF-8"
