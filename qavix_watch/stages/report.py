"""`QAVIX-STATUS.txt`: how things stand, written anew when that changes, for people who only see the folders."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qavix_watch.core import statusfile
from qavix_watch.core.grammar import parse
from qavix_watch.core.languages import in_words
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.money import rate
from qavix_watch.core.naming import display
from qavix_watch.core.readme import is_default_name
from qavix_watch.core.service import Price
from qavix_watch.core.statusfile import Item, Standing
from qavix_watch.errors import FileError, FileGone, NoSpace, OrderError, RootOffline, StoreError
from qavix_watch.stages.texts import put, read_own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Ports
    from qavix_watch.ports.state import Tx

    Row = Mapping[str, Any]

NAME = statusfile.FILE_NAME
PRIVATE = b".qavix-status"
FIRST_SECONDS = 3.0
"""A start needs a moment until it knows what to say: the next text comes a minute later."""
LOOK_SECONDS = 5.0
EVERY_SECONDS = 60.0
LONGEST_SECONDS = 86400.0
"""It is written at most once in EVERY_SECONDS, when something has changed; and once a day, so that a text which nobody keeps any more
can be told from one that has nothing new to say. In between no disk is written to: one that sleeps goes on sleeping."""
TROUBLE = "status file"


class Report:
    """Keeps the text of one root while it lives. Nothing of it is in the state: what it says is read from there."""

    def __init__(self, ports: Ports, rules: Rules, log: Callable[..., None]) -> None:
        """`log` takes a level, an event, and values."""
        self._ports = ports
        self._rules = rules
        self._log = log
        self._stopped = asyncio.Event()
        self._path = join(rules.layout.root, NAME)
        self._since = ports.clock.now()
        self._tried: float | None = None
        self._written: tuple[str, float] | None = None
        self._read: tuple[int, float] | None = None
        self._trouble: str | None = None

    def go_by(self, rules: Rules) -> None:
        """Go by other rules from now on, in the same folders."""
        self._rules = rules

    def stop(self) -> None:
        """Have `run` come to its end."""
        self._stopped.set()

    async def run(self) -> None:
        """Keep it up to date until `stop` is called; then say that the service does not run any more."""
        await self._rest(FIRST_SECONDS)
        while not self._stopped.is_set():
            await self._guarded(self.look)
            await self._rest(LOOK_SECONDS)
        await self._guarded(self.end)

    async def _rest(self, seconds: float) -> None:
        """Wait so many seconds, or until `stop` is called."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (StoreError, NoSpace):
            return  # the worker says what is wrong with the state; the next look tries again
        except Exception:  # noqa: BLE001 - a defect in what people read must not stop what is worked on
            self._log("error", "unexpected error", stage="report", exc_info=True)
            self._tried = self._ports.clock.now()

    async def look(self) -> None:
        """Write it anew where it is time to, and there is something new to tell. What is in the way is told in `status`."""
        now = self._ports.clock.now()
        if self._tried is not None and 0 <= now - self._tried < EVERY_SECONDS:
            return
        changes: int = await self._ports.store.transaction("changes", lambda tx: tx.view(self._rules.layout).changes)
        if self._read is not None and self._read[0] == changes and 0 <= now - self._read[1] < EVERY_SECONDS:
            return
        self._read = (changes, now)
        text = await self._text()
        if await self._is_due(text, now):
            await self._write(text, now, since=self._since)

    async def end(self) -> None:
        """Say that the service does not run any more."""
        await self._write(await self._text(ended=True), self._ports.clock.now(), since=None)

    async def _is_due(self, text: str, now: float) -> bool:
        if self._written is None or self._written[0] != text or not 0 <= now - self._written[1] < LONGEST_SECONDS:
            return True
        try:
            await self._ports.blocking(self._ports.files.stat, self._path)
        except FileError as error:
            return isinstance(error, FileGone)  # somebody has thrown it away
        return False

    async def _write(self, text: str, now: float, *, since: float | None) -> None:
        self._tried = now
        local = self._ports.clock.local
        projects = self._rules.layout.projects
        whole = statusfile.whole(text, at=local(now), since=None if since is None else local(since), projects=projects)
        try:
            trouble = await self._ports.blocking(self._put, whole)
        except RootOffline:
            return
        except FileError as error:
            trouble = f"{NAME.decode()} cannot be written: {error}"
        if trouble is None:
            self._written = (text, now)
        await self._tell(trouble, now)

    def _put(self, text: bytes) -> str | None:
        """Put it in place; gives why its name cannot be used, if so. RootOffline, FileError."""
        self._ports.roots.check(self._path)
        files = self._ports.files
        old, free = read_own(files, self._path, statusfile.is_ours)
        private = join(self._rules.layout.root, PRIVATE)
        if free and put(files, self._path, text, private, replacing=old is not None):
            return None
        files.remove(private)  # what a process that was killed left there
        return f"{display(self._path)} is not ours, so how things stand is not written there; give that file another name"

    async def _tell(self, trouble: str | None, now: float) -> None:
        if trouble != self._trouble:
            await self._ports.store.transaction("status file", lambda tx: tx.house.trouble(TROUBLE, trouble, now))
            self._trouble = trouble

    async def _text(self, *, ended: bool = False) -> str:
        def read(tx: Tx) -> tuple[Row, list[Price]]:
            fact = tx.house.fact("pricing")
            return tx.view(self._rules.layout).lists(), [Price(**row) for row in fact[0]] if fact is not None else []

        lists, prices = await self._ports.store.transaction("how things stand", read)
        text = await self._ports.blocking(lambda: statusfile.body(self._standing(lists, prices, ended=ended)))
        return self._rules.without_secret(text)

    def _standing(self, lists: Row, prices: Sequence[Price], *, ended: bool) -> Standing:
        """The rows of the state in words."""
        acts = [] if ended else [statusfile.act(row["name"], row["act"], row["done"], row["total"]) for row in lists["acts"]]
        tasks = [
            statusfile.task(row["name"], in_words(row["language"]) if row["language"] else None, row["progress"]) for row in lists["tasks"]
        ]
        counts = lists["counts"]
        return Standing(
            brakes=[statusfile.brake(row["name"], row["scope"], row["why"], row["hint"]) for row in lists["brakes"]],
            troubles=[Item(row["text"]) for row in lists["troubles"] if row["name"] != TROUBLE],
            asks=[*(Item(said) for said in lists["batches"]), *_held(lists["held"]), *_waiting(lists["waiting"], asks=True)],
            failed=[item for row in lists["failed"] if (item := self._failed(row)) is not None],
            misnamed=self._misnamed(lists["folders"]),
            work=[*acts, *tasks],
            waits=_waiting(lists["waiting"], asks=False),
            folders=[self._folder(row, prices) for row in lists["folders"] if row["canonical"]],
            files={"waiting": counts["waiting"], "in work": counts["working"]},
        )

    def _folder(self, row: Row, prices: Sequence[Price]) -> Item:
        try:
            asked = parse(row["canonical"], self._rules.words)
        except OrderError:  # what a qavix.toml says does not fit a name
            return statusfile.folder(row["name"], row["words"], {})
        targets: Iterable[str | None] = asked.targets or (None,)
        costs = {in_words(target) if target else None: rate(prices, asked.task, target) for target in targets}
        return statusfile.folder(row["name"], row["words"], costs)

    def _misnamed(self, folders: Iterable[Row]) -> list[Item]:
        """Of a folder that is not understood, what lies below it is not told again; one that is about to get its name is not told."""
        rows = {row["name"]: row for row in folders if row["problem"]}
        tops = [row for name, row in rows.items() if name.rpartition("/")[0] not in rows and not is_default_name(name.rpartition("/")[2])]
        shown, rest = tops[: statusfile.MOST_ITEMS], tops[statusfile.MOST_ITEMS :]
        return [*(self._about_name(row) for row in shown), *(Item(row["name"]) for row in rest)]

    def _about_name(self, row: Row) -> Item:
        try:
            parse(row["name"].rpartition("/")[2], self._rules.words)
        except OrderError as error:
            if str(error) == row["problem"]:
                return statusfile.misnamed(row["name"], str(error), error.hint, error.suggestion)
        return statusfile.misnamed(row["name"], row["problem"], "", None)

    def _failed(self, row: Row) -> Item | None:
        """An original that could not be done, where it lies and what to do; None where it was taken away meanwhile."""
        layout = self._rules.layout
        target = row["target"] or layout.in_inbox(row["path"])
        try:
            self._ports.files.stat(target)
        except FileError:
            return None
        where = f"It lies in {self._place(parent(target))}. “{display(name_of(target))}.why.txt” beside it says more."
        if target == layout.in_inbox(row["path"]):
            return Item(row["name"], (statusfile.sentence(row["why"]), where, "To try again, move it out of its folder and back in."))
        again = f"To try again, drag it back into {self._place(parent(layout.in_inbox(row['path'])))}."
        return Item(row["name"], (statusfile.sentence(row["why"]), where, again))

    def _place(self, folder: bytes) -> str:
        """A folder as people see it who look into the root."""
        root = self._rules.layout.root + b"/"
        return display(folder.removeprefix(root) if folder.startswith(root) else folder)


def _held(rows: Iterable[Row]) -> list[Item]:
    return [
        statusfile.gathered(why, [row["name"] for row in group], [_approve(group)] if "approve" not in why else [])
        for why, group in _grouped(rows).items()
    ]


def _approve(rows: Sequence[Row]) -> str:
    ids = " ".join(row["id"] for row in rows[:10])
    more = " …" if len(rows) > 10 else ""
    return f"Take it out of its folder if it is not meant; or have somebody type, where the service runs: qavix-watch approve {ids}{more}"


def _waiting(rows: Iterable[Row], *, asks: bool) -> list[Item]:
    groups = _grouped(row for row in rows if bool(row["asks"]) is asks)
    return [statusfile.gathered(why, [row["name"] for row in group]) for why, group in groups.items()]


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by what is to be said of them."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["why"], []).append(row)
    return found
