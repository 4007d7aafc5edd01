"""The API key: from QAVIX_API_KEY, the file that `api.key_file` names, or the systemd credential, in that order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.core.secret import Secret
from qavix_watch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.config.settings import Settings

VARIABLE = "QAVIX_API_KEY"
CREDENTIAL = "qavix-api-key"
_LONGEST = 4096


def read_key(settings: Settings, environ: Mapping[str, str]) -> tuple[Secret, str] | None:
    """The key and where it came from, in words; None where there is none.

    ConfigError for a file that is named and cannot be read, and for what cannot be a key; it never shows what was read.
    """
    if environ.get(VARIABLE, "").strip():
        return _checked(environ[VARIABLE], VARIABLE), VARIABLE
    if settings.api.key_file:
        origin = f"`api.key_file` ({settings.api.key_file})"
        return _checked(_read(settings.api.key_file, origin), origin), origin
    credential = os.path.join(environ.get("CREDENTIALS_DIRECTORY", ""), CREDENTIAL)
    if environ.get("CREDENTIALS_DIRECTORY") and os.path.exists(credential):
        origin = f"the systemd credential {CREDENTIAL}"
        return _checked(_read(credential, origin), origin), origin
    return None


def _read(path: str, origin: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST + 1).decode("utf-8-sig")
    except OSError as error:
        mend = "correct the path, or give this user the right to read it"
        raise ConfigError(f"{origin} cannot be read: {error.strerror}; {mend}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{origin} is no text; put the key alone into it") from None


def _checked(text: str, origin: str) -> Secret:
    key = text.strip()
    if not key:
        raise ConfigError(f"{origin} is empty; put the API key into it")
    if len(key) > _LONGEST:
        raise ConfigError(f"{origin} holds more than a key; put the key alone into it")
    if key.startswith("Bearer "):
        raise ConfigError(f"{origin} begins with the word Bearer; put the key alone into it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{origin} holds spaces, line breaks or letters that no key has; copy the key once more")
    return Secret(key)
