"""The text of `<media>.why.txt`, beside an original that could not be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import name_of
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.money import in_words
from qavix_watch.core.naming import display

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.records import Drop, Job

FIRST_LINE = "Qavix Watch could not do this file."


def why_text(drop: Drop, jobs: Sequence[Job]) -> str:
    """What went wrong, what was delivered already, and what a new try costs."""
    lines = [FIRST_LINE, "", f"File:   {display(name_of(drop.path))}", f"Order:  {drop.canonical}", f"Reason: {drop.reason}", ""]
    failed = [job for job in jobs if job.state is JobState.FAILED]
    done = [job for job in jobs if job.state is JobState.DONE]
    if done and failed:
        lines += ["Delivered already: " + ", ".join(_label(job) for job in done) + ".", ""]
        lines += ["Only this would be done again: " + ", ".join(_label(job) for job in failed) + ".", ""]
    lines.append(f"To try again, {_by_hand(drop)}run {again(drop.id)}.")
    lines.append(f"What that costs: {cost(failed, paid=bool(done))}")
    return "\n".join(lines) + "\n"


def again(drop: int) -> str:
    """The command that tries it again, as the text names it."""
    return f"`qavix-watch retry drop-{drop}`"


def _by_hand(drop: Drop) -> str:
    """The way without a command, where there is one."""
    if drop.outlet is not None:
        return "submit the file once more, or "
    return "" if drop.after == "keep" else "drag the file back into its folder in the inbox, or "


def _label(job: Job) -> str:
    return job.language or job.canonical


def cost(failed: Sequence[Job], *, paid: bool = False) -> str:
    """What trying these jobs again costs, in words: as much as it was estimated at, by the service where it said so.

    `paid`: others of the same file are done. A task that is done is followed again under its own key.
    """
    anew = [job for job in failed if job.task_id is None or job.task_status != "completed"]
    if not anew and (failed or paid):
        return "nothing; the task is done, and its results are fetched again."
    prices = [job.estimate if job.credits_estimated is None else job.credits_estimated for job in anew]
    price = "" if not prices or None in prices else f", about {in_words(sum(filter(None, prices)))}"
    if any(job.task_id is not None for job in anew):
        tasks = "a new task" if len(anew) == 1 else f"{len(anew)} new tasks"
        return f"{tasks}{price}."
    if any(job.posted for job in anew):
        return f"a request was sent and never answered; the same one is sent again, and is billed once{price}."
    return f"nothing was submitted, so nothing was paid; a new try is billed as usual{price}."
