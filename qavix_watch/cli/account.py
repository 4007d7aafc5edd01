"""`qavix-watch balance`, `pricing` and `voices`: what the account has, what work costs, and who speaks."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.config import Settings
    from qavix_watch.core.service import Balance, Price, Voice

    Row = dict[str, Any]

_GENDERS = ("male", "female")


def balance(config: Config = None, as_json: Json = False) -> None:
    """Show the credits that are left.

    Also the plan, and how often the account may ask.

    Example: qavix-watch balance
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.asking import ask

    settings = context.settings(config)
    found = ask(settings, lambda client, _: client.get_balance())
    if as_json:
        context.print_json(balance_row(found, settings))
    else:
        context.show(_balance_table(balance_row(found, settings)))


def balance_row(found: Balance, settings: Settings) -> Row:
    """As `--json` prints it. `expires_at` in seconds since 1970."""
    return {
        "account": settings.api.account,
        "base_url": settings.api.base_url,
        "credits_remaining": found.credits_remaining,
        "plan": found.plan,
        "expires_at": found.expires_at,
        "requests_per_minute": found.requests_per_minute,
        "queries_per_second": found.queries_per_second,
    }


def _balance_table(row: Row) -> Any:
    from qavix_watch.cli import amounts
    from qavix_watch.cli.tables import facts

    minute, second = row["requests_per_minute"], row["queries_per_second"]
    limits = [f"{minute:,} requests a minute" if minute else "", f"{second:,} a second" if second else ""]
    ends = row["expires_at"]
    return facts([
        ("Account", f"{row['account']} at {row['base_url']}"),
        ("Credits", f"{amounts.money(row['credits_remaining'])} left"),
        ("Plan", row["plan"]),
        ("Ends", f"{amounts.moment(ends)} ({amounts.ago(ends, time.time())})" if ends else None),
        ("Limits", ", ".join(filter(None, limits))),
    ])  # fmt: skip


def pricing(config: Config = None, as_json: Json = False) -> None:
    """Show what a minute of each work costs.

    By kind of work, and by language where that matters. What one folder costs: `qavix-watch explain NAME`.

    Example: qavix-watch pricing
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.asking import ask

    rows = [price_row(price) for price in ask(context.settings(config), lambda client, _: client.pricing())]
    rows.sort(key=lambda row: (row["order"] or row["type"], row["language"] is not None, row["language"] or ""))
    if as_json:
        context.print_json(rows)
    elif rows:
        context.show(_pricing_table(rows))
    else:
        context.say("The service names no prices.")


def price_row(price: Price) -> Row:
    """As `--json` prints it. `order` is the word that a folder's name begins with, None for work that it cannot ask for."""
    return {
        "type": price.task_type,
        "order": word_of(price.task_type),
        "language": price.language,
        "credits_per_minute": price.credits_per_minute,
        "description": price.description or None,
    }


def word_of(task_type: str) -> str | None:
    """The job word for a task type of the service, None where there is none."""
    from qavix_watch.core.tasks import TASKS

    return next((spec.word for spec in TASKS.values() if spec.type == task_type), None)


def _pricing_table(rows: Sequence[Row]) -> Any:
    from qavix_watch.cli.tables import number, table

    titles = ("Order", "Language", "Credits a minute", "About it")
    cells = [
        (row["order"] or row["type"], in_language(row["language"]), number(row["credits_per_minute"]), row["description"]) for row in rows
    ]
    return table(titles, cells, numbers=("Credits a minute",), cut=("About it",))


def in_language(tag: str | None) -> str:
    """A language as people say it, with its tag; a tag that is none as it came."""
    from qavix_watch.core.languages import in_words, read_language
    from qavix_watch.errors import OrderError

    if tag is None:
        return "every"
    try:
        return f"{in_words(read_language(tag))} ({tag})"
    except OrderError:
        return tag


def voices(
    language: Annotated[str, typer.Option(metavar="LANGUAGE", help="Only of this one: a tag (`es`, `es-MX`) or a name (`Spanish`).")] = "",
    gender: Annotated[str, typer.Option(metavar="GENDER", help="Only male, or only female ones.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the voices, and how to ask for each.

    A bare language (`es`) finds its countries too (`es-MX`). Voices without a language, as cloned ones are, fit every one.

    Example: qavix-watch voices --language es --gender female
    """
    from qavix_watch.cli import context
    from qavix_watch.cli.asking import ask

    wanted = _language(language)
    if gender and gender.lower() not in _GENDERS:
        raise typer.BadParameter(f"`{gender}` is none; say male or female", param_hint="--gender")
    settings = context.settings(config)
    # All are asked for, whatever is wanted: a name says which voice is meant only if no other has it.
    found = ask(settings, lambda client, _: client.list_voices())
    with context.view(settings) as look:
        own = {} if look is None else look.cloned_voices()
    rows = [voice_row(voice, found, own) for voice in found if _fits(voice, wanted, gender.lower())]
    if as_json:
        context.print_json(rows)
    elif rows:
        context.show(_voices_table(rows))
    else:
        context.say("No voice is like that." if found else "The service has no voices.")


def _language(text: str) -> str | None:
    from qavix_watch.core.languages import read_language
    from qavix_watch.errors import OrderError

    if not text:
        return None
    try:
        return read_language(text)
    except OrderError as error:
        raise typer.BadParameter(f"{error} {error.hint}".strip(), param_hint="--language") from None


def _fits(voice: Voice, language: str | None, gender: str) -> bool:
    if gender and (voice.gender or "").lower() != gender:
        return False
    if language is None or voice.language is None:
        return True
    tag, wanted = voice.language.replace("_", "-").lower(), language.lower()
    return tag == wanted or tag.startswith(f"{wanted}-")


def voice_row(voice: Voice, known: Sequence[Voice], own: Mapping[str, str]) -> Row:
    """As `--json` prints it. `spelling` is what a folder's name says, None where only a qavix.toml can; `job` cloned it here."""
    return {
        "voice_id": voice.voice_id,
        "name": voice.name,
        "spelling": spelling(voice, known),
        "language": voice.language,
        "gender": voice.gender,
        "accent": voice.accent,
        "age_range": voice.age_range,
        "type": voice.type,
        "job": own.get(voice.voice_id),
        "preview_url": voice.preview_url,
    }


def spelling(voice: Voice, known: Sequence[Voice]) -> str | None:
    """How a folder's name asks for this voice of all that are known: by its name where that says enough, else by its id."""
    return next((f"voice={text}" for text in (voice.name, voice.voice_id) if _leads_to(text, voice, known)), None)


def _leads_to(text: str, voice: Voice, known: Sequence[Voice]) -> bool:
    from qavix_watch.core.grammar import parse
    from qavix_watch.core.voices import resolve
    from qavix_watch.errors import OrderError

    if "/" in text or not text.isprintable():
        return False
    try:
        read = parse(f"tts voice={text}")
        return read.label is None and read.voice is not None and resolve(read.voice, known, ()) == voice.voice_id
    except OrderError:
        return False


def _voices_table(rows: Sequence[Row]) -> Any:
    from qavix_watch.cli.tables import table

    titles = ("Voice", "In a folder's name", "Language", "Sounds", "Note")
    return table(titles, (_voice_cells(row) for row in rows), cut=("Language", "Sounds", "Note"))


def _voice_cells(row: Row) -> tuple[object, ...]:
    written = row["spelling"] or f"in a qavix.toml: voice = {json.dumps(row['voice_id'])}"
    language = in_language(row["language"]) if row["language"] else "any"
    sounds = ", ".join(filter(None, (row["gender"], row["accent"], (row["age_range"] or "").replace("_", " "))))
    note = f"cloned here by job {row['job']}" if row["job"] else row["type"] if row["type"] != "system" else None
    return row["name"], written, language, sounds, note
