"""The sandbox's state in one SQLite file, so that it can be killed at any moment and started again.

All calls come from the event loop's thread and take microseconds; WAL without fsync outlives a killed process, which is what
the sandbox promises (not a power cut).
"""

from __future__ import annotations

import os
import secrets
import sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    file_id TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL, content_type TEXT NOT NULL, content_md5 TEXT,
    granted_at REAL NOT NULL, stored_at REAL, confirmed_at REAL, forgotten_at REAL,
    md5 TEXT, sha256 TEXT, kind TEXT, sound INTEGER, seconds REAL
);
CREATE INDEX IF NOT EXISTS files_held ON files (md5, size) WHERE confirmed_at IS NOT NULL AND forgotten_at IS NULL;
CREATE TABLE IF NOT EXISTS puts (
    n INTEGER PRIMARY KEY, file_id TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS voices (voice_id TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_type TEXT NOT NULL, name TEXT, source TEXT, target TEXT,
    params TEXT NOT NULL, inputs TEXT NOT NULL, idempotency_key TEXT, fingerprint TEXT NOT NULL, callback_url TEXT,
    status TEXT NOT NULL, credits INTEGER NOT NULL, estimated INTEGER NOT NULL, posts INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL, starts_at REAL NOT NULL, ends_at REAL NOT NULL, completed_at REAL,
    results TEXT, error TEXT, claimed INTEGER NOT NULL DEFAULT 0,
    callback_due INTEGER NOT NULL DEFAULT 0, callback_posts INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS tasks_key ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_status ON tasks (status, id);
CREATE INDEX IF NOT EXISTS tasks_type ON tasks (task_type, id);
CREATE INDEX IF NOT EXISTS tasks_start ON tasks (starts_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS tasks_end ON tasks (ends_at) WHERE status = 'processing' AND claimed = 0;
"""
_FIRST_TASK_ID = 551  # the id in the reference's example


def open_database(directory: str, balance: int) -> sqlite3.Connection:
    """Opens or makes the state in `directory`; `balance` is what a new one begins with.

    Work that a killed sandbox had claimed is free again.
    """
    db = sqlite3.connect(os.path.join(directory, "sandbox.db"), isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(_SCHEMA)
    if read_meta(db, "secret") is None:
        with db:
            db.execute("BEGIN")
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('tasks', ?)", (_FIRST_TASK_ID - 1,))
            write_meta(db, "credits", balance)
            write_meta(db, "secret", secrets.token_bytes(32))
    db.execute("UPDATE tasks SET claimed = 0 WHERE claimed = 1")
    return db


def read_meta(db: sqlite3.Connection, name: str) -> int | bytes | None:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else row["value"]


def write_meta(db: sqlite3.Connection, name: str, value: int | bytes) -> None:
    db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
