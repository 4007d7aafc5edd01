"""The one way in which a validator of this room says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class SettingError(ValueError):
    """A value that cannot be used: what is wrong with it, and the mend.

    `key` leads from the top of the configuration to the key that is meant, where that is not the one being read.
    The text never repeats a value that could be a secret.
    """

    def __init__(self, what: str, mend: str = "", key: tuple[str, ...] = ()) -> None:
        super().__init__(f"{what}; {mend}" if mend else what)
        self.key = key


class UnknownKeyError(SettingError):
    """A key that does not exist; `known` are those that do, beside it."""

    def __init__(self, key: tuple[str, ...], known: Iterable[str]) -> None:
        super().__init__("is unknown", key=key)
        self.known = tuple(known)


class EnvText(str):
    """Text from the environment, where every value is text: it may stand for a number or for yes and no."""

    __slots__ = ()


def kind_of(value: object) -> str:
    """What a TOML value is, in words: "a list", "yes or no" …"""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    if isinstance(value, Mapping):
        return "a table"
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), "a date or time")
