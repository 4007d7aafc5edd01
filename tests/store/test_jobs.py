"""Units of billed work, their deliveries and results."""

from __future__ import annotations

import pytest

from qavix_watch.core.lifecycle import HELD_BY_ORDER, ContentState, DeliveryState, JobState
from qavix_watch.errors import StoreError
from tests.store.conftest import NOW, State


def job_of(state: State, number: int):  # type: ignore[no-untyped-def]
    return state.act(lambda tx: tx.work.get("job", number))


def join(state: State, number: int, priority: int = 0, *, held: bool = False) -> dict[str, object]:
    state.act(lambda tx: tx.jobs.join(tx.work.get("job", number), priority, held=held, now=NOW))
    return state.row("jobs", number)


def test_a_key_is_one_job(state: State) -> None:
    state.job("one")
    with pytest.raises(StoreError, match="UNIQUE"):
        state.job("one")
    assert state.act(lambda tx: tx.jobs.by_key("one")).id == 1
    assert state.act(lambda tx: tx.jobs.by_key("two")) is None


def test_the_newest_generation_is_the_one_that_new_drops_join(state: State) -> None:
    for generation in (1, 3, 2):
        state.job(f"key{generation}", identity="work", generation=generation)
    assert state.act(lambda tx: tx.jobs.newest("work")).generation == 3


def test_a_task_that_is_known_to_be_gone_tells_nothing_of_the_account(state: State) -> None:
    for number in (1, 2, 3):
        state.put("jobs", state.job(f"key{number}"), task_id=f"task{number}", submitted_at=NOW + number)
    state.put("jobs", 3, task_status="gone")
    state.put("jobs", 2, task_status="completed")
    assert state.act(lambda tx: tx.jobs.known_tasks("other", 2)) == ["task2", "task1"]
    assert state.act(lambda tx: tx.jobs.known_tasks("task2", 2)) == ["task1"]


def test_a_held_job_is_not_due_and_says_why(state: State) -> None:
    state.job(state=JobState.HELD)
    row = state.row("jobs", 1)
    assert (row["due"], row["reason"]) == (None, "ordered")


def test_a_job_runs_at_the_highest_priority_of_those_who_want_it(state: State) -> None:
    state.job()
    assert join(state, 1, 1)["priority"] == 1
    assert join(state, 1, -1)["priority"] == 1


def test_a_cancelled_job_that_is_wanted_again_goes_on_where_it_was(state: State) -> None:
    state.job("unsubmitted", JobState.CANCELLED)
    state.job("submitted", JobState.CANCELLED, task_id="77")
    assert (join(state, 1)["state"], join(state, 2)["state"]) == ("ready", "processing")
    assert state.row("jobs", 1)["due"] == NOW


def test_a_cancelled_job_that_is_wanted_again_with_hold_waits_for_approval(state: State) -> None:
    """Taking a file out and putting it back is no approval."""
    state.job("unsubmitted", JobState.CANCELLED)
    state.job("submitted", JobState.CANCELLED, task_id="77")
    row = join(state, 1, held=True)
    assert (row["state"], row["reason"], row["due"]) == ("held", HELD_BY_ORDER, None)
    assert join(state, 2, held=True)["state"] == "processing", "it is paid already"


@pytest.mark.parametrize(("held", "to"), [(False, "ready"), (True, "held")])
def test_a_job_that_failed_before_there_was_a_task_is_tried_under_its_own_key(state: State, to: str, *, held: bool) -> None:
    state.job("failed", JobState.FAILED, reuploads=2)
    row = join(state, 1, held=held)
    assert (row["state"], row["posted"], row["reuploads"], row["key"]) == (to, 0, 0, "failed")


def test_a_request_that_may_have_been_taken_is_not_forgotten_by_trying_again(state: State) -> None:
    """Else its file could be taken out as if nothing had been paid for it."""
    state.job("failed", JobState.FAILED, posted=1, reserved=12.0)
    row = join(state, 1)
    assert (row["state"], row["posted"], row["reserved"]) == ("ready", 1, 12.0)


def test_a_drop_that_wants_again_what_it_did_not_get_is_a_row_of_history(state: State) -> None:
    job, drop = state.job("failed", JobState.FAILED), state.drop(b"dub en to es/a.mp4")
    for _ in range(2):
        state.act(lambda tx: tx.jobs.expect_delivery(job, drop, NOW))
    state.act(lambda tx: tx.jobs.give_up(job, NOW, "the task failed"))
    state.act(lambda tx: tx.jobs.expect_delivery(job, drop, NOW))
    told = [tuple(row.values()) for row in state.rows("SELECT old, new, why FROM events WHERE item = 'delivery'")]
    assert told == [("pending", "failed", "the task failed"), ("failed", "pending", "wanted again")]


def test_a_job_that_failed_at_the_service_stays_as_it_is(state: State) -> None:
    state.job("failed", JobState.FAILED, task_id="77")
    assert join(state, 1)["state"] == "failed"


def test_a_drop_without_hold_lets_a_job_go_that_only_its_order_held(state: State) -> None:
    state.job("by order", JobState.HELD)
    state.put("jobs", 1, reason=HELD_BY_ORDER)
    state.job("by trouble", JobState.HELD)
    assert join(state, 1, held=True)["state"] == "held"
    assert join(state, 1)["state"] == "ready"
    assert join(state, 2)["state"] == "held"


def test_one_delivery_for_each_job_and_drop_however_often_it_is_asked_for(state: State) -> None:
    drop, job = state.drop(), state.job()
    for _ in range(2):
        state.want(job, drop)
    assert len(state.rows("SELECT id FROM deliveries")) == 1
    state.put("deliveries", 1, state="done")
    state.want(job, drop)
    assert state.row("deliveries", 1)["state"] == "done"
    state.put("deliveries", 1, state="cancelled")
    state.want(job, drop)
    assert state.row("deliveries", 1)["state"] == "pending"


def test_a_delivery_is_due_when_its_job_is_done(state: State) -> None:
    drop, job = state.drop(), state.job(state=JobState.PROCESSING)
    state.want(job, drop)
    assert state.row("deliveries", 1)["due"] is None
    state.act(lambda tx: tx.jobs.wake_deliveries(job, NOW))
    assert state.row("deliveries", 1)["due"] == NOW
    other = state.drop(b"f/2.mp4")
    state.put("jobs", job, state="done")
    state.want(job, other)
    assert state.row("deliveries", 2)["due"] == NOW


def test_a_job_that_ends_without_results_ends_its_deliveries_and_sends_its_drops_away(state: State) -> None:
    drop, lone = state.drop(), state.drop(b"f/2.mp4")
    bad, good = state.job("bad"), state.job("good")
    for job, one in ((bad, drop), (good, drop), (bad, lone)):
        state.want(job, one)
    state.act(lambda tx: tx.jobs.give_up(bad, NOW, "the task failed"))
    assert [row["state"] for row in state.rows("SELECT state FROM deliveries ORDER BY id")] == ["failed", "pending", "failed"]
    assert state.row("drops", drop)["state"] == "delivering"
    assert (state.row("drops", lone)["state"], state.row("drops", lone)["verdict"]) == ("archiving", "failed")


def test_the_jobs_of_a_drop_are_those_that_it_still_asks_for(state: State) -> None:
    drop = state.drop()
    for key in ("one", "two"):
        state.want(state.job(key), drop)
    state.act(lambda tx: tx.jobs.give_up(1, NOW, "taken out", DeliveryState.CANCELLED))
    assert [job.key for job in state.act(lambda tx: tx.jobs.of_drop(drop))] == ["two"]


def test_the_jobs_that_wait_for_a_content_are_found_by_either_input(state: State) -> None:
    state.job("main", JobState.UPLOADING, main_sha256="aa")
    state.job("partner", JobState.UPLOADING, main_sha256="bb", partner_sha256="aa")
    state.job("neither", JobState.UPLOADING, main_sha256="cc")
    state.job("elsewhere", JobState.READY, main_sha256="aa")
    found = state.act(lambda tx: tx.jobs.waiting_for("aa"))
    assert [job.key for job in found] == ["main", "partner"]
    assert found[1].inputs == ("bb", "aa")


def test_progress_is_noted_for_open_tasks_alone(state: State) -> None:
    state.job("open", JobState.PROCESSING, task_id="1", submitted_at=NOW)
    state.job("ended", JobState.FETCHING, task_id="2", submitted_at=NOW)
    for number in (1, 2):
        state.act(lambda tx, number=number: tx.jobs.seen(number, "processing", 40))
    state.act(lambda tx: tx.jobs.seen(1, "processing", None))
    assert (state.row("jobs", 1)["progress"], state.row("jobs", 2)["progress"]) == (40, None)
    assert [(task.id, task.task_id) for task in state.act(lambda tx: tx.jobs.open_tasks())] == [(1, "1")]


def test_a_callback_wakes_its_task_only_with_the_right_token(state: State) -> None:
    state.job("open", JobState.PROCESSING)
    state.put("jobs", 1, due=None)
    for number, token in ((1, "wrong"), (1, ""), (1, "sécret"), (2, "secret")):
        assert not state.act(lambda tx, number=number, token=token: tx.jobs.called_back(number, token, NOW))
    assert state.row("jobs", 1)["due"] is None
    assert state.act(lambda tx: tx.jobs.called_back(1, "secret", NOW))
    assert state.row("jobs", 1)["due"] == NOW


def test_a_late_callback_is_known_and_changes_nothing(state: State) -> None:
    state.job("done", JobState.DONE)
    state.put("jobs", 1, due=None)
    assert state.act(lambda tx: tx.jobs.called_back(1, "secret", NOW))
    assert state.row("jobs", 1)["due"] is None


def test_another_clone_of_one_name_may_be_under_way(state: State) -> None:
    more = {"task": "voice_clone", "posted": 1}
    state.job("ada", JobState.SUBMITTING, params_json='{"name": "Ada"}', **more)
    underway = [state.act(lambda tx, a=a: tx.jobs.clone_underway(*a)) for a in (("Ada", 2), ("Ada", 1), ("Bob", 2))]
    assert underway == [True, False, False]
    state.put("jobs", 1, state="held")
    assert not state.act(lambda tx: tx.jobs.clone_underway("Ada", 2))


def test_a_result_that_comes_again_takes_the_place_of_the_first(state: State) -> None:
    state.job()
    for sha, staged in (("old", None), ("new", b".qavix-parts/1.whole")):
        state.act(lambda tx, sha=sha, staged=staged: tx.jobs.add_result(1, "video", "mp4", sha, 5, staged, None))
    (result,) = state.act(lambda tx: tx.jobs.results(1))
    assert (result.sha256, result.staged) == ("new", b".qavix-parts/1.whole")
    assert state.act(lambda tx: tx.jobs.staged()) == {b".qavix-parts/1.whole"}
    state.act(lambda tx: tx.jobs.unstage(result.id))
    assert state.act(lambda tx: tx.jobs.staged()) == set()


def test_where_results_were_put_is_known_the_newest_first(state: State) -> None:
    job, drop, other = state.job(), state.drop(), state.drop(b"g/2.mp4", folder=b"g")
    for one in (drop, other):
        state.want(job, one)
    state.act(lambda tx: tx.jobs.add_result(job, "video", "mp4", "sha of the result", 5, None, None))
    for delivery, path in ((1, b"f/clip.es.mp4"), (2, b"g/clip.es.mp4"), (1, b"f/clip (2).es.mp4")):
        state.act(lambda tx, delivery=delivery, path=path: tx.jobs.placed(1, delivery, path, 5, "sha of the result"))
    assert [copy.path for copy in state.act(lambda tx: tx.jobs.copies(1))] == [b"g/clip.es.mp4", b"f/clip (2).es.mp4"]
    assert state.act(lambda tx: tx.jobs.reserved(b"g/clip.es.mp4", 1))
    assert not state.act(lambda tx: tx.jobs.reserved(b"g/clip.es.mp4", 2))


def test_of_a_result_it_is_known_for_which_folders_and_orders_it_was_made(state: State) -> None:
    job = state.job()
    state.want(job, state.drop())
    state.act(lambda tx: tx.jobs.add_result(job, "video", "mp4", "sha of the result", 5, None, None))
    assert state.act(lambda tx: tx.jobs.made_for("sha of the result")) == [(b"dub en to es", state.row("drops", 1)["order_json"])]
    assert state.act(lambda tx: tx.jobs.made_for("other")) == []


def test_a_voice_that_was_cloned_here_is_known_once(state: State) -> None:
    for _ in range(2):
        state.act(lambda tx: tx.jobs.add_voice("v1", "Ada", 1))
    assert [voice.voice_id for voice in state.act(lambda tx: tx.jobs.voices())] == ["v1"]


def test_a_content_is_known_once_and_uploaded_when_it_is_wanted(state: State) -> None:
    for _ in range(2):
        state.act(lambda tx: tx.contents.ensure("aa", "md5", 9, "video", 1.5))
    assert state.take("content", ContentState) == []
    state.act(lambda tx: tx.contents.want("aa", 0, NOW))
    state.act(lambda tx: tx.contents.want("unknown", 0, NOW))
    (claim,) = state.take("content", ContentState)
    state.settle(claim, ContentState.STORED, url="https://u", file_id="f")
    state.act(lambda tx: tx.contents.want("aa", 0, NOW))
    assert state.take("content", ContentState, now=NOW + 99) == []


def test_a_content_that_the_service_forgot_is_uploaded_again(state: State) -> None:
    state.act(lambda tx: tx.contents.ensure("aa", "md5", 9, "video", 1.5))
    state.put("contents", 1, state="stored", url="https://u", file_id="f", url_expires=NOW)
    state.act(lambda tx: tx.contents.renewed("aa", "https://v", NOW + 9))
    assert state.act(lambda tx: tx.contents.find("aa")).url == "https://v"
    for sha in ("aa", "aa", "unknown"):
        state.act(lambda tx, sha=sha: tx.contents.forgotten(sha, NOW, "it is not there"))
    content = state.act(lambda tx: tx.contents.find("aa"))
    assert (content.state, content.url, content.file_id) == (ContentState.ABSENT, None, None)
    assert state.events() == [("content", "stored", "absent")]
    state.act(lambda tx: tx.contents.renewed("aa", "https://w", None))
    assert state.act(lambda tx: tx.contents.find("aa")).url is None


def test_a_job_reads_its_own_texts(state: State) -> None:
    state.job(params_json='{"a": 1}', text="hello")
    job = job_of(state, 1)
    assert (job.params, job.inputs) == ({"a": 1}, ())
