"""A stand-in of the whole Qavix service on a real port: API, object storage, results, callbacks. See `control` and `faults`.

It imports nothing of the program that it tests: it is an independent reading of the contract.
"""

from __future__ import annotations

from qavix_watch.sandbox.options import SandboxOptions
from qavix_watch.sandbox.server import Running, running, serve

__all__ = ["Running", "SandboxOptions", "running", "serve"]
