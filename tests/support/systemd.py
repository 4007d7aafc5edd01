"""A real systemd as PID 1, booted in half a second over a throw-away copy of this host's files, with a network of its own.

By hand:

    python -m tests.support.systemd start           boot it; it stays until `stop`
    python -m tests.support.systemd exec CMD …      run a command inside
    python -m tests.support.systemd stop            shut it down; nothing that was written inside remains

It needs root, and Debian's systemd, systemd-sysv, dbus and util-linux. Whatever units ask for is enforced but RestrictFileSystems.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT_SECONDS = 20
TOOLS = ("unshare", "nsenter", "mount", "pivot_root", "systemctl", "systemd-analyze", "dbus-daemon")
SYSTEMD = "/lib/systemd/systemd"
CLONE_NEWNET = 0x40000000
SHUT_DOWN = signal.SIGRTMIN + 4  # systemd(1): power off at once

_NUMBERS = itertools.count(1)  # of the machines of this process: several can run at once
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}

# What runs in the new namespaces: files over an overlay of /, fresh /proc, /sys, /run, /tmp and /dev, the cgroups that the host has.
_SETUP = """
set -e
mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs overlay "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t sysfs sysfs sys -o ro
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mount -t tmpfs dev dev -o mode=755
for device in null zero full random urandom tty; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for place in "$@"; do mkdir -p ".$place"; mount --bind "$place" ".$place"; done
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs cgroup sys/fs/cgroup -o mode=755
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir "sys/fs/cgroup/$controller"
    mount -t cgroup cgroup "sys/fs/cgroup/$controller" -o "$controller"
  done
  mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
  mount -t cgroup cgroup sys/fs/cgroup/systemd -o none,name=systemd
  mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
mkdir -p mnt
pivot_root . mnt
umount -l mnt
mount --make-rshared /
exec env -i container=ci "PATH=$PATH" /lib/systemd/systemd --system --unit=basic.target </dev/null
"""


def missing() -> str:
    """Why no systemd can be booted here; "" where one can."""
    if os.geteuid() != 0:
        return "booting a systemd needs root"
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not os.path.exists(SYSTEMD):
        tools.append(SYSTEMD)
    if tools:
        return f"not installed: {', '.join(tools)}"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine allows no namespaces"


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted systemd: `outer` is the process that holds it, `leader` its PID 1, both as this host numbers them."""

    outer: int
    leader: int
    cgroups: tuple[str, ...]

    def argv(self, *command: str) -> list[str]:
        """The command line that runs a command inside."""
        plain = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i", *plain, *command]

    def run(self, *command: str, check: bool = True, seconds: float = 60, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside, `given` at its standard input."""
        argv = self.argv(*command)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False, input=given or "")
        assert not check or done.returncode == 0, f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}"
        return done

    def path(self, inside: str) -> Path:
        """A path inside, as this process reaches it. Links in it lead through this host: name what they lead to."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        said = self.run("systemctl", "show", unit, *(f"--property={name}" for name in properties)).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """What a unit has said, each entry with all its fields."""
        said = self.run("journalctl", "--unit", unit, "--output=json", "--all", "--no-pager").stdout
        return [json.loads(line) for line in said.splitlines()]

    @contextmanager
    def network(self) -> Iterator[ThreadPoolExecutor]:
        """A thread that lives in the machine's network: what it opens, and the threads that it starts, is reached from inside."""
        with ThreadPoolExecutor(1, initializer=self._enter_network) as thread:
            yield thread

    def _enter_network(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(f"/proc/{self.leader}/ns/net", os.O_RDONLY)
        try:
            if libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)

    def stop(self) -> None:
        """Shut it down."""
        with suppress(ProcessLookupError):
            os.kill(self.leader, SHUT_DOWN)
        if not _ended(self.outer, 15):
            with suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
            _ended(self.outer, 5)
        _remove(self.cgroups)


def _ended(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.05)
    return False


def _cgroups() -> Iterator[str]:
    """A cgroup for the machine below each of this process's own: what it does there concerns nobody else."""
    number = next(_NUMBERS)
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        pure = not os.path.isdir("/sys/fs/cgroup/unified") and not controllers
        mount = "" if pure else {"": "unified", "name=systemd": "systemd"}.get(controllers, controllers)
        parent = os.path.join("/sys/fs/cgroup", mount, path.strip("/"))
        if os.path.isdir(parent):
            yield os.path.join(parent, f"qavix-test-{os.getpid()}-{number}")


def _made(cgroups: tuple[str, ...]) -> None:
    for path in cgroups:
        os.makedirs(path, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if os.path.exists(f"{path}/{name}") and not Path(path, name).read_text().strip():
                with suppress(OSError):
                    Path(path, name).write_text(Path(path).parent.joinpath(name).read_text())


def _remove(cgroups: tuple[str, ...]) -> None:
    for top in cgroups:
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)


def _elsewhere() -> list[str]:
    """What the program under test needs, as far as the overlay does not show it: on other filesystems than /, or under what is fresh."""
    wanted = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix, Path(__file__).parents[2])}
    return sorted(place for place in wanted if os.stat(place).st_dev != os.stat("/").st_dev or place.startswith(("/tmp/", "/run/")))


def boot(log: Path) -> Machine:
    """Boot one; its console goes to `log`. AssertionError where it does not come up."""
    cgroups = tuple(_cgroups())
    _made(cgroups)
    argv = [
        "unshare", "--fork", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--kill-child",
        "bash", "-c", _SETUP, "bash", *_elsewhere(),
    ]
    # The shell joins the cgroups before it becomes the machine, so that the new cgroup namespaces begin there.
    joined = 'for group in $GROUPS_TO_JOIN; do echo $$ >"$group/cgroup.procs" || true; done; exec "$@"'
    with log.open("wb") as console:
        process = subprocess.Popen(
            ["bash", "-c", joined, "bash", *argv], stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            env=os.environ | {"GROUPS_TO_JOIN": " ".join(cgroups)}, start_new_session=True,
        )
    until = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        leader = _child_of(process.pid)
        if leader:
            machine = Machine(process.pid, leader, cgroups)
            if machine.run("systemctl", "is-system-running", check=False).stdout.strip() in {"running", "degraded"}:
                process.returncode = 0  # it is watched by its number from here on
                return machine
        time.sleep(0.1)
    process.kill()
    _remove(cgroups)
    raise AssertionError(f"systemd did not come up: {log.read_text(errors='replace')[-2000:]}")


def _child_of(pid: int) -> int:
    """The machine's PID 1: the one child of `unshare`; 0 where there is none yet."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    return 0


@contextmanager
def booted(base: Path) -> Iterator[Machine]:
    """A machine for as long as the block lasts; its console is in `base`."""
    machine = boot(base / "console.log")
    try:
        yield machine
    finally:
        machine.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.systemd", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("verb", choices=("start", "exec", "stop"))
    parser.add_argument("command", nargs=argparse.REMAINDER, help="for exec: what to run inside")
    parser.add_argument("--state", type=Path, default=Path("/run/qavix-test-systemd"), help="where the machine is remembered (%(default)s)")
    asked = parser.parse_args()
    remembered: Path = asked.state
    if why := missing():
        print(why, file=sys.stderr)
        return 1
    if asked.verb == "start":
        machine = boot(remembered.with_suffix(".log"))
        remembered.write_text(json.dumps([machine.outer, machine.leader, machine.cgroups]))
        return 0
    try:
        outer, leader, cgroups = json.loads(remembered.read_text())
    except FileNotFoundError:
        print("none runs: begin with `start`", file=sys.stderr)
        return 1
    machine = Machine(outer, leader, tuple(cgroups))
    if asked.verb == "exec":
        return subprocess.run(machine.argv(*(asked.command or ["bash"])), check=False).returncode
    machine.stop()
    remembered.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
