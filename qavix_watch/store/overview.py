"""What people without a terminal read of the state: a look whose cost does not grow with everything that was ever done."""

from __future__ import annotations

from typing import Any

from qavix_watch.core.naming import display
from qavix_watch.store.views import View

Row = dict[str, Any]

MOST_ROWS = 100
"""Of each list; a text says how many there are besides."""
_PATH_OF_JOB = (
    "(SELECT drops.path FROM deliveries JOIN drops ON drops.id = deliveries.drop_id WHERE deliveries.job = jobs.id"
    " ORDER BY deliveries.id LIMIT 1) AS path"
)
_LIVE = "state IN ('waiting', 'settled', 'fingerprinted', 'delivering', 'archiving')"
_ON_THE_WAY = "state IN ('uploading', 'processing')"
"""Word for word what stands with the indexes `drops_live` and `jobs_open`: these hold little, however much was done before."""
_UNDER_WAY = "state IN ('ready', 'uploading', 'submitting', 'processing', 'fetching') AND due IS NOT NULL"


class Overview(View):
    """The state of one account in a few lists of rows; paths are for people, relative to the inbox unless they are absolute."""

    @property
    def changes(self) -> int:
        """Grows with every row that this process changes: while it stays, `lists` gives what it gave."""
        return self.connection.total_changes

    def lists(self) -> Row:
        """Brakes, troubles, folders, work in hand, what waits and for what, what is held, what failed, and how much of each there is."""
        return {
            "brakes": self._all("SELECT name, scope, since, why, hint FROM brakes WHERE account = ? AND state = 'on' ORDER BY name, scope"),
            "troubles": self._all("SELECT name, text FROM troubles ORDER BY name", own=False),
            "folders": self._folders(),
            "acts": self._acts(),
            "tasks": self._tasks(),
            "batches": [row["said"] for row in self.batches()],
            "held": self._held(),
            "waiting": self._waiting_for(),
            "failed": self._failed(),
            "counts": self._counts(),
        }

    def _acts(self) -> list[Row]:
        """What this host has in hand just now."""
        rows = self._all("SELECT * FROM progress ORDER BY item, item_id LIMIT ?", MOST_ROWS, own=False)
        return [{**row, "name": self._name_of(row["item"], row["item_id"])} for row in rows]

    def _tasks(self) -> list[Row]:
        """What the service works on, the oldest first."""
        return self._named(
            f"SELECT id, language, progress, {_PATH_OF_JOB} FROM jobs WHERE account = ? AND {_ON_THE_WAY} AND state = 'processing'"
            " ORDER BY jobs.id LIMIT ?", MOST_ROWS,
        )

    def _held(self) -> list[Row]:
        """What a person must say yes to, those of a mass left out: `id` is what `approve` takes."""
        batches = {row["number"] for row in self.batches()}
        drops = self._named(
            "SELECT 'drop-' || id AS id, path, held AS why, canonical, NULL AS batch, NULL AS language FROM drops"
            f" WHERE account = ? AND {_LIVE} AND held <> '' AND state IN ('waiting', 'settled', 'fingerprinted')"
            " ORDER BY drops.id LIMIT ?", MOST_ROWS,
        )
        jobs = self._named(
            f"SELECT CAST(id AS TEXT) AS id, reason AS why, canonical, batch, language, {_PATH_OF_JOB} FROM jobs"
            " WHERE account = ? AND state = 'held' ORDER BY jobs.id LIMIT ?", MOST_ROWS,
        )
        return [row for row in (*drops, *jobs) if row["batch"] is None or row["batch"] not in batches]

    def _waiting_for(self) -> list[Row]:
        """Files and jobs that something is in the way of; `asks`: a person has to mend their order."""
        drops = self._named(
            f"SELECT path, reason AS why, question <> '' AND state = 'fingerprinted' AS asks FROM drops WHERE account = ? AND {_LIVE}"
            " AND state IN ('waiting', 'fingerprinted') AND reason <> '' AND held = ''"
            " AND (state = 'waiting' OR tries > 0 OR question <> '') ORDER BY id LIMIT ?", MOST_ROWS,
        )
        jobs = self._named(
            f"SELECT reason AS why, 0 AS asks, {_PATH_OF_JOB} FROM jobs WHERE account = ? AND {_UNDER_WAY} AND tries > 0"
            " ORDER BY jobs.id LIMIT ?", MOST_ROWS,
        )
        overdue = self._named(
            f"SELECT reason AS why, 0 AS asks, {_PATH_OF_JOB} FROM jobs WHERE account = ? AND {_ON_THE_WAY} AND state = 'processing'"
            " AND overdue_since IS NOT NULL AND tries = 0 ORDER BY jobs.id LIMIT ?", MOST_ROWS,
        )
        return [*drops, *jobs, *overdue]

    def _failed(self) -> list[Row]:
        """The originals that could not be done, the newest first; `target` is where they were put, absolute."""
        return self._named(
            "SELECT path, target, canonical, reason AS why FROM drops WHERE account = ? AND state = 'failed' AND detached = 0"
            " ORDER BY ended_at DESC, id DESC LIMIT ?", MOST_ROWS,
        )

    def _counts(self) -> Row:
        """How many files wait, are in work, and were done."""
        asked = {
            "waiting": f"SELECT count(*) FROM drops WHERE account = ? AND {_LIVE} AND state IN ('waiting', 'settled', 'fingerprinted')",
            "working": f"SELECT count(*) FROM drops WHERE account = ? AND {_LIVE} AND state IN ('delivering', 'archiving')",
        }
        return {name: int(self.connection.execute(sql, (self.account,)).fetchone()[0]) for name, sql in asked.items()}

    def _named(self, sql: str, *values: object) -> list[Row]:
        return [{**row, "name": "" if row["path"] is None else display(row["path"])} for row in self._all(sql, *values)]
