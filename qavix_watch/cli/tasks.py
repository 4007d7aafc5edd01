"""`qavix-watch tasks`: what the service has of this account, ours and others told apart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.cli.whose import Ours
    from qavix_watch.config import Settings
    from qavix_watch.core.service import Task

    Row = dict[str, Any]

_STATUSES = ("pending", "processing", "completed", "failed")
_PAGE = 100
_STYLES = {"completed": "green", "failed": "red", "processing": "cyan"}


def tasks(
    status: Annotated[str, typer.Option(metavar="STATUS", help=f"Only those in this status ({', '.join(_STATUSES)}).")] = "",
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="Only this kind: `dub`, or the service's `video_translation`.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many, the newest; all of them unless said.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the tasks that the service has.

    All of the account, the newest first. Those that this state made are shown with their job and their file. The account may
    have others: made by hand, by another program, or by another Qavix Watch.

    Example: qavix-watch tasks --status failed --type dub
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.whose import ours

    asked = _status(status), _type(kind)
    settings = context.settings(config)
    found = _all_tasks(settings, *asked, limit)
    with context.view(settings) as look:
        own = ours(look)
    rows = [task_row(task, own) for task in found]
    if as_json:
        context.print_json(rows)
    elif rows:
        context.show(_table(rows))
    else:
        context.say("No task is like that." if any(asked) else "The account has no tasks.")


def _status(text: str) -> str | None:
    word = text.strip().lower()
    if word and word not in _STATUSES:
        raise typer.BadParameter(f"`{text}` is no status; they are {', '.join(_STATUSES)}.", param_hint="--status")
    return word or None


def _type(text: str) -> str | None:
    """A task type of the service, from its own name or any word that a folder's name may begin with."""
    from qavix_watch.core.tasks import JOB_WORDS, TASKS

    word = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    if not word:
        return None
    named = next((spec.type for spec in TASKS.values() if spec.type.value.replace("_", " ") == word), None)
    found = named or JOB_WORDS.get(word)
    if found is None:
        words = ", ".join(spec.word for spec in TASKS.values())
        raise typer.BadParameter(f"`{text}` is no kind of work; they are {words}.", param_hint="--type")
    return found.value


def _all_tasks(settings: Settings, status: str | None, task_type: str | None, limit: int | None) -> list[Task]:
    """The newest first. A task that moved on to a further page while they were read counts once."""
    from qavix_watch.cli.asking import ask, every_page

    size = min(limit or _PAGE, _PAGE)
    pages = ask(
        settings,
        lambda client, waiting: every_page(
            lambda cursor: client.list_tasks(status, task_type, cursor, size), lambda page: len(page.tasks), waiting, limit
        ),
        "Reading the list of tasks …",
    )
    once = {task.task_id: task for page in pages for task in page.tasks}
    return sorted(once.values(), key=lambda task: task.created_at or 0.0, reverse=True)[:limit]


def task_row(task: Task, own: Ours) -> Row:
    """As `--json` prints it. `whose`: "ours", "another" (Qavix Watch, by the mark in its name), or "other"; times in seconds since 1970."""
    from qavix_watch.core.identity import mark_in

    job = own.job(task.task_id, task.task_type, task.created_at, task.name)
    return {
        "task_id": task.task_id,
        "type": task.task_type,
        "status": task.status,
        "progress": task.progress,
        "name": task.name,
        "source_language": task.source_language,
        "target_language": task.target_language,
        "credits_used": task.credits_used,
        "created_at": task.created_at,
        "completed_at": task.completed_at,
        "error": task.error_message,
        "whose": "ours" if job else "another" if mark_in(task.name) else "other",
        "job": job["id"] if job else None,
        "order": job["order"] if job else None,
        "path": job["path"] if job else None,
        "path_b64": job["path_b64"] if job else None,
    }


def _table(rows: Sequence[Row]) -> Any:
    from qavix_watch.cli.tables import table

    titles = ("Task", "Status", "Work", "Credits", "Made", "Whose", "File or name")
    return table(titles, (_cells(row, time.time()) for row in rows), numbers=("Credits",), cut=("File or name",))


def _cells(row: Row, now: float) -> tuple[object, ...]:
    from qavix_watch.cli import amounts
    from qavix_watch.cli.account import word_of
    from qavix_watch.cli.context import plain
    from qavix_watch.cli.tables import number

    languages = " → ".join(filter(None, (row["source_language"], row["target_language"])))
    made = amounts.moment(row["created_at"], now=now) if row["created_at"] else None
    status = plain(_status_words(row), _STYLES.get(row["status"], ""))
    work = f"{word_of(row['type']) or row['type']} {languages}".strip()
    return row["task_id"], status, work, number(row["credits_used"]), made, _whose(row), _called(row)


def _status_words(row: Row) -> str:
    return f"{row['status']} {row['progress']} %" if row["status"] == "processing" and row["progress"] is not None else row["status"]


def _whose(row: Row) -> str:
    return {"ours": f"job {row['job']}", "another": "another Qavix Watch"}.get(row["whose"], "not ours")


def _called(row: Row) -> str:
    called = row["path"].rsplit("/", 1)[-1] if row["path"] else row["name"] or ""
    return f"{called}: {row['error']}" if row["status"] == "failed" and row["error"] else called
