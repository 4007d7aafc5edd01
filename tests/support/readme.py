"""The README's section “As a service”, of which every step is typed on a real systemd (tests/acceptance/test_systemd.py)."""

from __future__ import annotations

import re
from pathlib import Path

SECTION = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").partition("\n## As a service\n")[2].partition("\n## ")[0]
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TYPED = {
    "unit": "sudo install -Dm644 systemd/sysusers.d",
    "key": "sudo install -dm700 /etc/credstore",
    "start": "sudo systemctl daemon-reload",
    "journal": "journalctl",
    "own": "install -Dm644 systemd/user",
}
"""The ```sh blocks that are typed, by their beginnings. Of the section's others, pip's needs the network."""


def block(name: str) -> str:
    """One of the blocks that are typed, as it stands."""
    (found,) = (text for text in _BLOCK.findall(SECTION) if text.startswith(TYPED[name]))
    return str(found)


def line(beginning: str) -> str:
    """The one command in the section's text that begins so."""
    (found,) = (text for text in re.findall(r"`([^`]+)`", _BLOCK.sub("", SECTION)) if text.startswith(beginning))
    return str(found)
