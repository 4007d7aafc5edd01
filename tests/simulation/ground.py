"""The folders of the simulated world: which volume each lies on, their markers, and how a root goes away and comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.core.layout import Layout
from qavix_watch.errors import FileError, RootOffline
from tests.simulation.kernel import Kernel, Program
from tests.simulation.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.disk import SimulatedDisk
    from tests.simulation.machines import Machine
    from tests.simulation.world import World

ROOT, COLD = b"/media", b"/cold"
MARKER = b".qavix-watch"
MARKERS = {ROOT: "the media", COLD: "the cold disk"}
"""The folders that bear a marker, and its id."""


def layout_of(*, cold_archive: bool, after: str) -> Layout:
    """The four folders; the archive may lie on a disk of its own."""
    archive = (COLD if cold_archive else ROOT) + b"/archive"
    return Layout(MARKERS[ROOT], ROOT + b"/inbox", ROOT + b"/outbox", archive, ROOT + b"/failed", after=after, root=ROOT)


def markers_of(layout: Layout) -> dict[bytes, str]:
    """The markers that the service looks at: those of the folders that it works in."""
    rooms = (layout.inbox, layout.outbox, layout.archive, layout.failed)
    return {folder: mark for folder, mark in MARKERS.items() if any(room.startswith(folder + b"/") for room in rooms)}


class SimulatedRoots:
    """`Roots`: each folder is there if its marker is."""

    def __init__(self, files: SimulatedDisk, markers: Mapping[bytes, str]) -> None:
        self._files = files
        self._markers = markers

    def check(self, path: bytes | None = None) -> None:
        for folder, mark in self._markers.items():
            if path is None or path == folder or path.startswith(folder + b"/"):
                self._check_one(folder, mark)

    def _check_one(self, folder: bytes, mark: str) -> None:
        try:
            found = self._files.read(os.path.join(folder, MARKER), 100)
        except FileError:
            found = b""
        if found != mark.encode():
            raise RootOffline(f"{folder.decode()} is away", hint="Mount it.")


class Ground:
    """Volumes and mounts. In a remote world the media lie on a file server, which people write to; else on the machine's own disk."""

    def __init__(self, world: World, *, remote: bool) -> None:
        self.remote = remote
        self._world = world
        self.media = Volume("media", 7)
        self.cold = Volume("cold", 8)
        self.server = Kernel(Volume("server", 9), now=world.now)
        if remote:
            self._mount(self.server, local=True)

    @property
    def kernel(self) -> Kernel:
        """Where people's programs run."""
        return self.server if self.remote else self._world.machines[0].kernel

    @property
    def local(self) -> list[Volume]:
        """The volumes that a power cut of the machine concerns."""
        return [] if self.remote else [self.media, self.cold]

    def prepare(self) -> None:
        """Markers and folders, as `init` leaves them, durable."""
        person = Program(self.kernel, "init")
        for folder, mark in MARKERS.items():
            handle = person.open_to_write(os.path.join(folder, MARKER))
            handle.write(mark.encode())
            handle.sync()
            handle.close()
            person.sync_folder(folder)
        for name in (b"inbox", b"outbox", b"failed"):
            person.mkdir(os.path.join(ROOT, name))
        person.sync_folder(ROOT)
        person.make_folders(self._world.layout.archive)
        person.sync_folder(os.path.dirname(self._world.layout.archive))

    def join(self, machine: Machine) -> None:
        """Mount the folders on a machine."""
        self._mount(machine.kernel, local=not self.remote)

    def _mount(self, kernel: Kernel, *, local: bool) -> None:
        program = Program(kernel)
        for folder, volume in ((ROOT, self.media), (COLD, self.cold)):
            if not program.exists(folder):
                program.mkdir(folder)
                program.sync_folder(b"/")
            kernel.mount(folder, volume, local=local)

    def unplug(self, machine: Machine) -> None:
        """The media go away on a machine; the empty folder below stays."""
        if not self.is_away(machine):
            machine.kernel.unmount(ROOT)

    def plug_in(self, machine: Machine) -> None:
        """They are back."""
        if self.is_away(machine):
            machine.kernel.mount(ROOT, self.media, local=not self.remote)

    def is_away(self, machine: Machine) -> bool:
        return not machine.kernel.is_mount_point(ROOT)
