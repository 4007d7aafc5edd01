"""The log shows what happened and no secret, whoever speaks and however the secret is wrapped."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch import logs
from qavix_watch.core.secret import MASK, Secret

KEY = "qx-PLANTED/0123+456789=="
SIGNED = "https://store.example/b/clip.mp4?X-Amz-Signature=5ignature&X-Amz-Expires=60#part"


@pytest.fixture
def log_to(monkeypatch):
    """Configure the log for a stream of our own, without pytest's handlers, and put logging back as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("qavix_watch")
    before = (root.level, ours.level)

    def _log_to(style: str = "json", level: str = "debug", stream: io.TextIOBase | None = None) -> io.StringIO:
        mine = [handler for handler in root.handlers if isinstance(handler, logs.LogHandler)]
        monkeypatch.setattr(root, "handlers", mine)
        stream = stream or io.StringIO()
        logs.configure(level, style, stream)
        return stream

    yield _log_to
    root.setLevel(before[0])
    ours.setLevel(before[1])
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def known_secrets(monkeypatch):
    """Each test begins with no secret known but the planted key."""
    monkeypatch.setattr(logs, "_masks", logs._Masks())
    logs.protect(KEY)


def ours() -> structlog.stdlib.BoundLogger:
    return structlog.get_logger("qavix_watch.test")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_the_documented_keys(log_to):
    stream = log_to()
    ours().info("settled", path=b"/in/clip.mp4", bytes=7, job="j1")
    (event,) = lines(stream)
    assert list(event)[:4] == ["time", "level", "logger", "event"]
    assert event["time"].endswith("Z")
    assert (event["level"], event["logger"], event["event"]) == ("info", "qavix_watch.test", "settled")
    assert (event["path"], event["bytes"], event["job"]) == ("/in/clip.mp4", 7, "j1")
    assert set(event) <= set(logs.KEYS)


def test_what_is_bound_to_the_context_is_in_the_event(log_to):
    stream = log_to()
    with structlog.contextvars.bound_contextvars(job="j7"):
        ours().info("submitted")
    assert lines(stream)[0]["job"] == "j7"


def test_auto_is_json_unless_a_terminal_looks_on(log_to):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, terminal = log_to("auto"), Terminal()
    ours().info("settled", path=b"/a b", bytes=7)
    assert lines(plain)
    log_to("auto", stream=terminal)
    ours().info("settled", path=b"/a b", bytes=7)
    assert "\x1b[" in terminal.getvalue()


def test_the_console_line_reads_time_level_event_values(log_to):
    stream = log_to("console")
    ours().warning("root offline", path=b"/a b", host="nas", place={"id": 'x"y'})
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[warning  \] root offline +\[qavix_watch.test\] "
        r'host=nas path="/a b" place={"id": "x\\"y"}\n',
        stream.getvalue(),
    )


def test_the_level_is_for_our_own_events(log_to):
    stream = log_to(level="warning")
    ours().info("not shown")
    ours().warning("shown")
    assert [event["event"] for event in lines(stream)] == ["shown"]


def test_configuring_again_replaces_the_stream_and_the_level(log_to):
    log = ours()
    first, second = log_to(level="error"), io.StringIO()
    log.info("early")
    log_to(level="info", stream=second)
    log.info("late")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


@pytest.mark.parametrize("library", ["httpx", "httpcore.connection", "uvicorn.access", "watchdog.observers", "asyncio"])
def test_no_librarys_own_chatter_is_shown_even_where_it_sets_its_level(log_to, library, monkeypatch):
    stream = log_to(level="debug")
    logger = logging.getLogger(library)
    monkeypatch.setattr(logger, "propagate", True)  # a server that another test ran in this process may have silenced it
    logger.setLevel(logging.DEBUG)
    logger.debug("connect")
    logger.info("GET %s", SIGNED)
    assert stream.getvalue() == ""
    logger.warning("slow")
    assert [(event["logger"], event["event"]) for event in lines(stream)] == [(library, "slow")]
    logger.setLevel(logging.NOTSET)


def test_warnings_of_python_are_events(log_to):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = log_to()
        warnings.warn(f"careful with {KEY}", UserWarning, stacklevel=1)
    assert lines(stream)[0]["logger"] == "py.warnings"
    assert KEY not in stream.getvalue()


class Careless:
    """An object that shows what it holds."""

    def __repr__(self) -> str:
        return f"<Careless {KEY}>"


def raise_carelessly() -> None:
    try:
        {}[KEY]
    except KeyError as error:
        raise RuntimeError(f"refused: {KEY!r}") from error


def raise_about(name: str) -> None:
    raise ValueError(f"cannot read {name}")


PLANTS = {
    "the event": lambda log: log.info(KEY),
    "a value": lambda log: log.info("sent", error=f"bad {KEY}!"),
    "bytes": lambda log: log.info("sent", path=b"/x/" + KEY.encode()),
    "a path": lambda log: log.info("sent", path=Path("/x") / KEY),
    "a key's name": lambda log: log.info("sent", **{KEY: 1}),
    "a nested table": lambda log: log.info("sent", order={"a": [{"b": (KEY, {KEY: KEY.encode()})}, {KEY}]}),
    "a very deep table": lambda log: log.info("sent", order={"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": KEY}}}}}}}}),
    "an object": lambda log: log.info("sent", order=[Careless()]),
    "a secret that was revealed": lambda log: log.info("sent", error=Secret(KEY).reveal()),
    "a typed secret": lambda log: log.info("sent", error=Secret(KEY)),
    "an exception as a value": lambda log: log.info("sent", error=ValueError(KEY)),
    "percent-encoding": lambda log: log.info("sent", error=f"/x/{quote(KEY, safe='')}"),
    "JSON in text": lambda log: log.info("sent", error=json.dumps({"key": KEY})),
    "a header": lambda log: log.info("sent", error=f"Authorization: Bearer {KEY}"),
    "positional arguments": lambda log: log.info("sent %s", KEY),
    "a library's arguments": lambda log: logging.getLogger("httpx").error("sent %s and %r", KEY, {"k": KEY}),
    "a library's mapping": lambda log: logging.getLogger("httpx").error("sent %(key)s", {"key": KEY}),
    "a library's stack": lambda log: logging.getLogger("uvicorn.error").error(KEY, stack_info=True),
    "a library's wrong arguments": lambda log: logging.getLogger("httpx").error("sent %d", KEY),
}


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("plant", PLANTS)
def test_the_key_is_shown_nowhere(log_to, capsys, plant, style):
    stream = log_to(style)
    PLANTS[plant](ours())
    shown = stream.getvalue() + "".join(capsys.readouterr())
    assert shown
    assert "PLANTED" not in shown


@pytest.mark.parametrize("style", ["json", "console"])
def test_the_key_is_in_no_traceback(log_to, style):
    stream = log_to(style)
    for say in (ours().exception, logging.getLogger("asyncio").exception):
        try:
            raise_carelessly()
        except RuntimeError:
            say("failed")
    assert stream.getvalue().count("RuntimeError: refused: ") == 2
    assert stream.getvalue().count(MASK) >= 4
    assert "PLANTED" not in stream.getvalue()


def test_a_secret_of_several_lines_is_in_no_traceback(log_to):
    secret = "-----BEGIN KEY-----\nPLANTED\n-----END KEY-----"
    logs.protect(secret)
    stream = log_to("console")
    try:
        raise_about(secret)
    except ValueError:
        ours().exception("failed")
    assert "ValueError: cannot read •••" in stream.getvalue()
    assert "PLANTED" not in stream.getvalue()


def test_a_secret_of_digits_is_masked_as_a_number_too():
    logs.protect("987654321")
    assert logs.presentable({"a": 987654321, "b": 5}) == {"a": MASK, "b": 5}


def test_a_longer_secret_is_masked_whole_where_a_shorter_one_begins_it():
    logs.protect(KEY + "-second")
    assert logs.redact(f"<{KEY}-second>") == f"<{MASK}>"


HOSTILE = ["a", "a.", "x-a-", "bearer ", "/callback/", "://a", "a://", "a?", "a@", "\\", "\udce9", "accesskey"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_hostile_text_is_read_in_one_pass(piece):
    began = time.process_time()
    logs.presentable(piece * (400_000 // len(piece)))
    assert time.process_time() - began < 2  # linear: a few hundredths; quadratic: minutes


def test_a_secret_is_masked_in_every_spelling():
    secret = 'open "sesame" \\ now'
    logs.protect(secret)
    spellings = [secret, quote(secret), quote_plus(secret), repr(secret), json.dumps(secret)]
    assert not [shown for shown in map(logs.redact, spellings) if "sesame" in shown]


def test_an_empty_secret_masks_nothing():
    logs.protect("")
    logs.protect(" ")
    assert logs.redact("a b") == "a b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SIGNED, "https://store.example/b/clip.mp4?•••"),
        (f"error for url '{SIGNED}'", "error for url 'https://store.example/b/clip.mp4?•••"),
        ("postgresql://user:pass@db/qavix", "postgresql://•••@db/qavix"),
        ("https://h/a?b='c'&Signature=abc", "https://h/a?•••"),
        ("GET /b/clip.mp4?Signature=5ig&Expires=9 403", "GET /b/clip.mp4?Signature=•••&Expires=9 403"),
        ("X-Amz-Security-Token=abc&OSSAccessKeyId=def", "X-Amz-Security-Token=•••&OSSAccessKeyId=•••"),
        ("authorization: bearer abcdefgh12345", "authorization: bearer •••"),
        ("https://hooks.example/callback/job-7/" + "t" * 43, "https://hooks.example/callback/job-7/•••"),
        ("POST /callback/job-7/" + "t" * 43 + " 404", "POST /callback/job-7/••• 404"),
        ("https://qavixi.com/qavix/tasks/551", "https://qavixi.com/qavix/tasks/551"),
        ("/in/dub en to es/what?now=yes.mp4", "/in/dub en to es/what?now=yes.mp4"),
        ("dub en to es voice=anna hold=yes", "dub en to es voice=anna hold=yes"),
    ],
)
def test_urls_lose_what_signs_them_and_other_text_stays(text, shown):
    assert logs.redact(text) == shown


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_file_name_cannot_begin_a_line_or_drive_the_terminal(log_to, style):
    stream = log_to(style)
    forged = '2026-01-01 00:00:00 [info     ] forged\n{"event": "forged"}'
    name = f"clip\n{forged}\r\x1b[2J\x9b1m\x07\u2028\u202egpj.mp4"
    ours().info(f"found {name}", path=name.encode(), order={name: [name]})
    try:
        raise_about(name)
    except ValueError:
        ours().exception("failed")
    logging.getLogger("uvicorn.error").error("bad request: %s", name)
    for line in stream.getvalue().split("\n"):
        assert not line.startswith(("2026-01-01", '{"event": "forged"'))
    assert not set(stream.getvalue()) & set("\r\x1b\x9b\x07\u2028\u202e")
    assert r"clip\n2026-01-01" in stream.getvalue().replace("\\\\n", "\\n")


def test_names_that_are_not_utf_8_are_shown_with_replacement_characters(log_to):
    stream = log_to()
    ours().info("found", path=b"/in/caf\xe9.mp4", target="/in/caf\udce9.mp4", order="famille 👨\N{ZERO WIDTH JOINER}👩")
    (event,) = lines(stream)
    assert event["path"] == event["target"] == "/in/caf\N{REPLACEMENT CHARACTER}.mp4"
    assert event["order"] == "famille 👨\N{ZERO WIDTH JOINER}👩"


def test_a_stream_with_a_poor_encoding_gets_every_event(log_to):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    log_to("console", stream=stream)
    ours().info("found", path="/in/日本.mp4", error=KEY)
    stream.flush()
    assert rb"/in/\u65e5\u672c.mp4" in raw.getvalue()


def test_a_closed_stream_ends_nobody(log_to, capsys):
    stream = log_to()
    stream.close()
    ours().info("settled", error=KEY)
    assert "PLANTED" not in "".join(capsys.readouterr())


def test_a_message_that_cannot_be_written_is_reported_without_its_arguments(log_to, capsys):
    stream = log_to()
    logging.getLogger("httpx").error("%d", KEY)
    assert lines(stream)[0]["event"] == "a message of httpx was lost (TypeError)"
    assert "".join(capsys.readouterr()) == ""


def test_a_huge_value_is_cut_after_it_was_masked():
    shown = logs.presentable("x" * (logs.LONGEST - 3) + KEY + "y" * 5000)
    assert len(shown) < logs.LONGEST + 50
    assert "PLANTED" not in shown
    assert shown.endswith("characters more)")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(KEY),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner) | st.tuples(inner, inner),
)


@given(VALUES)
def test_any_value_becomes_strict_json_on_one_line_without_the_key(value):
    text = json.dumps(logs.presentable(value), allow_nan=False, ensure_ascii=False)
    assert KEY not in text
    assert len(text.splitlines()) == 1


DEFECTS = """
import sys, threading
from qavix_watch import logs

class Ending:
    def __del__(self):
        raise ValueError("KEY at the end")

def careless():
    raise RuntimeError("KEY in a thread")

logs.protect("KEY")
logs.configure("info", sys.argv[1], sys.stderr)
logs.catch_all()
thread = threading.Thread(target=careless)
thread.start()
thread.join()
Ending()
raise KeyError("KEY in main")
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_what_nobody_caught_is_told_by_the_log_without_secrets(style):
    source = DEFECTS.replace("KEY", KEY)
    done = subprocess.run([sys.executable, "-c", source, style], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "PLANTED" not in done.stdout + done.stderr
    for event in ("ended by a defect", "a thread was ended by a defect", "the end of an object showed a defect"):
        assert event in done.stderr
    assert done.stderr.count(MASK) >= 3


TOKEN = "t0k3n-" + "t" * 37
ADDRESSES = {
    "in a table of tables": {"output": {"video_url": SIGNED}},
    "in JSON with escaped slashes": json.dumps(SIGNED).replace("/", r"\/"),
    "inside another address": f"https://proxy.example/fetch?url={quote(SIGNED, safe='')}",
    "percent-encoded in a path": f"https://proxy.example/fetch/{quote(SIGNED, safe='')}",
    "percent-encoded alone": quote(SIGNED, safe=""),
    "in bytes": f"GET {SIGNED} HTTP/1.1".encode(),
    "in a header": f"Location: {SIGNED}",
    "in an exception": ValueError(f"no answer from {SIGNED}"),
    "in a file's name": b"/in/dub en to es/" + quote(SIGNED, safe="").encode(),
    "a callback's address": f"https://hooks.example/callback/7/{TOKEN}",
    "a callback's address, percent-encoded": quote(f"https://hooks.example/callback/7/{TOKEN}", safe=""),
    "a callback's path": f"POST /callback/7/{TOKEN}",
    "a callback's path, doubly encoded": f"/callback%2F7%2F{TOKEN}",
}


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("where", ADDRESSES)
def test_signatures_and_callback_tokens_are_shown_nowhere(log_to, where, style):
    stream = log_to(style)
    ours().warning("refused", error=ADDRESSES[where], path=ADDRESSES[where])
    logging.getLogger("httpx").warning("refused %s", ADDRESSES[where])
    shown = stream.getvalue()
    assert "refused" in shown
    assert not [secret for secret in ("5ignature", TOKEN) if secret in shown], shown
