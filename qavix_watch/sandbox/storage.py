"""Object storage, as strict as S3: signed PUT with exactly the granted headers, signed GET, XML errors."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from qavix_watch.sandbox.bodies import StoredBody
from qavix_watch.sandbox.inputs import file_id_in
from qavix_watch.sandbox.links import base64_md5
from qavix_watch.sandbox.problems import StorageError, no_such_key

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from qavix_watch.sandbox.files import FileRow
    from qavix_watch.sandbox.service import Service

_CHUNK_BYTES = 4 * 1024 * 1024  # smaller ones spend more on hops between threads than on hashing


async def storage_put(service: Service, request: Request) -> Response:
    row = _known_file(service, request)
    _check_shape(request)
    service.links.check_grant(row, request.query_params)
    _check_granted_headers(row, request)
    temporary = service.places.temporary()
    try:
        intake = await _receive(service.threads, request, temporary)
        _check_digest(request, intake)
        await _keep(service, row, temporary, intake)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    finally:
        _remove(temporary)
    return Response(status_code=200, headers={"ETag": f'"{intake.md5.hexdigest()}"'})


async def storage_get(service: Service, request: Request) -> Response:
    row = _known_file(service, request)
    service.links.check_file(row, request.query_params)
    if not row.held:
        raise no_such_key()
    return StoredBody(service.places.file(row.file_id), f'"{row.md5}"', row.content_type)


def _known_file(service: Service, request: Request) -> FileRow:
    row = service.files.get(file_id_in(request.url.path))
    if row is None:
        raise no_such_key()
    return row


def _check_shape(request: Request) -> None:
    """What S3 refuses whatever the signature says."""
    headers = request.headers
    if "authorization" in headers:
        raise StorageError(400, "InvalidArgument", "Only one auth mechanism allowed; a signed URL needs no Authorization header")
    if "transfer-encoding" in headers:
        raise StorageError(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    if "content-length" not in headers:
        raise StorageError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")


def _check_granted_headers(row: FileRow, request: Request) -> None:
    """The signature binds type, digest and size: each must come exactly as granted."""
    granted = {"content-type": row.content_type, "content-length": str(row.size)}
    if row.content_md5:
        granted["content-md5"] = base64_md5(row.content_md5)
    for name, value in granted.items():
        if request.headers.get(name) != value:
            raise StorageError(403, "SignatureDoesNotMatch", f"The header {name} is not what was signed.")


class _Intake:
    """What arrives, hashed and written by two threads while the next ones come in."""

    def __init__(self, threads: ThreadPoolExecutor, out: BinaryIO) -> None:
        self._threads = threads
        self._out = out
        self._busy: list[asyncio.Future[None]] = []
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.size = 0

    async def take(self, chunk: bytes) -> None:
        await self.settle()
        self.size += len(chunk)
        loop = asyncio.get_running_loop()
        self._busy = [
            loop.run_in_executor(self._threads, self.md5.update, chunk),
            loop.run_in_executor(self._threads, self._write, chunk),
        ]

    def _write(self, chunk: bytes) -> None:
        self.sha256.update(chunk)
        self._out.write(chunk)

    async def settle(self) -> None:
        await asyncio.gather(*self._busy)
        self._busy = []


async def _receive(threads: ThreadPoolExecutor, request: Request, path: str) -> _Intake:
    with await asyncio.get_running_loop().run_in_executor(threads, _create, path) as out:
        intake = _Intake(threads, out)
        waiting = bytearray()
        try:
            async for piece in request.stream():
                waiting += piece
                if len(waiting) >= _CHUNK_BYTES:
                    await intake.take(bytes(waiting))
                    waiting.clear()
            await intake.take(bytes(waiting))
        finally:
            await intake.settle()
    return intake


def _create(path: str) -> BinaryIO:
    return open(path, "xb", buffering=0)


def _check_digest(request: Request, intake: _Intake) -> None:
    given = request.headers.get("content-md5")
    if given is None:
        return
    try:
        digest = base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != intake.md5.digest_size:
        raise StorageError(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
    if digest != intake.md5.digest():
        raise StorageError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")


async def _keep(service: Service, row: FileRow, temporary: str, intake: _Intake) -> None:
    """Puts the body in place; once confirmed, a file can only be sent again as it is."""
    now = service.files.get(row.file_id)
    sha256 = intake.sha256.hexdigest()
    if now is not None and now.confirmed_at is not None:
        if now.sha256 != sha256:
            raise StorageError(403, "AccessDenied", "Access Denied")
        service.files.count_put(row.file_id, sha256, intake.size)
        return
    os.replace(temporary, service.places.file(row.file_id))
    service.files.stored(row.file_id, intake.md5.hexdigest(), sha256, intake.size)


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
