"""A folder's name becomes an order, or an OrderError with a name that works; an order's own spelling leads back to it."""

from __future__ import annotations

import json
import zlib

from qavix_watch.core import grammar, identity, readme, statusfile
from qavix_watch.core.grammar import Words, is_order_shaped, parse, partial, read_order
from qavix_watch.core.order import Order, from_json, to_json
from qavix_watch.core.text import legible
from qavix_watch.errors import OrderError

LONGEST = 400
WORDS = (
    b"dub", b"dub en to es", b"subs", b"subtitle translation", b"video translation", b"erase", b"smart eraser", b"face swap", b"faceswap",
    b"lip sync", b"clone voice", b"voice clone", b"tts", b"text to speech", b"speak", b"translate", b"doblar", b"unter titel", b" to ",
    b" nach ", b" and ", b",", b"+", b"&", b" ", b"__", b"_", b"-", b"->", b"en", b"es", b"pt-BR", b"pt_BR", b"zh-Hans", b"zh-yue", b"kr",
    b"jp", b"en-es", b"es-419", b"sr-Latn-RS", b"de-1996", b"qaa", b"und", b"to", b"Portuguese (Brazil)", b"Brazilian Portuguese",
    b"german movie", b"espa\xc3\xb1ol", b"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", b"Chinese (Traditional, Taiwan)", b"x-klingon",
    b"i-klingon", b"en-u-ca-gregory", b" voice=", b" voice=Maria", b" name=Bob", b" embed=yes", b" embed=no", b" mode=auto",
    b" mode=manual", b" mode=protect", b" region=", b"bottom", b"top-left", b"0,0.8,1,0.2", b",watermark", b",subtitle", b"1e-9",
    b"0.00004", b" priority=high", b" hold=yes", b"=", b" (", b")", b"(2)", b" - Copy", b" copy", b" copy 2", b"\xe5\x89\xaf\xe6\x9c\xac",
    b"\xe2\x80\x93", b"\xe2\x80\x83", b"\xef\xbc\x88", b"\xef\xbc\x89", b"\xef\xbc\x8f", b"\xef\xbd\x84\xef\xbd\x95\xef\xbd\x82",
    b"\xe2\x80\x8b", b"\xe2\x80\x8d", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xff", b"\x00", b"\n", b"/", b"..", b"\xc4\xb0",
    b"\xef\xac\x81",
)  # fmt: skip

TURN = 8
"""The nearest valid name is sought for one input in so many: it takes ten times as long as reading."""
EXTRA = Words({"to": ("nach", "a"), "dub": ("doblar",), "subs": ("unter titel",)})


def one(data: bytes) -> None:
    """Read the name, with the user's own words and without."""
    name = data.decode("utf-8", "surrogateescape")
    turn = zlib.crc32(data) % TURN
    words = EXTRA if turn & 1 else Words()
    if turn == 0:
        _with_suggestion(name, words)
        return
    found = grammar._partial(name, words)
    if isinstance(found, OrderError):
        assert str(found)
        return
    try:
        order = read_order(name, (), words)
    except OrderError:
        return
    _same_again(order, words)


def _with_suggestion(name: str, words: Words) -> None:
    is_order_shaped(name, words)
    try:
        order = parse(name, words)
    except OrderError as error:
        _told(name, error, words)
    else:
        _same_again(order, words)


def _told(name: str, error: OrderError, words: Words) -> None:
    """What is said of it can be written down, and the name that it suggests works."""
    readme.not_understood(name, error).encode()
    item = statusfile.misnamed(name, str(error), error.hint, error.suggestion)
    assert item
    if error.suggestion is not None:
        assert partial(error.suggestion, words)


def _same_again(order: Order, words: Words) -> None:
    spelled = order.canonical()
    again = parse(spelled, words)
    assert again == order, f"{spelled!r}: {again} is not {order}"
    assert again.canonical() == spelled
    assert from_json(to_json(order)) == order
    assert legible(order.describe()) == order.describe()
    for target in order.targets or (None,):
        params = identity.params_of(order, target, "v1", "stem")
        key = identity.idempotency_key(identity.identity("a", order.task, params, ["0" * 64], 1))
        assert len(key) <= 64
        json.dumps(params, allow_nan=False).encode()
