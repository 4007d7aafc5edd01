"""Where real clients bring films to the real program: an installation, a sandbox, and the servers through which they come."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qavix_watch.sandbox import SandboxOptions, running
from tests.support import ftp, samba, ssh, webdav
from tests.support.media import make_video
from tests.support.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from qavix_watch.sandbox import Running

ORDER = "dub en to es"
SIZE = 1_200_000
PACKET, NULL_PACKET = 188, b"\x47\x1f\xff\x10"
LONG_AGO = (1e9, 1e9)
PROJECT = Path(__file__).parents[2]
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("QAVIX_")} | {"PYTHONPATH": str(PROJECT)}

S_co = TypeVar("S_co", covariant=True)


class Serving(Protocol[S_co]):
    """As `serving` of the modules in tests/support."""

    def __call__(self, folder: Path, private: Path) -> AbstractContextManager[S_co]: ...


@dataclass(frozen=True, slots=True)
class Ware:
    """A film that is to be brought. `source`: where it lies; `name`: where it is to lie, below the inbox."""

    source: Path
    sha256: str
    name: str


class Ground:
    """One installation, watched by the service, and `inbox`: the same inbox as clients and their servers see it.

    With a remote root that is a folder of another host (by sshfs): what is written there is no event here.
    """

    def __init__(self, home: Home, sandbox: Running, stack: ExitStack, seed: int) -> None:
        self.home = home
        self.sandbox = sandbox
        self.inbox = home.inbox
        self.outside = home.base / "outside"
        self.outside.mkdir()
        self.sent: set[str] = set()
        self._stack = stack
        self._served: dict[str, Any] = {}
        self._one_at_a_time = threading.Lock()
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._film = make_video(home.base / "film.mp4", seconds=1, faststart=True).read_bytes()
        self._stream = make_video(home.base / "film.ts", seconds=1).read_bytes()

    # Films

    def film(self, name: str, size: int = SIZE) -> Ware:
        """A film of its own content, which lies outside until a client brings it. Of a `.ts` nobody can tell whether it is cut short."""
        data = self._of_packets(size) if name.endswith(".ts") else self._of_boxes(size)
        source = self.outside / str(next(self._numbers)) / Path(name).name
        source.parent.mkdir()
        source.write_bytes(data)
        ware = Ware(source, hashlib.sha256(data).hexdigest(), name)
        self.sent.add(ware.sha256)
        return ware

    def _of_boxes(self, size: int) -> bytes:
        """An MP4 with a box at its end that players pass over."""
        padding = self._chance.randbytes(size - len(self._film) - 8)
        return self._film + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding

    def _of_packets(self, size: int) -> bytes:
        """A transport stream that ends with packets that players pass over (13818-1: PID 0x1FFF)."""
        packets = (size - len(self._stream)) // PACKET
        return self._stream + b"".join(NULL_PACKET + self._chance.randbytes(PACKET - len(NULL_PACKET)) for _ in range(packets))

    def target(self, ware: Ware) -> Path:
        """Where it is to lie, as clients see it."""
        return self.inbox / ware.name

    # Servers, each started when it is first asked for

    @property
    def samba(self) -> samba.Samba:
        return self._serve("samba", samba.serving)

    @property
    def ftp(self) -> ftp.Ftp:
        return self._serve("ftp", ftp.serving)

    @property
    def webdav(self) -> webdav.WebDav:
        return self._serve("webdav", webdav.serving)

    @property
    def ssh(self) -> ssh.Ssh:
        return self._serve("ssh", ssh.serving)

    def _serve(self, name: str, serving: Serving[S_co]) -> S_co:
        with self._one_at_a_time:
            if name not in self._served:
                self._served[name] = self._stack.enter_context(serving(self.inbox, self.home.base / name))
            served: S_co = self._served[name]
            return served


def run(*argv: str | Path, given: str | None = None) -> str:
    """A client's program, to its end; gives what it printed. AssertionError where it fails."""
    done = subprocess.run(
        argv, input=given or "", capture_output=True, text=True, errors="replace", timeout=120, check=False, env=_ENVIRONMENT
    )
    assert done.returncode == 0, f"{argv} failed ({done.returncode}):\n{done.stdout}{done.stderr}"
    return done.stdout


def start(*argv: str | Path) -> subprocess.Popen[bytes]:
    """A client's program, under way."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRONMENT, start_new_session=True
    )


def module(name: str, *words: str | Path | float) -> list[str]:
    """The command line of one of tests/support's programs."""
    return [sys.executable, "-m", f"tests.support.{name}", *map(str, words)]


@contextmanager
def ground(base: Path, *, seed: int, watch: dict[str, Any], remote: bool = False, sshfs: tuple[str, ...] = ()) -> Iterator[Ground]:
    """An installation that runs, with a sandbox of its own; they and all servers end with the block.

    `watch`: its section of the configuration. `remote`: its root is another host's, mounted with the options `sshfs`.
    """
    base.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sandbox = stack.enter_context(running(SandboxOptions(speed=20, credits=10**9)))
        home = Home(base, sandbox.base_url, {"watch": watch})
        here = Ground(home, sandbox, stack, seed)
        if remote:
            there = base / "another host"
            there.mkdir()
            here.inbox = there / "inbox"
            stack.enter_context(ssh.mounted(here.ssh, there, home.root, *sshfs))
        home.prepare()
        order = home.inbox / ORDER
        order.mkdir(exist_ok=True)
        os.utime(order, LONG_AGO)  # a folder that is new is still arriving
        home.start(settle=120)
        stack.callback(home.stop)
        yield here
