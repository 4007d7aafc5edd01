"""What the state knows of a dropped file, in sentences."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qavix_watch.cli.amounts import duration, minute_of_day, moment
from qavix_watch.cli.amounts import window as shown_window
from qavix_watch.cli.answers import Answer, sentence
from qavix_watch.cli.board import STATES
from qavix_watch.core.lifecycle import CANCELLED, DROP_LIVE, UNDONE
from qavix_watch.core.naming import display
from qavix_watch.core.rules import in_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.cli.answers import Case

    Row = dict[str, Any]

_AT_ITS_PATH = {*DROP_LIVE, "kept", "failed", "ignored"}
_NEXT = {
    "waiting": "It waits until it is complete.",
    "settled": "It is complete; its content is read next.",
    "fingerprinted": "Its content is known; its jobs are made next.",
    "delivering": "It is being worked on.",
    "archiving": "Everything that could be delivered is there; the original is put away next.",
    "archived": "It was done, and the original was put away.",
    "kept": "It was done, and the original stays where it is.",
    "deleted": "It was done, and the original was removed.",
    "failed": "It could not be done.",
    "ignored": "It is left alone.",
    "gone": "It was taken out before anything was submitted, so nothing was paid.",
}
_WORDS = {"settled": "waiting", "fingerprinted": "waiting", "archived": "done", "kept": "done", "deleted": "done", "gone": "taken out"}


def current(rows: Sequence[Row]) -> Row | None:
    """The drop whose file should lie at the path now; None where all of them are of the past."""
    return next((row for row in rows[:1] if not row["detached"] and row["state"] in _AT_ITS_PATH), None)


def about(case: Case, row: Row, rows: Sequence[Row]) -> Answer:
    """What became of a drop, or what it waits for. `rows` are all drops that had its path, the newest first."""
    assert case.look is not None
    jobs = case.look.jobs_of(row["id"])
    live = row["state"] in DROP_LIVE
    brakes = case.look.status()["brakes"] if live else []
    state = _state(row, jobs)
    first = "It is held for a person." if state == "held" and not row["held"] else _why(row)
    why = [first, *_window(case, jobs), *(f"Work stands still: {brake['why'].rstrip('.')}." for brake in brakes)]
    hint = next((sentence(brake["hint"]) for brake in brakes if brake["hint"]), "")
    if row["state"] == "failed":
        away = bool(row["target"]) and case.rules.layout.relative(row["target"]) is None
        by_hand = "drag it back into its folder in the inbox, or " if away else ""
        hint = f"To try it again, {by_hand}run `qavix-watch retry drop-{row['id']}`."
    if row["state"] == "waiting" and row["reason"].startswith("it looks cut short"):
        patience = duration(case.rules.truncated_after_seconds)
        hint = f"If nothing more comes, copy it again; after {patience} without a change it goes to failed."
    earlier = [told(one) for one in rows if one["id"] != row["id"]]
    return Answer("inbox", state, " ".join(why), hint, row["canonical"], jobs=jobs, earlier=earlier)


def _window(case: Case, jobs: Sequence[Row]) -> list[str]:
    """What an upload waits for at a time of day at which there are none."""
    window = case.rules.window_minutes
    if window is None or in_window(minute_of_day(), window) or all(job["state"] != "uploading" for job in jobs):
        return []
    return [f"Its upload waits for the time between {shown_window(window)} (`upload.window`)."]


def _state(row: Row, jobs: Sequence[Row]) -> str:
    """One word: that of the job which is least far, where there are jobs at work."""
    state = str(row["state"])
    if row["held"] and state in DROP_LIVE:
        return "held"
    if state == "delivering" and jobs:
        return min((str(job["state"]) for job in jobs), key=STATES.index)
    return "cancelled" if row["reason"] == CANCELLED else _WORDS.get(state, state)


def _why(row: Row) -> str:
    if row["held"] and row["state"] in DROP_LIVE:
        return f"It is held for a person: {row['held'].rstrip('.')}."
    if row["reason"] == CANCELLED:
        return f"It was cancelled, and the original stays where it is; `qavix-watch retry drop-{row['id']}` goes on with it."
    if row["reason"] == UNDONE:
        return f"It was {UNDONE}."
    usual = _NEXT[row["state"]]
    if row["state"] in {"waiting", "settled", "fingerprinted"} and row["reason"]:
        return sentence(row["reason"] if row["reason"].startswith("it ") else f"it waits: {row['reason']}")
    if row["state"] in {"failed", "ignored"} and row["reason"]:
        return f"{usual[:-1]}: {row['reason'].rstrip('.')}."
    return usual + (f" It lies at {display(row['target'])} now." if row["target"] and row["state"] == "archived" else "")


def told(row: Row) -> str:
    """One drop of the past, on one line."""
    at = row["ended_at"] or row["created_at"]
    return f"{moment(at, now=time.time())} ({row['canonical']}): {_why(row)}"
