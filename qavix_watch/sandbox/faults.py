"""Fault rules: what goes wrong, where, how often.

`PUT /control/faults` takes a JSON list of them; the first that fits a moment acts.

    {"operation": "video_translation", "kind": "lost_answer", "times": 1}

`operation` says where:
    an operationId of the contract           that call
    storage_put, storage_get, result_get     an upload, the download of an input, the download of a result
    callback                                 what is posted to a callback_url
    task                                     the work on a task (or the task's type, e.g. "smart_erasure")
    *                                        every request but those to /control

`kind` says what, for requests:
    status        answers with `status` (default 500), in the envelope or in storage's XML; `code`, `retry_after` (seconds)
    html          answers `status` (default 502) with a proxy's HTML page
    garbage       answers 200 with JSON of the wrong shape
    redirect      answers 302 to `location`
    drop          does nothing and closes the connection
    lost_answer   does the work, then closes the connection without an answer
    slow          does the work, then holds the answer back for `delay` seconds (default 5)
    trickle       sends the answer's body at `rate` bytes a second (default 1024)
    reset         resets the connection: after `bytes` (default half) of an upload's body, of any other answer's body
    truncate      closes the connection after `bytes` (default half) of the answer's body
    short         announces and sends only `bytes` (default half) of the answer's body
for `task`:
    fail_task     the task fails with `message`
    stuck_task    the task stays in processing at 99 % for ever
for `callback`:
    no_callback   it is never sent
    twice         it is sent twice
    late          it is sent `delay` seconds (default 5) after the task ended

and, for every kind:
    times         how often it acts (default null: always)
    skip          how many moments that fit pass by before (default 0)
    probability   from 0 to 1 (default 1), drawn from `seed` (default 0)
    task_type     only for tasks of this type (kinds of `task` and `callback`)

Rules live in memory and are gone after a restart. `GET /control/faults` shows them with `hits`; `DELETE` takes them away.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from qavix_watch.sandbox.operations import OPERATIONS, OTHER_NAMES, TASK_TYPES
from qavix_watch.sandbox.problems import invalid

REQUEST_KINDS = frozenset({"status", "html", "garbage", "redirect", "drop", "lost_answer", "slow", "trickle", "reset", "truncate", "short"})
TASK_KINDS = frozenset({"fail_task", "stuck_task"})
CALLBACK_KINDS = frozenset({"no_callback", "twice", "late"})
_PLACES = frozenset({*OPERATIONS, *OTHER_NAMES, *TASK_TYPES, "*"}) - {"control"}


@dataclass(slots=True)
class Rule:
    """One rule; the module's docstring says what each field means."""

    operation: str
    kind: str
    status: int | None = None
    code: str = ""
    retry_after: float | None = None
    location: str = "https://elsewhere.example/"
    delay: float = 5.0
    rate: int = 1024
    bytes: int | None = None
    message: str = "the task was made to fail by a fault rule"
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    task_type: str | None = None
    hits: int = 0
    _passed: int = field(default=0, repr=False)
    _dice: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - a reproducible fault, not a secret

    def fits(self, places: tuple[str, ...], kinds: frozenset[str], task_type: str | None) -> bool:
        here = self.operation in places or (self.operation == "*" and kinds is REQUEST_KINDS)
        return here and self.kind in kinds and self.task_type in {None, task_type}

    def acts(self) -> bool:
        """Whether it acts on a moment that fits; counts."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self._passed < self.skip:
            self._passed += 1
            return False
        if self._dice.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def replace(self, given: object) -> None:
        """Takes a JSON list of rules in place of the old ones; raises validation_error for what it does not know."""
        if not isinstance(given, list):
            raise invalid("invalid_type", "send a JSON list of fault rules", "faults")
        self._rules = [_rule(entry, f"faults[{index}]") for index, entry in enumerate(given)]

    def shown(self) -> list[dict[str, Any]]:
        return [{name: value for name, value in _plain(rule).items() if value is not None} for rule in self._rules]

    def for_request(self, operation: str) -> Rule | None:
        return self._take((operation,), REQUEST_KINDS, None)

    def for_task(self, task_type: str) -> Rule | None:
        return self._take(("task", task_type), TASK_KINDS, task_type)

    def for_callback(self, task_type: str) -> Rule | None:
        return self._take(("callback",), CALLBACK_KINDS, task_type)

    def _take(self, places: tuple[str, ...], kinds: frozenset[str], task_type: str | None) -> Rule | None:
        return next((rule for rule in self._rules if rule.fits(places, kinds, task_type) and rule.acts()), None)


_SETTABLE = {f.name for f in fields(Rule)} - {"hits", "_passed", "_dice"}
_NUMBERS = {"status", "retry_after", "delay", "rate", "bytes", "times", "skip", "probability", "seed"}


def _plain(rule: Rule) -> dict[str, Any]:
    return {name: value for name, value in asdict(rule).items() if not name.startswith("_")}


def _rule(entry: object, where: str) -> Rule:
    if not isinstance(entry, dict) or not {"operation", "kind"} <= entry.keys():
        raise invalid("missing_field", f"{where} needs operation and kind", where)
    if strange := entry.keys() - _SETTABLE:
        raise invalid("invalid_value", f"{where} has unknown keys: {', '.join(sorted(strange))}", where)
    if entry["operation"] not in _PLACES:
        raise invalid("invalid_value", f"{where}: unknown operation {entry['operation']!r}", where)
    if entry["kind"] not in REQUEST_KINDS | TASK_KINDS | CALLBACK_KINDS:
        raise invalid("invalid_value", f"{where}: unknown kind {entry['kind']!r}", where)
    for name in _NUMBERS & entry.keys():
        if entry[name] is not None and (isinstance(entry[name], bool) or not isinstance(entry[name], int | float)):
            raise invalid("invalid_type", f"{where}.{name} must be a number", where)
    return Rule(**entry)
