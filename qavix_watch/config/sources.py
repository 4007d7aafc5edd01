"""Where settings come from: the environment, one TOML file, and the defaults that depend on the host."""

from __future__ import annotations

import os
import pwd
import re
import tomllib
from typing import TYPE_CHECKING, Any

from pydantic_settings import EnvSettingsSource, PydanticBaseSettingsSource

from qavix_watch.config.places import normal
from qavix_watch.config.settings import Settings
from qavix_watch.config.wrong import EnvText
from qavix_watch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

PREFIX = "QAVIX_WATCH_"
CONFIG_VARIABLE = "QAVIX_WATCH_CONFIG"
FILE_NAME = "qavix-watch.toml"
SYSTEM_FILE = f"/etc/qavix-watch/{FILE_NAME}"

Tree = dict[str, Any]

_PATHS = {
    "api": ("key_file", "ca_file"),
    "folders": ("root",),
    "web": ("password_file",),
    "state": ("path",),
    "library": ("path",),
    "media_server": ("token_file",),
}
_BELOW_ROOT = ("inbox", "outbox", "archive", "failed")


class TreeSource(PydanticBaseSettingsSource):
    """Settings that have been read already."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Settings)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base's shape
        return self._tree.get(field_name), field_name, False

    def __call__(self) -> Tree:
        return self._tree


class EnvironSource(EnvSettingsSource):
    """pydantic-settings' reading of the environment, of a mapping that is handed in.

    What is no JSON where JSON is needed stays text: the key's own validator says then what is wrong with it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): EnvText(self._environ[name]) for name in variables(self._environ)}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def variables(environ: Mapping[str, str]) -> Iterator[str]:
    """The variables that are ours and are set; an empty one counts as not set, as Compose files write them."""
    return (name for name, value in environ.items() if name.startswith(PREFIX) and value)


def home(environ: Mapping[str, str]) -> str:
    """The user's home directory."""
    return environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir


def find(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The configuration file to read, as an absolute path; None where there is none.

    A file that is named, by `path` or by QAVIX_WATCH_CONFIG, must be there: another one in its place could bill another
    account. ConfigError where it is not, or where nobody may look whether it is.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    if named:
        if not _exists(os.path.abspath(named)):
            origin = "--config" if path else CONFIG_VARIABLE
            raise ConfigError(f"{origin} names {named}, which is not there: correct it, or run `qavix-watch init`")
        return os.path.abspath(named)
    user = environ.get("XDG_CONFIG_HOME") or os.path.join(home(environ), ".config")
    candidates = (os.path.abspath(FILE_NAME), os.path.join(user, "qavix-watch", FILE_NAME), SYSTEM_FILE)
    return next(filter(_exists, candidates), None)


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"cannot look at {path}: {error.strerror}; run this as the service's user") from error
    return True


def read(path: str) -> Tree:
    """The TOML file as it stands. ConfigError names the line where it is broken."""
    try:
        with open(path, "rb") as file:
            return tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give this user the right to read it") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path} is not UTF-8 text in line {line}: save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_broken(path, str(error))) from error


def _broken(path: str, message: str) -> str:
    what, _, place = message.partition(" (at ")
    line = re.match(r"line (\d+)", place)
    where = f"in line {line[1]}" if line else "at its end"
    twice = re.match(r"Cannot declare \('(\w+)',\) twice", what)
    if twice:
        return f"{path} has a second section [{twice[1]}] {where}; put its keys into the first one, which may stand there without any"
    return f"{path} is broken {where}: {what}; text needs quotation marks, and each key stands once in its section"


def host_defaults(environ: Mapping[str, str]) -> Tree:
    """The defaults that depend on the host: ~/Qavix, and a state where systemd or the desktop keeps such things."""
    at_home = home(environ)
    under_systemd = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    desktop = environ.get("XDG_STATE_HOME") or os.path.join(at_home, ".local/state")
    state = under_systemd or os.path.join(desktop, "qavix-watch")
    return {"folders": {"root": os.path.join(at_home, "Qavix")}, "state": {"path": os.path.join(state, "state.db")}}


def anchor(tree: Tree, base: str, at_home: str) -> Tree:
    """The tree with every path made absolute: `~` is the home, relative ones begin at the directory `base`."""
    return {section: _anchor_section(section, value, base, at_home) for section, value in tree.items()}


def _anchor_section(section: str, value: Any, base: str, at_home: str) -> Any:
    if isinstance(value, list) and section in _PATHS:
        return [_anchor_section(section, entry, base, at_home) for entry in value]
    if not isinstance(value, dict):
        return value
    absolute = {
        key: _absolute(value[key], base, at_home)
        for key in _PATHS.get(section, ())
        if key in value and not (key.endswith("_file") and "/" not in str(value[key]))  # a bare word may be the secret
    }
    below = _BELOW_ROOT if section == "folders" else ()
    expanded = {key: _expanded(value[key], at_home) for key in below if key in value}
    return value | absolute | expanded


def _absolute(value: Any, base: str, at_home: str) -> Any:
    """An absolute path; what is none is left for its validator to judge."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return value
    return normal(os.path.join(base, _expanded(value, at_home)))


def _expanded(value: Any, at_home: str) -> Any:
    if isinstance(value, str) and (value == "~" or value.startswith("~/")):
        return at_home + value[1:]
    return value
