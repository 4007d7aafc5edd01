"""A result's address and type, and a drop's name, become a name that leads nowhere else and that every filesystem takes.

Lines: the address, the Content-Type, the drop's name, a template; after them the first bytes of the result.
"""

from __future__ import annotations

import json
from itertools import product

from qavix_watch.core import foreign, identity
from qavix_watch.core.foreign import escape_refused, extension_for
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import LONGEST_NAME, LONGEST_RESULT, display, is_result_of, numbered, result_name, split_name, wire_name
from qavix_watch.core.tasks import TaskType
from qavix_watch.core.templates import templated

LONGEST = 1200
WORDS = (
    b"https://cdn.test/a.mp4", b"?sig=1", b"#x", b".mp4", b".mkv", b".srt", b".mp3", b".json", b".exe", b".php", b".mp4/", b"/../",
    b"../../", b"/etc/passwd", b"%2f", b"%2e%2e", b"%00", b"\x00", b"\\", b"C:", b"\n", b"video/mp4", b"audio/mpeg",
    b"text/vtt; charset=x", b"text/html", b"attachment; filename=", b"clip", b"clip.mov", b".hidden", b"..", b".", b"CON", b"nul.txt",
    b"com1", b" ", b".tar.gz", b"a" * 260, b"\xe6\x97\xa5" * 90, b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae",
    b"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", b"e\xcc\x81", b"{stem}", b"{target}", b"{source}", b"{ext}", b"{stem}.{target}{ext}",
    b" (2)", b".es", b".es.subbed", b".erased", b"QAVIX-READ-ME.txt", b"x.why.txt", b"x.part", b"ftypmp42", b"\x1aE\xdf\xa3", b"RIFF",
    b"WEBVTT", b"<html>", b":", b"*", b"<", b"|", b"?", b'"', b"1\n00:00:01,000 --> ",
)  # fmt: skip
KINDS = ("video", "audio", "subtitle", "voice", "poster", "preview_2")
TARGETS = (None, "es", "zh-Hans-CN")
KNOWN = {extension for kind in foreign._EXTENSIONS.values() for extension in kind} | foreign._OTHER | {"bin"}
CHOICES = tuple(product(KINDS, TaskType, TARGETS))


def one(data: bytes) -> None:
    """Every name that could be made of it."""
    url, content_type, drop, template, head = (*data.split(b"\n", 4), b"", b"", b"", b"", b"")[:5]
    kind, task, target = CHOICES[sum(data) % len(CHOICES)]
    extension = extension_for(url.decode("latin-1"), content_type.decode("latin-1"), head, kind)
    assert extension in KNOWN
    name = drop.replace(b"/", b"").replace(b"\0", b"")[:LONGEST_NAME]
    name = name if name.strip(b".") else b"x" + name[:9]
    stem, suffix = split_name(name)
    assert stem + suffix == name
    assert stem
    for number in (1, 2, 9999):
        made = result_name(stem, kind, task, target, extension, number=number, source_suffix=suffix if number == 2 else None)
        _is_a_name(made, LONGEST_RESULT)
        _is_a_name(numbered(name, number), LONGEST_NAME)
    _of_template(template, stem, target, extension)
    is_result_of(name, stem[:2])
    _shown(name, stem)


def _of_template(template: bytes, stem: bytes, target: str | None, extension: str) -> None:
    from qavix_watch.config.templates import template as checked
    from qavix_watch.config.wrong import SettingError

    try:
        text = checked(template.decode("utf-8", "replace"))
    except SettingError:
        return
    if len(text.encode()) <= 100:
        for number in (1, 9999):
            _is_a_name(templated(text, stem, "en", target, extension, number=number), LONGEST_RESULT)


def _shown(name: bytes, stem: bytes) -> None:
    """What people and the service see of it, and what a filesystem of Windows gets."""
    assert "\n" not in display(name)
    wire_name(name).encode()
    task = identity.task_name(wire_name(stem), "k")
    assert len(task.encode()) <= 200
    assert identity.mark_in(task) == identity.mark("k")
    escaped = escape_refused(name)
    _is_a_name(escaped, LONGEST_NAME)
    escaped.decode()
    assert not {*b':"*?<>|\\'} & {*escaped}
    json.dumps({"from": display(name)}, ensure_ascii=False).encode()


def _is_a_name(name: bytes, longest: int) -> None:
    """It names something in its own folder, and nothing else."""
    assert 0 < len(name) <= longest, len(name)
    assert b"/" not in name
    assert b"\0" not in name
    assert name not in {b".", b".."}
    path = join(b"folder", name)
    assert (parent(path), name_of(path)) == (b"folder", name)
