"""A configuration file and the environment become settings, or a ConfigError that holds no secret.

The file is all up to the first NUL; after it stands one variable after the other, NUL between them, without QAVIX_WATCH_.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from functools import cache

from qavix_watch.config import load, read_key
from qavix_watch.config.layout import layout_of, rules_of
from qavix_watch.errors import ConfigError

LONGEST = 1500
TURN = 16
PLANTED = "qx-PLANTED-0042"
SECTIONS = (
    "api", "folders", "words", "library", "watch", "upload", "follow", "callback", "web", "deliver", "retry", "budget", "notify",
    "media_server", "state", "log",
)  # fmt: skip
WORDS = (
    *(f"[{section}]\n".encode() for section in SECTIONS), *(f"\0{section.upper()}__".encode() for section in SECTIONS), b"[[library]]\n",
    b"[[media_server]]\n", b'base_url = "https://h/q"\n', b"account = ", b"key_file = ", b"timeout = ", b"paths.get_task = ",
    b'"/tasks/{task_id}"', b"root = ", b"inbox = ", b'"/a/b"', b'"~"', b'"~/x"', b'".."', b'"\\u0000"', b"after = ", b'"keep"',
    b"projects = ", b"dub = ", b"to = ", b'["nach"]', b"settle = ", b"rescan = ", b"extensions.video = ", b'[".mp4"]', b"ignore = ",
    b"rate = ", b'"20 MB/s"', b"window = ", b'"22:00-06:00"', b"parallel = ", b"poll_min = ", b"poll_max = ", b"public_url = ",
    b"listen = ", b'"[::1]:80"', b'"0.0.0.0:1"', b"password_file = ", b'"x"', b"trusted_proxies = ", b'["10.0.0.0/8"]', b"dub = ",
    b"video_translation = ", b'"{stem}.{target}{ext}"', b"mode = ", b"0o664", b'"0664"', b"group = ", b"min_free = ", b'"1 GB"',
    b"give_up_after = ", b'"3 days"', b"per_day = ", b'"500 credits"', b"urls = ", b"on = ", b'["failed"]', b"kind = ", b'"plex"',
    b"url = ", b"path_map = ", b'{"/a" = "/b"}', b"path = ", b"level = ", b"format = ", b"true", b"false", b"nan", b"inf", b"-1",
    b"1e400", b"9" * 400, b"0", b"1979-05-27", b"\n", b" = ", b'"', b"[", b"]", b"{", b"}", b"\0", b"=", b"CONFIG=/etc/passwd",
    b"API_BASE_URL=x", b"NOSUCH__KEY=1", b"\xff", b"\xef\xbb\xbf", b"#", b"'''", b"\\uD800",
)  # fmt: skip


@cache
def _file() -> str:
    """A file in memory where there is room for one; it is written anew for each input."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="fuzz-configuration-", dir=memory)
    return os.path.join(folder, "qavix-watch.toml")


def one(data: bytes) -> None:
    """Load it, and make of it what the service goes by."""
    text, *variables = data.split(b"\0")
    with open(_file(), "wb") as file:
        file.write(text)
    environ = {"HOME": "/home/somebody", "QAVIX_API_KEY": PLANTED}
    if zlib.crc32(data) % TURN == 0:
        environ["QAVIX_WATCH_API__KEY"] = PLANTED  # a slip, which is refused without showing it
    for variable in variables:
        name, _, value = variable.decode("utf-8", "surrogateescape").partition("=")
        environ[f"QAVIX_WATCH_{name}"] = value
    try:
        settings = load(_file(), environ)
    except ConfigError as error:
        _told(error)
        return
    rules_of(settings, layout_of(settings))
    assert read_key(settings, environ) is not None
    assert settings.source == _file()
    repr(settings)


def _told(error: ConfigError) -> None:
    assert str(error)
    assert PLANTED not in str(error) + error.hint
