"""Where bodies lie on disk."""

from __future__ import annotations

import os
import secrets


class Places:
    """The directories of one sandbox; what an upload left half-done when it was killed is swept at the start."""

    def __init__(self, directory: str) -> None:
        self.stored = os.path.join(directory, "files")
        self.incoming = os.path.join(directory, "incoming")
        self.results = os.path.join(directory, "results")
        for path in (self.stored, self.incoming, self.results):
            os.makedirs(path, exist_ok=True)
        for name in os.listdir(self.incoming):
            os.unlink(os.path.join(self.incoming, name))

    def file(self, file_id: str) -> str:
        return os.path.join(self.stored, file_id)

    def result(self, name: str) -> str:
        return os.path.join(self.results, name)

    def temporary(self) -> str:
        """A new path for a body that is still arriving."""
        return os.path.join(self.incoming, secrets.token_hex(8))
