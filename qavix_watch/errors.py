"""The whole tree of errors. Each says what is wrong and with what; its `hint` says what to do now.

    QavixWatchError
    ├── ConfigError                  a configuration that cannot be used
    ├── OrderError                   a folder name or options file that is no order
    │   ├── OptionsError             a qavix.toml that cannot be used
    │   └── NestedOrder              a folder inside an order that looks like an order of its own
    ├── FileError                    a path that could not be read or written
    │   ├── FileGone                 it is not there (any more)
    │   ├── FileChanged              it is not what it was when it was looked at
    │   ├── FileUnreadable           no right to read it, or the disk fails
    │   ├── RootOffline              the folder that it lies in is not there: an unmounted share, an unplugged disk
    │   ├── NameRefused              a name that this filesystem does not take
    │   ├── NameTaken                a rename that must not replace found the name in use
    │   └── NoSpace                  the filesystem is full, or out of inodes or quota
    ├── MediaError                   media facts could not be read
    │   └── NoMediaReader            not of any file: what reads them does not start here
    ├── ApiError                     the service answered, and not with success
    │   ├── AuthenticationRefused    401 authentication_error
    │   ├── InvalidRequest           400 validation_error
    │   ├── RateLimited              429 rate_limit_error
    │   ├── PermissionRefused        403 permission_error
    │   ├── InsufficientCredits      402 insufficient_credits
    │   ├── NotFound                 404 not_found
    │   ├── ServiceFailed            500 internal_error, and any other 5xx
    │   └── UnexpectedAnswer         no envelope, or a status or shape that the reference does not know
    ├── Unreachable                  no answer: no route, DNS, TLS, timeout, cut connection
    ├── TransferError                object storage or a result host did not do its part
    │   ├── GrantRefused             storage refused the upload (expired, or not what was granted)
    │   ├── LinkExpired              a result URL is no longer good; ask Get Task for a new one
    │   ├── ResultBroken             a result that is not what it should be (length, kind, size)
    │   └── Stopped                  told to stop between two chunks
    ├── CommandRefused               what a person's command asks for cannot be done
    └── StoreError                   the state
        ├── Fenced                   somebody else has taken this work over, or its state moved on
        ├── StateBusy                another program has the database in hand, and lets go of it soon
        ├── StateLocked              another service runs on this state
        └── StateUnusable            newer than this program, damaged, or not on a local disk
"""

from __future__ import annotations


class QavixWatchError(Exception):
    """The root of every error that this program raises on purpose.

    `str()` of it is one sentence for a person: what is wrong, and with what. `hint` is the sentence after it: what to do now
    ("" where there is nothing to do).
    """

    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class ConfigError(QavixWatchError):
    """A configuration that cannot be used; the message names file and key."""


class OrderError(QavixWatchError):
    """A folder name or options file that is no order; `suggestion` is the nearest valid name, or None."""

    def __init__(self, message: str, *, hint: str | None = None, suggestion: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.suggestion = suggestion


class OptionsError(OrderError):
    """A qavix.toml that cannot be used; everything below it waits."""


class NestedOrder(OrderError):
    """A folder inside an order that looks like an order of its own; `inner` and `outer` are their names."""

    def __init__(self, inner: str, outer: str) -> None:
        super().__init__(
            f"the folder “{inner}” looks like an order of its own, but lies inside the order “{outer}”",
            hint=f"Which one is meant? Move “{inner}” out into the inbox, or give it a name that is no order.",
        )
        self.inner = inner
        self.outer = outer


class FileError(QavixWatchError):
    """A path that could not be read or written."""


class FileGone(FileError):
    """The path is not there (any more)."""


class FileChanged(FileError):
    """The file is not what it was when it was looked at."""


class FileUnreadable(FileError):
    """There is no right to read it, or the disk fails."""


class RootOffline(FileError):
    """The watched folder is not there: an unmounted share, an unplugged disk. Absence of files means nothing then."""


class NameRefused(FileError):
    """A name that this filesystem does not take: too long, or with characters that it has no room for."""


class NameTaken(FileError):
    """A rename that must not replace found the name in use."""


class NoSpace(FileError):
    """The filesystem is full, or out of inodes or quota."""


class MediaError(QavixWatchError):
    """Media facts could not be read: the reader died on the file, or took too long."""


class NoMediaReader(MediaError):
    """What reads media facts does not start on this host; that says nothing of any file."""


class ApiError(QavixWatchError):
    """The service answered, and not with success.

    `operation` is the operationId, `status` the HTTP status, `type`, `code` and `param` what the error envelope said (or "").
    """

    def __init__(
        self, message: str, *, operation: str, status: int, type: str = "", code: str = "", param: str = "", hint: str | None = None  # noqa: A002 - the envelope's own name
    ) -> None:
        super().__init__(message, hint=hint)
        self.operation = operation
        self.status = status
        self.type = type
        self.code = code
        self.param = param


class AuthenticationRefused(ApiError):
    """401: the API key is missing, invalid or disabled."""

    hint = "Put a valid key into QAVIX_API_KEY, the file named by `api.key_file`, or the systemd credential qavix-api-key."


class InvalidRequest(ApiError):
    """400: the service does not accept what was asked."""


class RateLimited(ApiError):
    """429, or the local limiter: ask again in `retry_after` seconds (None: the service did not say)."""

    def __init__(self, message: str, *, operation: str, retry_after: float | None, status: int = 429, code: str = "") -> None:
        super().__init__(message, operation=operation, status=status, type="rate_limit_error", code=code)
        self.retry_after = retry_after


class PermissionRefused(ApiError):
    """403: HTTPS is required, or the account may not do this."""


class InsufficientCredits(ApiError):
    """402: the balance does not cover the task."""

    hint = "Add credits to the account; waiting work goes on by itself."


class NotFound(ApiError):
    """404: the service does not know it."""


class ServiceFailed(ApiError):
    """500 or another 5xx: the service's own fault; it is asked again later."""


class UnexpectedAnswer(ApiError):
    """An answer that is no envelope, or a status that the reference does not know."""

    hint = "Compare `api.base_url` and `[api.paths]` with your account's documentation."


class Unreachable(QavixWatchError):
    """No answer: no route, DNS, TLS, a timeout, a cut connection.

    `maybe_done` is true where the request may have reached the service before the answer was lost.
    """

    hint = "Check the network, `api.base_url` and `api.ca_file`; work goes on by itself when the service answers."

    def __init__(self, message: str, *, maybe_done: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.maybe_done = maybe_done


class TransferError(QavixWatchError):
    """Object storage or a result host did not do its part; it is tried again later."""


class GrantRefused(TransferError):
    """Storage refused the upload: the grant has expired, or what came is not what was granted."""


class LinkExpired(TransferError):
    """A URL is no longer good; a new one is to be asked for."""


class ResultBroken(TransferError):
    """A result that is not what it should be: its length, its kind, or its size."""


class Stopped(TransferError):
    """The transfer was told to stop between two chunks."""


class CommandRefused(QavixWatchError):
    """What a person's command asks for cannot be done: there is no such job, or it is not in a state for that."""


class StoreError(QavixWatchError):
    """The state could not do what was asked."""


class Fenced(StoreError):
    """Somebody else has taken this work over, or its state has moved on; what was done is not recorded."""


class StateBusy(StoreError):
    """Another program has the database in hand for longer than a commit takes; the same can be done in a moment."""


class StateLocked(StoreError):
    """Another service runs on this state; the message names its process."""


class StateUnusable(StoreError):
    """The state is newer than this program, damaged, or not on a local disk."""
