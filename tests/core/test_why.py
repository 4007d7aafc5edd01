"""The text beside an original that could not be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.why import FIRST_LINE, why_text

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop, Job


class Some:
    """As much of a record as the text is made from."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def job(
    state: JobState, language: str | None = "es", task_id: str | None = None, price: int | None = None, ours: float | None = None,
    posted: int = 0, task_status: str | None = None,
) -> Job:
    prices = {"credits_estimated": price, "estimate": ours, "posted": posted, "task_status": task_status}
    return cast("Job", Some(state=state, language=language, task_id=task_id, canonical="erase", **prices))


def text(*jobs: Job, reason: str = "this is no video", after: str = "archive") -> str:
    drop = Some(id=7, after=after, outlet=None, path=b"dub en to es,de/\xff\n.mp4", canonical="dub en to es,de", reason=reason)
    return why_text(cast("Drop", drop), jobs)


def test_it_says_what_went_wrong_with_what() -> None:
    said = text()
    assert said.startswith(FIRST_LINE)
    assert "Reason: this is no video" in said
    assert "Order:  dub en to es,de" in said
    assert said.endswith("\n")


def test_it_says_how_to_try_again() -> None:
    assert "To try again, drag the file back into its folder in the inbox, or run `qavix-watch retry drop-7`." in text()
    assert "To try again, run `qavix-watch retry drop-7`." in text(after="keep")


def test_a_name_cannot_break_its_line() -> None:
    (line,) = [line for line in text().splitlines() if line.startswith("File:")]
    assert line == "File:   \ufffd\u240a.mp4"


def test_what_was_never_submitted_costs_nothing() -> None:
    assert "nothing was submitted" in text(job(JobState.FAILED))
    assert "nothing was submitted" in text()


def test_a_new_try_of_what_was_never_submitted_costs_what_it_would_have_cost() -> None:
    said = text(job(JobState.FAILED, ours=60.0))
    assert said.endswith("nothing was submitted, so nothing was paid; a new try is billed as usual, about 60 credits.\n")


def test_a_price_is_told_only_where_all_of_it_is_known() -> None:
    said = text(job(JobState.FAILED, task_id="7", price=60), job(JobState.FAILED))
    assert "What that costs: 2 new tasks." in said
    assert "2 new tasks, about 105 credits" in text(job(JobState.FAILED, task_id="7", price=60), job(JobState.FAILED, ours=45))


def test_a_task_that_failed_costs_a_new_one() -> None:
    assert "a new task, about 60 credits" in text(job(JobState.FAILED, task_id="7", price=60))
    assert "2 new tasks, about 90 credits" in text(*(job(JobState.FAILED, task_id="7", price=45) for _ in range(2)))
    assert "What that costs: a new task." in text(job(JobState.FAILED, task_id="7"))


def test_of_a_fan_out_it_says_what_is_delivered_and_what_alone_would_be_repeated() -> None:
    said = text(job(JobState.DONE, "es"), job(JobState.FAILED, "de", "7", 60), job(JobState.CANCELLED, "fr"))
    assert "Delivered already: es." in said
    assert "Only this would be done again: de." in said


def test_a_job_without_a_language_is_named_by_its_order() -> None:
    assert "erase" in text(job(JobState.DONE, None), job(JobState.FAILED, None))


def test_a_request_that_was_never_answered_is_not_said_to_have_cost_nothing() -> None:
    said = text(job(JobState.FAILED, ours=60.0, posted=1))
    assert "nothing was submitted" not in said
    assert said.endswith("a request was sent and never answered; the same one is sent again, and is billed once, about 60 credits.\n")


def test_results_that_are_fetched_again_cost_nothing() -> None:
    said = text(job(JobState.FAILED, task_id="7", price=60, task_status="completed"))
    assert said.endswith("What that costs: nothing; the task is done, and its results are fetched again.\n")
    said = text(job(JobState.FAILED, task_id="7", price=60, task_status="completed"), job(JobState.FAILED, task_id="8", price=45))
    assert said.endswith("What that costs: a new task, about 45 credits.\n")


def test_where_everything_was_done_nothing_is_said_to_be_unpaid() -> None:
    said = text(job(JobState.DONE, task_id="7", price=60))
    assert said.endswith("What that costs: nothing; the task is done, and its results are fetched again.\n")
