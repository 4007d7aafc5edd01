"""The grammar of orders: a folder's name, with or without its qavix.toml files, to an Order or a reason why not."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from qavix_watch.core import nearest as suggestions
from qavix_watch.core.completing import check_keys, complete, nearest_order
from qavix_watch.core.options import Options, check_agreement, merge
from qavix_watch.core.reading import Partial, read
from qavix_watch.core.text import check_text, fold, original_of_copy, split_label
from qavix_watch.core.words import Words
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.order import Order

__all__ = ["Partial", "Words", "is_order_shaped", "nearest", "parse", "partial", "read_order"]

NO_WORDS = Words()


def parse(name: str, words: Words = NO_WORDS) -> Order:
    """The order that a name says by itself. Raises OrderError, with the nearest valid name as its suggestion."""
    return read_order(name, (), words)


def partial(name: str, words: Words = NO_WORDS) -> Partial:
    """What a name says by itself, complete or not (a voice may come from qavix.toml). Raises OrderError."""
    found = _partial(name, words)
    if isinstance(found, OrderError):
        raise OrderError(str(found), hint=found.hint, suggestion=found.suggestion or nearest(name, words))
    return found


def read_order(name: str, options: Sequence[Options | None], words: Words = NO_WORDS) -> Order:
    """The order of a name and the qavix.toml files that lie below it.

    `options` has one item per folder, from the order's own folder (always the first item: None where it has no file) to
    the nearest sub-folder. Nearest wins, key by key; a key that differs between the name and the first item is refused.
    Raises OrderError.
    """
    return _read_order(name, tuple(options), words)


@lru_cache(maxsize=4096)
def _read_order(name: str, options: tuple[Options | None, ...], words: Words) -> Order:
    said = partial(name, words)
    for file in filter(None, options):
        check_keys(said, file)
    if options and options[0] is not None:
        check_agreement(said.options, options[0])
    try:
        return complete(said, merge([said.options, *options]))
    except OrderError as error:
        mend = None if _is_complete(said) else nearest(name, words)
        raise OrderError(str(error), hint=error.hint, suggestion=mend) from error


def _is_complete(said: Partial) -> bool:
    """Whether the name is an order by itself, so that a file is at fault and no other name would help."""
    try:
        complete(said, said.options)
    except OrderError:
        return False
    return True


def is_order_shaped(name: str, words: Words = NO_WORDS) -> bool:
    """Whether a folder inside an order looks like an order of its own: a job with all that a name must say of it.

    `Subs` and `speak` are ordinary names; `subs en to es`, `tts es` and `face swap` are not.
    """
    found = _partial(name, words)
    if isinstance(found, OrderError):
        return False
    return found.spec.languages != "one" or bool(found.targets) or found.options.voice is not None


@lru_cache(maxsize=4096)  # each scan asks it of every folder that is not understood, and it takes a millisecond
def nearest(name: str, words: Words = NO_WORDS) -> str | None:
    """The canonical spelling of the valid name that is nearest to `name`, or None where nothing is near."""
    return suggestions.nearest(name, lambda text: _canonical(text, words), words)


@lru_cache(maxsize=4096)
def _partial(name: str, words: Words) -> Partial | OrderError:
    try:
        check_text(name)
        original = original_of_copy(name)
        if original is not None:
            raise _copy_error(original, words)
        return _with_label(name, words)
    except OrderError as error:  # another is kept, which was not raised: one that was holds all that its callers had in hand
        return _anew(error)


def _anew(error: OrderError) -> OrderError:
    return OrderError(str(error), hint=error.hint, suggestion=error.suggestion)


def _with_label(name: str, words: Words) -> Partial:
    """The group in parentheses at the end is the label, unless it is part of a language's name: `Portuguese (Brazil)`."""
    rest, label = split_label(name)
    if label is not None and "=" not in fold(rest):
        try:
            return _read(name, words)
        except OrderError:
            pass
    return replace(_read(rest, words), label=label or None)


def _read(name: str, words: Words) -> Partial:
    text = fold(name)
    check_text(text)  # folding may bring forth a slash, or nothing at all
    return read(text, words)


def _copy_error(original: str, words: Words) -> OrderError:
    found = _partial(original, words)
    if isinstance(found, OrderError):
        return _anew(found)
    mend = nearest_order(replace(found, label=_next_label(found.label))).canonical()
    return OrderError(f"This is the name of a copy: add a label: `{mend}`", suggestion=mend)


def _next_label(label: str | None) -> str:
    if label is not None and label.isdecimal():
        return str(int(label) + 1)
    return f"{label} 2" if label else "2"


def _canonical(text: str, words: Words) -> str | None:
    found = _partial(text, words)
    return None if isinstance(found, OrderError) else nearest_order(found).canonical()
