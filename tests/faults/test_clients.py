"""Every real client, by the real program: what it brings is taken once, and whole; what a dying one leaves waits, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import SandboxOptions, running
from tests.faults import bringing
from tests.faults.bringing import Tempo
from tests.faults.clients import CLIENTS, Client, bring, fates, foreign, wait_for_fates
from tests.faults.ground import SIZE, Ground, ground
from tests.support.needs import require
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qavix_watch.sandbox import Running

WATCH = {"settle": 0.2, "settle_remote": 0.6, "settle_folder": 0.3, "rescan": 1}
PAUSE = 0.3  # longer than `settle`: what a client pauses in could be taken
SECONDS = 60.0
TEMPO = Tempo(PAUSE, SIZE)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with running(SandboxOptions(speed=20, credits=10**9)) as one:
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, sandbox: Running) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("local"), sandbox, seed=1, watch=WATCH) as here:
        yield here


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, sandbox: Running) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("remote"), sandbox, seed=2, remote=True, watch=WATCH) as here:
        yield here


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client(client: Client, request: pytest.FixtureRequest) -> None:
    """One task for each film, with its content; nothing that was not whole was sent anywhere."""
    require(*client.tools)
    here: Ground = request.getfixturevalue("remote" if client.remote else "local")
    wares = client.wares(here, 1)
    brought = bring(client, here, wares, TEMPO)
    assert [fate.trouble for fate in wait_for_fates(here, brought, SECONDS) if fate.trouble] == []
    assert foreign(here) == []
    if client.leaves:
        bringing.take_out(here, wares)
        wait_for(lambda: {fate.state for fate in fates(here, brought)} == {"gone"}, what="it to be forgotten when it is taken out")
