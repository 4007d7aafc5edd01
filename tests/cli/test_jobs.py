"""`jobs` and `show`: lists, filters, one job with its history; as tables and as JSON."""

from __future__ import annotations

import base64
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from qavix_watch.cli.jobs import _table
from tests.cli.conftest import HOSTILE

if TYPE_CHECKING:
    from tests.support.service import Home

KEYS = {"id", "state", "type", "order", "key", "task_id", "progress", "credits_estimated", "credits_used", "error", "drops", "results"}


def listed(home: Home, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(home.command("jobs", "--json", *words).stdout)
    return found


def test_before_there_is_a_state_the_list_is_empty_and_says_why(home: Home) -> None:
    done = home.command("jobs")
    assert done.stdout == ""
    assert "There is no state yet" in done.stderr
    assert listed(home) == []


def test_json_has_what_scripts_rely_on(filled: Home) -> None:
    rows = listed(filled)
    assert all(row.keys() >= KEYS for row in rows)
    done = next(row for row in rows if row["id"] == "1")
    assert (done["state"], done["type"], done["order"]) == ("done", "video_translation", "dub en to es,fr")
    assert (done["key"], done["task_id"], done["credits_used"]) == ("key-es", "t-1", 61)
    assert done["drops"][0].keys() >= {"path", "path_b64", "state"}
    assert [(result["path"].rpartition("/")[2], result["kind"], result["bytes"]) for result in done["results"]] == [
        ("clip.es.mp4", "video", 1234)
    ]


def test_any_name_comes_back_byte_for_byte(filled: Home) -> None:
    path = next(row for row in listed(filled) if row["order"] == "erase" and row["state"] == "waiting")["drops"][0]
    assert base64.b64decode(path["path_b64"]).endswith(b"/erase/" + HOSTILE)
    assert "\n" not in path["path"]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--state", "done,failed"], {"1", "drop-3", "drop-4"}),
        (["--state", "processing", "--state", "waiting"], {"2", "drop-2"}),
        (["--order", "DUB"], {"1", "2"}),
        (["--order", "dub", "--limit", "1"], {"2"}),
        (["--state", "held"], set()),
    ],
)
def test_filters_choose(filled: Home, words: list[str], ids: set[str]) -> None:
    assert {row["id"] for row in listed(filled, *words)} == ids


def test_the_table_has_a_line_a_job_whatever_names_hold(filled: Home) -> None:
    printed = filled.command("jobs").stdout
    assert "\x1b" not in printed
    assert "\a" not in printed
    assert len(printed.splitlines()) == 2 + 5
    assert "[red]a␊␛[31mb\ufffd\\u202e.mp4" in printed
    assert "dub en to es,fr → fr" in printed
    assert "40 %" in printed
    assert not any(line.endswith(" ") for line in printed.splitlines())


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_long_reason_leaves_the_ids_to_be_read(width: int) -> None:
    """An id is what is typed next."""
    film = {"path": "subs/a rather long name of a film.mp4"}
    said = {"order": "subs en to fr hold=yes", "target": "fr", "error": "waits for approval " * 20}
    row = {"id": "drop-123", "state": "held", "drops": [film], "results": [], "credits_used": 1234, "credits_estimated": None, **said}
    drawn = StringIO()
    Console(width=width, file=drawn).print(_table([row]))
    last = drawn.getvalue().splitlines()[-1]
    assert last.startswith("drop-123   held ")
    assert last.rstrip().endswith("1,234")


def test_a_filter_that_fits_nothing_is_told(filled: Home) -> None:
    done = filled.command("jobs", "--state", "held")
    assert (done.stdout, done.stderr) == ("", "No job is like that.\n")


def test_one_job_is_shown_with_its_history(filled: Home) -> None:
    printed = filled.command("show", "1").stdout
    for part in ("done", "dub en to es,fr → es", "key-es", "61 credits", "clip.es.mp4  (video, 1.2 kB)", "new → done", "pending → done"):
        assert part in printed
    row = json.loads(filled.command("show", "1", "--json").stdout)
    assert row["id"] == "1"
    assert {event["item"] for event in row["history"]} == {"drop", "job", "delivery"}


def test_a_drop_without_jobs_is_shown_too(filled: Home) -> None:
    printed = filled.command("show", "drop-2").stdout
    assert "it has ␛]0;pwned␇ a [bold]hole[/bold]" in printed


@pytest.mark.parametrize("number", ["99", "drop-99", "clip", "", "drop-" + "9" * 30, "\x1b[31m"])
def test_a_job_that_is_not_there_is_exit_1(filled: Home, number: str) -> None:
    done = filled.command("show", number, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no job" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_drop_that_has_become_jobs_says_which(filled: Home) -> None:
    done = filled.command("show", "drop-1", check=False)
    assert done.returncode == 1
    assert "drop-1 has become job 2 and job 1" in done.stderr
