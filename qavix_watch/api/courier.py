"""One request to a host of storage or results: without the API key, without redirects, and only to where we may speak."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from qavix_watch.api.hosts import addresses, is_public, lookup, not_public, transfer_address
from qavix_watch.api.network import FOREIGN, LOOPBACK_MOUNTS, building, trust, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Content = Iterator[bytes] | None
    Headers = list[tuple[bytes, bytes]]

_KEEP_ALIVE = 4.0
_EXCERPT = 8 * 1024


class Courier:
    """A pool of connections for threads. `timeout` in seconds is for each step, not for the whole transfer."""

    def __init__(self, *, only_public: bool, timeout: float, ca_file: str | None, connections: int) -> None:
        self.only_public = only_public
        # Waiting for a free connection has no limit: who uses one too long meets a limit of his own.
        self._timeout = httpx.Timeout(timeout, pool=None).as_dict()
        with building():
            self._http = httpx.Client(
                verify=trust(ca_file),
                limits=httpx.Limits(max_connections=connections, keepalive_expiry=_KEEP_ALIVE),
                mounts=dict(LOOPBACK_MOUNTS),
            )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def address(self, text: str, what: str) -> httpx.URL:
        """An address that we may speak to; TransferError names `what` and its host, never more."""
        return transfer_address(text, what, only_public=self.only_public)

    @contextmanager
    def exchange(
        self, method: str, url: httpx.URL, headers: Headers, what: str, content: Content = None, *, patience: float = 0.0
    ) -> Iterator[httpx.Response]:
        """Send, and give the answer with its body unread. Exactly `headers` go out, and Host. `patience`: so many seconds more than
        usual until the answer begins.

        Unreachable for all that goes wrong with the connection, also while the body of the `with` reads from it.
        """
        timeout = {**self._timeout, "read": (self._timeout["read"] or 0.0) + patience}
        extensions = {"timeout": timeout, "trace": self._guard(url, what)}
        try:
            request = httpx.Request(method, url, headers=headers, content=content, extensions=extensions)
            response = self._http.send(request, stream=True)
            try:
                yield response
            finally:
                response.close()
        except FOREIGN as error:
            raise unreachable(error, url.host) from error

    def _guard(self, url: httpx.URL, what: str) -> Callable[[str, dict[str, object]], None]:
        """Looks at each new connection before a byte is sent over it: neither DNS nor its change may lead inside.

        Behind a proxy of the environment the connection is the proxy's, and where it leads is the proxy's business.
        """
        host = url.raw_host.decode("ascii")
        direct = False

        def look(event: str, info: dict[str, object]) -> None:
            nonlocal direct
            if not self.only_public:
                return
            if event == "connection.connect_tcp.started":
                direct = info.get("host") == host
                found = lookup(host, url.port or 443) if direct else []
                if not all(is_public(address) for address in found):
                    raise not_public(url.host, what)
            elif event == "connection.connect_tcp.complete" and direct and not _peer_is_public(info["return_value"]):
                raise not_public(url.host, what)

        return look


def _peer_is_public(stream: object) -> bool:
    """Whether a new connection leads to the public network; one that does not is closed."""
    peer = stream.get_extra_info("server_addr")  # type: ignore[attr-defined]
    if all(is_public(address) for address in addresses([str(peer[0])])):
        return True
    stream.close()  # type: ignore[attr-defined]
    return False


def excerpt(response: httpx.Response) -> str:
    """The beginning of an answer's body as text; "" where it cannot be had."""
    taken = b""
    try:
        for part in response.iter_raw():
            taken += part
            if len(taken) >= _EXCERPT:
                break
    except FOREIGN:
        pass
    return taken[:_EXCERPT].decode("utf-8", "replace")
