"""What the configuration promises, on the real program: words, projects, names, rights, what becomes of originals, hours."""

from __future__ import annotations

import os
import stat
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.service import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home


def hours(first: int, last: int) -> str:
    """A part of the day, in hours from now."""
    now = datetime.now().astimezone()
    return "-".join(f"{now + timedelta(hours=hour):%H:%M}" for hour in (first, last))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_words_of_ones_own_projects_and_templates_make_the_names(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    here = home(
        words={"dub": ["doblar"], "to": ["nach"]},
        folders={"projects": True},
        deliver={"video_translation": "{stem} ({source}-{target}){ext}"},
    )
    here.drop("Project A/doblar en nach es,fr/Tuesday", "clip.mp4", clip())
    here.rest(1)
    place = "Project A/doblar en nach es,fr/Tuesday"
    assert here.results() == [f"{place}/clip (en-es).mp4", f"{place}/clip (en-fr).mp4"]
    assert f"{place}/clip.mp4" in files(here.root / "archive")


def test_with_projects_a_folder_of_the_first_level_is_no_order_and_says_so(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    here = home(folders={"projects": True})
    loose = here.drop("dub en to es", "clip.mp4", clip())
    note = loose.parent / "QAVIX-READ-ME.txt"
    wait_for(note.exists, what="the note")
    assert "This folder is the project “dub en to es”; each folder in it is an order." in note.read_text()
    assert here.query("SELECT count(*) FROM drops") == [(0,)]


@pytest.mark.parametrize(("settings", "file_mode", "folder_mode"), [({"mode": "0640"}, 0o640, 0o2750), ({}, 0o664, 0o2775)])
def test_rights_are_those_of_the_configuration_else_those_of_the_orders_folder(
    home: Callable[..., Home], clip: Callable[[], bytes], settings: dict[str, str], file_mode: int, folder_mode: int
) -> None:
    """So whoever shares the order's folder may take results and originals away."""
    here = home(deliver=settings)
    folder = here.inbox / "dub en to es"
    folder.mkdir()
    if os.getuid() == 0:
        os.chown(folder, -1, 12345)
    folder.chmod(0o2775)
    group = folder.stat().st_gid
    here.drop("dub en to es", "clip.mp4", clip())
    here.rest(1)
    made = [(here.outbox / "dub en to es/clip.es.mp4", file_mode), (here.outbox / "dub en to es", folder_mode)]
    made.append((here.root / "archive/dub en to es", folder_mode))
    for path, mode in made:
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (mode, group), path


@pytest.mark.parametrize(("after", "left"), [("keep", ["dub en to es/clip.mp4"]), ("delete", [])])
def test_originals_are_kept_or_removed_where_that_is_wanted(
    home: Callable[..., Home], clip: Callable[[], bytes], after: str, left: list[str]
) -> None:
    here = home(folders={"after": after})
    here.drop("dub en to es", "clip.mp4", clip())
    here.drop("dub en to es", "bad.mp4", b"this is no film at all")
    here.rest(2)
    assert here.results() == ["dub en to es/clip.es.mp4"]
    assert files(here.root / "archive") == []
    bad = ["dub en to es/bad.mp4", "dub en to es/bad.mp4.why.txt"]
    where = here.inbox if after == "keep" else here.root / "failed"
    assert files(where) == sorted([*bad, *(left if after == "keep" else [])])
    assert "this is not a video" in (where / bad[1]).read_text()


def test_outside_its_hours_nothing_is_uploaded_and_status_says_so(
    home: Callable[..., Home], clip: Callable[[], bytes], box: Running
) -> None:
    here = home(upload={"window": hours(2, 3)})
    puts = box.ledger()["totals"]["puts"]
    dropped = here.drop("dub en to es", "clip.mp4", clip())
    wait_for(lambda: here.query("SELECT 1 FROM jobs WHERE state = 'uploading'"), what="the job to wait for its upload")
    assert "(`upload.window`), not now: files wait for that" in here.command("status").stdout
    assert "Its upload waits for the time between" in here.command("why", str(dropped)).stdout
    assert box.ledger()["totals"]["puts"] == puts


def test_within_its_hours_uploads_go_on_at_the_rate_that_is_allowed(home: Callable[..., Home], clip: Callable[..., bytes]) -> None:
    here = home(upload={"window": hours(-1, 1), "rate": "500 kB/s"})
    here.drop("dub en to es", "clip.mp4", clip(1_000_000))
    began = time.monotonic()
    here.rest(1)
    assert time.monotonic() - began > 1.5


def options(here: Home, order: str, text: str) -> None:
    folder = here.inbox / order
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "qavix.toml").write_text(text)


def test_a_qavix_toml_gives_each_language_its_voice(home: Callable[..., Home], clip: Callable[[], bytes], box: Running) -> None:
    here = home()
    known = {task["task_id"] for task in box.ledger()["tasks"]}
    options(here, "dub en to es,fr", 'voice.es = "Mateo"\nvoice.fr = "chloé"\n')
    here.drop("dub en to es,fr", "clip.mp4", clip())
    here.rest(1)
    new: list[dict[str, Any]] = [task for task in box.ledger()["tasks"] if task["task_id"] not in known]
    assert {task["target_language"]: task["params"]["voice_id"] for task in new} == {"es": "sys-es-mateo", "fr": "sys-fr-chloe"}


def test_one_system_voice_for_two_languages_waits_and_says_what_to_write(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    here = home()
    dropped = here.drop("dub en to es,fr voice=Ava", "clip.mp4", clip())
    said = 'Name one for each in a qavix.toml in the folder: `voice.es = "…"` and `voice.fr = "…"`.'
    wait_for(lambda: said in here.command("why", str(dropped), "--json").stdout.replace('\\"', '"'), what="the reason")
    assert here.query("SELECT count(*) FROM jobs") == [(0,)]


def test_a_second_start_under_a_brake_says_again_what_is_wrong(home: Callable[..., Home]) -> None:
    here = home(start=False)
    here.key = None
    for _ in range(2):
        here.log.write_text("")
        here.start()
        wait_for(lambda: "there is no API key" in here.log.read_text(), what="the reason in the log")
        assert "QAVIX_API_KEY" in here.log.read_text()
        here.stop()


def test_a_state_whose_folder_cannot_be_made_is_refused_in_words(home: Callable[..., Home], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    here = home(start=False)
    here.config.write_text(here.config.read_text().replace(str(here.state), str(file / "state.db")))
    done: subprocess.CompletedProcess[str] = here.command("run", check=False)
    assert done.returncode == 1
    assert f"the folder of the state, {file}, cannot be made" in done.stderr
    assert "`state.path`" in done.stderr
