"""The shape of the state, as numbered steps. A step that was released is never edited: the next one mends it.

Each step runs in one transaction together with the record of it. A database that knows more steps than this program is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.errors import StateUnusable
from qavix_watch.store.file import transaction

if TYPE_CHECKING:
    from sqlite_utils import Database

# What every table has that is worked on: when it is due, who has it until when, and how it went so far.
_WORK = """
    state TEXT NOT NULL, due REAL, owner TEXT, lease_until REAL, fence INTEGER NOT NULL DEFAULT 0,
    claims INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, waited REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT ''"""

_FIRST = f"""
CREATE TABLE state_id (id TEXT PRIMARY KEY);

CREATE TABLE accounts (id INTEGER PRIMARY KEY, base_url TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (base_url, name));

CREATE TABLE drops (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, {_WORK},
    place TEXT NOT NULL, path BLOB NOT NULL, folder BLOB NOT NULL,
    order_json TEXT NOT NULL, canonical TEXT NOT NULL, task TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0, held TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    changed_at REAL NOT NULL, not_before REAL NOT NULL DEFAULT 0, sha256 TEXT,
    partner BLOB, partner_size INTEGER NOT NULL DEFAULT 0, partner_mtime_ns INTEGER NOT NULL DEFAULT 0,
    partner_inode INTEGER NOT NULL DEFAULT 0, partner_since REAL NOT NULL DEFAULT 0, partner_sha256 TEXT,
    detached INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL DEFAULT 0, verdict TEXT NOT NULL DEFAULT '',
    aside BLOB, target BLOB, accepted INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL, ended_at REAL);
CREATE UNIQUE INDEX drops_one_a_path ON drops (account, place, path)
    WHERE detached = 0 AND state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving');
CREATE INDEX drops_due ON drops (account, state, due) WHERE due IS NOT NULL;
CREATE INDEX drops_next ON drops (account, due) WHERE due IS NOT NULL;
CREATE INDEX drops_path ON drops (account, place, path);
CREATE INDEX drops_content ON drops (account, sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX drops_partner ON drops (account, partner_sha256) WHERE partner_sha256 IS NOT NULL;

CREATE TABLE contents (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts, {_WORK},
    sha256 TEXT NOT NULL, md5 TEXT NOT NULL, size INTEGER NOT NULL, kind TEXT NOT NULL, duration REAL, priority INTEGER NOT NULL DEFAULT 0,
    file_id TEXT, url TEXT, url_expires REAL, uploads INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, sha256));
CREATE INDEX contents_due ON contents (account, state, due) WHERE due IS NOT NULL;
CREATE INDEX contents_next ON contents (account, due) WHERE due IS NOT NULL;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, {_WORK},
    key TEXT NOT NULL UNIQUE, identity TEXT NOT NULL, generation INTEGER NOT NULL,
    task TEXT NOT NULL, operation TEXT NOT NULL, canonical TEXT NOT NULL, source TEXT, language TEXT, stem TEXT NOT NULL,
    params_json TEXT NOT NULL, text TEXT, main_sha256 TEXT NOT NULL, partner_sha256 TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    posted INTEGER NOT NULL DEFAULT 0, posted_at REAL, known_voices TEXT, body TEXT,
    task_id TEXT, task_status TEXT, progress INTEGER, output_json TEXT,
    credits_estimated INTEGER, credits_used INTEGER, token TEXT NOT NULL, reuploads INTEGER NOT NULL DEFAULT 0,
    submitted_at REAL, created_at REAL NOT NULL, ended_at REAL);
CREATE INDEX jobs_due ON jobs (account, state, due) WHERE due IS NOT NULL;
CREATE INDEX jobs_next ON jobs (account, due) WHERE due IS NOT NULL;
CREATE INDEX jobs_open ON jobs (account, state) WHERE state IN ('uploading', 'processing');
CREATE INDEX jobs_identity ON jobs (account, identity, generation);
CREATE INDEX jobs_main ON jobs (account, main_sha256);
CREATE INDEX jobs_partner ON jobs (account, partner_sha256) WHERE partner_sha256 IS NOT NULL;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, {_WORK},
    job INTEGER NOT NULL REFERENCES jobs, drop_id INTEGER NOT NULL REFERENCES drops, names_json TEXT,
    UNIQUE (job, drop_id));
CREATE INDEX deliveries_due ON deliveries (account, state, due) WHERE due IS NOT NULL;
CREATE INDEX deliveries_next ON deliveries (account, due) WHERE due IS NOT NULL;
CREATE INDEX deliveries_drop ON deliveries (drop_id);

CREATE TABLE results (
    id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES jobs, kind TEXT NOT NULL, extension TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, staged BLOB, inline TEXT, UNIQUE (job, kind));
CREATE INDEX results_content ON results (sha256);
CREATE TABLE result_files (
    id INTEGER PRIMARY KEY, result INTEGER NOT NULL REFERENCES results, delivery INTEGER NOT NULL REFERENCES deliveries,
    path BLOB NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, UNIQUE (result, delivery));
CREATE INDEX result_files_path ON result_files (path);

CREATE TABLE voices (
    account INTEGER NOT NULL REFERENCES accounts, voice_id TEXT NOT NULL, name TEXT NOT NULL, job INTEGER NOT NULL,
    PRIMARY KEY (account, voice_id));

CREATE TABLE duties (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts, {_WORK}, name TEXT NOT NULL, UNIQUE (account, name));

CREATE TABLE brakes (
    account INTEGER NOT NULL REFERENCES accounts, name TEXT NOT NULL, scope TEXT NOT NULL, since REAL NOT NULL,
    why TEXT NOT NULL, hint TEXT NOT NULL, until REAL NOT NULL, count INTEGER NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (account, name, scope));

CREATE TABLE events (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES accounts, at REAL NOT NULL, item TEXT NOT NULL,
    item_id INTEGER NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, why TEXT NOT NULL);
CREATE INDEX events_item ON events (item, item_id);

CREATE TABLE progress (
    item TEXT NOT NULL, item_id INTEGER NOT NULL, act TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
    rate REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (item, item_id));

CREATE TABLE places (id TEXT PRIMARY KEY, path BLOB NOT NULL, starts INTEGER NOT NULL);
CREATE TABLE service (
    id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, node TEXT NOT NULL, boot TEXT NOT NULL, started_at REAL NOT NULL,
    config TEXT NOT NULL, ready INTEGER NOT NULL);
CREATE TABLE troubles (name TEXT PRIMARY KEY, at REAL NOT NULL, text TEXT NOT NULL);
CREATE TABLE folders (place TEXT NOT NULL, path BLOB NOT NULL, canonical TEXT, words TEXT, problem TEXT, PRIMARY KEY (place, path));
"""

# Steering and money: what a person's commands leave, what is set aside for a job, what the service said of the account. And several
# nodes: what each of them says of itself.
_SECOND = """
ALTER TABLE drops ADD COLUMN after TEXT NOT NULL DEFAULT '';
ALTER TABLE drops ADD COLUMN outlet BLOB;
ALTER TABLE drops ADD COLUMN given BLOB;
ALTER TABLE drops ADD COLUMN question TEXT NOT NULL DEFAULT '';
CREATE INDEX drops_live ON drops (account, state)
    WHERE state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving');
CREATE INDEX drops_failed ON drops (account, ended_at) WHERE state = 'failed';
CREATE INDEX drops_question ON drops (account, place) WHERE question <> '' AND state = 'fingerprinted';
ALTER TABLE drops ADD COLUMN origin BLOB;
DROP INDEX drops_one_a_path;
CREATE UNIQUE INDEX drops_one_a_path ON drops (account, place, path)
    WHERE detached = 0 AND outlet IS NULL AND origin IS NULL
    AND state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving');
CREATE INDEX drops_turn ON drops (account, state, priority DESC, due) WHERE due IS NOT NULL;
CREATE INDEX contents_turn ON contents (account, state, priority DESC, due) WHERE due IS NOT NULL;
CREATE INDEX jobs_turn ON jobs (account, state, priority DESC, due) WHERE due IS NOT NULL;
CREATE INDEX drops_failing ON drops (account, state, priority DESC, due) WHERE verdict = 'failed';
CREATE INDEX drops_by_command ON drops (account, id) WHERE outlet IS NOT NULL;
ALTER TABLE jobs ADD COLUMN estimate REAL;
ALTER TABLE jobs ADD COLUMN reserved REAL;
ALTER TABLE jobs ADD COLUMN reserved_at REAL;
UPDATE jobs SET reserved = coalesce(credits_used, CASE WHEN state <> 'failed' THEN credits_estimated END),
    reserved_at = coalesce(submitted_at, posted_at) WHERE posted = 1;
ALTER TABLE jobs ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN batch INTEGER;
ALTER TABLE jobs ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_paid ON jobs (account, state, priority DESC, due) WHERE approved = 1 OR posted = 1;
CREATE INDEX drops_order ON drops (account, place, canonical, created_at);
CREATE INDEX jobs_price ON jobs (account, canonical, estimate);
CREATE INDEX jobs_held_by ON jobs (account, held_by) WHERE held_by <> '';
CREATE INDEX drops_held ON drops (account, held) WHERE held <> '';
CREATE INDEX jobs_held ON jobs (account, state) WHERE state = 'held';
CREATE INDEX jobs_reserved ON jobs (account, reserved_at) WHERE reserved IS NOT NULL;
CREATE INDEX jobs_batch ON jobs (batch) WHERE batch IS NOT NULL;
ALTER TABLE brakes ADD COLUMN level REAL;
ALTER TABLE brakes ADD COLUMN probing INTEGER NOT NULL DEFAULT 0;

CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, place TEXT NOT NULL, canonical TEXT NOT NULL,
    state TEXT NOT NULL, since REAL NOT NULL, begun REAL NOT NULL, latest REAL NOT NULL, ended_at REAL);
CREATE INDEX batches_order ON batches (account, place, canonical, state);

CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES accounts, at REAL NOT NULL, verb TEXT NOT NULL,
    target TEXT NOT NULL, argument TEXT NOT NULL, done_at REAL, ok INTEGER, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX commands_waiting ON commands (account, id) WHERE done_at IS NULL;

CREATE TABLE facts (
    account INTEGER NOT NULL REFERENCES accounts, name TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (account, name));

ALTER TABLE service RENAME TO service_of_one;
CREATE TABLE service (
    node TEXT PRIMARY KEY, pid INTEGER NOT NULL, boot TEXT NOT NULL, started_at REAL NOT NULL, config TEXT NOT NULL,
    ready INTEGER NOT NULL);
INSERT INTO service SELECT node, pid, boot, started_at, config, ready FROM service_of_one;
DROP TABLE service_of_one;
ALTER TABLE progress ADD COLUMN node TEXT NOT NULL DEFAULT '';
DROP TABLE troubles;
CREATE TABLE troubles (name TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL, node TEXT NOT NULL, PRIMARY KEY (name, node));
CREATE TABLE private_names (
    account INTEGER NOT NULL REFERENCES accounts, path BLOB NOT NULL, drop_id INTEGER NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (account, path));
"""

# A state that was lost or restored: when that was noticed, and our marks in the service's list of tasks. And tasks past their deadline.
_THIRD = """
CREATE TABLE losses (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, why TEXT NOT NULL);
CREATE TABLE listed_tasks (
    account INTEGER NOT NULL REFERENCES accounts, mark TEXT NOT NULL, task_id TEXT NOT NULL, task_type TEXT NOT NULL,
    source TEXT, language TEXT, status TEXT NOT NULL, progress INTEGER, created_at REAL, credits_used INTEGER,
    PRIMARY KEY (account, mark, task_id)) WITHOUT ROWID;
ALTER TABLE jobs ADD COLUMN overdue_since REAL;
CREATE INDEX jobs_task ON jobs (account, task_id) WHERE task_id IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD)


def migrate(db: Database) -> None:
    """Bring `db` to the newest shape. StateUnusable where it is newer than this program."""
    have = db.execute("PRAGMA user_version").fetchone()[0]
    if have > len(MIGRATIONS):
        path = db.execute("PRAGMA database_list").fetchone()[2]
        raise StateUnusable(
            f"the state {path} was written by a newer version of qavix-watch (its shape is {have}, this program knows {len(MIGRATIONS)})",
            hint="Start the newer version again, or name another file with `state.path`.",
        )
    for number, step in enumerate(MIGRATIONS[have:], start=have + 1):
        _apply(db, number, step)


def _apply(db: Database, number: int, step: str) -> None:
    """One step, unless another process took it while this one waited for its turn to write."""
    with transaction(db.conn):
        if db.execute("PRAGMA user_version").fetchone()[0] >= number:
            return
        for statement in filter(None, (part.strip() for part in step.split(";"))):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
