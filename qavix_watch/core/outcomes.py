"""What a stage says of one piece of work; the worker alone records it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done: the item goes to the state `to`, with `fields` saved.

    `also`, if given, is called with the transaction in which that is recorded. `due` is seconds until the next look at it, None
    where it waits for something else.
    """

    to: StrEnum
    why: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    also: Callable[[Any], None] | None = None
    due: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Later:
    """Not yet, and nothing is wrong: look again in `seconds` (None: when something wakes it). `why` is what it waits for.

    `also`: as for Done.
    """

    seconds: float | None
    why: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    also: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not work this time; the back-off decides when it is tried again, or `after` seconds at the least.

    `refused_by`: the operation of the API that refused what it was asked, where that is why.
    """

    why: str
    after: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)
    refused_by: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    """It can not be done, for a reason of its own.

    `refused_by`: the operation of the API that refused it. Where it refuses everything in the same words, that is no reason of its own.
    """

    why: str
    refused_by: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must look at it first."""

    why: str


FOREVER_SECONDS = 10 * 365 * 86_400.0
"""The pause of a brake that time alone does not let go."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Something is wrong with the world: stop this kind of work. `after` is seconds until the first look whether it is over.

    `level` is the balance that the service gave, or the bytes that are needed beyond what stays free, where that is what is wrong.
    """

    name: str
    why: str
    hint: str = ""
    scope: str = ""
    after: float = 5.0
    level: float | None = None


Outcome = Done | Later | Retry | Fail | Hold | Brake
