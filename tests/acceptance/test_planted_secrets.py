"""The API key, a signed address and a callback token planted wherever somebody could put them: people's names alone still hold them.

What a person calls a file is that file's name: the state has to know it and commands have to show it. Nothing else repeats it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import psutil
import pytest

from tests.support.kinds import Wares
from tests.support.pair import QUICK_SANDBOX, paired
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

KEY = "qx-live-PLANTED.Key+0042="
TOKEN = "t0k3n-" + "Qz7" * 13
SIGNATURE = "5ignature0PLANTED"
ELSEWHERE = f"https://elsewhere.example/{KEY}?X-Amz-Signature={SIGNATURE}"
SIGNED = f"https://cdn.example/r/1.mp4?X-Amz-Signature={SIGNATURE}"
ECHO = f"Bearer {KEY} may not read {SIGNED} for https://hooks.example/callback/7/{TOKEN}"
NAMES = (f"film {KEY}", f"bad {KEY}", f"{KEY} loose", f"dub en to es ({KEY})", f"{KEY} en to es")
"""What people called files and folders."""

@dataclass
class Planted:
    """An installation that has met all of it: its processes' arguments and environments while it ran, and its home."""

    home: Home
    arguments: list[str]
    environments: list[dict[str, str]]


@contextmanager
def lived(base: Path, style: str) -> Iterator[Planted]:
    """An installation that meets all of it, and has ended."""
    with paired(base / "home", replace(QUICK_SANDBOX, api_key=KEY), log={"level": "debug", "format": style}) as (home, sandbox):
        home.key = KEY
        break_things(sandbox)
        home.start()
        put_everywhere(home, Wares(base))
        wait_for(lambda: met_everything(home), 120, "everything to be met")
        service = psutil.Process(home.process.pid)  # type: ignore[union-attr]
        family = [service, *service.children(recursive=True)]
        found = Planted(home, [word for one in family for word in one.cmdline()], [one.environ() for one in family[1:]])
        assert home.stop() == 0  # then the status file is written once more
        yield found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with lived(tmp_path_factory.mktemp("planted"), "json") as found:
        yield found


def break_things(sandbox: Running) -> None:
    sandbox.faults(
        {"operation": "smart_erasure", "kind": "fail_task", "message": ECHO},
        {"operation": "video_translation", "kind": "status", "status": 500, "code": KEY, "times": 1},
        {"operation": "list_tasks", "kind": "redirect", "location": ELSEWHERE, "times": 1},
        {"operation": "get_task", "kind": "status", "status": 503, "code": f"{KEY} {SIGNED}", "times": 1},
        {"operation": "storage_put", "kind": "status", "status": 500, "code": KEY, "times": 1},
    )


def put_everywhere(home: Home, wares: Wares) -> None:
    home.drop("dub en to es", f"{NAMES[0]}.mp4", wares.video(1))
    home.drop("erase", f"{NAMES[1]}.mp4", wares.video(2))
    home.drop("", f"{NAMES[2]}.mp4", wares.video(3))
    home.drop(NAMES[3], "labelled.mp4", wares.video(4))
    home.drop(NAMES[4], "misnamed.mp4", wares.video(5))
    home.drop("tts es", "qavix.toml", f'voice = "{KEY}"\n'.encode())
    home.drop("tts es", "text.txt", b"A sentence.")
    home.drop("subs en to fr", "qavix.toml", f'"{KEY}" = 1\n'.encode())
    home.drop("subs en to fr", "film.mp4", wares.video(6))
    home.drop("subs en to de", "qavix.toml", f'api_key = "{KEY}\n'.encode())
    home.drop("subs en to de", "film.mp4", wares.video(7))


def notes(home: Home) -> list[Path]:
    """The texts that are written for people."""
    return [path for path in home.root.rglob("*.txt") if path.name.startswith("QAVIX-") or path.name.endswith(".why.txt")]


def met_everything(home: Home) -> bool:
    done = home.query("SELECT count(*) FROM jobs WHERE state = 'done'")
    failed = home.query("SELECT count(*) FROM drops WHERE state = 'failed'")
    asked = {path.parent.name for path in notes(home)}
    wanted = {"inbox", NAMES[4], "tts es", "subs en to fr", "subs en to de", "erase"}
    return bool(done and done[0][0] >= 2 and failed and failed[0][0] == 1 and wanted <= asked)


def spellings(secret: str) -> set[str]:
    """A secret as it may be written: as it is, in an address, in JSON."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def secrets_in(text: str) -> list[str]:
    return [spelling for secret in (KEY, SIGNATURE, TOKEN) for spelling in spellings(secret) if spelling in text]


def without_names(text: str) -> str:
    for name in NAMES:
        text = text.replace(name, "")
    return text


def log_is_clean(found: Planted) -> None:
    """Not even people's names may bring the key there: logs are sent to others."""
    log = found.home.log.read_text()
    assert "the task failed" in log
    assert "•••" in log
    assert not secrets_in(log)


def test_the_log_holds_none_of_them_not_even_in_names(planted: Planted) -> None:
    log_is_clean(planted)


def test_nor_does_a_log_for_people(tmp_path: Path) -> None:
    with lived(tmp_path, "console") as found:
        log_is_clean(found)


def test_what_is_written_for_people_holds_none_of_them(planted: Planted) -> None:
    texts = {path: path.read_text("utf-8-sig") for path in notes(planted.home)}
    assert {path.name for path in texts} >= {"QAVIX-READ-ME.txt", "QAVIX-STATUS.txt", f"{NAMES[1]}.mp4.why.txt"}
    assert [text for text in texts.values() if "there is no voice “•••”" in text]
    assert [text for text in texts.values() if "`•••` is no key" in text]
    assert [text for text in texts.values() if "the task failed: Bearer ••• may not read https://cdn.example/…" in text]
    assert not {str(path): found for path, text in texts.items() if (found := secrets_in(text))}


def cells(home: Home) -> Iterator[tuple[tuple[str, str], Any]]:
    """Every value of the state, with its table and column."""
    connection = sqlite3.connect(f"file:{home.state}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield from (((table, column), row[column]) for column in row.keys())  # noqa: SIM118 - a row is no mapping
    connection.close()


def test_the_state_holds_the_key_in_names_that_people_gave_and_nowhere_else(planted: Planted) -> None:
    texts = [(where, value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)) for where, value in cells(planted.home)]
    assert ("drops", "path") in {where for where, text in texts if secrets_in(text)}
    assert not {where: text for where, text in texts if secrets_in(without_names(text))}


def test_commands_show_the_key_in_names_that_people_gave_and_nowhere_else(planted: Planted) -> None:
    home = planted.home
    asked: list[tuple[str, ...]] = [(word, *more) for word in ("status", "jobs") for more in ((), ("--json",))]
    asked += [("show", row["id"], "--json") for row in home.jobs()]
    asked += [("show", f"drop-{number}") for (number,) in home.query("SELECT id FROM drops WHERE question != ''")]
    asked += [("why", str(home.inbox / "subs en to fr" / "film.mp4"), *more) for more in ((), ("--json",))]
    asked += [("why", str(home.root / "failed" / "erase" / f"{NAMES[1]}.mp4"), *more) for more in ((), ("--json",))]
    for words in asked:
        done = home.command(*words, check=False)
        assert done.stdout
        assert not secrets_in(without_names(done.stdout + done.stderr)), words


def test_no_process_has_it_among_its_arguments_and_no_child_in_its_environment(planted: Planted) -> None:
    """Every user of the machine can read arguments; what reads hostile files needs no key."""
    assert len(planted.arguments) > 6
    assert planted.environments
    assert not secrets_in(" ".join(planted.arguments))
    assert not [name for variables in planted.environments for name, value in variables.items() if secrets_in(value)]
