"""A FUSE view of a folder that misbehaves like a bad NAS: errors, late answers, short reads, one operation at a time or all of them.

What it does wrong stands in a JSON file that is read at every call, so that it is switched while a program has files open there:

    {"op": "read", "errno": "EIO"}                    every read fails
    {"op": "*", "errno": "ESTALE", "share": 0.2}      a fifth of everything
    {"op": "write", "delay": 0.5}                     each half a second late
    {"op": "read", "short": true}                     fewer bytes than there are, never none
    {}                                                it is well

Operations: getattr readdir open create read write truncate fsync rename unlink mkdir rmdir statfs chmod chown utimens, or * for all.
It knows no hard links and no renames that refuse to replace, as many network mounts do not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.needs import FUSE, needed_root, require, skip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOUNT_SECONDS = 20.0


@dataclass(frozen=True)
class Switch:
    """Says what the view does wrong from now on."""

    control: Path

    def set(self, op: str, **fault: Any) -> None:
        """`errno`, `delay` (seconds), `short`, `share` (of the calls, 1 unless said)."""
        self._write({"op": op, **fault})

    def heal(self) -> None:
        self._write({})

    def _write(self, fault: dict[str, Any]) -> None:
        fresh = self.control.with_suffix(".new")
        fresh.write_text(json.dumps(fault))
        fresh.rename(self.control)


@contextmanager
def faulty(folder: Path, at: Path) -> Iterator[Switch]:
    """A view of `folder` at the folder `at`, which is well until the switch says otherwise. Files of its own lie beside `at`."""
    needed_root("to mount a FUSE filesystem that others may use")
    require("fusermount3", FUSE, "mfusepy")
    switch = Switch(at.with_name(f"{at.name}.control"))
    at.mkdir(parents=True, exist_ok=True)
    switch.heal()
    said = at.with_name(f"{at.name}.log")
    with said.open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", __name__, folder, at, switch.control], stdout=log, stderr=log)
    try:
        _wait_until_mounted(server, at, said)
        yield switch
    finally:
        switch.heal()
        subprocess.run(["umount", "--lazy", at], check=False, capture_output=True)
        with suppress(subprocess.TimeoutExpired):
            server.wait(5)
        server.kill()
        server.wait()


def _wait_until_mounted(server: subprocess.Popen[bytes], at: Path, said: Path) -> None:
    until = time.monotonic() + MOUNT_SECONDS
    while not at.is_mount():
        if server.poll() is not None or time.monotonic() > until:
            skip(f"a FUSE filesystem cannot be mounted here: {said.read_text().strip()}")
        time.sleep(0.02)


def main(argv: Sequence[str] | None = None) -> int:
    """By hand."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.support.faultfs", description=__doc__, formatter_class=plain)
    parser.add_argument("folder", type=Path, help="the folder that is shown")
    parser.add_argument("mountpoint", type=Path, help="an empty folder where it is shown; umount ends it")
    parser.add_argument("control", type=Path, help="the JSON file that says what goes wrong; it need not be there")
    asked = parser.parse_args(argv)
    from tests.support.faultview import show  # libfuse is not everywhere

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C unmounts it, by libfuse's own hand
    show(*(os.path.abspath(path) for path in (asked.folder, asked.mountpoint, asked.control)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
