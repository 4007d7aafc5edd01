"""What several stages are tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.archiving import Disks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World


@pytest.fixture
def ready(world: World, video: Callable[..., bytes]) -> Path:
    """The file of a job that is to be submitted."""
    path = world.drop("dub en to es", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare", "upload")
    return path


@pytest.fixture
def disks(world: World) -> Disks:
    disks = Disks()
    world.with_ports(files=disks)
    return disks
