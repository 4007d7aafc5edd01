"""The files that the service holds: grants to put them, object storage that takes them, and the links under which they are read."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.service import UploadGrant
from tests.simulation.links import Links
from tests.simulation.refusals import invalid, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.links import Link
    from tests.simulation.world import World

GRANTED = (3600.0, 0.0, 0.2)
"""Seconds for which a grant is good: long, over before the PUT begins, over before it ends."""
LINKED = (3600.0, 200.0, 900.0)


@dataclass(eq=False, slots=True)
class File:
    """One file of an account. `content` is what storage was given for it, None until then."""

    file_id: str
    account: str
    name: str
    size: int
    md5: str
    content: bytes | None = None
    sha256: str = ""
    confirmed: bool = False
    forgotten: bool = False

    def is_known(self, account: str, size: int, md5: str) -> bool:
        """Whether the service need not be sent this again."""
        return self.confirmed and not self.forgotten and (self.account, self.size, self.md5) == (account, size, md5)


class Storage:
    """Object storage. `uploads` counts the bodies that it took whole, by SHA-256; `confirmed` are those that it was told to keep."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files: dict[str, File] = {}
        self._grants = Links("storage.qavix.example", world.now)
        self._links = Links("files.qavix.example", world.now)
        self._checks_md5 = world.pick("storage checks MD5", 2) == 0
        self.uploads: Counter[str] = Counter()
        self.confirmed: list[str] = []

    def mend(self) -> None:
        """Links are good for as long as was told."""
        self._links.mend()

    # What the service's own operations do with it

    def grant(self, account: str, name: str, size: int, md5: str) -> UploadGrant:
        """Get Upload URL."""
        known = next((file for file in self._files.values() if file.is_known(account, size, md5)), None)
        if known is not None and not self._forgets(known) and not self._overlooks():
            self._world.counters.count("upload known already")
            link = self._link(known)
            told = None if self._world.pick("expiry of a known upload is told", 2) else link.told
            return UploadGrant(known.file_id, url=link.url, expires_at=told)
        file = File(f"f{len(self._files) + 1}", account, name, size, md5)
        self._files[file.file_id] = file
        grant = self._grants.give(file.file_id, file, GRANTED[self._world.fault("grant is short", 10.0, 2)])
        return UploadGrant(file.file_id, grant.url, "PUT", self._headers(file), grant.told)

    def confirm(self, account: str, file_id: str) -> Link:
        """Confirm Upload. Refusal where it is not there, or not what was announced."""
        file = self._known(account, file_id)
        if file.content is None:
            raise invalid("file_id", "Nothing was uploaded under this address", "not_uploaded")
        if file.md5 and hashlib.md5(file.content, usedforsecurity=False).hexdigest() != file.md5:
            raise invalid("file_id", "What was uploaded has another MD5", "digest_mismatch")
        file.confirmed = True
        self.confirmed.append(file.sha256)
        return self._link(file)

    def refresh(self, account: str, file_id: str) -> Link:
        """Refresh URL."""
        file = self._known(account, file_id)
        if not file.confirmed:
            raise invalid("file_id", "The upload was not confirmed", "not_confirmed")
        if self._forgets(file):
            raise unknown("The file", "file_not_found")
        return self._link(file)

    def read(self, field: str, url: str) -> File:
        """The input of a task, fetched by the service itself, whosever it is. Refusal, in the name of the field that led here."""
        link = self._links.find(url)
        if link is None:
            raise invalid(field, "The address leads nowhere", "url_unreachable")
        file: File = link.thing
        if not self._links.is_good(link):
            self._world.counters.count("link expired")
            raise invalid(field, "The address has expired", "url_expired")
        if file.forgotten:
            raise invalid(field, "There is nothing at the address", "url_unreachable")
        return file

    def whose(self, url: object) -> str:
        """The SHA-256 of what an address leads or has led to; "" where that is nothing."""
        link = self._links.find(url) if isinstance(url, str) else None
        return "" if link is None else link.thing.sha256

    def _known(self, account: str, file_id: str) -> File:
        file = self._files.get(file_id)
        if file is None or file.account != account or file.forgotten:
            raise unknown("The file", "file_not_found")
        return file

    def _forgets(self, file: File) -> bool:
        if self._world.fault("file forgotten", 8.0):
            file.forgotten = True
            self._world.tell("service", "has forgotten the file %s (%s)", file.file_id, file.name)
            self._world.counters.count("file forgotten")
        return file.forgotten

    def _overlooks(self) -> bool:
        """Contract: `content_md5` is for deduplication, which nobody promises."""
        overlooked = bool(self._world.fault("upload not known again", 2.0))
        if overlooked:
            self._world.counters.count("upload not known again")
        return overlooked

    def _link(self, file: File) -> Link:
        seconds = self._world.one_of("link is good for", LINKED)
        lives = 0.0 if self._world.fault("link dies early", 15.0) else None
        return self._links.give(file.file_id, file, seconds, lives)

    def _headers(self, file: File) -> Mapping[str, str]:
        kind = {"Content-Type": "application/octet-stream"}
        return {**kind, "Content-MD5": _base64(bytes.fromhex(file.md5))} if self._checks_md5 and file.md5 else kind

    # What object storage does by itself

    def opens(self, url: str) -> int:
        """Whether a PUT to this address may begin: 200, or the status with which it is refused."""
        grant = self._grants.find(url)
        if grant is None:
            return 404
        if not self._grants.is_good(grant):
            self._world.counters.count("grant expired")
            return 403
        return 200

    def put(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """A whole body has come. The status of the answer."""
        status = self.opens(url)
        grant = self._grants.find(url)
        if status != 200 or grant is None:
            return status
        file: File = grant.thing
        granted = self._headers(file)
        if headers != {**granted, "Content-Length": str(file.size)} or len(body) != file.size:
            return 403
        if granted.get("Content-MD5", _md5(body)) != _md5(body):
            self._world.counters.count("bad digest")
            return 400
        file.content, file.sha256 = body, hashlib.sha256(body).hexdigest()
        self.uploads[file.sha256] += 1
        self._world.tell("storage", "took %s: %d bytes of %s as %s", file.name, len(body), file.sha256[:8], file.file_id)
        return 200


def _md5(body: bytes) -> str:
    return _base64(hashlib.md5(body, usedforsecurity=False).digest())


def _base64(digest: bytes) -> str:
    """As the header has it."""
    return base64.b64encode(digest).decode()
