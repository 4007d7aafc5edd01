"""The bytes of a qavix.toml become options, or an OrderError that names file and line; with a name they become an order, or another."""

from __future__ import annotations

import json
import re

from qavix_watch.core import identity, readme
from qavix_watch.core.grammar import partial, read_order
from qavix_watch.core.options import parse_options
from qavix_watch.core.order import from_json, to_json
from qavix_watch.core.text import legible
from qavix_watch.errors import OptionsError, OrderError

LONGEST = 1500
WORDS = (
    b"voice", b"voice = ", b"voice.es = ", b"[voice]\n", b"name", b"name = ", b"embed = ", b"hold = ", b"mode = ", b"priority = ",
    b"region = ", b"region = [", b"[[region]]\n", b"{x = 0, y = 0.8, width = 1, height = 0.2}", b'kind = "watermark"',
    b"[0, 0.8, 1, 0.2]", b'"bottom"', b'"0,0.8,1,0.2"', b'"top-left"', b"true", b"false", b'"manual"', b'"protect"', b'"auto"', b'"high"',
    b'"Maria"', b"\n", b" = ", b'"', b"'''", b'"""', b"[", b"]", b"[[", b"]]", b"{", b"}", b",", b".", b"#", b"\\u0000", b"\\uD800",
    b"\\U0010FFFF", b"nan", b"inf", b"-inf", b"1e400", b"0x", b"9999999999999999999999", b"1979-05-27T07:32:00Z", b"es", b"pt-BR",
    b'"en-es"', b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\xe2\x80\x9c", b"\x00", b"a.b.c.d", b"VOICE", b"__proto__", b"0.5", b"-0.0",
    b"1e-300",
)  # fmt: skip
NAMES = ("dub en to es,pt-BR", "erase", "tts es", "clone voice", "subs en to fr")

_LINE = re.compile(r"\Aa/qavix\.toml(?:, line [1-9]\d*:| has )")


def one(data: bytes) -> None:
    """Read them, and make the orders that they could be meant for."""
    try:
        options = parse_options(data, "a/qavix.toml")
    except OrderError as error:
        _told(error)
        return
    for name in NAMES:
        try:
            order = read_order(name, (options,))
        except OrderError as error:
            str(error).encode()
            continue
        assert from_json(to_json(order)) == order
        assert legible(order.describe()) == order.describe()
        partial(order.canonical())
        for target in order.targets or (None,):
            json.dumps(identity.params_of(order, target, None, "stem"), allow_nan=False).encode()


def _told(error: OrderError) -> None:
    """It says where, and can be written down."""
    assert _LINE.match(str(error)), str(error)
    readme.options_broken(OptionsError(str(error), hint=error.hint)).encode()
