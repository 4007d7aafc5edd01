"""The text of `<media>.why.txt`, beside an original that could not be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import name_of
from qavix_watch.core.lifecycle import JobState
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
    lines.append("To try again, drag the file back into its folder in the inbox.")
    lines.append(f"What that costs: {cost(failed)}")
    return "\n".join(lines) + "\n"


def _label(job: Job) -> str:
    return job.language or job.canonical


def cost(failed: Sequence[Job]) -> str:
    """What trying these jobs again costs, in words."""
    again = [job for job in failed if job.task_id is not None]
    if not again:
        return "nothing was submitted, so nothing was paid; a new try is billed as usual."
    price = sum(job.credits_estimated or 0 for job in again)
    tasks = "a new task" if len(again) == 1 else f"{len(again)} new tasks"
    return f"{tasks}, about {price} credits." if price else f"{tasks}."
