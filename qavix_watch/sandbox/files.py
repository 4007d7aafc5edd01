"""What the service knows of files: granted, stored, confirmed, forgotten."""

from __future__ import annotations

import mimetypes
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from qavix_watch.sandbox.probe import Facts


@dataclass(frozen=True, slots=True)
class FileRow:
    """One granted file. `stored_at` is set once its body lies in storage, `confirmed_at` once the client said so."""

    file_id: str
    name: str
    size: int
    content_type: str
    content_md5: str | None
    granted_at: float
    stored_at: float | None
    confirmed_at: float | None
    forgotten_at: float | None
    md5: str | None
    sha256: str | None
    kind: str | None
    sound: int | None
    seconds: float | None

    @property
    def held(self) -> bool:
        """Confirmed and not forgotten: it can be used for a task."""
        return self.confirmed_at is not None and self.forgotten_at is None


class Files:
    """The files' table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, file_id: str) -> FileRow | None:
        row = self._db.execute("SELECT * FROM files WHERE file_id = ?", (file_id,)).fetchone()
        return None if row is None else FileRow(**dict(row))

    def held_copy(self, md5: str, size: int) -> FileRow | None:
        """A file with that content that can be used without another upload."""
        row = self._db.execute(
            "SELECT * FROM files WHERE md5 = ? AND size = ? AND confirmed_at IS NOT NULL AND forgotten_at IS NULL",
            (md5, size),
        ).fetchone()
        return None if row is None else FileRow(**dict(row))

    def grant(self, name: str, size: int, content_md5: str | None) -> FileRow:
        file_id = f"file_{secrets.token_hex(8)}"
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._db.execute(
            "INSERT INTO files (file_id, name, size, content_type, content_md5, granted_at) VALUES (?, ?, ?, ?, ?, ?)",
            (file_id, name, size, content_type, content_md5, time.time()),
        )
        row = self.get(file_id)
        assert row is not None
        return row

    def stored(self, file_id: str, md5: str, sha256: str, size: int) -> None:
        now = time.time()
        self._db.execute("UPDATE files SET stored_at = ?, md5 = ?, sha256 = ? WHERE file_id = ?", (now, md5, sha256, file_id))
        self.count_put(file_id, sha256, size)

    def count_put(self, file_id: str, sha256: str, size: int) -> None:
        self._db.execute("INSERT INTO puts (file_id, sha256, size, at) VALUES (?, ?, ?, ?)", (file_id, sha256, size, time.time()))

    def confirm(self, file_id: str, facts: Facts) -> None:
        self._db.execute(
            "UPDATE files SET confirmed_at = ?, kind = ?, sound = ?, seconds = ? WHERE file_id = ?",
            (time.time(), facts.kind, facts.sound, facts.seconds, file_id),
        )

    def forget(self, file_ids: Iterable[str] | None) -> int:
        """The service no longer holds these files (None: any file); how many it held."""
        if file_ids is None:
            return self._db.execute("UPDATE files SET forgotten_at = ? WHERE forgotten_at IS NULL", (time.time(),)).rowcount
        cursor = self._db.executemany(
            "UPDATE files SET forgotten_at = ? WHERE file_id = ? AND forgotten_at IS NULL", [(time.time(), f) for f in file_ids]
        )
        return cursor.rowcount

    def uploads(self) -> list[dict[str, Any]]:
        """For the ledger: every content that was ever put here, and how often."""
        rows = self._db.execute(
            "SELECT sha256, size, COUNT(*) AS puts, GROUP_CONCAT(DISTINCT file_id) AS file_ids FROM puts"
            " GROUP BY sha256, size ORDER BY MIN(n)"
        )
        return [{**dict(row), "file_ids": row["file_ids"].split(",")} for row in rows]

    def grants(self) -> int:
        return int(self._db.execute("SELECT COUNT(*) FROM files").fetchone()[0])
