"""The log: structlog for ourselves, the libraries' logging through the same door, no secret through either.

A terminal gets lines to read, systemd's journal entries with fields, anything else one JSON object a line. What is known to be
secret is masked, URLs lose their queries (that is where signatures are), and no text can begin a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter, LogLevelColumnFormatter

from qavix_watch.core.secret import MASK, Secret
from qavix_watch.journal import PRIORITIES, Journal, entry, field_name, is_journal

if TYPE_CHECKING:
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

KEYS: Mapping[str, str] = {
    "time": "when: ISO 8601 in UTC as JSON, local time on a terminal",
    "level": "debug, info, warning or error",
    "logger": "the module that says it",
    "event": "what happened, always the same words for the same thing",
    "exception": "the traceback, where there is one",
    "account": "the account that the state is kept for",
    "attempt": "how often this was tried, this time included",
    "brake": "the brake's name (PRODUCT section 5)",
    "bytes": "a size or an amount",
    "command": "what a person asked for",
    "content": "SHA-256 of a file",
    "credits": "what it costs, or did",
    "drop": "id of a drop",
    "error": "what went wrong, in a sentence",
    "file_id": "the service's name of an upload",
    "hint": "what to do about it now",
    "host": "a host that was spoken to, without anything else of the URL",
    "inbox": "the folder that people drop into",
    "job": "id of a job",
    "key": "dotted key of the configuration; never the API key",
    "keys": "several of them",
    "new": "the state that it is in now",
    "old": "the state that it was in",
    "operation": "operationId of an API call",
    "order": "canonical spelling of an order",
    "path": "a file or folder",
    "place": "a watched root",
    "retry_in": "seconds until it is tried again",
    "seconds": "how long it took",
    "service": "the service's base URL",
    "stage": "the stage of the flow",
    "status": "HTTP status",
    "target": "the path that something goes to",
    "task_id": "the service's name of a task",
    "version": "of this program",
    "way": "how it is done",
    "why": "the reason, in a sentence",
}
"""One set of key names for the whole program, and what each means."""

OURS = "qavix_watch"
LONGEST = 20_000
"""Characters of one value; what is longer is cut."""

_DEEPEST = 6
_QUIET = logging.WARNING

_URL = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]{0,20}://)([^\s"'<>?#/@]*@)?([^\s"'<>?#]*)([?#][^\s"<>]*)?""")
_PARAMETER = re.compile(
    r"(?i)(?:\b|(?<=%[0-9a-f]{2}))"
    r"((?:x-[a-z]{1,9}-)?(?:signature|credential|security-token)|sig|token|api_?key|password|secret|\w{0,9}accesskey(?:id)?)(=|%(?:25)?3d)"
    r"""[^&\s"']+"""
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_SLASH = r"(?:\\?/|%(?:25)?2f)"
_CALLBACK = re.compile(rf"(?i)({_SLASH}callback{_SLASH}[^/\\%\s]{{1,40}}{_SLASH})[A-Z0-9_-]{{20,}}")

# What can end a line, drive a terminal, or turn the direction of a text. Joiners stay: emoji and Persian words need them.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # a byte of a name that is not UTF-8
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


class _Masks:
    """The secrets that are known, in every spelling that a message may give them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        quoted = {quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
        with self._lock:
            self._spellings |= quoted | {secret}
            longest_first = sorted(self._spellings, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def over(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text


_masks = _Masks()


def protect(secret: str | Secret) -> None:
    """From now on, show "•••" in place of this text wherever it turns up in the log, and in what `redact` gives back."""
    text = secret.reveal() if isinstance(secret, Secret) else secret
    if text.strip():
        _masks.add(text)


def redact(text: str) -> str:
    """The text without protected secrets, queries and passwords of URLs, signatures, bearer and callback tokens."""
    text = _masks.over(text)
    text = _URL.sub(_without_query, text)
    text = _PARAMETER.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _CALLBACK.sub(rf"\1{MASK}", text)


def _without_query(url: re.Match[str]) -> str:
    scheme, user, rest, query = url.groups()
    return scheme + (f"{MASK}@" if user else "") + rest + (f"?{MASK}" if query else "")


def one_line(text: str) -> str:
    """The text with everything escaped that could begin a line, drive a terminal or turn the direction of reading."""
    return _UNSAFE.sub(lambda match: _SHORT.get(match[0]) or _escape(match[0]), _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text))


def _escape(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def _shown(text: str) -> str:
    safe = one_line(redact(text))
    return safe if len(safe) <= LONGEST else f"{safe[:LONGEST]}… ({len(safe) - LONGEST:,} characters more)"


def presentable(value: object, depth: int = 0) -> Any:
    """A value as JSON knows them, without secrets: paths and bytes as text, exceptions as their message, the rest by repr."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_shown(_words(key)): presentable(item, depth + 1) for key, item in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [presentable(item, depth + 1) for item in value]
    return _shown(_words(value))


def _number(value: float) -> object:
    text = str(value)
    return value if math.isfinite(value) and redact(text) == text else redact(text)


def _words(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return value if isinstance(value, str) else repr(value)


def _traceback(text: str) -> str:
    """A traceback below the line that it belongs to: none of its lines can pass for one of the log's own."""
    return "\n".join(f"    {_shown(line)}" for line in redact(text).split("\n"))


def _presented(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """The last step before rendering, for our events and the libraries' alike."""
    tracebacks = {key: _traceback(str(event.pop(key))) for key in ("exception", "stack") if event.get(key)}
    return {_shown(str(key)): presentable(value) for key, value in event.items()} | tracebacks


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to one stream: our own records from the level on, and everybody else's from WARNING on, whatever they set."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._in_journal = is_journal(stream, os.environ)
        self.addFilter(lambda record: record.levelno >= _QUIET or _is_ours(record.name))

    def format(self, record: logging.LogRecord) -> str:
        """The line, in letters that the stream's encoding has."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        text = super().format(record).encode(encoding, "backslashreplace").decode(encoding)
        return self._with_priority(record, text) if self._in_journal else text

    def _with_priority(self, record: logging.LogRecord, text: str) -> str:
        """Each line begins with its priority, which the journal takes off again (sd-daemon(3))."""
        mark = f"<{PRIORITIES.get(record.levelname.lower(), 6)}>"
        return mark + text.replace("\n", f"\n{mark}")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record was lost, without its arguments: logging would print them as they are."""
        problem = getattr(sys.exc_info()[0], "__name__", "unknown")
        instead = logging.LogRecord(OURS, logging.ERROR, __file__, 0, "a message of %s was lost (%s)", (record.name, problem), None)
        with contextlib.suppress(OSError, ValueError):  # the stream itself is gone: there is nobody left to tell
            self.stream.write(self.format(instead) + self.terminator)


class JournalHandler(LogHandler):
    """Writes to systemd's journal, each record one entry with its fields; to the stream where that does not work."""

    def __init__(self, stream: TextIO, journal: Journal) -> None:
        super().__init__(stream)
        self._journal = journal
        self._entry = b""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record over. The handler's lock is held meanwhile."""
        try:
            self.format(record)
            self._journal.send(self._entry)
        except OSError:
            super().emit(record)
        except Exception:  # noqa: BLE001 - a record that cannot be written ends nothing; handleError says that it was lost
            self.handleError(record)

    def close(self) -> None:
        """Close the way to the journal."""
        self._journal.close()
        super().close()

    def render(self, _logger: WrappedLogger, _name: str, event: EventDict) -> str:
        """The message as people read it; beside it, for the journal, the entry with every key as a field of its own."""
        level, logger = str(event.pop("level", "info")), str(event.pop("logger", ""))
        event.pop("time", None)  # the journal has its own
        long = [str(event.pop(key)) for key in ("exception", "stack") if key in event]
        words = [str(event.pop("event", "")), *(f"{key}={_in_line(value)}" for key, value in event.items())]
        message = "\n".join([" ".join(words), *long])
        fields = {field_name(key): value if isinstance(value, str) else json.dumps(value) for key, value in event.items()}
        self._entry = entry(level, message, {**fields, "QAVIX_LOGGER": logger})
        return message


def _is_ours(name: str) -> bool:
    return name == OURS or name.startswith(f"{OURS}.")


def configure(level: str, format: str, stream: TextIO) -> None:  # noqa: A002 - the configuration's own name
    """Send everything that is logged in this process to `stream`. May be called again.

    `level`: debug, info, warning or error, for our own events. `format`: console, json, or auto, which is console where
    `stream` is a terminal, and entries with fields where it goes to systemd's journal.
    """
    console = format == "console" or (format == "auto" and stream.isatty())
    stamp = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if console else "iso", utc=not console, key="time")
    both: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        stamp,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(),
    ]
    _route_structlog(both)
    if format == "auto" and is_journal(stream, os.environ):
        handler = JournalHandler(stream, Journal())
        _route_stdlib(_formatting(handler, both, handler.render), level)
    else:
        _route_stdlib(_formatting(LogHandler(stream), both, _console(stream) if console else _json), level)


def catch_all() -> None:
    """Have the log tell of what nobody caught: in the main thread, in another, at the end of an object. Python would print it as it is."""
    log = structlog.get_logger(OURS)

    def in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.error("ended by a defect", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            log.error("a thread was ended by a defect", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    def in_end(args: sys.UnraisableHookArgs) -> None:
        log.error("the end of an object showed a defect", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook, threading.excepthook, sys.unraisablehook = in_main, in_thread, in_end


def _route_structlog(processors: Iterable[Processor]) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *processors,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _formatting(handler: LogHandler, foreign: list[Processor], renderer: Processor) -> LogHandler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _presented, renderer],
        )
    )
    return handler


def _route_stdlib(handler: LogHandler, level: str) -> None:
    root = logging.getLogger()
    for old in [other for other in root.handlers if isinstance(other, LogHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(_QUIET)
    logging.getLogger(OURS).setLevel(level.upper())
    logging.captureWarnings(True)


def _json(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    first = {key: event.pop(key) for key in ("time", "level", "logger", "event") if key in event}
    return json.dumps({**first, **event}, ensure_ascii=False)


def _console(stream: TextIO) -> ConsoleRenderer:
    styles = ConsoleRenderer.get_default_column_styles(stream.isatty())
    levels = ConsoleRenderer.get_default_level_styles(stream.isatty())
    plain, reset = str, styles.reset
    return ConsoleRenderer(
        columns=[
            Column("", KeyValueColumnFormatter(styles.kv_key, styles.kv_value, reset, _in_line)),
            Column("time", KeyValueColumnFormatter(None, styles.timestamp, reset, plain)),
            Column("level", LogLevelColumnFormatter(levels, reset_style=reset)),
            Column("event", KeyValueColumnFormatter(None, styles.bright, reset, plain, width=30)),
            Column("logger", KeyValueColumnFormatter(None, styles.logger_name, reset, plain, prefix="[", postfix="]")),
        ]
    )


def _in_line(value: object) -> str:
    """A value of a line that is read by people: in quotation marks where it would run into its neighbour."""
    if isinstance(value, str) and value and not re.search(r'[\s="]', value):
        return value
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else '"' + value.replace('"', r"\"") + '"'
