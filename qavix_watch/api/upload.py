"""Sending a file to object storage: exactly what was granted, with a Content-Length, hashed as it goes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Protocol

from qavix_watch.api.courier import excerpt
from qavix_watch.api.texts import fit_to_show
from qavix_watch.errors import FileChanged, GrantRefused, ServiceFailed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from qavix_watch.api.courier import Courier
    from qavix_watch.api.pace import Pace
    from qavix_watch.core.service import UploadGrant

WHAT = "the upload"
METHODS = frozenset({"PUT", "POST"})
LONGEST_REASON = 300
BUFFERED_BYTES = 256 * 1024
SLOWEST_RATE = 1024
"""What was written last may still lie in buffers on the way, and leave them at so few bytes a second: no answer comes before that."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, field names
_OURS = frozenset({"host", "content-length"})
_OF_THE_CONNECTION = frozenset({
    "connection", "expect", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
})
_XML = re.compile(r"<(Code|Message)>([^<]{0,500})</\1>")


class Source(Protocol):
    """What is read: `ports.Reader` as far as it is used here."""

    def read(self, size: int) -> bytes: ...


class Meter(Protocol):
    """`ports.Meter`."""

    def start(self, total: int, done: int = 0) -> None: ...
    def advance(self, amount: int) -> None: ...


def upload(courier: Courier, pace: Pace, grant: UploadGrant, source: Source, size: int, meter: Meter) -> str:
    """Send exactly `size` bytes of `source`; gives the SHA-256 of what was sent, in hex.

    GrantRefused, FileChanged (the source is shorter or longer), Unreachable, ServiceFailed, Stopped, TransferError
    (an address that we do not speak to), and what `source` and `meter` raise.
    """
    if grant.upload_url is None:
        raise GrantRefused("The upload cannot begin: the service gave no address for it.")
    url = courier.address(grant.upload_url, WHAT)
    headers = _headers(grant, url, size)
    body = _Body(source, size, meter, pace)
    meter.start(size)
    patience = min(size, BUFFERED_BYTES) / SLOWEST_RATE
    with courier.exchange(_method(grant), url, headers, WHAT, body.chunks(), patience=patience) as response:
        _accepted(response, url)
    if body.sent != size:
        raise Unreachable(f"{url.host} answered before it had the whole file.", maybe_done=False)
    return body.sha256.hexdigest()


class _Body:
    """The chunks of a file of `size` bytes. The last one is handed out only once the file is known to end there."""

    def __init__(self, source: Source, size: int, meter: Meter, pace: Pace) -> None:
        self.sent = 0
        self.sha256 = hashlib.sha256()
        self._source = source
        self._size = size
        self._meter = meter
        self._pace = pace

    def chunks(self) -> Iterator[bytes]:
        left = self._size
        while left:
            chunk = self._source.read(min(self._pace.chunk(), left))
            left -= len(chunk)
            if not chunk or (not left and self._source.read(1)):
                raise FileChanged(f"The file is not {self._size} bytes long any more; it changed during the upload.")
            self.sha256.update(chunk)
            self._pace.wait(len(chunk), self._look_up)
            yield chunk
            self.sent += len(chunk)
            self._meter.advance(len(chunk))

    def _look_up(self) -> None:
        self._meter.advance(0)


def _method(grant: UploadGrant) -> str:
    method = (grant.upload_method or "PUT").upper()
    if method not in METHODS:
        raise GrantRefused(f"The upload is to go by {fit_to_show(method, 20)}, which is no way to send a file.")
    return method


def _headers(grant: UploadGrant, url: httpx.URL, size: int) -> list[tuple[bytes, bytes]]:
    """The granted headers and Content-Length; a granted Host or Content-Length may only say what is so."""
    headers = [(b"Content-Length", b"%d" % size)]
    true = {"host": {url.host, url.netloc.decode("ascii")}, "content-length": {str(size)}}
    for name, text in grant.upload_headers.items():
        value, lower = text.strip(" \t"), name.lower()
        if not _sendable(name, value) or (lower in _OURS and value not in true[lower]):
            raise GrantRefused(f"The upload is to carry a header that is not sent: {fit_to_show(name, 60)}.")
        if lower not in _OURS:
            headers.append((name.encode("ascii"), value.encode("utf-8", "replace")))
    return headers


def _sendable(name: str, value: str) -> bool:
    clean = all(letter == "\t" or (letter >= " " and letter != "\x7f") for letter in value)
    return bool(_TOKEN.match(name)) and clean and name.lower() not in _OF_THE_CONNECTION


def _accepted(response: httpx.Response, url: httpx.URL) -> None:
    """Return where storage has taken the file; else say what it said, as far as that holds no secret."""
    said = excerpt(response)
    status = response.status_code
    if 200 <= status < 300:
        return
    reason = _reason(said)
    message = f"Object storage ({url.host}) did not take the file: HTTP {status}{reason}."
    if status >= 500 or status in (408, 425, 429):
        raise ServiceFailed(message, operation="storage", status=status)
    raise GrantRefused(message, hint="A new upload address is asked for by itself.")


def _reason(said: str) -> str:
    """Storage's own code and sentence. Nothing else of its answer is shown: it may repeat the signature."""
    found = {name: fit_to_show(text, LONGEST_REASON) for name, text in _XML.findall(said)}
    words = ": ".join(found[name] for name in ("Code", "Message") if found.get(name))
    return f", {words.rstrip('.')}" if words else ""
