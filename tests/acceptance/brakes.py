"""What the tests of brakes look at: the row while it is on, its history, its line in the log, its sentence in `status`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.pair import states
from tests.support.service import wait_for

if TYPE_CHECKING:
    from tests.support.service import Home


def brake(home: Home, name: str, scope: str | None = None) -> tuple[str, str] | None:
    """What a brake says, and what to do, while it is on."""
    found = home.query(
        "SELECT why, hint FROM brakes WHERE name = ? AND scope = coalesce(?, scope) AND state = 'on'", name, scope
    )
    return found[0] if found else None


def wait_for_brake(home: Home, name: str, scope: str | None = None, seconds: float = 30) -> tuple[str, str]:
    found: tuple[str, str] = wait_for(lambda: brake(home, name, scope), seconds, f"the brake {name} {scope or ''}")
    return found


def lines(home: Home, event: str) -> list[dict[str, Any]]:
    """The lines of the log that tell of this event."""
    rows = [json.loads(line) for line in home.log.read_text().splitlines() if line.startswith("{")]
    return [row for row in rows if row["event"] == event]


def told(home: Home, name: str, event: str = "brake on", scope: str | None = None) -> int:
    """How often the log says that a brake went on (or "brake off")."""
    return sum(row["brake"] == name and scope in {None, row["scope"]} for row in lines(home, event))


def history(home: Home, name: str) -> list[tuple[str, str]]:
    """Its rows of history."""
    return home.query("SELECT old, new FROM events WHERE item = ? ORDER BY id", f"brake {name}")


def shown(home: Home, name: str, scope: str = "") -> tuple[str, dict[str, Any]]:
    """`status` as people read it, without its line breaks, and the brake's part of `status --json`."""
    text = re.sub(r"\s+", " ", home.command("status").stdout)
    found = json.loads(home.command("status", "--json").stdout)["brakes"]
    return text, next(row for row in found if (row["name"], row["scope"]) == (name, scope))


def all_archived(home: Home, drops: int, seconds: float = 60) -> None:
    home.rest(drops, seconds)
    assert states(home, "drops") == {"archived": drops}
