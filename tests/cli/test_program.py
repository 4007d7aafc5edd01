"""The program as a whole: help, exit statuses, and that nothing a person does wrong ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qavix_watch import __version__
from tests.support.service import PROGRAM, Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Program = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = [
    "demo", "init", "check", "run", "explain", "why", "submit", "status", "jobs", "show", "retry", "redo", "cancel", "approve", "pause",
    "resume", "scan", "balance", "usage", "pricing", "voices", "tasks", "backup", "sandbox",
]  # fmt: skip


def test_the_version_is_printed() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"qavix-watch {__version__}\n", "")


def test_exit_statuses_reach_the_shell(filled: Home) -> None:
    for code, words in ((0, ["jobs"]), (1, ["show", "99"]), (2, ["jobs", "--state", "lost"])):
        argv = [*PROGRAM, *words, "--config", str(filled.config)]
        assert subprocess.run(argv, capture_output=True, timeout=60, check=False, env=filled.environ()).returncode == code


def test_help_lists_the_commands_in_the_order_of_a_first_day(program: Program) -> None:
    done = program("--help")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ") and line[2:3].strip()]
    assert (done.returncode, listed[: len(COMMANDS)]) == (0, COMMANDS)


def test_help_says_whole_sentences(program: Program) -> None:
    listed = program("--help").stdout.partition("Commands:")[2]
    assert "…" not in listed
    assert "..." not in listed


@pytest.mark.parametrize(("command", "usage"), [("show", "{ID}"), ("retry", "[ID]..."), ("submit", "{FILE}..."), ("init", "[ROOT]")])
def test_help_speaks_of_things_and_not_of_types(program: Program, command: str, usage: str) -> None:
    shown = program(command, "--help").stdout
    assert shown.startswith(f"Usage: qavix-watch {command} [OPTIONS] {usage}\n")
    assert "<" not in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(program: Program, command: str) -> None:
    done = program(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: qavix-watch {command}")


def test_help_loads_no_heavy_library() -> None:
    """Start-up is what every Tab key and every script pays."""
    code = "import sys; from qavix_watch.cli.program import execute; sys.argv[1:] = ['--help']; execute(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & {"pydantic", "rich", "httpx", "sqlite_utils", "structlog", "starlette", "uvicorn", "av", "langcodes"}


@pytest.mark.parametrize("words", [[], ["expain"], ["jobs", "--nonsense"], ["jobs", "--limit", "0"], ["show"], ["jobs", "--state", "lost"]])
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(program: Program, words: list[str]) -> None:
    done = program(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout + done.stderr


@pytest.mark.parametrize("text", ["[api\n", "[api]\ntimeout = true\n", "[nonsense]\nx = 1\n", None])
def test_a_configuration_that_cannot_be_used_ends_with_2(program: Program, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "a [red]\nb.toml"
    if text is not None:
        file.write_text(text)
    done = program("status", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("qavix-watch: ")
    assert "Traceback" not in done.stderr


def test_a_damaged_state_is_one_message_and_exit_1(home: Home) -> None:
    home.state.write_bytes(b"this is no database" * 1000)
    for command in (["status"], ["jobs"], ["show", "1"], ["why", str(home.inbox)]):
        done = home.command(*command, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "cannot be read" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_state_that_is_only_just_being_made_is_none_yet(home: Home) -> None:
    home.state.touch()
    assert home.command("jobs", "--json").stdout == "[]\n"


def test_a_reader_that_goes_away_is_no_error_to_tell(filled: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for words in (["jobs", "--json"], ["status"], ["--help"]):
        argv = [*PROGRAM, *words, *(["--config", str(filled.config)] if words[0] != "--help" else [])]
        done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=filled.environ())
        assert (done.returncode, done.stderr) == (1, "")
    os.close(writing)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written_is_told(filled: Home) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        argv = [*PROGRAM, "jobs", "--json", "--config", str(filled.config)]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=filled.environ())
    assert (done.returncode, done.stderr) == (1, "qavix-watch: No space left on device\n")


def test_a_terminal_that_is_not_utf8_gets_its_answer_all_the_same(filled: Home) -> None:
    argv = [*PROGRAM, "jobs", "--config", str(filled.config)]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False, env=filled.environ() | {"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
