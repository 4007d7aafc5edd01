"""Connections that are used by life after life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.store import file, verbs
from tests.simulation.memory import borrowed, give_back, have_called, have_watched

if TYPE_CHECKING:
    import sqlite3

    import pytest

HEARS = "CREATE TEMP TRIGGER watched_duties AFTER UPDATE ON main.duties BEGIN SELECT heard(NEW.name); END"


def begun(connection: sqlite3.Connection) -> verbs.Tx:
    return verbs.begin(connection, "https://api.qavix.example", "", "the state", lambda: 0.0)[1]


def lives(connection: sqlite3.Connection) -> list[int]:
    """A life that leaves a row, an open transaction, and what numbers the next row."""
    tx = begun(connection)
    tx.house.duty("follow", 1.0)
    tx.work.note(1.0, "job", 1, "", "ready", "noticed")
    connection.execute("BEGIN IMMEDIATE")
    tx.house.hurry("follow", 0.5)
    return [row[0] for row in connection.execute("SELECT id FROM duties UNION ALL SELECT id FROM events")]


def test_one_life_sees_nothing_of_the_one_before() -> None:
    first = borrowed()
    seen = lives(first)
    give_back(first)
    again = borrowed()
    assert again is first
    assert lives(again) == seen
    give_back(again)


def test_what_one_life_heard_of_is_not_told_to_it_any_more() -> None:
    heard: list[list[str]] = [[], []]
    for own in heard:
        connection = borrowed()
        have_called(connection, "heard", own.append)
        have_watched(connection, "watched_duties", HEARS)
        lives(connection)
        give_back(connection)
    assert heard == [["follow"], ["follow"]]
    connection = borrowed()
    lives(connection)  # what calls nobody does no harm
    give_back(connection)


def test_another_trigger_of_the_same_name_takes_its_place() -> None:
    heard: list[str] = []
    for text in (HEARS, HEARS.replace("NEW.name", "'another'")):
        connection = borrowed()
        have_called(connection, "heard", heard.append)
        have_watched(connection, "watched_duties", text)
        lives(connection)
        give_back(connection)
    assert heard == ["follow", "another"]


def test_a_connection_with_triggers_that_nobody_knows_of_is_not_used_again() -> None:
    connection = borrowed()
    connection.execute("CREATE TEMP TRIGGER stray AFTER INSERT ON main.duties BEGIN SELECT 1; END")
    give_back(connection)
    assert borrowed() is not connection


def test_where_production_configures_its_connections_otherwise_so_do_we(monkeypatch: pytest.MonkeyPatch) -> None:
    give_back(borrowed())
    configure = file.configure

    def fast(connection: sqlite3.Connection, path: str) -> None:
        configure(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")

    monkeypatch.setattr(file, "configure", fast)
    connection = borrowed()
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 1
    give_back(connection)
    monkeypatch.undo()
    connection = borrowed()
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    give_back(connection)
