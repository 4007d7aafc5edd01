"""Where tasks are worked on: each begins, takes its time, and ends with real results or a failure."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from qavix_watch.sandbox.films import HaltedError
from qavix_watch.sandbox.probe import Facts
from qavix_watch.sandbox.render import InputError, Work, render

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import ThreadPoolExecutor

    from qavix_watch.sandbox.courier import Courier
    from qavix_watch.sandbox.faults import Faults
    from qavix_watch.sandbox.files import Files
    from qavix_watch.sandbox.places import Places
    from qavix_watch.sandbox.tasks import Tasks

_AT_ONCE = 8
_LONGEST_NAP_SECONDS = 5.0


class Factory:
    """One loop that starts and ends what is due, and a few threads that make results."""

    def __init__(self, files: Files, tasks: Tasks, faults: Faults, courier: Courier, places: Places, threads: ThreadPoolExecutor) -> None:
        self._files = files
        self._tasks = tasks
        self._faults = faults
        self._courier = courier
        self._places = places
        self._threads = threads
        self._wake = asyncio.Event()
        self._halt = threading.Event()
        self._making: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop_task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._halt.set()
        for task in (self._loop_task, *self._running):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def look(self) -> None:
        """Something new may be due."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = time.time()
            self._tasks.start_due(now)
            for row in self._tasks.claim_due(now, _AT_ONCE - len(self._running)):
                self._begin(row)
            await self._nap()

    async def _nap(self) -> None:
        due = self._tasks.next_due() if len(self._running) < _AT_ONCE else None
        seconds = _LONGEST_NAP_SECONDS if due is None else min(max(due - time.time(), 0.0), _LONGEST_NAP_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _begin(self, row: sqlite3.Row) -> None:
        task = asyncio.create_task(self._finish(row))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    async def _finish(self, row: sqlite3.Row) -> None:
        rule = self._faults.for_task(row["task_type"])
        if rule is not None and rule.kind == "stuck_task":
            self._tasks.stick(row["id"])
            return
        if rule is not None:
            self._tasks.fail(row["id"], rule.message)
        else:
            await self._make(row)
        self._courier.send(row["id"])

    async def _make(self, row: sqlite3.Row) -> None:
        try:
            self._tasks.complete(row["id"], await self._results(self._work(row)))
        except InputError as refusal:
            self._tasks.fail(row["id"], str(refusal))
        except HaltedError:
            return  # its claim is void at the next start
        except OSError as error:
            self._tasks.fail(row["id"], f"internal error: {error.strerror}")

    def _work(self, row: sqlite3.Row) -> Work:
        inputs: dict[str, dict[str, str]] = json.loads(row["inputs"])
        stored = {name: self._files.get(given["file_id"]) for name, given in inputs.items()}
        facts = {name: Facts(f.kind or "other", bool(f.sound), f.seconds or 0.0) for name, f in stored.items() if f is not None}
        paths = {name: self._places.file(given["file_id"]) for name, given in inputs.items()}
        return Work(row["task_type"], _digest(row, inputs), row["target"], paths, facts, json.loads(row["params"]))

    async def _results(self, work: Work) -> dict[str, Any]:
        """Made once for the same work, however many tasks ask for it at the same time or later."""
        known = _read_manifest(self._places.result(f"{work.digest}.json"))
        if known is not None:
            return known
        if work.digest in self._making:
            return await asyncio.shield(self._making[work.digest])
        future = asyncio.ensure_future(self._render(work))
        self._making[work.digest] = future
        try:
            return await future
        finally:
            del self._making[work.digest]

    async def _render(self, work: Work) -> dict[str, Any]:
        async with self._slots:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._render_now, work)

    def _render_now(self, work: Work) -> dict[str, Any]:
        results = render(work, self._places.results, self._halt)
        manifest = self._places.result(f"{work.digest}.json")
        with open(f"{manifest}.new", "w", encoding="utf-8") as out:
            json.dump(results, out)
        os.replace(f"{manifest}.new", manifest)
        return results


def _read_manifest(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as manifest:
            known: dict[str, Any] = json.load(manifest)
            return known
    except FileNotFoundError:
        return None


def _digest(row: sqlite3.Row, inputs: dict[str, dict[str, str]]) -> str:
    """Names the work: its type, its inputs' contents, languages and options, and nothing else."""
    contents = {name: given["sha256"] for name, given in inputs.items()}
    work = [row["task_type"], contents, row["source"], row["target"], row["params"]]
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()
