"""What the world offers to the stages: one frozen value of small protocols, built in `app.py` alone.

Stages and the worker touch no clock, disk, network, thread or random number but through these, so that the same code runs in a
simulated world. Everything without `async` may block; stages call it through `Ports.blocking`. Paths are absolute, as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from datetime import datetime

    from qavix_watch.core.files import Entry, Facts, Fingerprint, Space, Stat, Writer
    from qavix_watch.core.service import (
        Balance,
        CreatedTask,
        Download,
        FileLink,
        Price,
        ResultHead,
        Task,
        TaskPage,
        UploadGrant,
        UsagePage,
        Voice,
    )
    from qavix_watch.ports.state import Tx

T = TypeVar("T")


class Clock(Protocol):
    """Time. `now` is seconds since 1970, runs evenly, and is set right once by the service's own Date; `wall` is the host's."""

    def now(self) -> float: ...
    def wall(self) -> float: ...
    def local(self, at: float) -> datetime:
        """A moment in the host's time zone: budgets are by its days and months."""


class Chance(Protocol):
    """Random numbers and ids."""

    def uniform(self, low: float, high: float) -> float: ...
    def token(self) -> str:
        """An unguessable word of 43 letters, safe in a URL."""


class Meter(Protocol):
    """Follows a long act. It raises `errors.Stopped` from `advance` where the act is to end."""

    def start(self, total: int, done: int = 0) -> None:
        """Bytes in all, and those that need not be done again."""

    def advance(self, amount: int) -> None: ...


class Reader(Protocol):
    """A file open for reading."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. FileUnreadable where the disk fails."""

    def stat(self) -> Stat: ...
    def close(self) -> None: ...


class Sink(Protocol):
    """A file of our own that grows at its end. NoSpace or FileUnreadable where the disk does not take it."""

    def size(self) -> int: ...
    def write(self, data: bytes) -> None: ...
    def restart(self) -> None:
        """Empty it."""

    def sync(self) -> None:
        """Make what was written durable. Where that fails the file is empty after: nobody can tell what of it is on the disk."""

    def close(self) -> None: ...


class Files(Protocol):
    """Files and folders. Errors: FileGone, FileUnreadable, NoSpace, NameTaken, FileChanged."""

    def stat(self, path: bytes) -> Stat: ...
    def listdir(self, path: bytes) -> list[bytes]: ...
    def scan(
        self, path: bytes, skip: Callable[[bytes, bool], bool], unread: Callable[[bytes], None] | None = None
    ) -> Iterable[Entry]:
        """Every regular file and directory below `path`, a directory before what it holds; `skip(name, is_dir)` prunes.

        Symbolic links and special files are left out. What cannot be read is left out, told to `unread`, and never ends the scan.
        """

    def writer(self, path: bytes) -> Writer: ...
    def has_hole(self, path: bytes) -> bool: ...
    def is_local(self, path: bytes) -> bool:
        """Whether the mount table says that every write to it passes this kernel."""

    def open(self, path: bytes) -> Reader: ...
    def fingerprint(self, path: bytes, meter: Meter) -> Fingerprint: ...
    def read(self, path: bytes, limit: int) -> bytes:
        """The whole of a small file; FileUnreadable where it has more than `limit` bytes."""

    def write(self, path: bytes, data: bytes, temporary: bytes, like: bytes | None = None) -> None:
        """Put a small text of our own in place, durable and at once, replacing what is there. `temporary`: a path beside it."""

    def append(self, path: bytes) -> Sink:
        """Open a file of our own at its end; made if it is not there."""

    def rename_new(self, source: bytes, target: bytes) -> None:
        """Rename without ever replacing, then make both directories durable. NameTaken; CrossDevice is a copy's business."""

    def make_durable(self, path: bytes) -> None:
        """Make a file as it is, and its name, durable, whoever wrote it."""

    def copy(self, source: bytes, temporary: bytes, meter: Meter) -> str:
        """A durable copy under a name of our own, with the source's times. Gives the SHA-256 of what was copied."""

    def same_filesystem(self, one: bytes, other: bytes) -> bool:
        """Whether a rename from the folder `one` to the folder `other` can work."""

    def remove(self, path: bytes, *, durable: bool = False) -> None:
        """Remove a file; nothing happens where there is none. `durable`: a power cut shall not bring it back."""

    def remove_empty(self, folder: bytes, stop: bytes) -> None:
        """Remove `folder` and its parents below `stop` as far as they are empty."""

    def make_folder(self, path: bytes, like: bytes | None = None, below: bytes | None = None) -> None:
        """Make a folder and its parents, durable; group and mode from the folder `like`.

        What is there already and lies below the folder `below` is made durable as well.
        """

    def adopt(self, path: bytes, like: bytes) -> None:
        """Give a file of ours the group of the folder `like`, and the mode that a file in it should have. Never fails."""

    def space(self, path: bytes) -> Space: ...


class Media(Protocol):
    """Media facts."""

    def facts(self, path: bytes) -> Facts:
        """What the container says. MediaError where the reader died on it; FileGone, FileUnreadable, Stopped."""


class Api(Protocol):
    """The sixteen operations. Errors: ApiError and its kinds, Unreachable."""

    async def get_balance(self) -> Balance: ...
    async def usage_history(
        self, start_date: str | None = None, end_date: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> UsagePage: ...
    async def pricing(self) -> tuple[Price, ...]: ...
    async def get_task(self, task_id: str) -> Task: ...
    async def list_tasks(
        self, status: str | None = None, task_type: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> TaskPage: ...
    async def create_task(self, operation: str, body: Mapping[str, object]) -> CreatedTask:
        """One of video_translation, smart_eraser, subtitle_translation, face_swap, lip_sync, text_to_speech."""

    async def voice_clone(self, audio_url: str, name: str) -> Voice: ...
    async def list_voices(self, language: str | None = None, gender: str | None = None) -> tuple[Voice, ...]: ...
    async def get_upload_url(self, file_name: str, file_size: int, content_md5: str) -> UploadGrant: ...
    async def confirm_upload(self, file_id: str) -> FileLink: ...
    async def refresh_url(self, file_id: str) -> FileLink: ...


class Voices(Protocol):
    """The account's voices, without a call for each order."""

    async def known(self, *, younger_than: float = ...) -> tuple[Voice, ...]:
        """Every voice, from a list that is younger than so many seconds. Errors: as for Api."""


class Transfers(Protocol):
    """Large bodies, to and from hosts that never see the API key."""

    def upload(self, grant: UploadGrant, source: Reader, size: int, meter: Meter) -> str:
        """Send exactly `size` bytes; gives the SHA-256 of what was sent.

        GrantRefused, FileChanged (the file was shorter or longer), Unreachable, ServiceFailed, Stopped.
        """

    def download(
        self, url: str, sink: Sink, known: ResultHead | None, begin: Callable[[ResultHead], None], meter: Meter, limit: int
    ) -> Download:
        """Fetch the whole of `url` into `sink` and sync it.

        Goes on where `sink` ends if `known` (what `begin` was told when its first part came) still holds, by Range with
        If-Range; otherwise empties it and calls `begin` with what this answer says, before the first byte is written.
        At most `limit` bytes. LinkExpired, ResultBroken, Unreachable, ServiceFailed, Stopped, NoSpace.
        """


class Roots(Protocol):
    """The watched folders themselves."""

    def check(self, path: bytes | None = None) -> None:
        """RootOffline where a root's marker is missing or has another id; with `path`, where that of a root is that it lies in."""


class Store(Protocol):
    """The state. `act` gets the verbs of one transaction; it is synchronous, and may be run on any thread."""

    async def transaction(self, name: str, act: Callable[[Tx], T]) -> T: ...


class Blocking(Protocol):
    """Runs what may block, away from the event loop."""

    def __call__(self, act: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


class Hand(Protocol):
    """One piece of claimed work, as a stage gets it. `row` is the record as it was when it was claimed."""

    @property
    def id(self) -> int: ...
    @property
    def row(self) -> Any: ...
    @property
    def claim(self) -> Any: ...
    @property
    def probing(self) -> bool:
        """Whether it is the one piece of work that may try although a brake stops its kind."""

    def meter(self, act: str) -> Meter:
        """Follow a long act ("hashing", "uploading", "downloading"), which ends early where the claim is lost or the service stops."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as one value."""

    clock: Clock
    chance: Chance
    files: Files
    media: Media
    api: Api
    voices: Voices
    transfers: Transfers
    roots: Roots
    store: Store
    blocking: Blocking
