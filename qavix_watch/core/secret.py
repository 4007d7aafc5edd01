"""A text that must not be seen: an API key, a password, a token."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "•••"
SHORTEST = 8
"""Letters of what is masked in texts; anything shorter stands there by chance."""


class Secret:
    """Holds a secret text; only `reveal()` gives it back.

    Printing, formatting and logging show "•••". It cannot be pickled or changed, copies are itself, and comparing
    takes the same time wherever two secrets differ. An empty one is false.
    """

    __slots__ = ("__text",)
    __text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_Secret__text", text)

    def reveal(self) -> str:
        """The secret itself. Call it where it is used, and keep what it gives nowhere."""
        return self.__text

    def hidden_in(self, text: str) -> str:
        """The text with "•••" in place of the secret."""
        return text.replace(self.__text, MASK) if len(self.__text) >= SHORTEST else text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self.__text), _octets(other.reveal()))

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


def _octets(text: str) -> bytes:
    # Surrogates stand for bytes of a file or variable that are not UTF-8; such a text can still be compared.
    return text.encode("utf-8", "surrogatepass")
