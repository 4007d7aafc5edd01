"""`qavix-watch explain`: what a folder's name means."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from qavix_watch.cli.prices import Prices
    from qavix_watch.config import Settings
    from qavix_watch.core.order import Order
    from qavix_watch.errors import OrderError

    Row = dict[str, Any]

_MAIN = {
    "video": "a video, for example clip.mp4",
    "audio": "a sound file, for example clip.mp3",
    "image": "a picture, for example clip.jpg",
    "text": "a text, for example clip.txt (UTF-8)",
}
_PARTNER = {
    "image": "a picture of the same name (clip.jpg), or one face.jpg for the whole folder",
    "audio": "a sound file of the same name (clip.mp3), or one audio.mp3 for the whole folder",
}


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A folder's name, or the path of a folder.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say what a folder's name means.

    With an API key also what it costs a minute; it works without one, too.

    Example: qavix-watch explain "dub en to es"
    """
    from qavix_watch.cli import context
    from qavix_watch.errors import OrderError

    settings = context.settings(config)
    try:
        order = _order(name, settings)
    except OrderError as error:
        _not_understood(name, error, as_json=as_json)
        raise typer.Exit(1) from None
    from qavix_watch.cli.prices import prices_of

    facts = facts_of(name, order, prices_of(order, settings))
    if as_json:
        context.print_json(facts)
    else:
        context.show(_table(facts))


def _order(name: str, settings: Settings) -> Order:
    """The order of a name, or of the folder that `name` is the path of. OrderError; FileGone where there is no such folder."""
    from qavix_watch.core.grammar import parse
    from qavix_watch.core.words import Words
    from qavix_watch.errors import FileGone

    if os.path.isdir(name):
        return _order_on_disk(os.path.abspath(os.fsencode(name)), settings)
    if "/" in name:
        raise FileGone(f"there is no folder {name}", hint="Give its name alone to hear what it would mean.")
    return parse(name, Words(settings.words))


def _order_on_disk(path: bytes, settings: Settings) -> Order:
    """With the qavix.toml files that count there. A folder outside the inbox is read as if it lay directly in it."""
    from dataclasses import replace

    from qavix_watch.cli.context import rules_of
    from qavix_watch.cli.orders import order_at
    from qavix_watch.core.layout import join

    rules = rules_of(settings)
    inside = rules.layout.relative(path)
    folder = rules.layout.order_folder(join(inside, b"x")) if inside else None
    if inside is None or folder is None:
        rules = replace(rules, layout=replace(rules.layout, inbox=os.path.dirname(path)))
        inside = folder = os.path.basename(path)
    return order_at(rules, folder, inside)


def facts_of(name: str, order: Order, prices: Prices) -> Row:
    """Everything that there is to say of an order, as `--json` prints it."""
    from qavix_watch.cli.context import shown
    from qavix_watch.core.languages import in_words

    spec = order.spec
    return {
        "name": shown(name),
        "understood": True,
        "canonical": order.canonical(),
        "does": order.describe(),
        "type": order.task.value,
        "takes": {"main": spec.main.value, "partner": spec.partner.value if spec.partner else None},
        "source": {"tag": order.source, "name": in_words(order.source)} if order.source else None,
        "targets": [{"tag": tag, "name": in_words(tag), "credits_per_minute": prices.per_minute.get(tag)} for tag in order.targets],
        "options": _options(order),
        "label": order.label,
        "credits_per_minute": prices.per_minute.get(None),
        "price_note": prices.note or None,
    }


def _options(order: Order) -> Row:
    """Every key that this kind of work knows, with what holds for this order."""
    from qavix_watch.core.regions import spell_region
    from qavix_watch.core.tasks import in_order

    said: Row = {
        "voice": dict(order.voices) | ({"": order.voice} if order.voice else {}) if order.voices else order.voice,
        "embed": order.embed,
        "mode": order.mode,
        "region": [spell_region(region) for region in order.regions],
        "name": order.voice_name,
        "priority": order.priority,
        "hold": order.hold,
    }
    return {key: said[key] for key in in_order(order.spec.keys)}


def _not_understood(name: str, error: OrderError, *, as_json: bool) -> None:
    from qavix_watch.cli.context import print_json, say, shown

    if as_json:
        nearest = {"reason": str(error), "hint": error.hint or None, "nearest": error.suggestion}
        print_json({"name": shown(name), "understood": False, **nearest})
        return
    say(f"“{shown(name)}” is no order: {error}")
    if error.hint:
        say(error.hint)
    if error.suggestion:
        say(f"Did you mean: {error.suggestion}")


def _table(facts: Row) -> Any:
    from rich.table import Table

    from qavix_watch.cli.context import plain

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(facts):
        table.add_row(label, plain(text))
    return table


def _lines(facts: Row) -> list[tuple[str, str]]:
    takes = facts["takes"]
    partner = f"; and {_PARTNER[takes['partner']]}" if takes["partner"] else ""
    languages = [facts["source"], *facts["targets"]] if facts["source"] else facts["targets"]
    lines = [
        ("Name", facts["canonical"]),
        ("Does", facts["does"]),
        ("Takes", _MAIN[takes["main"]] + partner),
        ("Languages", " → ".join(filter(None, [_spoken(facts["source"]), ", ".join(map(_spoken, facts["targets"]))]))),
        ("Options", ", ".join(_option(key, value) for key, value in facts["options"].items())),
        ("Label", facts["label"] or ""),
        ("Price", _price(facts)),
    ]
    return [(label, text) for label, text in lines if text and (label != "Languages" or languages)]


def _spoken(language: Row | None) -> str:
    return f"{language['name']} ({language['tag']})" if language else ""


def _option(key: str, value: object) -> str:
    if isinstance(value, bool):
        return f"{key}={'yes' if value else 'no'}"
    if isinstance(value, dict):
        return ", ".join(f"{key}{'.' if tag else ''}{tag}={voice}" for tag, voice in value.items())
    if isinstance(value, list):
        return ", ".join(f"{key}={one}" for one in value) or f"{key} not set"
    return f"{key}={value}" if value else f"{key} not set"


def _price(facts: Row) -> str:
    """Each target has a price of its own."""
    from qavix_watch.cli.amounts import money

    if facts["price_note"]:
        return f"not known ({facts['price_note'].rstrip('.')})"
    if facts["credits_per_minute"] is not None:
        return f"{money(facts['credits_per_minute'])} a minute"
    known = [(target["name"], target["credits_per_minute"]) for target in facts["targets"]]
    return "; ".join(f"{name}: {money(price)} a minute" if price is not None else f"{name}: not known" for name, price in known)
