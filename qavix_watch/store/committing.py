"""What a commit is: acts that wait at the same time, each all or nothing, made durable together.

Nothing here knows of threads; who calls `commit` waits for the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qavix_watch.errors import QavixWatchError, StoreError
from qavix_watch.store.file import mapped, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from qavix_watch.store.verbs import Tx

MOST_A_COMMIT = 64


class Asked(Protocol):
    """Where an answer is waited for; a `concurrent.futures.Future` is one."""

    def set_running_or_notify_cancel(self) -> bool: ...
    def done(self) -> bool: ...
    def set_result(self, result: Any) -> None: ...
    def set_exception(self, exception: BaseException | None) -> None: ...


@dataclass(slots=True)
class Act:
    """One transaction that somebody waits for; `name` is for people who trace."""

    name: str
    run: Callable[[Tx], Any]
    asked: Asked


_FAILED = object()


class Commits:
    """Runs acts on one connection."""

    def __init__(self, connection: sqlite3.Connection, tx: Tx) -> None:
        self._connection = connection
        self._tx = tx

    def commit(self, acts: Sequence[Act]) -> None:
        """Run these acts, and make those that worked durable with one commit. Nobody is told of success before it."""
        if len(acts) == 1:
            self._commit_one(acts[0])
        elif acts:
            self._commit_all(acts)

    def _commit_one(self, act: Act) -> None:
        """Without a savepoint: nothing beside it would stay."""
        if not act.asked.set_running_or_notify_cancel():
            return
        try:
            with mapped(act.name), transaction(self._connection):
                value = act.run(self._tx)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            act.asked.set_exception(error)
            return
        act.asked.set_result(value)

    def _commit_all(self, acts: Sequence[Act]) -> None:
        results: list[tuple[Act, Any]] = []
        try:
            with mapped(acts[0].name), transaction(self._connection):
                results = [(act, value) for act in acts if (value := self._attempt(act)) is not _FAILED]
        except QavixWatchError as error:
            for act in acts:
                if not act.asked.done():
                    act.asked.set_exception(error)
            return
        for act, value in results:
            act.asked.set_result(value)

    def _attempt(self, act: Act) -> Any:
        if not act.asked.set_running_or_notify_cancel():
            return _FAILED
        self._connection.execute("SAVEPOINT act")
        try:
            with mapped(act.name):
                value = act.run(self._tx)
        except Exception as error:
            act.asked.set_exception(error)
            if not self._connection.in_transaction:  # a full disk takes back all of it; those beside it must not be told otherwise
                raise StoreError(f"{act.name}: the whole transaction was taken back: {error}") from error
            self._connection.execute("ROLLBACK TO act")
            self._connection.execute("RELEASE act")
            return _FAILED
        self._connection.execute("RELEASE act")
        return value
