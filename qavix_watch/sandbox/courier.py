"""Callbacks: the envelope of Get Task, posted to a task's callback_url when it ends, and again where it was not taken.

Source: contract, point 4 (the reference is silent about the body).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import sqlite3

    from qavix_watch.sandbox.faults import Faults, Rule
    from qavix_watch.sandbox.links import Links
    from qavix_watch.sandbox.tasks import Tasks

_PAUSES_SECONDS = (1.0, 5.0, 20.0)  # at speed 1, between four attempts
_SHORTEST_PAUSE_SECONDS = 0.05
_TIMEOUT_SECONDS = 10.0


class Courier:
    """Posts callbacks from threads of its own. What is due is in the state, so a restart sends what a kill kept back."""

    def __init__(self, tasks: Tasks, links: Links, faults: Faults, speed: float) -> None:
        self._tasks = tasks
        self._links = links
        self._faults = faults
        self._speed = speed
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="sandbox-callback")
        self._under_way: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        for task_id in self._tasks.callbacks_due():
            self.send(task_id)

    def send(self, task_id: int) -> None:
        """Begins to post the callback of an ended task, if it has one."""
        row = self._tasks.get(task_id)
        if row is None or not row["callback_due"]:
            return
        task = asyncio.create_task(self._deliver(row, self._faults.for_callback(row["task_type"])))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        for task in list(self._under_way):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, row: sqlite3.Row, rule: Rule | None) -> None:
        if rule is not None and rule.kind == "late":
            await asyncio.sleep(rule.delay)
        if rule is None or rule.kind != "no_callback":
            for _ in range(2 if rule is not None and rule.kind == "twice" else 1):
                await self._insist(row)
        self._tasks.callback_done(row["id"])

    async def _insist(self, row: sqlite3.Row) -> None:
        for pause in (*_PAUSES_SECONDS, None):
            if await self._post(row["callback_url"], row["id"]) or pause is None:
                return
            await asyncio.sleep(max(pause / self._speed, _SHORTEST_PAUSE_SECONDS))

    async def _post(self, url: str, task_id: int) -> bool:
        """Whether it was taken (any 2xx)."""
        row = self._tasks.get(task_id)
        if row is None:
            return True
        body = json.dumps({"success": True, "data": self._links.task(row)}).encode()
        self._tasks.callback_posted(task_id)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _post_now, url, body)


def _post_now(url: str, body: bytes) -> bool:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target or "/", body, {"Content-Type": "application/json", "User-Agent": "Qavix-Callback/1"})
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
