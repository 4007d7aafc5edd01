"""`sandbox`: it starts, says how to try it, serves, and ends with Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.service import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*PROGRAM, "sandbox", "--port", "0", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def test_it_says_how_to_try_it_and_answers_until_ctrl_c(tmp_path: Path) -> None:
    with started("--api-key", "it's a key", "--credits", "77", "--dir", str(tmp_path / "state"), "--config", "my file.toml") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(6)]
        exports = dict(shlex.split(line)[1].split("=", 1) for line in told if "export" in line)
        assert exports["QAVIX_API_KEY"] == "it's a key"
        assert "qavix-watch run --config 'my file.toml'" in told[4]
        origin = exports["QAVIX_WATCH_API__BASE_URL"].removesuffix("/qavix")
        with urllib.request.urlopen(f"{origin}/control/ledger", timeout=10) as answer:
            assert answer.status == 200
    assert process.returncode == 0


def test_json_is_for_programs() -> None:
    with started("--json") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while lines[-1] != "}\n":
            lines.append(process.stdout.readline())
        told = json.loads("".join(lines))
        assert told["environment"] == {"QAVIX_WATCH_API__BASE_URL": told["base_url"], "QAVIX_API_KEY": "sandbox-key"}


def test_a_port_that_is_taken_is_told(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = program("sandbox", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_a_folder_in_use_or_of_no_use_is_told(program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    with started("--dir", str(tmp_path / "state")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = program("sandbox", "--port", "0", "--dir", str(tmp_path / "state"))
    assert done.returncode == 1
    assert "another sandbox works in" in done.stderr
    (tmp_path / "file").write_text("x")
    assert program("sandbox", "--dir", str(tmp_path / "file")).returncode == 1


def test_numbers_out_of_range_are_wrong_usage(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    for words in (["--port", "70000"], ["--speed", "0"], ["--credits", "-1"]):
        assert program("sandbox", *words).returncode == 2
