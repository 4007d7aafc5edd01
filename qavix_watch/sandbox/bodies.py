"""Bodies from disk, with Range, If-Range, ETag, Content-Length and HEAD."""

from __future__ import annotations

import os

from starlette.responses import FileResponse

from qavix_watch.sandbox.problems import no_such_key


class StoredBody(FileResponse):
    """A file whose ETag names its content. Raises StorageError (404) where it is gone.

    Starlette's own answer with larger pieces: a thread's hop for each one costs.
    """

    chunk_size = 1024 * 1024

    def __init__(self, path: str, etag: str, media_type: str) -> None:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            raise no_such_key() from None
        super().__init__(path, headers={"ETag": etag}, media_type=media_type, stat_result=found)
