"""What the tests bring along can be had by hand, and says what it lacks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.needs import PACKAGES, missing, program

BY_HAND = ("ftp", "samba", "smb_writers", "ssh", "systemd", "webdav", "writers")


@pytest.mark.parametrize("name", BY_HAND)
def test_it_says_how_it_is_used(name: str) -> None:
    said = subprocess.run([sys.executable, "-m", f"tests.support.{name}", "--help"], capture_output=True, text=True, check=True).stdout
    assert f"python -m tests.support.{name}" in said


def test_what_is_not_here_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.needs._PLACES", "/nowhere")
    assert missing("smbd", "no-such-program") == "not here: smbd (apt install samba), no-such-program"
    assert all(f"apt install {package}" in missing(name) for name, package in PACKAGES.items())
    assert missing("/no/such/device") == "not here: /no/such/device"


def test_what_is_here_is_found_where_users_do_not_look() -> None:
    assert missing("mount") == ""
    assert program("mount").endswith("/mount")
