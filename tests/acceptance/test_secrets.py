"""The API key goes to one host and is found nowhere; signatures and tokens are not in the log."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from tests.support.kinds import ORDERS, Wares, drop_each, drop_one
from tests.support.pair import QUICK_SANDBOX, paired
from tests.support.service import wait_for
from tests.support.trees import files_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

    Pair = tuple[Home, Running]

KEY = "qx-live-Zp3vDistinctive/Key+0042="
WRONG = "qx-live-AnotherDistinctive/Key+0043="
CALLS = ("video_translation", "get_upload_url", "list_tasks", "get_task", "list_voices", "result_get", "storage_put")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home", replace(QUICK_SANDBOX, api_key=KEY)) as (home, sandbox):
        home.key = KEY
        yield home, sandbox


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """An installation that has done work of all seven kinds, and met errors on the way."""
    base = tmp_path_factory.mktemp("worked")
    with paired(base / "home", replace(QUICK_SANDBOX, api_key=KEY)) as (home, sandbox):
        home.key = KEY
        work(home, sandbox, Wares(base))
        yield home, sandbox


def work(home: Home, sandbox: Running, wares: Wares) -> None:
    rules = [{"operation": name, "kind": kind, "times": 1} for name in CALLS for kind in ("status", "garbage")]
    sandbox.faults(*rules)
    home.start()
    drop_each(home, wares)
    home.rest(len(ORDERS), 90)


def everything_written(home: Home) -> Iterator[tuple[Path, bytes]]:
    """Every file below the installation: state, log, results, notes, originals."""
    return ((path, path.read_bytes()) for path in files_below(home.base))


def spellings(secret: str) -> list[bytes]:
    """A secret as it may be written: as it is, in a URL, in JSON."""
    return sorted({secret.encode(), quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()})


def said_by_commands(home: Home) -> str:
    """What the commands that print data say."""
    asked: list[tuple[str, ...]] = [("jobs",), ("jobs", "--json"), ("status",), ("status", "--json"), ("explain", "dub en to es")]
    asked += [("show", row["id"], "--json") for row in home.jobs()]
    asked += [("show", row["id"]) for row in home.jobs()]
    answers = [home.command(*words, check=False) for words in asked]
    return "".join(answer.stdout + answer.stderr for answer in answers)


def test_the_key_is_found_nowhere(worked: Pair) -> None:
    """Not in the log at its most talkative, not in the state, not in a result or a note, not in what commands print."""
    home, _ = worked
    for path, data in everything_written(home):
        assert not [spelling for spelling in spellings(KEY) if spelling in data], path
    printed = said_by_commands(home).encode()
    assert b"dub en to es" in printed
    assert not [spelling for spelling in spellings(KEY) if spelling in printed]


def test_storage_and_result_hosts_never_see_the_key(worked: Pair) -> None:
    _, sandbox = worked
    seen = sandbox.control("requests")
    assert seen["counts"]["storage_put"]
    assert seen["counts"]["result_get"]
    assert seen["secrets"] == {"authorization_headers": 0, "api_key_seen": 0}


def test_signatures_and_callback_tokens_are_not_in_the_log(worked: Pair) -> None:
    """They open what they are made for to everybody who reads them."""
    home, _ = worked
    urls = " ".join(str(row) for row in home.query("SELECT url FROM contents UNION ALL SELECT output_json FROM jobs"))
    signatures = set(re.findall(r"signature=([0-9a-f]{16,})", urls))
    tokens = {token for (token,) in home.query("SELECT token FROM jobs")}
    assert signatures
    assert tokens
    log = home.log.read_text()
    assert "api call" in log
    assert not [secret for secret in signatures | tokens if secret in log]
    assert "signature=" not in log


def test_the_state_and_its_folder_are_for_their_owner_alone(worked: Pair) -> None:
    """The state holds signed URLs and callback tokens."""
    home, _ = worked
    assert home.state.parent.stat().st_mode & 0o077 == 0


def test_a_wrong_key_is_not_in_the_log_either(pair: Pair, tmp_path: Path) -> None:
    """It may be the right one of another account."""
    home, _ = pair
    home.key = WRONG
    home.start()
    drop_one(home, Wares(tmp_path), "dub en to es", 1)
    wait_for(lambda: home.query("SELECT 1 FROM brakes WHERE name = 'auth' AND state = 'on'"), 30, "the brake")
    for path, data in everything_written(home):
        assert not [spelling for spelling in spellings(WRONG) if spelling in data], path
