"""`explain`: what a folder's name means, with and without configuration, key and service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from qavix_watch.cli.explain import facts_of
from qavix_watch.cli.prices import Prices, pick
from qavix_watch.core.grammar import parse
from qavix_watch.core.service import Price
from tests.cli.conftest import Quick
from tests.support.service import KEY

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Program = Callable[..., subprocess.CompletedProcess[str]]


def test_a_name_is_explained_without_configuration_and_without_a_key(program: Program) -> None:
    done = program("explain", "DUB  english to Spanish,pt_BR (for mum)")
    assert done.returncode == 0, done.stderr
    for part in (
        "dub en to es,pt-BR (for mum)", "Dub from English into Spanish and Portuguese (Brazil)", "a video, for example clip.mp4",
        "English (en) → Spanish (es), Portuguese (Brazil) (pt-BR)", "for mum", "not known (no API key)",
    ):  # fmt: skip
        assert part in done.stdout


def test_a_name_that_is_no_order_says_why_and_what_is_near(program: Program) -> None:
    done = program("explain", "dubb en to es")
    assert (done.returncode, done.stdout) == (1, "")
    assert "begins with no job" in done.stderr
    assert "Did you mean: dub en to es" in done.stderr


def test_json_says_the_same(program: Program) -> None:
    told = json.loads(program("explain", "--json", "subs en to es embed=yes").stdout)
    assert (told["understood"], told["canonical"], told["type"]) == (True, "subs en to es embed=yes", "subtitle_translation")
    assert told["takes"] == {"main": "video", "partner": None}
    assert told["options"] == {"embed": True, "priority": "normal", "hold": False}
    refused = program("explain", "--json", "translate")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["understood"] is False


@pytest.mark.parametrize("name", ["", "\x1b[31m", "[red]dub", "a\nb", b"dub en to \xff", "x" * 2000])
def test_no_name_steers_the_terminal(program: Program, name: str | bytes) -> None:
    done = program("explain", name)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_is_read_with_its_qavix_toml(home: Quick) -> None:
    folder = home.inbox / "tts es"
    (folder / "sub").mkdir(parents=True)
    (folder / "qavix.toml").write_text('voice = "Maria"')
    (folder / "sub" / "qavix.toml").write_text('voice = "José"\npriority = "high"')
    assert "with the voice Maria" in home.command("explain", str(folder)).stdout
    below = json.loads(home.command("explain", "--json", f"{folder}/sub").stdout)
    assert (below["options"]["voice"], below["options"]["priority"]) == ("José", "high")


def test_a_broken_qavix_toml_is_named_with_its_line(home: Quick) -> None:
    folder = home.inbox / "erase"
    folder.mkdir()
    (folder / "qavix.toml").write_text('hold = "perhaps"')
    done = home.command("explain", str(folder), check=False)
    assert done.returncode == 1
    assert "qavix.toml, line 1" in done.stderr


def test_a_folder_outside_the_inbox_is_read_by_its_name(home: Quick, tmp_path: Path) -> None:
    (tmp_path / "lip sync").mkdir()
    done = home.command("explain", str(tmp_path / "lip sync"))
    assert "Move the lips" in done.stdout
    assert "audio.mp3 for the whole folder" in done.stdout


def test_a_folder_that_is_not_there_is_told(home: Quick) -> None:
    done = home.command("explain", "nowhere/dub en to es", check=False)
    assert done.returncode == 1
    assert "there is no folder nowhere/dub en to es" in done.stderr


def test_words_of_the_configuration_count(home: Quick) -> None:
    home.config.write_text(home.config.read_text() + '[words]\ndub = ["doblar"]\nto = ["a"]\n')
    assert "Dub from English into Spanish" in home.command("explain", "doblar en a es").stdout


def test_with_a_key_the_price_of_each_target_is_told(tmp_path: Path, service: Running) -> None:
    home = Quick(tmp_path / "home", service.base_url)
    printed = home.command("explain", "dub en to es,fr").stdout
    assert "Spanish: 60 credits a minute; French: 60 credits a minute" in printed
    assert "40 credits a minute" in home.command("explain", "face swap").stdout


@pytest.mark.parametrize("key", [KEY, "not a key"])
def test_a_price_that_cannot_be_asked_for_is_a_note(home: Quick, key: str) -> None:
    home.key = key
    done = home.command("explain", "erase")
    assert "not known (" in done.stdout
    assert key not in done.stdout


def test_the_price_of_the_exact_language_goes_before_that_of_all() -> None:
    rows = [Price("video_translation", 60), Price("video_translation", 80, language="pt"), Price("video_translation", 90, language="pt-BR")]
    found = pick(parse("dub en to es,pt-BR,pt-PT"), [*rows, Price("lip_sync", 1)])
    assert found.per_minute == {"es": 60, "pt-BR": 90, "pt-PT": 80}
    assert pick(parse("face swap"), rows).note


def test_every_option_of_a_kind_of_work_is_listed() -> None:
    told = facts_of("x", parse("erase region=bottom region=top-left mode=protect"), Prices(note="no"))
    assert told["options"] == {"mode": "protect", "region": ["top-left", "bottom"], "priority": "normal", "hold": False}
