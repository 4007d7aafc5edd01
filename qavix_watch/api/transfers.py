"""Large bodies, to object storage and from the hosts of results, none of which ever see the API key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qavix_watch.api.courier import Courier
from qavix_watch.api.download import Fetch
from qavix_watch.api.pace import Pace
from qavix_watch.api.upload import upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.api.download import Sink
    from qavix_watch.api.upload import Meter, Source
    from qavix_watch.core.service import Download, ResultHead, UploadGrant


class TransferClient:
    """Uploads and downloads for a bounded pool of threads; fits `ports.Transfers`.

    `public_only`: HTTPS to public addresses alone (see `hosts.public_only`). `timeout` in seconds is for each step.
    `rate` in bytes a second is shared by all uploads, None is no limit. `connections` is how many transfers run at once;
    more of them wait. ConfigError for a `ca_file` or a proxy variable that cannot be used.
    """

    def __init__(
        self,
        *,
        public_only: bool,
        timeout: float = 60.0,
        ca_file: str | None = None,
        rate: float | None = None,
        connections: int = 8,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._courier = Courier(only_public=public_only, timeout=timeout, ca_file=ca_file, connections=connections)
        self._pace = Pace(rate, monotonic, sleep)
        self._monotonic = monotonic

    def set_rate(self, rate: float | None) -> None:
        """Another rate for uploads, in bytes a second, also for those under way."""
        self._pace.set_rate(rate)

    def close(self) -> None:
        """Close all connections."""
        self._courier.close()

    def upload(self, grant: UploadGrant, source: Source, size: int, meter: Meter) -> str:
        """As `ports.Transfers.upload`; gives the SHA-256 of what was sent, in hex."""
        return upload(self._courier, self._pace, grant, source, size, meter)

    def download(
        self,
        url: str,
        sink: Sink,
        known: ResultHead | None,
        begin: Callable[[ResultHead], None],
        meter: Meter,
        limit: int,
    ) -> Download:
        """As `ports.Transfers.download`."""
        return Fetch(self._courier, url, sink, known, begin, meter, limit, self._monotonic).run()
