"""Every real client, by the real program: what it brings is taken once, and whole; what a dying one leaves waits, and says why."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.faults import bringing
from tests.faults.bringing import Tempo
from tests.faults.clients import CLIENTS
from tests.faults.fates import Brought, bring, fates, foreign, wait_for_fates
from tests.faults.ground import SIZE, Ground, ground
from tests.support.needs import missing, require
from tests.support.service import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.fates import Client

WATCH = {"settle": 0.2, "settle_remote": 1.5, "settle_folder": 0.3, "rescan": 1}
SSHFS = ("dcache_dir_timeout=1",)  # new names are to be seen soon; what is known of a file may be 20 seconds old, as usual
PAUSE = 0.6  # longer than `settle`: what a client pauses in could be taken
SECONDS = 90.0
AT_ONCE = 4

Visit = tuple[Ground, Future[list[Brought]]]


@pytest.fixture(scope="module")
def visits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Visit]]:
    """All clients that tests ask for come, several of them at a time, as people do."""
    callspecs = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    asked: list[Client] = [callspec.params["client"] for callspec in callspecs if callspec is not None]
    clients = [client for client in asked if not missing(*client.tools)]
    with ExitStack() as stack:
        grounds = {
            remote: stack.enter_context(ground(tmp_path_factory.mktemp("ground"), seed=remote, watch=WATCH, remote=remote, sshfs=SSHFS))
            for remote in {client.remote for client in clients}
        }
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        coming = {}
        for client in clients:
            here = grounds[client.remote]
            coming[client.name] = here, pool.submit(bring, client, here, client.wares(here, 1), Tempo(PAUSE, SIZE))
        yield coming


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client(client: Client, request: pytest.FixtureRequest) -> None:
    """One task for each film, with its content; nothing that was not whole was sent anywhere."""
    require(*client.tools)
    here, coming = request.getfixturevalue("visits")[client.name]
    brought = coming.result(SECONDS)
    assert [fate.trouble for fate in wait_for_fates(here, brought, SECONDS) if fate.trouble] == []
    strange = foreign(here)
    here.sent.update(strange)  # once is enough
    assert strange == []
    if client.leaves:
        bringing.take_out(here, [one.ware for one in brought])
        wait_for(lambda: {fate.state for fate in fates(here, brought)} == {"gone"}, what="it to be forgotten when it is taken out")
