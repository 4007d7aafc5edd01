"""The README says what is so: its commands run as typed, its names, keys, paths and links are those of this version.

Conventions. A ```console block is a terminal: `$ ` lines are typed, what follows one is what it shows, where `…` stands for anything
(alone on a line, for any number of lines) and /home/you for the home. Spaces and rules count once, however long. A block after
`<!-- goes on until Ctrl-C -->` stays open. All blocks together are one story on one machine, with a sandbox for the service.
A ```sh block needs the network and is only looked at, or a systemd, on which tests/acceptance/test_systemd.py types it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from qavix_watch import __version__
from qavix_watch.api.endpoints import TABLE
from qavix_watch.config import Settings, load
from qavix_watch.config.settings import NOT_YET
from qavix_watch.core.grammar import parse, read_order
from qavix_watch.core.ignore import Extensions, media_kind
from qavix_watch.core.naming import result_name
from qavix_watch.core.options import parse_options
from qavix_watch.core.tasks import JOB_WORDS, KEYS, TaskType
from qavix_watch.core.words import Words
from qavix_watch.demo import media
from qavix_watch.sandbox import SandboxOptions, running
from tests.support.readme import TYPED

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parent.parent
TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
HOME = {"HOME": "/home/you"}
OPEN = "goes on until Ctrl-C"
READING = {"ls", "status", "jobs", "show", "why", "explain"}
PATIENCE_SECONDS = 40.0

QUICK = {
    "QAVIX_WATCH_WATCH__SETTLE": "0.2",
    "QAVIX_WATCH_WATCH__SETTLE_FOLDER": "0.3",
    "QAVIX_WATCH_WATCH__RESCAN": "1",
    "QAVIX_WATCH_FOLLOW__POLL_MIN": "0.2",
    "QAVIX_WATCH_DELIVER__MIN_FREE": "1 MB",
}


class Block(NamedTuple):
    """A fenced block, with the comment on the line above it."""

    mark: str
    language: str
    body: str


def blocks(language: str) -> list[Block]:
    found = re.finditer(r"^(?:<!-- (.*?) -->\n)?```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [block for match in found if (block := Block(match[1] or "", match[2], match[3])).language == language]


def without_blocks(text: str = TEXT) -> str:
    fenced = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    \S.*$", "", fenced, flags=re.MULTILINE)


def section(title: str) -> str:
    """What stands below a heading, up to the next of the same rank or a higher one."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading “{title}”"
    return found[2]


def spans(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def table(first: str) -> list[list[str]]:
    """The cells of the table whose first column bears this heading, without the heading."""
    found = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert found, f"there is no table of “{first}”"
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found[1].splitlines()]


@dataclass(frozen=True)
class Step:
    """A line that is typed, and what it shows."""

    command: str
    shows: list[str]

    @property
    def is_asked_again(self) -> bool:
        """Whether it only reads, so that it can be repeated until what is awaited is there."""
        return bool(READING & set(shlex.split(self.command)[:2]))


def steps(block: Block) -> list[Step]:
    found: list[Step] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        else:
            found[-1].shows.append(line)
    return found


def plain(line: str) -> str:
    return re.sub(r"─+", "─", re.sub(r"\s+", " ", line)).strip()


def pattern(shows: list[str]) -> str:
    """A regular expression for an output."""
    return "".join(r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in map(plain, shows))


class Machine:
    """A fresh machine with the program installed, and one person at it."""

    def __init__(self, home: Path, base_url: str) -> None:
        self.home = home
        self.here = home / "films"
        self.here.mkdir(parents=True)
        shutil.copyfile(os.fsdecode(media()["hello.mp4"]), self.here / "hello.mp4")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("QAVIX", "XDG_", "COLUMNS"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environ = ours | QUICK | {"HOME": str(home), "PATH": path, "QAVIX_WATCH_API__BASE_URL": base_url}

    def types(self, step: Step, before: list[str]) -> None:
        """Type a line, in a terminal in which `before` was typed already; AssertionError where it shows something else."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            done = subprocess.run(
                ["bash", "-c", "\n".join([*before, step.command])], cwd=self.here, env=self.environ, check=False, timeout=60,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            shown = "".join(plain(line.replace(str(self.home), "/home/you")) + "\n" for line in done.stdout.splitlines())
            fits = re.fullmatch(pattern(step.shows), shown) if step.shows else done.returncode == 0
            if fits or not step.is_asked_again or time.monotonic() > until:
                break
            time.sleep(0.2)
        assert fits, f"$ {step.command}\n{shown}\ninstead of\n" + "\n".join(step.shows)
        assert done.returncode in {0, 1}, f"$ {step.command} ended with {done.returncode}"

    @contextmanager
    def keeps_open(self, lines: list[str]) -> Iterator[None]:
        """A terminal whose last line goes on; Ctrl-C ends it at last, and it ends well."""
        script = "\n".join([*lines[:-1], f"exec {lines[-1]}"])
        with open(self.home / "terminal.log", "ab") as log:
            process = subprocess.Popen(["bash", "-c", script], cwd=self.here, env=self.environ, stdout=log, stderr=log)
        try:
            yield
            assert process.poll() is None, f"$ {lines[-1]} ended by itself"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()


def test_every_terminal_of_the_readme_shows_what_it_says(tmp_path):
    with ExitStack() as stack:
        sandbox = stack.enter_context(running(SandboxOptions(speed=20.0, api_key="your-key")))
        machine = Machine(tmp_path / "home", sandbox.base_url)
        for block in blocks("console"):
            lines = [step.command for step in steps(block)]
            if block.mark == OPEN:
                stack.enter_context(machine.keeps_open(lines))
                continue
            for number, step in enumerate(steps(block)):
                machine.types(step, [line for line in lines[:number] if line.startswith("export ")])


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.body.split()[0])
def test_what_is_only_looked_at_is_shell(block):
    assert subprocess.run(["bash", "-n"], input=block.body, text=True, check=False).returncode == 0
    for line in block.body.splitlines():
        known = re.match(r"make |(sudo )?python3 -m venv |(sudo )?[~/]\S+/bin/pip install \.$|export PATH=", line)
        assert known or block.body.startswith(tuple(TYPED.values())), f"nobody has tried {line}"


def test_what_is_said_to_be_typed_on_a_systemd_is():
    test = (PROJECT / "tests/acceptance/test_systemd.py").read_text(encoding="utf-8")
    assert [name for name in TYPED if f'block("{name}")' not in test] == []


def test_every_block_is_of_a_kind_that_is_tested():
    languages = re.findall(r"^```(\w*)\n(?:.*\n)*?```$", TEXT, re.MULTILINE)
    assert set(languages) == {"console", "sh", "toml"}


@pytest.mark.parametrize("row", table("Name of the folder"), ids=lambda row: row[0].strip("`"))
def test_a_folder_name_means_what_the_table_says(row):
    name, meaning, drops, finds = row
    order = parse(name.strip("`"))
    assert order.describe() == meaning
    kinds = [media_kind(file.encode(), Extensions()) for file in spans(drops)]
    assert kinds == [kind for kind in (order.spec.main, order.spec.partner) if kind]
    assert set(spans(finds)) <= set(results(order.task, order.targets))
    assert all(any(f".{target}." in file for file in spans(finds)) for target in order.targets if order.task is not TaskType.TEXT_TO_SPEECH)


def results(task: TaskType, targets: tuple[str, ...]) -> Iterator[str]:
    """What the results of clip.* can be called."""
    for target in targets or (None,):
        for kind, extension in (("video", "mp4"), ("subtitle", "srt"), ("audio", "mp3"), ("voice", "json")):
            yield result_name(b"clip", kind, task, target, extension).decode()


def test_the_table_of_names_has_every_kind_of_work():
    assert {parse(row[0].strip("`")).task for row in table("Name of the folder")} == set(TaskType)


def test_every_key_of_a_name_is_explained():
    text = section("For everybody")
    assert [key for key in KEYS if f"`{key}=" not in text and f"`{key}`" not in text and f" {key}=" not in text] == []


def test_every_order_in_the_text_is_one():
    begins = re.compile(rf"(?:{'|'.join(JOB_WORDS)})[ _-]\S")
    orders = [span for span in spans(TEXT) if begins.match(span) and span not in TABLE]
    assert {"dub en to es", "dub_en_to_es", "dub-en-to-es"} <= set(orders)
    for name in orders:
        parse(name)


@pytest.mark.parametrize("block", [b for b in blocks("toml") if not b.body.startswith("# qavix.toml")], ids=lambda b: b.body.split()[0])
def test_a_configuration_of_the_readme_can_be_used(block, tmp_path):
    file = tmp_path / "qavix-watch.toml"
    file.write_text(block.body, encoding="utf-8")
    settings = load(str(file), HOME)
    assert not settings.without_effect
    for name in re.findall(r"#.*“(.*?)”", block.body):
        assert parse(name, Words(settings.words))


@pytest.mark.parametrize("block", [b for b in blocks("toml") if b.body.startswith("# qavix.toml")])
def test_an_options_file_of_the_readme_goes_with_its_folder(block):
    folder = re.search(r"“(.*?)”", block.body)
    assert folder
    assert read_order(folder[1], [parse_options(block.body.encode(), "qavix.toml")])


def value_of(settings: Settings, key: str) -> object:
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def written(tmp_path: Path, key: str, value: str) -> Settings:
    file = tmp_path / "qavix-watch.toml"
    file.write_text(f"{key} = {value}\n", encoding="utf-8")
    return load(str(file), HOME)


@pytest.mark.parametrize("row", table("Key"), ids=lambda row: row[0].strip("`"))
def test_a_key_has_the_default_that_the_table_says(row, tmp_path):
    key, default, about = row
    key = key.strip("`")
    found = value_of(load(None, HOME), key)
    if default == "not set":
        assert found is None
    elif not default.startswith("see "):
        assert value_of(written(tmp_path, key, default.strip("`")), key) == found
    for example in re.findall(r"such as `([^`]+)`", about):
        assert value_of(written(tmp_path, key, example), key) != found
    assert not {key, key.split(".")[0]} & NOT_YET


def test_every_key_and_section_in_the_text_exists():
    sections = set(Settings.model_fields)
    for span in spans(TEXT):
        key = re.fullmatch(r"\[*([a-z_]+)(?:\.([a-z_]+))?\]*", span)
        if key and span.startswith("["):
            assert key[1] in sections, span
        if key and key[2] and key[1] in sections and key[2] not in {"toml", "py"}:
            model = Settings.model_fields[key[1]].annotation
            assert key[2] in getattr(model, "model_fields", {}), span


def test_a_key_can_come_from_the_environment_as_shown():
    shown = [span for span in spans(TEXT) if span.startswith("QAVIX_WATCH_") and "=" in span]
    assert shown
    for name, _, value in (span.partition("=") for span in shown):
        section_name, key = name.removeprefix("QAVIX_WATCH_").lower().split("__")
        assert value_of(load(None, HOME | {name: value}), f"{section_name}.{key}") == float(value)


def test_things_are_where_the_readme_says():
    settings = load(None, HOME)
    folders = settings.folders
    theirs = [folders.inbox, folders.outbox, folders.archive, folders.failed, "/home/you/.config/qavix-watch/qavix-watch.toml"]
    ours = [span.replace("~", "/home/you") for row in table("What") for span in spans(row[1]) if span.startswith("~")]
    assert ours == [*theirs, settings.state.path]


def test_the_keys_without_effect_are_those_that_the_readme_names():
    named = {span.strip("[]") for span in spans(section("What this version does not do yet")) if span.startswith("[") or "." in span}
    assert named - {"QAVIX-STATUS.txt"} == NOT_YET


def test_the_paths_of_the_api_are_those_of_the_client_and_of_the_contract():
    shown = {row[0].strip("`"): row[1].strip("`") for row in table("Operation")}
    contract = yaml.safe_load((PROJECT / "tests/contract/qavix-openapi.yaml").read_text(encoding="utf-8"))
    described = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    }
    assert shown == {row.operation: f"{row.method} {row.path}" for row in TABLE.values()}
    assert shown == described


def program(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "qavix_watch", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.fixture(scope="module")
def commands() -> set[str]:
    return set(re.findall(r"^  ([a-z]+)  ", program("--help").partition("Commands:")[2], re.MULTILINE))


def test_every_command_is_in_the_readme_and_no_other(commands):
    named = {span.split()[1] for span in spans(TEXT) if span.startswith("qavix-watch ")}
    typed = {step.command.split()[1] for block in blocks("console") for step in steps(block) if step.command.startswith("qavix-watch ")}
    assert named | typed == commands


def test_no_command_is_said_to_be_missing_that_is_there(commands):
    assert not commands & set(spans(section("What this version does not do yet")))


def test_the_options_in_the_table_of_commands_exist():
    for command, about in table("Command"):
        options = {span.split()[0] for span in spans(about) if span.startswith("--")}
        if options:
            text = program(command.strip("`").split()[1], "--help")
            assert [option for option in options if option not in text] == []


def test_every_verb_of_make_exists_and_needs_only_what_the_project_has():
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    verbs = set(re.findall(r"^make (\w+)|`make (\w+)`", TEXT, re.MULTILINE))
    names = sorted({name for pair in verbs for name in pair if name} | {"demo", "test", "check"})
    dry = subprocess.run(["make", "-n", *names], cwd=PROJECT, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = {re.split(r"[^\w-]", tool)[0] for tool in project["dependency-groups"]["dev"]}
    assert set(re.findall(r"\.venv/bin/([\w-]+)", dry)) <= tools | set(project["project"]["scripts"]) | {"python"}
    assert [path for path in re.findall(r"\btests/\S+", dry) if not (PROJECT / path).exists()] == []


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_link_leads_somewhere():
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.*)$", without_blocks(), re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif not link.startswith("https://"):
            assert (PROJECT / link).exists(), link


def test_the_picture_is_whole_and_says_what_it_shows():
    picture = re.search(r"!\[(.+?)\]\((docs/\S+\.svg)\)", TEXT)
    assert picture
    root = ET.parse(PROJECT / picture[2]).getroot()
    assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]


def test_no_figure_stands_without_the_command_that_shows_it():
    figure = re.compile(r"\d[\d.,]*\s?(?:[mµn]s\b|[kMG]i?B/s|\w+/s\b|%|per cent|× |times (?:as|faster))")
    for paragraph in without_blocks().split("\n\n"):
        if figure.search(re.sub(r"`[^`]*`", "", paragraph)):
            assert re.search(r"`(?:make|qavix-watch|python3?) ", paragraph), paragraph


def test_the_changelog_knows_this_version():
    heads = re.findall(r"^## \[(.+?)\] - (.+)$", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0][0] == __version__
