"""Once and only once: one upload a content, one task a piece of work, and a delivery for every drop that wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.sandbox import running
from tests.support.media import make_video
from tests.support.pair import QUICK_SANDBOX, SUBMITTING, assert_nothing_twice, counts, forget_requests, paired, states, totals
from tests.support.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Pair = tuple[Home, Running]

ORDER = "dub en to es"
OTHERS = ("dub en to fr", "subs en to es", "subs en to de embed=yes", "erase", "erase region=bottom")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home") as found:
        yield found


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.mp4", seconds=1.0)


def delivered_and_stopped(home: Home, clip: Path) -> None:
    """One drop is done, and the service is not running any more."""
    home.start()
    home.drop(ORDER, "clip.mp4", clip)
    home.rest(1)
    assert home.results() == [f"{ORDER}/clip.es.mp4"]
    assert home.stop() == 0


def content(home: Home, name: str) -> bytes:
    return (home.outbox / name).read_bytes()


def test_fifteen_drops_of_one_file_with_six_orders_are_one_upload_and_six_tasks(pair: Pair, clip: Path) -> None:
    """Ten names in one folder, and one in each of five other folders."""
    home, sandbox = pair
    home.start()
    for number in range(10):
        home.drop(ORDER, f"clip {number}.mp4", clip)
    for order in OTHERS:
        home.drop(order, "clip.mp4", clip)
    home.rest(15)
    assert (totals(sandbox)["puts"], totals(sandbox)["contents"]) == (1, 1)
    assert totals(sandbox)["tasks"] == 6
    assert states(home, "deliveries") == {"done": 15}
    assert states(home, "drops") == {"archived": 15}
    assert {f"{ORDER}/clip {number}.es.mp4" for number in range(10)} <= set(home.results())
    assert {name.split("/")[0] for name in home.results()} == {ORDER, *OTHERS}


def test_results_of_one_task_are_the_same_for_each_drop_and_no_links_of_one_another(pair: Pair, clip: Path) -> None:
    """What one person does to his copy does nothing to the other's."""
    home, _ = pair
    home.start()
    for name in ("one", "two", "three"):
        home.drop(ORDER, f"{name}.mp4", clip)
    home.rest(3)
    copies = [home.outbox / ORDER / f"{name}.es.mp4" for name in ("one", "two", "three")]
    assert len({path.read_bytes() for path in copies}) == 1
    assert [path.stat().st_nlink for path in copies] == [1, 1, 1]


def test_three_target_languages_are_one_upload_and_three_tasks(pair: Pair, clip: Path) -> None:
    home, sandbox = pair
    home.start()
    home.drop("dub en to es,fr,de", "clip.mp4", clip)
    home.rest(1)
    assert (totals(sandbox)["puts"], totals(sandbox)["tasks"]) == (1, 3)
    assert home.results() == [f"dub en to es,fr,de/clip.{tag}.mp4" for tag in ("de", "es", "fr")]


def test_languages_that_were_done_alone_before_are_not_done_again(pair: Pair, clip: Path) -> None:
    home, sandbox = pair
    home.start()
    home.drop(ORDER, "clip.mp4", clip)
    home.rest(1)
    home.drop("dub en to es,fr", "clip.mp4", clip)
    home.rest(2)
    assert (totals(sandbox)["puts"], totals(sandbox)["tasks"]) == (1, 2)
    assert_nothing_twice(sandbox)


def test_dropped_again_after_a_restart_it_is_delivered_from_disk(pair: Pair, clip: Path) -> None:
    """No upload, no task, and not even a download."""
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    forget_requests(sandbox)
    home.start()
    home.drop(ORDER, "again.mp4", clip)
    home.rest(2)
    assert content(home, f"{ORDER}/again.es.mp4") == content(home, f"{ORDER}/clip.es.mp4")
    asked = counts(sandbox)
    assert not {name for name in (*SUBMITTING, "get_upload_url", "storage_put", "result_get") if asked[name]}


@pytest.mark.parametrize("expired", [False, True], ids=["links are good", "links have expired"])
def test_earlier_results_that_are_gone_are_fetched_again(pair: Pair, clip: Path, expired: bool) -> None:
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    before = content(home, f"{ORDER}/clip.es.mp4")
    (home.outbox / ORDER / "clip.es.mp4").unlink()
    if expired:
        sandbox.control("expire-links", {"purpose": "result"})
    home.start()
    home.drop(ORDER, "again.mp4", clip)
    home.rest(2)
    assert home.results() == [f"{ORDER}/again.es.mp4"], "what a person took away is not put back"
    assert content(home, f"{ORDER}/again.es.mp4") == before
    assert (totals(sandbox)["puts"], totals(sandbox)["tasks"]) == (1, 1)


def test_an_earlier_result_that_was_changed_is_fetched_again(pair: Pair, clip: Path) -> None:
    """Its length alone does not make it the same."""
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    before = content(home, f"{ORDER}/clip.es.mp4")
    (home.outbox / ORDER / "clip.es.mp4").write_bytes(bytes(len(before)))
    home.start()
    home.drop(ORDER, "again.mp4", clip)
    home.rest(2)
    assert content(home, f"{ORDER}/again.es.mp4") == before
    assert content(home, f"{ORDER}/clip.es.mp4") == bytes(len(before)), "a person's file is left as it is"
    assert totals(sandbox)["tasks"] == 1


def test_another_order_after_a_restart_uploads_nothing(pair: Pair, clip: Path) -> None:
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    home.start()
    home.drop("subs en to fr", "clip.mp4", clip)
    home.rest(2)
    assert (totals(sandbox)["puts"], totals(sandbox)["grants"], totals(sandbox)["tasks"]) == (1, 1, 2)


def test_another_order_with_an_expired_link_renews_it(pair: Pair, clip: Path) -> None:
    """The service refuses the old link; Refresh URL gives a new one, and nothing is sent again."""
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    sandbox.control("expire-links", {"purpose": "file"})
    home.start()
    home.drop("subs en to fr", "clip.mp4", clip)
    home.rest(2)
    assert (totals(sandbox)["puts"], totals(sandbox)["tasks"]) == (1, 2)
    assert counts(sandbox)["refresh_url"] == 1


def test_a_file_that_the_service_has_forgotten_is_uploaded_once_more(pair: Pair, clip: Path) -> None:
    home, sandbox = pair
    delivered_and_stopped(home, clip)
    sandbox.control("forget-files", {})
    home.start()
    home.drop("subs en to fr", "clip.mp4", clip)
    home.drop("subs en to de", "clip.mp4", clip)
    home.rest(3)
    assert (totals(sandbox)["puts"], totals(sandbox)["tasks"]) == (2, 3)


def test_a_state_serves_nothing_of_one_service_to_another(pair: Pair, clip: Path, tmp_path: Path) -> None:
    """The demonstration's results are never the real service's."""
    home, _ = pair
    delivered_and_stopped(home, clip)
    with running(QUICK_SANDBOX) as other:
        elsewhere = Home(home.base, other.base_url)
        elsewhere.start()
        try:
            elsewhere.drop(ORDER, "again.mp4", clip)
            elsewhere.rest(2)
            assert (totals(other)["puts"], totals(other)["tasks"]) == (1, 1)
            assert counts(other)["result_get"]
        finally:
            elsewhere.stop()
