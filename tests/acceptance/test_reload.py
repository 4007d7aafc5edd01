"""SIGHUP takes a changed configuration, SIGTERM ends what is in hand: outside systemd as under it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.support.service import PROGRAM, toml, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

ORDER = "dub en to es"


def reload(here: Home) -> None:
    assert here.process is not None
    here.process.send_signal(signal.SIGHUP)


def told(here: Home, event: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in here.log.read_text().splitlines() if line.startswith("{")]
    return [row for row in rows if row["event"] == event]


def rewrite(here: Home, old: str, new: str) -> None:
    text = here.config.read_text()
    assert old in text
    here.config.write_text(text.replace(old, new))


def reloaded(here: Home, old: str, new: str) -> dict[str, Any]:
    """Change the configuration and reload it; what the log says of it."""
    before = len(told(here, "reloaded"))
    rewrite(here, old, new)
    reload(here)
    wait_for(lambda: len(told(here, "reloaded")) > before, 10, "the reload")
    return told(here, "reloaded")[-1]


def refused(here: Home, old: str, new: str) -> dict[str, Any]:
    """The same with one that cannot be; afterwards it is as it was."""
    before, text = len(told(here, "not reloaded")), here.config.read_text()
    rewrite(here, old, new)
    reload(here)
    wait_for(lambda: len(told(here, "not reloaded")) > before, 10, "the refusal")
    here.config.write_text(text)
    return told(here, "not reloaded")[-1]


def test_rules_are_taken_up_while_work_goes_on(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """Names of results, what is ignored, words: from the next file on, and for what was ignored before."""
    here = home(watch={"settle": 0.2, "ignore": ["*.skip.mp4"]})
    here.drop(ORDER, "one.skip.mp4", clip())
    here.drop("doblar en to es", "two.mp4", clip())
    here.drop(ORDER, "three.mp4", clip())
    here.rest(1)
    names = {"min_free": "1 MB", "video_translation": "{stem} ({target}){ext}"}
    said = reloaded(here, toml({"deliver": {"min_free": "1 MB"}}), toml({"deliver": names}))
    assert said["keys"] == ["deliver.video_translation"]
    reloaded(here, '["*.skip.mp4"]', "[]")
    here.rest(2)
    reloaded(here, "[follow]", '[words]\ndub = ["doblar"]\n\n[follow]')
    here.rest(3)
    assert here.results() == ["doblar en to es/two (es).mp4", f"{ORDER}/one.skip (es).mp4", f"{ORDER}/three.es.mp4"]


def test_what_cannot_be_is_refused_with_its_mend_and_nothing_changes(
    home: Callable[..., Home], box: Running, clip: Callable[[], bytes], tmp_path: Path
) -> None:
    """A wrong value, a state elsewhere, folders that were never prepared, a port that is taken."""
    here = home()
    said = refused(here, "settle = 0.2", "settle = 'soon'")
    assert "`watch.settle`" in said["why"]
    assert str(here.config) in said["why"]
    said = refused(here, str(here.state), str(tmp_path / "elsewhere.db"))
    assert "state.path" in said["why"]
    assert "Restart" in said["hint"]
    said = refused(here, str(here.root), str(tmp_path / "unprepared"))
    assert "has no marker" in said["why"]
    assert "qavix-watch init" in said["hint"]
    taken = box.origin.removeprefix("http://")
    said = refused(here, "[follow]", f'[callback]\npublic_url = "https://hooks.example.org"\nlisten = "{taken}"\n\n[follow]')
    assert "callback.listen" in said["why"]
    here.drop(ORDER, "clip.mp4", clip())
    here.rest(1)
    assert here.results() == [f"{ORDER}/clip.es.mp4"]


def test_another_root_is_moved_to_in_the_same_process(home: Callable[..., Home], clip: Callable[[], bytes]) -> None:
    """What comes to the old one afterwards is not taken; its marker is free again."""
    here, other = home(), home(start=False)
    here.drop(ORDER, "first.mp4", clip())
    here.rest(1)
    assert here.process is not None
    wanted = other.root
    other.root.joinpath(".qavix-watch").unlink()
    here.config.write_text(here.config.read_text().replace(str(here.root), str(wanted)))
    here.command("init")
    reload(here)
    wait_for(lambda: len(told(here, "ready")) == 2, 20, "the second beginning")
    other.drop(ORDER, "second.mp4", clip())
    here.rest(2)
    assert other.results() == [f"{ORDER}/second.es.mp4"]
    assert here.is_ready()


def test_a_new_key_in_its_file_lets_the_brake_go_at_once(home: Callable[..., Home], clip: Callable[[], bytes], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("of-another-account")
    here = home(start=False, api={"key_file": str(key)})
    here.key = None
    here.start()
    here.drop(ORDER, "clip.mp4", clip())
    wait_for(lambda: here.query("SELECT 1 FROM brakes WHERE name = 'auth' AND state = 'on'"), 30, "the brake")
    key.write_text("sandbox-key")
    reload(here)
    here.rest(1, 15)
    assert key.read_text() not in here.log.read_text()


def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(home: Callable[..., Home], box: Running, clip: Callable[[], bytes]) -> None:
    """Where an answer does not come, nobody has to wait for it."""
    here = home()
    box.faults({"operation": "storage_put", "kind": "slow", "delay": 60, "times": 1})
    here.drop(ORDER, "clip.mp4", clip())
    wait_for(lambda: box.control("faults")[0]["hits"], 20, "the upload")
    assert here.process is not None
    here.process.send_signal(signal.SIGTERM)
    wait_for(lambda: told(here, "stopping"), 10, "the first signal to be heard")
    began = time.monotonic()
    here.process.send_signal(signal.SIGTERM)
    assert here.process.wait(5) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 3
    box.faults()
    here.start()
    here.rest(1)


def test_it_ends_with_its_terminal(home: Callable[..., Home]) -> None:
    """A window that is closed ends what runs in it, as everywhere; without a terminal SIGHUP reloads."""
    here = home(start=False)
    outer, inner = os.openpty()
    with here.log.open("ab") as log:
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *PROGRAM, "run", "--config", str(here.config)],
            env=here.environ(), stdin=inner, stdout=log, stderr=log,
        )
    os.close(inner)
    wait_for(lambda: told(here, "ready"), 30, "the service to be ready")
    os.close(outer)
    process.wait(20)
    assert told(here, "stopping")
    assert here.query("SELECT pid FROM service") == [(0,)]
