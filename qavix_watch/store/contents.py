"""Verbs over contents: what is in files, and what the service holds of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.lifecycle import ContentState
from qavix_watch.core.records import Content
from qavix_watch.store.rows import read

if TYPE_CHECKING:
    import sqlite3

    from qavix_watch.store.work import Work


class Contents:
    """One row a content and account, however many files have it."""

    def __init__(self, connection: sqlite3.Connection, account: int, work: Work) -> None:
        self._connection = connection
        self._account = account
        self._work = work

    def ensure(self, sha256: str, md5: str, size: int, kind: str, duration: float | None) -> None:
        """Know this content; nothing where it is known already."""
        self._connection.execute(
            "INSERT INTO contents (account, state, sha256, md5, size, kind, duration) VALUES (?, 'absent', ?, ?, ?, ?, ?)"
            " ON CONFLICT (account, sha256) DO NOTHING",
            (self._account, sha256, md5, size, kind, duration),
        )

    def find(self, sha256: str) -> Content | None:
        """The content with this SHA-256."""
        row = self._connection.execute(
            "SELECT * FROM contents WHERE account = ? AND sha256 = ?", (self._account, sha256)
        ).fetchone()
        return None if row is None else read(Content, row)

    def want(self, sha256: str, priority: int, now: float) -> None:
        """Have it uploaded, if the service does not hold it, for a job of this priority."""
        content = self.find(sha256)
        if content is not None and content.state is not ContentState.STORED:
            self._connection.execute("UPDATE contents SET priority = ? WHERE id = ? AND priority < ?", (priority, content.id, priority))
            self._work.wake("content", content.id, now)

    def forgotten(self, sha256: str, now: float, why: str) -> None:
        """The service does not hold it any more: it is uploaded again when a job wants it."""
        content = self.find(sha256)
        if content is not None:
            self._work.move(
                "content", content.id, (ContentState.STORED,), ContentState.ABSENT, now, why,
                {"url": None, "url_expires": None, "file_id": None},
            )

    def renewed(self, sha256: str, url: str, expires: float | None) -> None:
        """Refresh URL has given a new link."""
        self._connection.execute(
            "UPDATE contents SET url = ?, url_expires = ? WHERE account = ? AND sha256 = ? AND state = 'stored'",
            (url, expires, self._account, sha256),
        )
